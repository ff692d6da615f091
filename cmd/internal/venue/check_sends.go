package venue

import (
	"strings"

	"github.com/shopspring/decimal"
)

// recorded looks for a record before each request.
func (j *judge) recorded() *Invariant {
	i := invariant("I6", "no send without a durable record of the attempt")
	for _, id := range j.sends {
		records := j.attempts[id]
		for n, s := range j.oracle.Sends[id] {
			switch {
			case n >= len(records):
				i.violated("%s: request %d at %s is the %d. send, there are %d records", id, s.Seq, stamp(s.At), n+1, len(records))
			case records[n].At.After(s.At):
				i.violated("%s: request %d came at %s, its record at %s", id, s.Seq, stamp(s.At), stamp(records[n].At))
			}
		}
	}
	if n := j.oracle.Totals.UnnamedSends; n > 0 {
		i.violated("%d orders were sent without a client id", n)
	}
	return i
}

// allowed looks for requests that a halt, an age or a guard forbade.
func (j *judge) allowed() *Invariant {
	i := invariant("I7", "no send after the max age, a failed guard or a halt")
	for _, id := range j.sends {
		in := j.intents[id]
		for _, s := range j.oracle.Sends[id] {
			for _, h := range j.report.Halts {
				if s.At.After(h.From.Add(j.report.Slack)) && (h.To.IsZero() || s.At.Before(h.To)) {
					i.violated("%s: request %d at %s, halted since %s", id, s.Seq, stamp(s.At), stamp(h.From))
				}
			}
			if in.MaxAge > 0 && s.At.Sub(in.Created) > in.MaxAge+j.report.Slack {
				i.violated("%s: request %d came %v after the intent, more than %v", id, s.Seq, s.At.Sub(in.Created), in.MaxAge)
			}
			j.guarded(i, id, in, s)
		}
	}
	return i
}

// guarded looks for a guard's refusal before a request and after the latest record that it can belong to.
func (j *judge) guarded(i *Invariant, id string, in IntentReport, s Send) {
	for _, refused := range in.Refused {
		if !s.At.After(refused.Add(j.report.Slack)) {
			continue
		}
		passed := false
		for _, a := range j.attempts[id] {
			passed = passed || a.At.After(refused) && !a.At.After(s.At)
		}
		if !passed {
			i.violated("%s: request %d at %s, though a guard had refused at %s", id, s.Seq, stamp(s.At), stamp(refused))
		}
	}
}

// restarted compares what a recovery led to with the log that it came from and with the venue.
func (j *judge) restarted() *Invariant {
	i := invariant("I10", "after a restart the state is the log's and the venue's")
	for n, r := range j.report.Restarts {
		after := map[string]StateReport{}
		for _, s := range r.After {
			after[s.ClientID] = s
		}
		for _, was := range r.Replay {
			is, ok := after[was.ClientID]
			switch {
			case !ok:
				i.violated("restart %d: %s was in the log and is gone", n+1, was.ClientID)
			case is.Executed.Cmp(was.Executed) < 0:
				i.violated("restart %d: %s had executed %s and has %s", n+1, was.ClientID, was.Executed, is.Executed)
			case settledState(was.State) && is.State != was.State:
				i.violated("restart %d: %s was %s and is %s", n+1, was.ClientID, was.State, is.State)
			}
		}
		for _, s := range r.After {
			f, exists := j.oracle.Orders[s.ClientID]
			exists = exists && !f.Placed.After(r.At)
			executed := decimal.Zero
			for _, fill := range f.Fills {
				if !fill.At.After(r.At) {
					executed = executed.Add(fill.Quantity)
				}
			}
			switch {
			case denies(s.State) && exists:
				i.violated("restart %d: %s is %s, but the venue has orders %v", n+1, s.ClientID, s.State, f.OrderIDs)
			case claims(s.State) && !exists:
				i.violated("restart %d: %s is %s, but the venue has no order", n+1, s.ClientID, s.State)
			case s.Executed.Cmp(executed) > 0, s.State == StateFilled && !s.Executed.Equal(executed):
				i.violated("restart %d: %s has executed %s, at the venue it was %s", n+1, s.ClientID, s.Executed, executed)
			}
		}
	}
	return i
}

// settledState says whether nothing but new evidence may follow.
func settledState(state string) bool { return state != StateAcked && claims(state) }

// books compares books with the venue's at the same update.
func (j *judge) books() *Invariant {
	i := invariant("I11", "a book in step equals the venue's at that sequence")
	for _, b := range j.report.Books {
		bids, asks, known := [][2]string(nil), [][2]string(nil), false
		if j.oracle.book != nil {
			bids, asks, known = j.oracle.book(b.Symbol, b.Sequence)
		}
		if !known { // what cannot be judged does not pass
			i.violated("%s at %d: the venue no longer knows that book; see Config.KeepBook", b.Symbol, b.Sequence)
			continue
		}
		for _, side := range []struct {
			name        string
			ours, venue [][2]string
		}{{"bids", b.Bids, bids}, {"asks", b.Asks, asks}} {
			if at, ok := differ(side.ours, side.venue); ok {
				i.violated("%s at %d: %s differ at level %d: %v, at the venue %v", b.Symbol, b.Sequence, side.name, at, levelAt(side.ours, at), levelAt(side.venue, at))
			}
		}
	}
	return i
}

func levelAt(levels [][2]string, n int) []string {
	if n >= len(levels) {
		return nil
	}
	return levels[n][:]
}

// differ returns the first level in which two sides are not the same, whatever the form of their numbers.
func differ(a, b [][2]string) (int, bool) {
	for n := range max(len(a), len(b)) {
		if n >= len(a) || n >= len(b) || !sameAmount(a[n][0], b[n][0]) || !sameAmount(a[n][1], b[n][1]) {
			return n, true
		}
	}
	return 0, false
}

func sameAmount(a, b string) bool {
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	return trim(a) == trim(b)
}

// resent looks for requests that came after it was known that the order exists.
func (j *judge) resent() *Invariant {
	i := invariant("I12", "no resend after evidence that the order exists")
	for _, id := range j.sends {
		known := j.intents[id].Evidence
		for _, s := range j.oracle.Sends[id] {
			if !known.IsZero() && s.At.After(known.Add(j.report.Slack)) {
				i.violated("%s: request %d at %s, known since %s", id, s.Seq, stamp(s.At), stamp(known))
			}
		}
	}
	return i
}

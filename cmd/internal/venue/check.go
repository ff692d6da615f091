package venue

import (
	"fmt"
	"maps"
	"slices"
)

// Findings are the verdict on the invariants.
type Findings struct {
	Pass       bool        `json:"pass"` // all that were judged
	Invariants []Invariant `json:"invariants"`
}

// An Invariant is a rule of order safety and whether it held.
type Invariant struct {
	ID         string   `json:"id"`
	Text       string   `json:"text"`
	Pass       bool     `json:"pass"`
	Violations int      `json:"violations"`
	Events     []string `json:"events"` // the first 100 violations, in the order they happened
}

func (i *Invariant) violated(format string, args ...any) {
	i.Pass = false
	i.Violations++
	if len(i.Events) < keepEvents {
		i.Events = append(i.Events, fmt.Sprintf(format, args...))
	}
}

func invariant(id, text string) *Invariant {
	return &Invariant{ID: id, Text: text, Pass: true, Events: []string{}}
}

// Check judges what the venue can see by itself: I1, I2, I8 and I9. With the report of the system under test it judges
// I1 to I12; of more than one report the first counts.
func (o Oracle) Check(report ...Report) Findings {
	list := []*Invariant{o.quantity(), o.once(), o.bans(), o.weight()}
	if len(report) > 0 {
		j := newJudge(o, report[0])
		list = []*Invariant{
			o.quantity(), o.once(), j.acknowledged(), j.fills(), j.settled(), j.recorded(), j.allowed(), o.bans(), o.weight(),
			j.restarted(), j.books(), j.resent(),
		}
	}
	f := Findings{Pass: true}
	for _, i := range list {
		f.Pass = f.Pass && i.Pass
		f.Invariants = append(f.Invariants, *i)
	}
	return f
}

func (o Oracle) quantity() *Invariant {
	i := invariant("I1", "executed quantity per client id is at most the intended quantity")
	for _, id := range o.ids() {
		if f := o.Orders[id]; f.over() {
			i.violated("%s: executed %s (%s quote) of %s (%s quote) intended, by orders %v", id, f.Executed, f.ExecutedQuote, f.Intended, f.IntendedQuote, f.OrderIDs)
		}
	}
	return i
}

func (o Oracle) once() *Invariant {
	i := invariant("I2", "at most one venue order per client id")
	for _, id := range o.ids() {
		if f := o.Orders[id]; f.VenueOrders > 1 {
			i.violated("%s: orders %v", id, f.OrderIDs)
		}
	}
	return i
}

func (o Oracle) bans() *Invariant {
	i := invariant("I8", "no request inside a ban")
	for _, b := range o.InsideBans {
		i.violated("request %d at %s: %s %s from %s, banned until %s", b.Seq, stamp(b.At), b.Method, b.Path, b.Address, stamp(b.BannedUntil))
	}
	i.Pass, i.Violations = o.Totals.InsideBans == 0, o.Totals.InsideBans
	return i
}

func (o Oracle) weight() *Invariant {
	i := invariant("I9", "used weight never passes the limit")
	for _, b := range o.OverLimit {
		i.violated("request %d at %s: %s %s from %s brought the weight to %d of %d", b.Seq, stamp(b.At), b.Method, b.Path, b.Address, b.Weight, o.Totals.WeightLimit)
	}
	i.Pass, i.Violations = o.Totals.OverLimit == 0, o.Totals.OverLimit
	return i
}

// A judge compares a report with the oracle.
type judge struct {
	oracle   Oracle
	report   Report
	intents  map[string]IntentReport
	attempts map[string][]AttemptReport
	sends    []string // client ids, by the first request
}

func newJudge(o Oracle, r Report) *judge {
	j := &judge{oracle: o, report: r, intents: map[string]IntentReport{}, attempts: map[string][]AttemptReport{}}
	for _, in := range r.Intents {
		j.intents[in.ClientID] = in
	}
	for _, a := range r.Attempts {
		j.attempts[a.ClientID] = append(j.attempts[a.ClientID], a)
	}
	j.sends = slices.SortedFunc(maps.Keys(o.Sends), func(a, b string) int {
		return int(int64(o.Sends[a][0].Seq) - int64(o.Sends[b][0].Seq))
	})
	return j
}

// acknowledged compares conclusions of absence with what the venue had accepted by then.
func (j *judge) acknowledged() *Invariant {
	i := invariant("I3", "an order that the venue accepted is never reported absent")
	for _, in := range j.report.Intents {
		f, ok := j.oracle.Orders[in.ClientID]
		if !ok {
			continue
		}
		for _, at := range in.Absent {
			if !f.Placed.After(at) {
				i.violated("%s: reported absent at %s, but order %v exists since %s", in.ClientID, stamp(at), f.OrderIDs, stamp(f.Placed))
			}
		}
		if denies(in.State) {
			i.violated("%s: ended as %s, but order %v exists since %s", in.ClientID, in.State, f.OrderIDs, stamp(f.Placed))
		}
	}
	return i
}

// fills compares what was applied with what was traded.
func (j *judge) fills() *Invariant {
	i := invariant("I4", "fills are the venue's fills, each once")
	for _, in := range j.report.Intents {
		left := map[int64]Fill{}
		for _, f := range j.oracle.Orders[in.ClientID].Fills {
			left[f.TradeID] = f
		}
		for _, f := range in.Fills {
			venue, ok := left[f.TradeID]
			switch {
			case !ok:
				i.violated("%s: fill %d was applied twice or is not the venue's", in.ClientID, f.TradeID)
			case !venue.Quantity.Equal(f.Quantity):
				i.violated("%s: fill %d of %s was applied as %s", in.ClientID, f.TradeID, venue.Quantity, f.Quantity)
			}
			delete(left, f.TradeID)
		}
		for _, id := range slices.Sorted(maps.Keys(left)) {
			i.violated("%s: fill %d of %s was not applied", in.ClientID, id, left[id].Quantity)
		}
	}
	for _, id := range j.oracle.ids() {
		if _, meant := j.intents[id]; !meant && len(j.oracle.Orders[id].Fills) > 0 {
			i.violated("%s: %d fills of an order that nobody meant", id, len(j.oracle.Orders[id].Fills))
		}
	}
	return i
}

// settled looks at how and when intents ended.
func (j *judge) settled() *Invariant {
	i := invariant("I5", "every intent ends, in time, and what is parked has an alert")
	for _, in := range j.report.Intents {
		f, exists := j.oracle.Orders[in.ClientID]
		switch {
		case in.State == StateParked || in.State == StateBreach:
			if !in.Alert {
				i.violated("%s: %s without an alert", in.ClientID, in.State)
			}
		case claims(in.State) && !exists:
			i.violated("%s: ended as %s, but the venue never had it", in.ClientID, in.State)
		case in.State == StateAcked && !isOpen(f.Status):
			i.violated("%s: left as acknowledged, but the venue's order is %s", in.ClientID, f.Status)
		case !claims(in.State) && in.State != StateRejected && in.State != StateAbandoned:
			i.violated("%s: left as %q", in.ClientID, in.State)
		}
		if took := in.Settled.Sub(in.Created); in.Within > 0 && took > in.Within {
			i.violated("%s: took %v to be %s, more than %v", in.ClientID, took, in.State, in.Within)
		}
	}
	return i
}

package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// A reading is how far the reads of one doubt have come. A restart begins it anew, which only takes longer.
type reading struct {
	since    time.Time // by the clock of the process: when the first read began
	spent    time.Time // when the budget began to count: from the fence on, and not while a ban forbids reads
	absent   int       // not-found reads that count: after the fence, and far enough apart
	nothings int       // not-found reads in all
	last     time.Time // by the venue's clock: the last one that counts
	why      string    // of the last failure
	unprobed bool      // sending again as the query was refused
}

// verify makes the next step towards certainty. It needs the turn, and state Verifying.
func (m *Machine) verify(ctx context.Context, l *life) {
	s, p := l.story, &l.reads
	if p.since.IsZero() {
		p.since = time.Now()
		p.spent = p.since
	}
	if m.Ban != nil {
		if until := m.Ban.Banned(); !until.IsZero() {
			p.spent = time.Now().Add(max(0, time.Until(until))) // no read is possible, and none is asked for
			m.plan(l, time.Until(until)+time.Second)
			return
		}
	}
	if m.early(l) || m.probe(ctx, l) {
		return
	}
	fence, now, known := m.fence(s)
	wait := m.Rules.spacing()
	found, err := m.query(ctx, l)
	switch {
	case found || s.State != Verifying:
		return
	case err != nil:
		p.why = errText(err)
		if hint := retry.Hint(err); hint > wait {
			wait = hint
			l.notBefore = time.Now().Add(hint)
		}
	default:
		p.nothings++
		if known && !now.Before(fence) && (p.absent == 0 || now.Sub(p.last) >= m.Rules.spacing()) {
			p.absent++
			p.last = now
		}
	}
	if p.absent >= 2 && err == nil && !s.duplicate {
		missing, found := m.prove(ctx, l, now)
		switch {
		case found || s.State != Verifying:
			return
		case missing == "":
			e := entry{kind: KindMove, line: line{Event: ProofComplete, Why: fmt.Sprintf("read twice after %s to hold neither order nor fill", fence.UTC().Format(time.RFC3339Nano))}}
			if m.write(ctx, l, e) == nil {
				m.resolved(l)
				wait = 0
			}
			m.plan(l, wait)
			return
		}
		p.why = missing
	}
	if why := m.hopeless(s, p, fence, now, known); why != "" {
		_ = m.park(ctx, l, why) // it is planned again if that fails
		return
	}
	if known && now.Before(fence) {
		wait = min(max(wait, time.Second), fence.Sub(now)) // early reads may find it; the one at the fence counts
	}
	m.plan(l, wait)
}

// fence returns the moment from which on a not-found read counts, and the venue's time. known is false where there is none.
func (m *Machine) fence(s *story) (fence, now time.Time, known bool) {
	now, bound, ok := m.Clock.Venue()
	if !ok || !m.Rules.Fence || m.Rules.Residual < 0 || s.unfenced || s.Deadline.IsZero() {
		return time.Time{}, now, false
	}
	return s.Deadline.Add(m.Rules.Residual + max(0, bound)), now, true
}

// hopeless says why it makes no sense to go on; empty if it does.
func (m *Machine) hopeless(s *story, p *reading, fence, now time.Time, known bool) string {
	fenced := m.Rules.Fence && !s.unfenced && !s.Deadline.IsZero()
	taken := time.Since(p.spent)
	switch {
	case s.duplicate && taken > m.Rules.budget():
		return "the venue says that the client id is in use, and shows no order with it: " + p.why
	case known && now.After(fence) && now.Sub(latest(fence, now.Add(-taken))) > m.Rules.budget():
		return "absence could not be proven in the time after the fence: " + p.why
	case fenced && !known && taken > m.Rules.budget():
		return "the venue's time is not known, so no read counts: " + p.why
	case !fenced && taken >= m.Rules.minTotal() && (p.nothings >= m.Rules.reads() || taken > m.Rules.budget()):
		return "there is no moment after which the venue could not accept it any more: not found proves nothing. " + p.why
	}
	return ""
}

// probe sends the same order again where that is the query, and says whether it did.
func (m *Machine) probe(ctx context.Context, l *life) bool {
	s := l.story
	i := &s.Intent
	within := m.Rules.ResendWithin
	switch {
	case m.Rules.Resend != ResendIsQuery, l.reads.unprobed, s.duplicate, s.refused, s.wanted, s.Spent >= i.MaxAttempts,
		within > 0 && m.now().Sub(s.firstSent()) >= within, s.Executed.Sign() > 0:
		return false
	}
	if err := m.check(ctx, i, len(s.Attempts)+1, true); err != nil {
		m.counts.guardTrips.Add(1)
		l.reads.unprobed = true // it may create the order, and must not: lists are read instead
		return false
	}
	m.counts.probes.Add(1)
	kept := l.reads
	m.send(ctx, l, true)
	l.reads.since, l.reads.spent = kept.since, kept.spent
	return true
}

// query reads the order by its client id, or by lists where there is no such query. found says that something exists; an
// error that the read says nothing.
func (m *Machine) query(ctx context.Context, l *life) (found bool, err error) {
	began := m.now()
	r, err := m.ask(ctx, l, l.story.Ref())
	switch {
	case err == nil:
		m.log(ctx, l, Read{What: "query", Began: began, Found: true})
		if err = m.see(ctx, l, &r, fromQuery); err != nil {
			return false, err
		}
		return true, nil
	case errors.Is(err, ErrUnsupported):
		return m.lists(ctx, l)
	case errors.Is(err, ErrNotFound):
		m.log(ctx, l, Read{What: "query", Began: began})
		return false, nil
	}
	m.log(ctx, l, Read{What: "query", Began: began, Err: errText(err)})
	return false, err
}

// ask reads without the turn, so that evidence from elsewhere need not wait.
func (m *Machine) ask(ctx context.Context, l *life, r Ref) (report Report, err error) {
	m.aside(ctx, l, func(ctx context.Context) { report, err = m.Adapter.Query(ctx, r) })
	return report, err
}

// aside calls the venue for a read without the turn, and has it again at the end.
func (m *Machine) aside(ctx context.Context, l *life, read func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, m.readTimeout())
	defer cancel()
	l.give()
	defer l.must()
	read(ctx)
}

// log records a read. A read that could not be recorded was still made.
func (m *Machine) log(ctx context.Context, l *life, r Read) {
	m.counts.reads.Add(1)
	if l.story.Closed {
		return // evidence was quicker; a line after the last one would open it again
	}
	_ = m.write(ctx, l, entry{kind: KindRead, line: line{Read: &r}})
}

// ours finds a report on the order in a list.
func ours(list []Report, r Ref) *Report {
	for i := range list {
		if list[i].Wire == r.Wire || r.VenueID != "" && list[i].VenueID == r.VenueID {
			return &list[i]
		}
	}
	return nil
}

// lists reads the open and the finished orders.
func (m *Machine) lists(ctx context.Context, l *life) (found bool, err error) {
	lister, ok := m.Adapter.(Lister)
	if !ok {
		return false, fmt.Errorf("orders cannot be listed: %w", ErrUnsupported)
	}
	began, ref := m.now(), l.story.Ref()
	var open, finished []Report
	m.aside(ctx, l, func(ctx context.Context) {
		if open, err = lister.Open(ctx, ref.Symbol); err == nil {
			finished, err = lister.Finished(ctx, ref.Symbol, ref.Sent.Add(-m.Rules.lookback()))
		}
	})
	r := ours(append(finished, open...), ref) // what has finished meanwhile is in the later list
	m.log(ctx, l, Read{What: "lists", Began: began, Found: r != nil, Err: errText(err)})
	if r == nil {
		return false, err
	}
	if err := m.see(ctx, l, r, fromList); err != nil {
		return false, err
	}
	return true, nil
}

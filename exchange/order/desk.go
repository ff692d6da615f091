package order

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/retry"
)

// A flight is a request under way, from before the gates until its answer has been judged. All of it but what never
// changes is guarded by the turn of its life.
type flight struct {
	l       *life
	kind    exchange.Kind
	n       int    // of the attempt; 0 for commands
	probe   bool   // sent in doubt
	command string // id of the command
	until   time.Time
	pass    *pass

	held     *Decimal
	tide     tide // before held was read
	begun    bool
	refusal  error // why nothing may be sent
	verdict  *exchange.Verdict
	deadline time.Time
	over     bool // nobody waits for it any more
}

// overdue says that the answer is later than it may be.
func (f *flight) overdue() bool { return !time.Now().Before(f.until) }

type flightKey struct{}

// Begin is of [exchange.Desk]. It makes SENDING(n) durable, and lets the request go if it is the one that the machine
// is waiting for, the intent is fresh, and no stop forbids it.
func (m *Machine) Begin(ctx context.Context, s *exchange.Sending) error {
	m.init()
	m.wired.Store(true)
	f, err := m.find(ctx, s)
	if err != nil {
		m.counts.refused.Add(1)
		return retry.Mark(err, retry.Permanent)
	}
	if err := f.l.take(ctx); err != nil {
		return retry.Mark(err, retry.Permanent)
	}
	defer f.l.give()
	if err := m.begin(ctx, f, s); err != nil {
		f.refusal = err
		return retry.Mark(err, retry.Permanent)
	}
	return nil
}

// find returns the flight that a request belongs to: by its context, and for SDKs that take none by the client id.
func (m *Machine) find(ctx context.Context, s *exchange.Sending) (*flight, error) {
	f, _ := ctx.Value(flightKey{}).(*flight)
	if f == nil {
		m.mu.Lock()
		l := m.byWire[s.ClientID]
		m.mu.Unlock()
		if l != nil {
			if err := l.take(ctx); err != nil {
				return nil, err
			}
			f = l.flight
			l.give()
		}
	}
	if f == nil {
		return nil, fmt.Errorf("%w: %s with client id %.60q: send it through the machine", ErrNoAttempt, s.Kind, s.ClientID)
	}
	return f, nil
}

// begin needs the turn.
func (m *Machine) begin(ctx context.Context, f *flight, s *exchange.Sending) error {
	i := &f.l.story.Intent
	switch {
	case f.l.flight != f || f.over:
		return fmt.Errorf("%w: nobody waits for this attempt of %s any more", ErrNoAttempt, i.ID)
	case f.begun:
		return fmt.Errorf("%w: %s was sent before: the SDK must not send it again by itself", ErrNoAttempt, i.ID)
	case s.Kind != f.kind && !(f.kind == exchange.Replace && s.Kind == exchange.Amend): // at some venues they are one
		return fmt.Errorf("%w: a request to %s for an attempt to %s order %s", ErrNoAttempt, s.Kind, f.kind, i.ID)
	case f.n > 0 && s.ClientID != i.Wire:
		return fmt.Errorf("%w: client id %.60q for an attempt of %s, which must have %q", ErrNoAttempt, s.ClientID, i.ID, i.Wire)
	case f.n > 0 && s.Symbol != "" && s.Symbol != i.Symbol:
		return fmt.Errorf("%w: symbol %.60q for %s, which is about %q", ErrNoAttempt, s.Symbol, i.ID, i.Symbol)
	}
	if f.n > 0 {
		if err := m.record(ctx, f, s); err != nil {
			return err
		}
		if err := m.fresh(i); err != nil {
			return err
		}
	}
	if err := f.pass.begin(ctx); err != nil {
		return err
	}
	f.begun, f.deadline = true, s.Deadline
	return nil
}

// record makes SENDING(n) durable.
func (m *Machine) record(ctx context.Context, f *flight, s *exchange.Sending) error {
	event := GuardsPassed
	if f.probe {
		event = ProbeAllowed
	}
	story := f.l.story
	if to, ok := Next(story.State, event, story.facts); !ok || to != Sending || story.wanted {
		return fmt.Errorf("%w: order %s is %s by now", ErrGuard, story.Intent.ID, story.State)
	}
	a := &Attempt{N: f.n, Signed: s.Signed, Deadline: s.Deadline, Begun: m.now(), Probe: f.probe, Held: f.held}
	if _, off, ok := m.Clock.Venue(); ok {
		a.Off = max(0, off)
	}
	if s.Hash != ([len(s.Hash)]byte{}) {
		a.Hash = hex.EncodeToString(s.Hash[:])
	}
	if f.n == 1 {
		f.l.tide = f.tide
	}
	return m.put(ctx, f.l, entry{KindSending, strconv.Itoa(f.n), line{Event: event, Attempt: a}})
}

// End is of [exchange.Desk]. What the answer proves is written when the adapter has read it, or given up.
func (m *Machine) End(ctx context.Context, s *exchange.Sending, v *exchange.Verdict) {
	f, err := m.find(context.WithoutCancel(ctx), s)
	if err != nil {
		return // nobody waits for it: it is in doubt, and verified
	}
	f.l.must()
	defer f.l.give()
	if f.begun && f.verdict == nil {
		f.verdict = new(*v)
	}
}

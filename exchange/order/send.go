package order

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/retry"
)

// send makes one attempt. It needs the turn, gives it back while the request is under way, and has it again at the end.
func (m *Machine) send(ctx context.Context, l *life, probe bool) {
	f := &flight{l: l, kind: exchange.Order, n: len(l.story.Attempts) + 1, probe: probe, until: time.Now().Add(m.sendTimeout())}
	var report Report
	err := errPanicked
	m.fly(ctx, f, func(ctx context.Context, i Intent) { report, err = m.Adapter.Place(ctx, &i) },
		func() { m.conclude(ctx, f, &report, err) })
}

var errPanicked = errors.New("the adapter panicked")

// fly takes a flight through the gates and the adapter, and judges its answer, also if the adapter panics.
func (m *Machine) fly(ctx context.Context, f *flight, call func(context.Context, Intent), judge func()) {
	l := f.l
	l.flight = f
	i := l.story.Intent
	policy := &retry.Policy{Name: m.Venue + "." + f.kind.String(), MaxAttempts: 1}
	doubt := l.story.facts.Doubt
	m.plan(l, m.sendTimeout()+time.Second) // in case that the adapter does not come back
	l.give()
	defer func() {
		l.must()
		if l.flight == f {
			l.flight = nil
		}
		judge()
		if f.pass != nil {
			f.pass.settle(f.outcome())
		}
	}()
	gates := m.Gates
	if f.kind == exchange.Cancel || i.ReduceOnly {
		gates = m.Reduce
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, flightKey{}, f), m.sendTimeout())
	defer cancel()
	p, err := admit(ctx, gates, policy, max(1, f.n), doubt)
	if err != nil {
		f.refusal = fmt.Errorf("%w: %w", ErrGuard, err)
		return
	}
	f.pass = p
	if f.n > 0 && i.Taking {
		f.held, f.tide = m.held(ctx, i.Symbol)
	}
	call(ctx, i)
}

// signed reads a number that may be negative or left out.
func signed(d Decimal) (Decimal, error) {
	if d == "" {
		return d, nil
	}
	return ParseDecimal(string(d))
}

// outcome tells the gates how the attempt ended.
func (f *flight) outcome() retry.Outcome {
	switch v := f.verdict; {
	case !f.begun:
		return retry.Outcome{State: retry.NotStarted}
	case v == nil || v.Outcome == exchange.Unknown:
		return retry.Outcome{State: retry.Failed, Class: retry.Ambiguous, Err: errUnknown}
	case v.Outcome == exchange.Exists, v.Outcome == exchange.Existed, v.Outcome == exchange.NoOrder:
		return retry.Outcome{State: retry.Succeeded}
	default:
		return retry.Outcome{State: retry.Failed, Class: v.Class, Err: v.Err}
	}
}

var errUnknown = errors.New("the outcome is unknown")

// conclude judges the answer to an attempt. It needs the turn.
func (m *Machine) conclude(ctx context.Context, f *flight, r *Report, err error) {
	l, s := f.l, f.l.story
	switch {
	case f.over: // it was given up as unknown; only evidence counts now
		if err == nil {
			_ = m.see(ctx, l, r, fromAnswer) // unreadable answers are counted there
		}
	case !f.begun:
		m.unbegun(ctx, f, r, err)
	default:
		m.answered(ctx, f, r, err)
	}
	if !s.Closed && l.flight == nil {
		m.onward(l)
	}
}

// unbegun judges an attempt that the desk has not let go.
func (m *Machine) unbegun(ctx context.Context, f *flight, r *Report, err error) {
	l := f.l
	switch s := l.story; {
	case s.State == Sending && s.last().N == f.n: // written, and refused at the last step
		m.note(ctx, l, f.nothing(errText(f.refusal))...)
	case f.refusal != nil:
	case err == nil || !m.wired.Load() && retry.DefaultClassify(err) == retry.Ambiguous:
		m.bypassed(ctx, f, r, err)
		return
	}
	switch {
	case f.refusal == nil:
		l.idle++
		l.retries++
		if l.idle >= m.maxIdleSends() {
			m.abandon(ctx, l, fmt.Errorf("%d attempts have sent nothing: %w", l.idle, err))
		}
	case errors.Is(f.refusal, ErrLog), errors.Is(f.refusal, ErrNoAttempt):
		l.retries++
		l.idle++
		if l.idle >= m.maxIdleSends() {
			m.abandon(ctx, l, f.refusal)
		}
	case f.probe:
		l.reads.unprobed = true // lists are read instead
	default:
		m.abandon(ctx, l, f.refusal)
	}
}

// nothing is the end of an attempt of which no byte left.
func (f *flight) nothing(why string) []entry {
	return []entry{
		{kind: KindOutcome, line: line{Event: NothingSent, Why: why, Answer: &Answer{N: f.n, Outcome: exchange.NotSent.String()}}},
		{kind: KindMove, line: line{Event: Returned}},
	}
}

// bypassed judges an attempt of which nobody can say that it was not sent, since its transport does not ask the desk.
func (m *Machine) bypassed(ctx context.Context, f *flight, r *Report, err error) {
	l := f.l
	m.alarm(ctx, AlarmBypass, l, "order %s was sent past the desk: hand the machine to the venue's transport", l.story.Intent.ID)
	event := GuardsPassed
	if f.probe {
		event = ProbeAllowed
	}
	a := &Attempt{N: f.n, Begun: m.now(), Probe: f.probe}
	m.note(ctx, l, entry{KindSending, strconv.Itoa(f.n), line{Event: event, Attempt: a}})
	if err == nil && m.see(ctx, l, r, fromAnswer) == nil {
		return
	}
	m.unproven(ctx, f, errText(err))
}

// answered judges an attempt that was let go.
func (m *Machine) answered(ctx context.Context, f *flight, r *Report, err error) {
	l, s := f.l, f.l.story
	v := f.verdict
	if v == nil {
		v = &exchange.Verdict{Outcome: exchange.Unknown, Err: err}
	}
	event := m.meaning(l, v)
	switch {
	case v.EchoID != "" && v.EchoID != s.Intent.Wire:
		m.breach(ctx, l, fmt.Sprintf("the answer names client id %.60q", v.EchoID))
		return
	case err == nil && event != DuplicateID && m.see(ctx, l, r, fromAnswer) == nil:
		l.retries = 0
		return
	case event == NoEvent:
		event = Unproven
	}
	if s.State != Sending {
		return // evidence was quicker, and wins
	}
	cause := err
	if v.Err != nil {
		cause = v.Err
	}
	a := answer(f.n, v, cause)
	switch event {
	case Unproven:
		m.unproven(ctx, f, a.text())
		return
	case NothingSent:
		l.idle++
		m.note(ctx, l, f.nothing(a.text())...)
		l.retries++
		if l.idle >= m.maxIdleSends() && (s.State == Recorded || s.State == Absent) {
			m.abandon(ctx, l, fmt.Errorf("%d attempts have sent nothing: %w", l.idle, cause))
		}
		return
	}
	entries := []entry{{kind: KindOutcome, line: line{Event: event, Why: a.text(), Answer: a}}}
	if to, _ := Next(s.State, event, s.facts); to == Rejected {
		entries = append(entries, closing)
	}
	if m.write(ctx, l, entries...) != nil {
		m.unproven(ctx, f, "the answer could not be written")
		return
	}
	m.afterRefusal(ctx, l, event, v)
}

// closing is the last entry of an intent.
var closing = entry{kind: KindClosed}

// afterRefusal plans what follows an answer that the attempt was not placed.
func (m *Machine) afterRefusal(ctx context.Context, l *life, e Event, v *exchange.Verdict) {
	l.retries++
	if l.story.Closed {
		m.retire(l)
		return
	}
	if syncer, ok := m.Clock.(Syncer); ok && e == Deferred && v.Meaning == exchange.ClockOff {
		l.synced = true
		sync, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.readTimeout())
		defer cancel()
		_ = syncer.Sync(sync) // a clock that cannot be read fails the checks before the next send
		l.retries = 0
	}
	l.notBefore = time.Now().Add(v.After)
}

// meaning returns what a verdict says of an attempt; NoEvent if the answer is to be read as evidence.
func (m *Machine) meaning(l *life, v *exchange.Verdict) Event {
	switch {
	case v.Meaning == exchange.DuplicateID:
		return DuplicateID
	case v.Outcome == exchange.NotSent:
		return NothingSent
	case v.Outcome == exchange.NotPlaced:
		switch v.Meaning {
		case exchange.RateLimited, exchange.Overloaded, exchange.Maintenance, exchange.Banned:
			return Deferred
		case exchange.ClockOff:
			if !l.synced { // once
				return Deferred
			}
		}
		return Refused
	}
	return NoEvent
}

// unproven puts an attempt in doubt. Nothing else is safe, whether or not the log can take it: a restart finds SENDING.
func (m *Machine) unproven(ctx context.Context, f *flight, why string) {
	l := f.l
	e := entry{kind: KindOutcome, line: line{Event: Unproven, Why: why, Answer: &Answer{N: f.n, Outcome: exchange.Unknown.String(), Err: why}}}
	m.note(ctx, l, e)
	l.reads = reading{}
	m.plan(l, m.Rules.firstWait())
}

// doubt gives up waiting for an adapter that does not come back. It needs the turn.
func (m *Machine) doubt(ctx context.Context, l *life) {
	f := l.flight
	f.over = true
	l.flight = nil
	if f.n > 0 && f.begun && l.story.State == Sending {
		m.unproven(ctx, f, "no answer in time")
		return
	}
	m.onward(l)
}

// abandon gives an intent up of which nothing exists. It needs the turn.
func (m *Machine) abandon(ctx context.Context, l *life, cause error) {
	s := l.story
	if s.State != Recorded && s.State != Absent {
		return
	}
	if len(s.Attempts) > 0 {
		m.counts.guardTrips.Add(1)
	}
	l.cause = cause
	if m.write(ctx, l, entry{kind: KindMove, line: line{Event: GuardFailed, Why: errText(cause)}}, closing) != nil {
		m.plan(l, m.Rules.spacing())
		return
	}
	m.retire(l)
}

// Why an intent is given up that nobody forbids.
var (
	errUnwanted    = errors.New("cancelled before it was sent")
	errNoneAgain   = errors.New("cancelled before it was sent again")
	errUnpermitted = errors.New("proven absent, and the rules of the venue permit no resend")
)

// guarded says that a check has failed, unless the cause says so itself.
func guarded(cause error) error {
	if errors.Is(cause, ErrGuard) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrGuard, cause)
}

// unsent says why a command has not left; nil if it may have.
func (m *Machine) unsent(f *flight, err error) error {
	switch {
	case f.refusal != nil:
		return guarded(f.refusal)
	case !f.begun && m.wired.Load(), f.verdict != nil && f.verdict.Outcome == exchange.NotSent:
		return err
	}
	return nil
}

// again sends an intent that a check, a refusal or a proof has held up. It needs the turn.
func (m *Machine) again(ctx context.Context, l *life) {
	s := l.story
	i := &s.Intent
	n := len(s.Attempts) + 1
	switch {
	case m.early(l):
		return
	case s.wanted:
		m.abandon(ctx, l, errNoneAgain)
		return
	case s.refused:
		m.abandon(ctx, l, fmt.Errorf("the venue refuses it: %s", s.Why))
		return
	case s.Spent >= i.MaxAttempts:
		m.abandon(ctx, l, fmt.Errorf("all %d attempts are spent", i.MaxAttempts))
		return
	case s.State == Absent && !m.Rules.permits(i):
		m.abandon(ctx, l, errUnpermitted)
		return
	}
	if err := m.check(ctx, i, n, true); err != nil {
		if wait, ok := m.patience(i, err); ok {
			m.plan(l, wait)
			return
		}
		m.abandon(ctx, l, err)
		return
	}
	if s.State == Absent {
		m.counts.resends.Add(1)
	}
	m.send(ctx, l, false)
}

// early says that the venue asked to be left alone, and plans for later.
func (m *Machine) early(l *life) bool {
	wait := time.Until(l.notBefore)
	if wait > 0 {
		m.plan(l, wait)
	}
	return wait > 0
}

// onward plans the next step of what is not closed.
func (m *Machine) onward(l *life) {
	switch s := l.story; {
	case s.State == Recorded, s.State == Absent:
		m.plan(l, pause(l.retries))
	default:
		m.plan(l, m.Rules.firstWait())
	}
}

// pause is the backoff before the nth attempt in a row.
func pause(n int) time.Duration {
	if n <= 0 {
		return 0
	}
	return backoff.Exponential{Base: 200 * time.Millisecond, Max: 5 * time.Second, Jitter: backoff.Equal}.Delay(n, 0, rand.Float64())
}

func answer(n int, v *exchange.Verdict, err error) *Answer {
	a := &Answer{N: n, Outcome: v.Outcome.String(), Meaning: string(v.Meaning), Status: v.Status, Code: v.Code, Message: v.Message}
	a.Err = errText(err)
	return a
}

// text says in a line what came back.
func (a *Answer) text() string {
	t := a.Outcome
	if a.Meaning != "" {
		t = a.Meaning
	}
	if a.Status != 0 {
		t += fmt.Sprintf(": http %d", a.Status)
	}
	for _, part := range []string{a.Code, a.Message, a.Err} {
		if part != "" {
			t += ": " + part
		}
	}
	return t
}

// errText keeps the beginning of an error.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%.500s", err.Error())
}

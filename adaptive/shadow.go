package adaptive

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A shadow is the gate through which a model sees the calls of a policy. In Shadow it delays and refuses nothing. It is no
// Starter, which would have the engine ask Validate once more.
type shadow struct {
	l     *Learner
	m     *model
	terms Terms
	aside bool // its policy is that of the control arm
}

// control says whether a call is left as configured.
func (s *shadow) control(a *retry.Attempt) bool {
	if s.terms.Control != nil {
		return s.aside
	}
	return control(a.Call)
}

var _ retry.Rechecker = (*shadow)(nil)

// Admit implements [retry.Gate].
func (s *shadow) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 || a.Err == nil || a.At.IsZero() {
		return nil
	}
	q := ask{
		left:      left(ctx, a.At),
		hint:      retry.Hint(a.Err).Seconds(),
		ceiling:   ceiling(a).Seconds(),
		longest:   s.terms.longest(),
		group:     groupOf(a.Class),
		kind:      kindBy(s.terms.Kind, a.Err, a.Class),
		retry:     a.Number - 1,
		cost:      s.terms.cost(),
		delayCost: s.terms.delayCost(a.Policy),
		preserve:  s.terms.Goal == PreserveSuccess,
	}
	note, stop := s.m.decide(&q, a, &s.terms, s.control(a), s.terms.random())
	a.Keep(note)
	if stop != nil {
		return stop
	}
	return nil
}

// left is the time to the end of a call, in seconds; +Inf without one.
func left(ctx context.Context, at time.Time) float64 {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline.Sub(at).Seconds()
	}
	return math.Inf(1)
}

// Recheck implements [retry.Rechecker]: the wait is over, and the retry begins, or waits again. What counts as its forecast is what is
// thought when it begins.
func (s *shadow) Recheck(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 || a.Err == nil || a.Begins.IsZero() {
		return nil
	}
	w := waiter{
		group: groupOf(a.Class), kind: kindBy(s.terms.Kind, a.Err, a.Class), retry: a.Number - 1,
		lifted: groupOf(a.Class) == throttle && retry.Hint(a.Err) > 0, left: left(ctx, a.Begins), note: a.Kept(), lever: s.terms.random(), spread: s.terms.random(),
	}
	again, stop := s.m.ready(&w, a, &s.terms, s.control(a))
	a.Keep(w.note)
	a.Wait += again
	if stop != nil {
		return stop
	}
	return nil
}

// Settle implements [retry.Gate].
func (s *shadow) Settle(a *retry.Attempt, o *retry.Outcome) {
	if note := a.Kept(); note&waiting != 0 {
		a.Keep(note &^ waiting)
		s.m.gone(groupOf(a.Class))
	}
	if o.State != retry.Succeeded && (o.State != retry.Failed || o.Class == retry.Permanent) {
		return // nothing that the other side did
	}
	if o.Start.IsZero() {
		return // made by hand: it would upset the clock
	}
	took := o.Elapsed()
	r := result{ok: o.State == retry.Succeeded, group: groupOf(o.Class), retry: max(0, a.Number-1), took: took.Seconds()}
	r.blind, r.frozen = !s.terms.uses(Falling), !s.terms.uses(Learning)
	r.load = !r.ok && kindBy(s.terms.Kind, o.Err, o.Class) == TimedOut
	if r.retry > 0 {
		r.kind = kindBy(s.terms.Kind, a.Err, a.Class)
		r.launched, r.forecast = unpack(a.Kept())
		r.against, r.amid = a.Kept()&against != 0, a.Kept()&amid != 0
	}
	end := o.Start.Add(took)
	if r.against {
		if r.earned = -s.terms.cost() - s.terms.delayCost(a.Policy)*end.Sub(a.At).Seconds(); r.ok {
			r.earned++
		}
	}
	s.l.tell(s.m, s.m.settle(&r, a.At, end))
}

// ceiling is the longest wait that the policy's strategy could have drawn.
func ceiling(a *retry.Attempt) time.Duration {
	var strategy backoff.Strategy = backoff.Exponential{}
	if a.Policy != nil && a.Policy.Backoff != nil {
		strategy = a.Policy.Backoff
	}
	return strategy.Delay(a.Number-1, a.Wait, math.Nextafter(1, 0))
}

// What a note says besides belief and forecast.
const (
	against = 1 << 31 // the model advised against the retry: the sign of the forecast
	waiting = 1 << 63 // it is among those that wait: the sign of the belief
	planned = 1 << 32 // it has its turn after an outage: the last bit of the belief
	amid    = 1       // it was advised upon while the operation may have been down: the last bit of the forecast
	flags   = against | waiting | planned | amid
)

// pack puts belief and forecast into the note that a gate may keep.
func pack(down, forecast float64) uint64 {
	return (uint64(math.Float32bits(float32(down)))<<32 | uint64(math.Float32bits(float32(forecast)))) &^ flags
}

func unpack(n uint64) (down, forecast float64) {
	n &^= flags
	return float64(math.Float32frombits(uint32(n >> 32))), float64(math.Float32frombits(uint32(n)))
}

// since turns a time into the model's. The first that is seen is its beginning. m.mu is held.
func (m *model) since(t time.Time) float64 {
	if !m.begun {
		m.begun, m.epoch = true, t
	}
	return t.Sub(m.epoch).Seconds()
}

// settle is observe for an outcome. It returns what is worth a notice.
func (m *model) settle(r *result, advised, end time.Time) (notice string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fallback, on := m.score.fallback, m.guard.on
	r.at = m.since(end)
	if r.against {
		r.advised = m.since(advised)
	}
	m.observe(r)
	if led := !m.cold() && (r.blind || !m.score.fallback); led != m.led.Load() {
		m.led.Store(led)
	}
	switch {
	case m.guard.on && !on && m.demote():
		return "mode shadow: guard on"
	case m.guard.on != on:
		return change("guard", !on)
	case m.score.fallback != fallback:
		return change("fallback", !fallback)
	}
	return ""
}

// change says that something is on or off now.
func change(what string, on bool) string {
	if on {
		return what + " on"
	}
	return what + " off"
}

// predict returns, packed, the belief and the chance of a retry that begins now; lifted says that the other side promised to be ready
// by then. m.mu is held.
func (m *model) predict(k Kind, g group, retry int, lifted bool, t *Terms) uint64 {
	down := m.belief[g].down
	still := down
	if lifted {
		still *= honest
	}
	return pack(down, t.chance(m.item[k][min(retry, retriesSeen)-1].q()*(1-still), down))
}

// leads says what stands behind a choice for a call. m.mu is held.
func (m *model) leads(control, active bool, t *Terms) By {
	switch {
	case !t.sound():
		return Configured
	case m.cold():
		return Cold
	case m.score.fallback && t.uses(Falling):
		return Fallback
	case active && control:
		return Control
	}
	return Model
}

// decide works out an advice, remembers it for whoever asks, and follows it if the operation is active. It returns the note of the
// retry, and why the call must end, if it must. u is uniform in [0, 1).
func (m *model) decide(q *ask, a *retry.Attempt, t *Terms, control bool, u float64) (note uint64, stop *Stopped) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q.at = m.since(a.At)
	m.advance(q.at)
	q.at = m.at // results may come out of order
	q.expected, m.attemptCost, m.delayCost = m.expected(), q.cost, q.delayCost
	s := &m.said
	*s = said{kind: q.kind, group: q.group, configured: a.Wait, asked: true, elapsed: m.belief[q.group].elapsed(q.at)}
	active := Mode(m.mode.Load()) == Active
	if s.by = m.leads(control, active, t); s.by != Configured {
		s.advice = m.choose(q)
		t.revise(&s.advice)
	}
	heeded := s.stop && s.by == Model && t.uses(Stops)
	if heeded && m.guard.on && t.uses(Guarding) {
		s.by, heeded = Guard, false
	}
	m.decisions[s.by]++
	if active && heeded && (!t.uses(Guarding) || s.elapsed > longOutage || m.guard.lets(a.Call)) {
		m.guard.stopped++
		return 0, &Stopped{m.name, s.net, s.down}
	}
	note = m.predict(q.kind, q.group, q.retry, false, t)
	if s.stop && (s.by == Control || s.by == Guard || s.by == Model) {
		note |= against
		if s.down >= outageEnds {
			note |= amid
		}
	}
	switch {
	case !active || s.by != Model:
		return note, nil
	case q.hint > 0: // who names a time knows it better
		return note, nil
	case s.stop && t.uses(Stops): // left away: what it earns as configured is what the guard must know, and parked it would pay for its wait
		return note, nil
	}
	if t.uses(Waits) && !s.stop {
		a.Wait = duration(m.wait(q, s, u))
	}
	if a.Wait > 0 {
		note |= waiting
		m.waiters[q.group]++
	}
	return note, nil
}

// expected is how long an attempt takes, in seconds. m.mu is held.
func (m *model) expected() float64 {
	if m.took > 0 {
		return m.took
	}
	return firstExpected
}

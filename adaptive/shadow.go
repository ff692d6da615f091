package adaptive

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A shadow is the gate through which a model sees the calls of a policy. It delays nothing, and refuses only what is active and
// does not pay. It is no Starter, which would have the engine ask Validate once more.
type shadow struct {
	l     *Learner
	m     *model
	terms Terms
}

var _ retry.Rechecker = (*shadow)(nil)

// Admit implements [retry.Gate].
func (s *shadow) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 || a.Err == nil || a.At.IsZero() {
		return nil
	}
	q := ask{
		left:      math.Inf(1),
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
	if deadline, ok := ctx.Deadline(); ok {
		q.left = deadline.Sub(a.At).Seconds()
	}
	note, stop := s.m.decide(&q, a, s.terms.sound())
	a.Keep(note)
	if stop != nil {
		return stop
	}
	return nil
}

// Recheck implements [retry.Rechecker]. What counts as the forecast of a retry is what was thought when it began.
func (s *shadow) Recheck(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 && a.Err != nil && !a.Begins.IsZero() {
		kind, g := kindBy(s.terms.Kind, a.Err, a.Class), groupOf(a.Class)
		a.Keep(s.m.forecast(kind, g, a.Number-1, a.Begins) | a.Kept()&against)
	}
	return nil
}

// Settle implements [retry.Gate].
func (s *shadow) Settle(a *retry.Attempt, o *retry.Outcome) {
	if o.State != retry.Succeeded && (o.State != retry.Failed || o.Class == retry.Permanent) {
		return // nothing that the other side did
	}
	if o.Start.IsZero() {
		return // made by hand: it would upset the clock
	}
	took := o.Elapsed()
	r := result{ok: o.State == retry.Succeeded, group: groupOf(o.Class), retry: max(0, a.Number-1), took: took.Seconds()}
	if r.retry > 0 {
		r.kind = kindBy(s.terms.Kind, a.Err, a.Class)
		r.launched, r.forecast = unpack(a.Kept())
		r.against = a.Kept()&against != 0
	}
	end := o.Start.Add(took)
	if r.against {
		if r.earned = -s.terms.cost() - s.terms.delayCost(a.Policy)*end.Sub(a.At).Seconds(); r.ok {
			r.earned++
		}
	}
	s.l.tell(s.m, s.m.settle(&r, end))
}

// ceiling is the longest wait that the policy's strategy could have drawn.
func ceiling(a *retry.Attempt) time.Duration {
	var strategy backoff.Strategy = backoff.Exponential{}
	if a.Policy != nil && a.Policy.Backoff != nil {
		strategy = a.Policy.Backoff
	}
	return strategy.Delay(a.Number-1, a.Wait, math.Nextafter(1, 0))
}

// against, in a note, marks a retry that the model advised against: the sign of the forecast.
const against = 1 << 31

// pack puts belief and forecast into the note that a gate may keep.
func pack(down, forecast float64) uint64 {
	return uint64(math.Float32bits(float32(down)))<<32 | uint64(math.Float32bits(float32(forecast)))
}

func unpack(n uint64) (down, forecast float64) {
	return float64(math.Float32frombits(uint32(n >> 32))), float64(math.Float32frombits(uint32(n) &^ against))
}

// since turns a time into the model's. The first that is seen is its beginning. m.mu is held.
func (m *model) since(t time.Time) float64 {
	if !m.begun {
		m.begun, m.epoch = true, t
	}
	return t.Sub(m.epoch).Seconds()
}

// settle is observe for an outcome. It returns what is worth a notice.
func (m *model) settle(r *result, end time.Time) (notice string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fallback, on := m.score.fallback, m.guard.on
	r.at = m.since(end)
	m.observe(r)
	switch {
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

// forecast returns, packed, the belief and the chance of a retry that begins at t.
func (m *model) forecast(k Kind, g group, retry int, t time.Time) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(m.since(t))
	return m.predict(k, g, retry)
}

// predict is forecast for the present moment. m.mu is held.
func (m *model) predict(k Kind, g group, retry int) uint64 {
	down := m.belief[g].down
	return pack(down, m.item[k][min(retry, retriesSeen)-1].q()*(1-down))
}

// decide works out an advice, remembers it for whoever asks, and returns the forecast of a retry without a wait, and why
// the call must end, if it must.
func (m *model) decide(q *ask, a *retry.Attempt, sound bool) (note uint64, stop *Stopped) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q.at = m.since(a.At)
	m.advance(q.at)
	q.at = m.at // results may come out of order
	q.expected = firstExpected
	if m.took > 0 {
		q.expected = m.took
	}
	s := &m.said
	*s = said{kind: q.kind, group: q.group, configured: a.Wait, asked: true, elapsed: m.belief[q.group].elapsed(q.at)}
	if sound {
		s.advice = m.choose(q)
	}
	active := Mode(m.mode.Load()) == Active
	switch {
	case !sound:
		s.by = Configured
	case m.cold():
		s.by = Cold
	case m.score.fallback:
		s.by = Fallback
	case m.guard.on:
		s.by = Guard
	case active && control(a.Call):
		s.by = Control
	default:
		s.by = Model
	}
	if active && s.by == Model && s.stop {
		m.guard.stopped++
		return 0, &Stopped{m.name, s.net, s.down}
	}
	note = m.predict(q.kind, q.group, q.retry)
	if s.stop && (s.by == Control || s.by == Guard || s.by == Model) {
		note |= against
	}
	return note, nil
}

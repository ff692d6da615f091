package adaptive

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A shadow is the gate through which a model sees the calls of a policy. It refuses nothing and delays nothing. It is no
// Starter, which would have the engine ask Validate once more.
type shadow struct {
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
	a.Keep(s.m.decide(&q, a.At, a.Wait, s.terms.sound()))
	return nil
}

// Recheck implements [retry.Rechecker]. What counts as the forecast of a retry is what was thought when it began.
func (s *shadow) Recheck(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 && a.Err != nil && !a.Begins.IsZero() {
		kind, g := kindBy(s.terms.Kind, a.Err, a.Class), groupOf(a.Class)
		a.Keep(s.m.forecast(kind, g, a.Number-1, a.Begins))
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
	}
	s.m.settle(&r, o.Start.Add(took))
}

// ceiling is the longest wait that the policy's strategy could have drawn.
func ceiling(a *retry.Attempt) time.Duration {
	var strategy backoff.Strategy = backoff.Exponential{}
	if a.Policy != nil && a.Policy.Backoff != nil {
		strategy = a.Policy.Backoff
	}
	return strategy.Delay(a.Number-1, a.Wait, math.Nextafter(1, 0))
}

// pack puts belief and forecast into the note that a gate may keep.
func pack(down, forecast float64) uint64 {
	return uint64(math.Float32bits(float32(down)))<<32 | uint64(math.Float32bits(float32(forecast)))
}

func unpack(n uint64) (down, forecast float64) {
	return float64(math.Float32frombits(uint32(n >> 32))), float64(math.Float32frombits(uint32(n)))
}

// since turns a time into the model's. The first that is seen is its beginning. m.mu is held.
func (m *model) since(t time.Time) float64 {
	if !m.begun {
		m.begun, m.epoch = true, t
	}
	return t.Sub(m.epoch).Seconds()
}

// settle is observe for an outcome.
func (m *model) settle(r *result, end time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.at = m.since(end)
	m.observe(r)
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

// decide works out an advice and remembers it for whoever asks. It returns the forecast of a retry without a wait.
func (m *model) decide(q *ask, t time.Time, configured time.Duration, sound bool) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	q.at = m.since(t)
	m.advance(q.at)
	q.at = m.at // results may come out of order
	q.expected = firstExpected
	if m.took > 0 {
		q.expected = m.took
	}
	said := said{kind: q.kind, group: q.group, configured: configured, asked: true, elapsed: m.belief[q.group].elapsed(q.at)}
	switch {
	case !sound:
		said.by = Configured
	case m.cold():
		said.by = Cold
	case m.score.fallback:
		said.by = Fallback
	default:
		said.by = Model
	}
	if sound {
		said.advice = m.choose(q)
	}
	m.said = said
	return m.predict(q.kind, q.group, q.retry)
}

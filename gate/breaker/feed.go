package breaker

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Feed is a gate that refuses nothing and fills a Health, for policies without a breaker. Where a breaker
// fills that Health already, the Feed leaves it alone, so that an attempt is one sample however many gates are stacked on it.
// It belongs into a policy once. Without a Health it does nothing.
type Feed struct{ Health *Health }

var _ retry.Gate = Feed{}

// Admit implements [retry.Gate].
func (f Feed) Admit(context.Context, *retry.Attempt) error { return nil }

// Settle implements [retry.Gate].
func (f Feed) Settle(a *retry.Attempt, o *retry.Outcome) {
	h := f.Health
	if h == nil || h.owned.Load() {
		return
	}
	if o.State == retry.Succeeded && h.load().quiet() {
		if ns := int64(o.Start.Sub(h.epoch)); ns < h.edge.Load() {
			tick := h.tick.Load()
			if c := h.success(a.Lane, tick); current(c, tick) {
				c.Add(1)
				return
			}
		}
	}
	h.learn(a, o)
}

// learn is Settle beyond the usual case.
func (h *Health) learn(a *retry.Attempt, o *retry.Outcome) {
	k := judge(o)
	if k == neutral {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.prepare(h.Rules, when(a, o), 0, Closed) {
		return
	}
	took := h.took(o)
	if k == ok && h.limits.SlowAfter > 0 && took > h.limits.SlowAfter {
		k = slow
	}
	ns := h.see(h.since(when(a, o)))
	h.record(k, a.Lane, ns)
	w := h.step(k)
	if h.limits.Latency && !k.failure() {
		h.lagging.Store(h.latency.add(took, w.score() < suspectAt && !h.lagging.Load()))
	}
}

// took is how long an attempt ran, or 0 if nobody needs to know.
func (h *Health) took(o *retry.Outcome) time.Duration {
	if h.limits.SlowAfter == 0 && !h.limits.Latency {
		return 0
	}
	return o.Elapsed()
}

// when is the latest time known of an attempt, without a look at a clock.
func when(a *retry.Attempt, o *retry.Outcome) time.Time {
	switch {
	case !o.End.IsZero():
		return o.End
	case !o.Start.IsZero():
		return o.Start
	}
	return a.At
}

// timedOut says that an attempt's own timeout ended it. The caller was still waiting, or the outcome would be Canceled.
func timedOut(err error) bool { return errors.Is(err, retry.ErrAttemptTimeout) }

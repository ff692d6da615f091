package batch

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// retryDefault is the strategy of a policy that names none.
var retryDefault = backoff.Default()

// A hall is where items wait for the call that they are sent with.
type hall[T, V any] struct {
	run    *run[T, V]
	fn     func(context.Context, []Item[T]) ([]Answer[V], error)
	size   int
	linger time.Duration

	mu       sync.Mutex
	slots    int             // calls that may still begin; guarded by mu, as what follows
	live     int             // workers: each has an item that is here, in a call, or waits to be sent again
	flying   int             // of them, in a call
	waiting  []*member[T, V] // here
	timer    *time.Timer     // runs while somebody is here; nil else
	lingered bool            // somebody here has waited long enough for others
	group    sync.WaitGroup  // of the flights
}

func newHall[T, V any](b *run[T, V], fn func(context.Context, []Item[T]) ([]Answer[V], error)) *hall[T, V] {
	h := &hall[T, V]{run: b, fn: fn, size: DefaultSize, linger: DefaultLinger, slots: b.concurrency, live: min(len(b.chains), max(most, b.concurrency))}
	if b.Size > 0 {
		h.size = b.Size
	}
	if b.Linger != 0 {
		h.linger = max(0, b.Linger)
	}
	return h
}

// join lets m wait.
func (h *hall[T, V]) join(m *member[T, V]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.called, m.flight = make(chan struct{}), nil
	h.waiting = append(h.waiting, m)
	if h.timer == nil {
		h.timer = time.AfterFunc(h.linger, h.enough)
	}
	h.depart()
}

// enough sends those who are here.
func (h *hall[T, V]) enough() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lingered = true
	h.depart()
}

// giveUp lets m wait no longer. It does not if m has been called.
func (h *hall[T, V]) giveUp(m *member[T, V]) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = slices.DeleteFunc(h.waiting, func(w *member[T, V]) bool { return w == m })
	h.depart()
}

// leave tells that a worker has ended.
func (h *hall[T, V]) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live--
	h.depart()
}

// landed tells that a call with n members has ended.
func (h *hall[T, V]) landed(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flying -= n
	h.slots++
	h.depart()
}

// close waits for the last flight to be over.
func (h *hall[T, V]) close() {
	h.group.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rest()
}

// rest ends the timer if nobody is here. h.mu is held.
func (h *hall[T, V]) rest() {
	if h.timer != nil && len(h.waiting) == 0 {
		h.timer.Stop()
		h.timer, h.lingered = nil, false
	}
}

// depart begins the calls that can begin: full ones, and those that nobody else would come to. h.mu is held.
func (h *hall[T, V]) depart() {
	for h.slots > 0 && len(h.waiting) > 0 {
		if len(h.waiting) < h.size && len(h.waiting) < h.live-h.flying && !h.lingered {
			break
		}
		slices.SortFunc(h.waiting, func(a, b *member[T, V]) int { return a.item.Index - b.item.Index })
		n := min(h.size, len(h.waiting))
		f := &flight[T, V]{hall: h, members: slices.Clone(h.waiting[:n]), u: rand.Float64(), boarded: make(chan context.Context, n)}
		if random := h.run.policy.Rand; random != nil {
			f.u = random()
		}
		h.waiting = slices.Delete(h.waiting, 0, n)
		h.slots--
		h.flying += n
		for _, m := range f.members {
			m.flight, m.boarded = f, false
			close(m.called)
		}
		h.group.Go(f.fly)
	}
	h.rest()
}

// A member is an item on its way, of one worker. It is the last gate of its policy, which is asked first whether an attempt may
// start: there it waits for the others. So the user's gates are asked after that wait.
type member[T, V any] struct {
	hall     *hall[T, V]
	strategy backoff.Strategy
	item     Item[T]
	attempts *int
	answer   chan Answer[V]
	now      retry.Attempt // what there is to know of the present one

	called  chan struct{} // closed when there is a flight
	flight  *flight[T, V] // guarded by hall.mu until called is closed
	boarded bool          // the member's before it boards, the flight's after
}

// Admit implements [retry.Gate].
func (m *member[T, V]) Admit(context.Context, *retry.Attempt) error { return nil }

// Start waits for a flight.
func (m *member[T, V]) Start(ctx context.Context, a *retry.Attempt) error {
	m.now = retry.Attempt{Policy: a.Policy, Call: a.Call, Number: a.Number, At: a.At, Begins: a.Begins, Err: a.Err, Class: a.Class, Unknown: a.Unknown, Lane: a.Lane}
	m.hall.join(m)
	halted := a.Halted()
	select {
	case <-m.called:
		return nil
	case <-ctx.Done():
		m.hall.giveUp(m)
		return context.Cause(ctx)
	case <-halted.Done():
		m.hall.giveUp(m)
		return context.Cause(halted)
	}
}

// Settle gives back the seat of an attempt that was refused after it had been called.
func (m *member[T, V]) Settle(_ *retry.Attempt, o *retry.Outcome) {
	select {
	case <-m.called: // nil if it never came to Start
		if o.State == retry.NotStarted {
			m.flight.boarded <- nil
		}
	default: // it gave up before it was called
	}
	m.called = nil
}

// fly is an attempt.
func (m *member[T, V]) fly(ctx context.Context) (V, error) {
	m.boarded, m.answer = true, make(chan Answer[V], 1)
	m.flight.boarded <- ctx
	a := <-m.answer
	return a.Value, a.Err
}

// Delay implements [backoff.Strategy]: that of the policy, with the chance that all who were sent together share.
func (m *member[T, V]) Delay(n int, last time.Duration, _ float64) time.Duration {
	return m.strategy.Delay(n, last, m.flight.u)
}

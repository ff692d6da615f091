package control

import (
	"sync/atomic"
	"time"
)

// bounds are the upper ends of the buckets of durations.
var bounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second,
}

// tries are the upper ends of the buckets of attempts per call.
var tries = [...]int{1, 2, 3, 4, 5, 8, 13}

// DurationBounds returns the upper ends of the buckets of durations, in seconds.
func DurationBounds() []float64 {
	b := make([]float64, len(bounds))
	for i, d := range bounds {
		b[i] = d.Seconds()
	}
	return b
}

// AttemptBounds returns the upper ends of the buckets of attempts per call.
func AttemptBounds() []float64 {
	b := make([]float64, len(tries))
	for i, n := range tries {
		b[i] = float64(n)
	}
	return b
}

// durations is a histogram of durations.
type durations struct {
	buckets [len(bounds) + 1]atomic.Uint64
	nanos   atomic.Uint64
}

func (h *durations) add(d time.Duration) {
	d = max(0, d)
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.nanos.Add(uint64(d)) // first, so that a sum is never less than its counts show
	h.buckets[i].Add(1)
}

func (h *durations) view() Histogram {
	v := Histogram{Bounds: DurationBounds(), Counts: make([]uint64, len(h.buckets))}
	for i := range h.buckets {
		v.Counts[i] = h.buckets[i].Load()
	}
	v.Sum = time.Duration(h.nanos.Load()).Seconds()
	return v
}

// perCall is a histogram of attempts per call, of all calls but those that succeeded at once.
type perCall struct {
	buckets [len(tries) + 1]atomic.Uint64
	sum     atomic.Uint64
}

func (h *perCall) add(n int) {
	i := 0
	for i < len(tries) && n > tries[i] {
		i++
	}
	h.sum.Add(uint64(n))
	h.buckets[i].Add(1)
}

// view adds the calls that succeeded at once.
func (h *perCall) view(first uint64) Histogram {
	v := Histogram{Bounds: AttemptBounds(), Counts: make([]uint64, len(h.buckets))}
	for i := range h.buckets {
		v.Counts[i] = h.buckets[i].Load()
	}
	v.Counts[0] += first
	v.Sum = float64(h.sum.Load() + first)
	return v
}

package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// Counts are calls of a window.
type Counts struct{ Calls, Failed, Slow int64 }

func (c *Counts) add(e evidence, n int64) {
	c.Calls += n
	if e.failed {
		c.Failed += n
	}
	if e.slow {
		c.Slow += n
	}
}

// evidence is c as what the class of a failure is not known of.
func (c Counts) evidence() breaker.Counts {
	return breaker.Counts{OK: uint64(c.Calls - c.Failed), Slow: uint64(c.Slow), Ambiguous: uint64(c.Failed)}
}

// atLeast says whether part of all is at least percent.
func atLeast(part, all, percent int64) bool { return part*100 >= all*percent }

// evidence is what an attempt that counts says.
type evidence struct{ failed, slow bool }

// A recent is the last calls, as many as there is room for. The oldest is at next when it is full.
type recent struct {
	calls []evidence
	next  int
	sum   Counts
}

func newRecent(n int64) *recent { return &recent{calls: make([]evidence, 0, n)} }

func (r *recent) add(e evidence) {
	r.sum.add(e, 1)
	if len(r.calls) < cap(r.calls) {
		r.calls = append(r.calls, e)
		return
	}
	r.sum.add(r.calls[r.next], -1)
	r.calls[r.next] = e
	r.next = (r.next + 1) % len(r.calls)
}

func (r *recent) clear() { r.calls, r.next, r.sum = r.calls[:0], 0, Counts{} }

// A span is the calls of a time, in ten buckets.
type span struct {
	width   int64 // of a bucket, in ns
	buckets [10]struct {
		number int64 // now / width
		Counts
	}
}

func newSpan(d time.Duration) *span { return &span{width: max(1, int64(d)/10)} }

func (s *span) add(now int64, e evidence) {
	number := now / s.width
	b := &s.buckets[number%10]
	if b.number != number {
		b.number, b.Counts = number, Counts{}
	}
	b.add(e, 1)
}

func (s *span) sum(now int64) (c Counts) {
	last := now / s.width
	for _, b := range s.buckets {
		if b.number > last-10 {
			c.Calls += b.Calls
			c.Failed += b.Failed
			c.Slow += b.Slow
		}
	}
	return c
}

func (s *span) clear() {
	s.buckets = [10]struct {
		number int64
		Counts
	}{}
}

// Package streamtest makes streams of records whose truth is known, to measure what package analytics finds in them.
//
// A stream comes from a seed: the same seed makes the same records. Records of one second that are alike are one, with a
// Count. A Scenario makes a stream with a pattern in it, or a hard one without.
package streamtest

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// Start is when streams begin: midnight UTC.
var Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// A Traffic is what one operation does in one second.
type Traffic struct {
	Rate    float64                      // calls
	Fail    float64                      // chance that an attempt fails
	Tries   int                          // at most, per call; below 2 means no retries
	Again   float64                      // chance that a retry succeeds; negative means that of a first attempt
	Class   func(*rand.Rand) retry.Class // nil means Transient
	Code    string
	Shard   string
	Took    time.Duration // of an attempt that succeeds
	Uniform bool          // exactly Rate calls
	Batched bool          // as package control tells of calls: successes ten times a second and together, then what failed since, one by one
}

// A Source feeds seconds of traffic into an engine.
type Source struct {
	Rand   *rand.Rand
	Engine *analytics.Engine
	Second int64 // since Start
}

// New returns a source with a seed.
func New(e *analytics.Engine, seed uint64) *Source {
	return &Source{Rand: rand.New(rand.NewPCG(seed, 1)), Engine: e}
}

// Now returns the beginning of the second.
func (s *Source) Now() time.Time { return Start.Add(time.Duration(s.Second) * time.Second) }

// Next goes to the next second.
func (s *Source) Next() {
	s.Second++
	s.Engine.Advance(s.Now())
}

// Poisson returns a number with mean m.
func (s *Source) Poisson(m float64) int {
	if m > 50 {
		return max(0, int(math.Round(m+math.Sqrt(m)*s.Rand.NormFloat64())))
	}
	n, p, limit := 0, s.Rand.Float64(), math.Exp(-m)
	for p > limit {
		n++
		p *= s.Rand.Float64()
	}
	return n
}

// Binomial returns the number of successes of n trials with chance p.
func (s *Source) Binomial(n int, p float64) (k int) {
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return n
	}
	// Geometric gaps between successes: quick where they are rare.
	for i := 0; ; i++ {
		gap := math.Log(1-s.Rand.Float64()) / math.Log1p(-p)
		if gap >= float64(n-i) {
			return k
		}
		i += int(gap)
		k++
	}
}

// Call feeds one second of one operation.
func (s *Source) Call(policy string, t Traffic) {
	n := int(t.Rate)
	if !t.Uniform {
		n = s.Poisson(t.Rate)
	}
	slices := 1
	if n > 50 || t.Batched {
		slices = 10 // or failures of a second would seem to come in a row
	}
	for i := range slices {
		at := s.Now().Add(time.Second*time.Duration(i+1)/time.Duration(slices) - time.Millisecond)
		s.record(policy, t, at, 1, n*(i+1)/slices-n*i/slices, t.Fail)
	}
}

// record feeds attempts of one number, and those that follow.
func (s *Source) record(policy string, t Traffic, at time.Time, attempt, n int, chance float64) {
	failed := s.Binomial(n, chance)
	if n > failed { // at the end of the time that it stands for, so that delays come out too long rather than too short
		s.Engine.Feed(&analytics.Record{Policy: policy, At: at, Class: retry.Transient, Attempt: attempt, Ended: true, Last: true, OK: true, Shard: t.Shard, Code: t.Code, Count: uint32(n - failed), Over: over(t), Took: t.Took})
	}
	alike := failed
	if t.Batched {
		alike = min(1, failed)
	}
	for left := failed; left > 0; left -= alike {
		when := at
		if t.Batched {
			when = at.Add(-time.Duration(s.Rand.Float64() * float64(100*time.Millisecond)))
		}
		s.failed(policy, t, when, attempt, alike)
	}
}

// over is how long a record stands for.
func over(t Traffic) time.Duration {
	if t.Batched || t.Rate > 50 {
		return time.Second / 10
	}
	return time.Second
}

// failed feeds n attempts that failed, and what follows.
func (s *Source) failed(policy string, t Traffic, at time.Time, attempt, n int) {
	again := attempt < t.Tries
	r := analytics.Record{Policy: policy, At: at, Class: retry.Transient, Attempt: attempt, Ended: true, Last: !again, Shard: t.Shard, Code: t.Code, Over: over(t)}
	if t.Class == nil {
		r.Count = uint32(n)
		s.Engine.Feed(&r)
	} else {
		for range n {
			r.Class, r.Count = t.Class(s.Rand), 1
			s.Engine.Feed(&r)
		}
	}
	if again {
		chance := 1 - t.Again
		if t.Again < 0 {
			chance = t.Fail
		}
		s.record(policy, t, at, attempt+1, n, chance)
	}
}

// Bursts is a two-state chain that fails 1 % on average: 0.3 % and 4 %, the bursts lasting 10 s on average.
type Bursts struct{ on bool }

// Fail returns the chance of the next second.
func (b *Bursts) Fail(r *rand.Rand) float64 {
	if b.on && r.Float64() < 1/10.0 {
		b.on = false
	} else if !b.on && r.Float64() < 1/42.9 {
		b.on = true
	}
	if b.on {
		return 0.04
	}
	return 0.003
}

// Mix returns classes in the shares of Transient and Throttled; the rest is Permanent.
func Mix(transient, throttled float64) func(*rand.Rand) retry.Class {
	return func(r *rand.Rand) retry.Class {
		switch u := r.Float64(); {
		case u < transient:
			return retry.Transient
		case u < transient+throttled:
			return retry.Throttled
		}
		return retry.Permanent
	}
}

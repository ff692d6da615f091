package breaker

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"
)

// What zero fields of [Rules] mean, and the levels of the CUSUM.
const (
	DefaultWindow      = 10 * time.Second
	DefaultMinSamples  = 20
	DefaultFailureRate = 0.5
	DefaultOpenFor     = 5 * time.Second
	DefaultMaxOpenFor  = time.Minute
	DefaultProbes      = 8
	DefaultHealthy     = 0.01
	DefaultFailing     = 0.10

	SuspectLevel  = 7.0
	ThrottleLevel = 10.0
)

const (
	buckets     = 10                     // of a window
	shortest    = 100 * time.Millisecond // window
	longest     = time.Hour              // window and open time
	mostCalls   = 100_000
	mostProbes  = 1024
	mostShards  = 64
	inARow      = 5 // failures that let a client with few samples throttle
	micro       = 1e6
	calmLevel   = 5 * micro
	suspectAt   = SuspectLevel * micro
	throttleAt  = ThrottleLevel * micro
	scoreCap    = 20 * micro
	quorumShare = 2 // what a quorum of other processes divides the required samples by
)

// Rules say what a breaker makes of its evidence. They are plain data; the zero value is the default.
// An odd value counts as the nearest one that makes sense, and a negative one as the default; [Rules.Check] names the odd ones.
type Rules struct {
	Window      time.Duration // of the statistics, in ten buckets: 100 ms to 1 h; 0 means 10 s
	Calls       int           // the last so many calls instead of Window: up to 100 000, and at least 20 unless Classic; 0 means Window
	MinSamples  int           // needed in the window to open; 0 means 20
	FailureRate float64       // above which it opens, over 0 to 1; 0 means 0.5. Near 1 that takes many samples: n failures are a rate of at least n/(n+3.84)

	SlowAfter time.Duration // a success slower than this is slow; 0 means that none is, and durations are not looked at
	Classic   bool          // open when a failure finds the window at FailureRate, or at SlowRate, as other breakers do: no Suspect, no Throttling, no CUSUM
	SlowRate  float64       // share of slow successes at which Classic opens, over 0 to 1; 0 means never

	Healthy float64 // error rate that is normal, for the CUSUM; 0 means 0.01
	Failing float64 // error rate that is to be found quickly; 0 means 0.10
	Latency bool    // suspect when latency rises, too: one reading of the clock and one lock per success

	OpenFor    time.Duration // before the first probe, ±20 %: up to 1 h; 0 means 5 s. Doubled after each failed round of probes
	MaxOpenFor time.Duration // 0 means 60 s, or OpenFor if that is longer
	Probes     int           // permits at which one success more closes: up to 1024; 0 means 8

	Quorum     int  // processes that must see failure for their evidence to count here; 0 means that it never does
	QuorumOpen bool // such a quorum opens; else it throttles at most

	MinBad   int     // children that must be bad before a parent in a Tree acts; 0 means half of those with traffic, at least 2
	BadShare float64 // instead: share of the traffic that the bad children must have, over 0 to 1; 0 means to count them
}

// Check returns all mistakes in r, joined, each beginning with its field's name, or nil. Rules with mistakes still work.
func (r Rules) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		field string
		value time.Duration
		least time.Duration
	}{
		{"Window", r.Window, shortest}, {"SlowAfter", r.SlowAfter, 0}, {"OpenFor", r.OpenFor, 0}, {"MaxOpenFor", r.MaxOpenFor, 0},
	} {
		if f.value != 0 && (f.value < f.least || f.value > longest) {
			mistake("%s: %v is not from %v to %v", f.field, f.value, f.least, longest)
		}
	}
	if r.MaxOpenFor > 0 && r.MaxOpenFor < r.OpenFor {
		mistake("MaxOpenFor: %v is shorter than OpenFor, %v", r.MaxOpenFor, r.OpenFor)
	}
	for _, f := range []struct {
		field string
		value int
		most  int
	}{
		{"Calls", r.Calls, mostCalls}, {"MinSamples", r.MinSamples, math.MaxInt}, {"Probes", r.Probes, mostProbes},
		{"Quorum", r.Quorum, mostPeers}, {"MinBad", r.MinBad, math.MaxInt},
	} {
		if f.value < 0 || f.value > f.most {
			mistake("%s: %d is not from 0 to %d", f.field, f.value, f.most)
		}
	}
	if r.Calls > 0 && r.Calls < DefaultMinSamples && !r.Classic {
		mistake("Calls: %d counts as %d", r.Calls, DefaultMinSamples)
	}
	if r.Calls > 0 && r.MinSamples > r.limits().Calls {
		mistake("MinSamples: %d is more than Calls, %d", r.MinSamples, r.limits().Calls)
	}
	for _, f := range []struct {
		field string
		value float64
	}{
		{"FailureRate", r.FailureRate}, {"SlowRate", r.SlowRate}, {"Healthy", r.Healthy}, {"Failing", r.Failing}, {"BadShare", r.BadShare},
	} {
		if !(f.value >= 0 && f.value <= 1) {
			mistake("%s: %v is not from 0 to 1", f.field, f.value)
		}
	}
	if l := r.limits(); r.Failing != 0 && l.failing != r.Failing || r.Healthy != 0 && l.healthy != r.Healthy {
		mistake("Failing: %v over Healthy, %v, counts as %v over %v", r.Failing, r.Healthy, l.failing, l.healthy)
	}
	return errors.Join(errs...)
}

// limits are rules with nothing odd left in them.
type limits struct {
	Rules
	width            int64 // of a bucket, in ns
	healthy, failing float64
	up, down         int64 // steps of the CUSUM, in millionths
}

func (r Rules) limits() limits {
	l := limits{Rules: r}
	l.Window = clamp(r.Window, DefaultWindow, shortest, longest)
	l.width = int64(l.Window) / buckets
	if l.Calls = min(max(0, r.Calls), mostCalls); l.Calls > 0 && !r.Classic {
		l.Calls = max(l.Calls, DefaultMinSamples) // with very few, no lower bound comes above a threshold
	}
	l.MinSamples = clamp(r.MinSamples, DefaultMinSamples, 1, math.MaxInt)
	if l.Calls > 0 {
		l.MinSamples = min(l.MinSamples, l.Calls)
	}
	if l.FailureRate = share(r.FailureRate, DefaultFailureRate); r.FailureRate > 1 {
		l.FailureRate = DefaultFailureRate // 50 was meant as a percentage; 1 would never open
	}
	l.SlowRate = share(r.SlowRate, 0)
	l.SlowAfter = max(0, r.SlowAfter)
	l.OpenFor = clamp(r.OpenFor, DefaultOpenFor, time.Millisecond, longest)
	l.MaxOpenFor = max(l.OpenFor, clamp(r.MaxOpenFor, DefaultMaxOpenFor, time.Millisecond, longest))
	l.Probes = clamp(r.Probes, DefaultProbes, 1, mostProbes)
	l.Quorum = min(max(0, r.Quorum), mostPeers)
	l.MinBad = max(0, r.MinBad)
	l.BadShare = share(r.BadShare, 0)

	// A step up of at least 0.01, and a cap of 20 that a word can hold.
	l.healthy, l.failing = DefaultHealthy, DefaultFailing
	if p := r.Healthy; p > 0 && p < 1 {
		l.healthy = min(max(p, 1e-6), 0.9)
		l.failing = max(l.failing, min(10*l.healthy, (1+l.healthy)/2))
	}
	if p := r.Failing; p > 0 && p < 1 {
		l.failing = min(p, 0.99)
	}
	if l.failing < 1.05*l.healthy {
		l.failing = min(10*l.healthy, (1+l.healthy)/2)
	}
	l.up = int64(math.Round(math.Log(l.failing/l.healthy) * micro))
	l.down = int64(math.Round(-math.Log((1-l.failing)/(1-l.healthy)) * micro))
	return l
}

// clamp gives x, or what stands for zero and less, its place between least and most.
func clamp[T int | time.Duration](x, zero, least, most T) T {
	if x <= 0 {
		x = zero
	}
	return min(max(x, least), most)
}

// share gives a share its place: what is not above zero, and NaN, count as zero does.
func share(x, zero float64) float64 {
	if !(x > 0) {
		return zero
	}
	return min(x, 1)
}

// lanes is how many counters are worth having: a power of two, at least one per processor up to a limit.
func lanes() int {
	n := 1
	for n < runtime.GOMAXPROCS(0) && n < mostShards {
		n *= 2
	}
	return n
}

package breaker

import (
	"math"
	"time"
)

// How latency is watched. Queueing delays follow one another, so single calls would alarm on healthy traffic: the
// detector sees the means of blocks.
const (
	blockCalls   = 20
	slack        = 0.75 // standard deviations that a block may be above the baseline
	latencyLevel = 40
	learned      = 30 // blocks that make a baseline
	forgetting   = 1.0 / 64
	leastSpread  = 0.05 // of log-latency: 5 %
)

// latency is a CUSUM over blocks of log-latencies, against a baseline that is learned while all is well. Until there is a
// baseline, a Page–Hinkley test stands in.
type latency struct {
	calls    int
	sum      float64
	blocks   int
	mean     float64
	variance float64
	score    float64
	early    PageHinkley
	late     bool // the present verdict
}

// add takes one duration and says whether latency has risen. The baseline learns from it only if healthy.
func (l *latency) add(d time.Duration, healthy bool) bool {
	l.sum += math.Log(float64(max(1, d)))
	if l.calls++; l.calls == blockCalls {
		l.block(l.sum/blockCalls, healthy)
		l.calls, l.sum = 0, 0
	}
	return l.late
}

func (l *latency) block(x float64, healthy bool) {
	if l.blocks < learned {
		l.late = l.early.Add(x)
	} else {
		z := (x - l.mean) / max(math.Sqrt(l.variance), leastSpread)
		l.score = min(max(0, l.score+z-slack), 2*latencyLevel)
		l.late = l.score >= latencyLevel || l.late && l.score > 0 // an alarm ends at 0, so that it does not flicker
	}
	if healthy && !l.late {
		l.learn(x)
	}
}

// learn moves the baseline: the mean of the first blocks, then an exponentially weighted one.
func (l *latency) learn(x float64) {
	weight := forgetting
	if l.blocks < learned {
		l.blocks++
		weight = 1 / float64(l.blocks)
	}
	d := x - l.mean
	l.mean += weight * d
	l.variance = (1 - weight) * (l.variance + weight*d*d)
}

// calm forgets the alarm, and keeps the baseline.
func (l *latency) calm() {
	l.calls, l.sum, l.score, l.late, l.early = 0, 0, 0, false, PageHinkley{}
}

// A PageHinkley test finds a rise of a mean that it does not know beforehand (Page, Biometrika 41, 1954; Hinkley,
// Biometrika 58, 1971). It is not safe for concurrent use.
type PageHinkley struct {
	Delta  float64 // a rise that is tolerated; not positive means 0.5
	Lambda float64 // the alarm's threshold; not positive means 5

	n              int
	mean, sum, low float64
}

// Add takes a sample and says whether the test alarms. What is not a finite number is left out.
func (p *PageHinkley) Add(x float64) bool {
	if !math.IsNaN(x) && !math.IsInf(x, 0) {
		p.n++
		p.mean += (x - p.mean) / float64(p.n)
		p.sum += x - p.mean - positive(p.Delta, 0.5)
		p.low = min(p.low, p.sum)
	}
	return p.Value() > positive(p.Lambda, 5)
}

// Value is how far the sum of the deviations is above its lowest point.
func (p *PageHinkley) Value() float64 { return p.sum - p.low }

func positive(x, zero float64) float64 {
	if x > 0 {
		return x
	}
	return zero
}

package analytics

import (
	"fmt"
	"math"
	"time"
)

const (
	beatKeep    = 1 - 1.0/120 // of what is known of a period, from one window to the next
	beatRetries = 50
	beatCalls   = 10
	beatP       = 1e-9
	beatMean    = 0.3
	beatIdle    = int64(time.Minute)
	leastBeat   = 50 * time.Millisecond
)

// A beat looks where in a period retries come. Retries of one window of it have one vote together, since they may have one cause.
type beat struct {
	period  int64   // nanoseconds; 0: none
	window  int64   // that is open
	x, y, n float64 // sums of it

	sumX, sumY, windows, retries, calls float64 // older ones fading
	started                             int64   // of the last call that was counted
}

// add takes in a retry that began at a moment, of a call that began at another.
func (b *beat) add(at, start int64) {
	if b.period == 0 {
		return
	}
	switch w := at / b.period; {
	case w < b.window:
		return // late
	case w > b.window:
		b.close()
		b.window = w
	}
	sin, cos := math.Sincos(2 * math.Pi * float64(at%b.period) / float64(b.period))
	b.x, b.y, b.n = b.x+cos, b.y+sin, b.n+1
	if start-b.started >= b.period {
		b.started = start
		b.calls++
	}
}

func (b *beat) close() {
	if b.n == 0 {
		return
	}
	b.sumX, b.sumY = b.sumX*beatKeep+b.x/b.n, b.sumY*beatKeep+b.y/b.n
	b.windows, b.retries, b.calls = b.windows*beatKeep+1, b.retries*beatKeep+b.n, b.calls*beatKeep
	b.x, b.y, b.n = 0, 0, 0
}

// verdict returns the length of the mean direction, and the chance of it if retries came at any time (Rayleigh).
func (b *beat) verdict() (mean, p float64) {
	if b.windows == 0 {
		return 0, 1
	}
	mean = math.Hypot(b.sumX, b.sumY) / b.windows
	return mean, math.Exp(-b.windows * mean * mean)
}

// beats are those of a second, and of the wait before first retries if it is always the same.
type beats struct {
	second, base beat
	wait         time.Duration
}

func (b *beats) fold(r *Record) {
	if !r.Ended || r.Call == 0 || r.Count > 1 {
		return // what stands for several has no moment of its own
	}
	if r.Attempt == 1 && !r.Last && r.Wait > 0 {
		wait := r.Wait.Round(time.Millisecond)
		switch {
		case wait != b.wait:
			b.base = beat{}
		case b.base.period == 0 && wait >= leastBeat && wait != time.Second:
			b.base.period = int64(wait)
		}
		b.wait = wait
	}
	if r.Attempt < 2 || r.Elapsed == 0 {
		return
	}
	at, start := r.At.Add(-r.Took).UnixNano(), r.At.Add(-r.Elapsed).UnixNano()
	b.second.period = int64(time.Second)
	b.second.add(at, start)
	b.base.add(at, start)
}

// synchronised looks, every ten seconds, for retries that come at one moment of a period.
func (e *Engine) synchronised(s *subject, at int64) {
	for _, b := range []*beat{&s.beats.second, &s.beats.base} {
		mean, p := b.verdict()
		if p >= beatP || mean < beatMean || b.retries < beatRetries || b.calls < beatCalls || at-b.window*b.period > beatIdle {
			continue
		}
		period := time.Duration(b.period)
		e.raise(alarm{kind: Synchronised, subject: policy(s), severity: Info, started: at - int64(b.windows)*b.period, at: at,
			evidence: func() Evidence {
				phase := math.Mod(math.Atan2(b.sumY, b.sumX)/(2*math.Pi)+1, 1)
				return Evidence{Statistic: "rayleigh", Value: mean, Threshold: beatMean, P: p, N: uint64(b.retries), Period: period,
					Phase: time.Duration(phase * float64(period)).Round(time.Millisecond)}
			},
			action: Action{Kind: AddJitter},
			text: func() string {
				return fmt.Sprintf("Retries of %s come at one moment of every %v, from %.0f calls or more.", s.name, period, b.calls)
			}})
		return
	}
}

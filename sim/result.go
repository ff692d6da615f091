package sim

import (
	"math"
	"time"
)

// What the numbers of a Result are measured over, in seconds.
const (
	window    = 10   // of the mean goodput
	enough    = 0.95 // of the arrivals, as goodput
	ampFrom   = 5    // after the trouble
	ampBefore = 25
)

// A Result is what became of a scenario.
type Result struct {
	// Recovery is how many seconds after the trouble the system was well: from then on, the mean goodput of
	// 10 s was at least 0.95 of the arrivals. +Inf means never within the run.
	Recovery float64

	// Amplification is how many attempts were sent for each arrival, from 5 s to 25 s after the trouble.
	Amplification float64

	// By second of the run.
	Arrivals []int // operations that clients wanted done
	Load     []int // attempts sent
	Goodput  []int // operations answered within the timeout of the attempt that was answered
	Queue    []int // requests in line at the end of the second

	// Trace is a hash of all events with their times: equal for equal runs.
	Trace uint64
}

// Recovered says that the system was well again within the run.
func (r Result) Recovered() bool { return !math.IsInf(r.Recovery, 1) }

// A tally counts.
type tally struct {
	r         Result
	base      time.Duration
	want      float64 // goodput in a window
	after     []int   // goodput by second after base
	sent      int     // attempts within the seconds of the amplification
	arrived   int     // arrivals within them
	processed int     // seconds whose queue is known
}

func (t *tally) begin(s *Scenario) {
	n := int((s.Horizon + time.Second - 1) / time.Second)
	t.r = Result{Arrivals: make([]int, n), Load: make([]int, n), Goodput: make([]int, n), Queue: make([]int, n)}
	t.base = s.base()
	t.want = enough * s.Arrivals * window
	t.after = make([]int, max(0, int((s.Horizon-t.base)/time.Second)))
}

// until says how long the line was until now.
func (t *tally) until(now time.Duration, queue int) {
	for t.processed < len(t.r.Queue) && time.Duration(t.processed+1)*time.Second <= now {
		t.r.Queue[t.processed] = queue
		t.processed++
	}
}

func (t *tally) arrive(now time.Duration) {
	t.r.Arrivals[now/time.Second]++
	if t.amplified(now) {
		t.arrived++
	}
}

func (t *tally) send(now time.Duration) {
	t.r.Load[now/time.Second]++
	if t.amplified(now) {
		t.sent++
	}
}

func (t *tally) amplified(now time.Duration) bool {
	return now >= t.base+ampFrom*time.Second && now < t.base+ampBefore*time.Second
}

func (t *tally) good(now time.Duration) {
	t.r.Goodput[now/time.Second]++
	if i := int((now - t.base) / time.Second); now >= t.base && i < len(t.after) {
		t.after[i]++
	}
}

// trace takes an event into the hash.
func (t *tally) trace(k kind, now time.Duration, id uint64, attempts int) {
	h := scramble(t.r.Trace ^ uint64(now))
	t.r.Trace = scramble(h ^ id<<16 ^ uint64(attempts)<<8 ^ uint64(k))
}

func (t *tally) result() Result {
	t.r.Recovery = t.recovery()
	t.r.Amplification = float64(t.sent) / float64(max(1, t.arrived))
	return t.r
}

func (t *tally) recovery() float64 {
	sum := 0
	for i, n := range t.after {
		sum += n
		if i >= window {
			sum -= t.after[i-window]
		}
		if i >= window-1 && float64(sum) >= t.want {
			return float64(i - (window - 1))
		}
	}
	return math.Inf(1)
}

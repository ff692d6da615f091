package adaptive

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/relent-go/relent/retry"
)

// ErrCongested is the reason of a call that the congestion gate ended.
var ErrCongested = errors.New("adaptive: retries are held back because failures follow our own load")

// A pressure is the share of retries that may go while failures look like the consequence of load.
//
// It closes on timeouts that come with slower successes: an overloaded server answers some, later. A server that is down
// answers nobody, and one that loses packets answers as fast as ever; both are left to the other rules.
type pressure struct {
	open        float64 // 1 lets all retries go
	good        float64 // share of attempts that succeed, recently
	fast, usual float64 // logarithm of the duration of successes: of the last few, and on the whole
	n           float64 // successes
}

const (
	leastOpen = .02
	partial   = .05 // share of successes below which it is an outage rather than a load
	slowest   = .55 // how much slower successes are, as a logarithm, when the gate begins to close
	slower    = .5  // how much less it takes the further it is closed
)

func (p *pressure) reset() { *p = pressure{open: 1, good: 1} }

// succeeded learns from an attempt that succeeded after took seconds.
func (p *pressure) succeeded(took float64) {
	p.open = min(1, p.open+.01)
	p.good += .05 * (1 - p.good)
	if took <= 0 {
		return
	}
	p.n++
	x := math.Log(took)
	p.fast += max(.4, 1/p.n) * (x - p.fast)
	p.usual += max(.002, 1/p.n) * (x - p.usual)
}

// failed learns from an attempt that failed; load says that it timed out.
func (p *pressure) failed(load bool) {
	p.good -= .05 * p.good
	if load && p.good > partial && p.fast > p.usual+slowest-slower*(1-p.open) {
		p.open = max(leastOpen, .85*p.open)
	}
}

// A Congestion is a retry.Gate that holds retries back while failures follow the load: it lets a share of them go, which
// falls by 15 % with each timeout that comes among successes that take 1.7 times as long as usual, or 1.1 times once it is closed, and rises by one point with each success. First attempts pass.
//
// The zero value is ready. It is the part of a [Learner] that does most under overload, for policies that stay fixed.
// A Congestion is safe for concurrent use, and must not be copied.
type Congestion struct {
	Kind func(error, retry.Class) Kind // what counts as a timeout is TimedOut; nil means DefaultKind
	Rand func() float64                // uniform in [0, 1), safe for concurrent use; nil means math/rand/v2

	mu    sync.Mutex
	begun bool // guarded by mu
	state pressure
}

var _ retry.Gate = (*Congestion)(nil)

// Admit implements [retry.Gate]. A refusal is [ErrCongested].
func (c *Congestion) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	random := c.Rand
	if random == nil {
		random = rand.Float64
	}
	u := random()
	if u < c.Open() {
		return nil
	}
	return ErrCongested
}

// Settle implements [retry.Gate].
func (c *Congestion) Settle(_ *retry.Attempt, o *retry.Outcome) {
	var took float64
	load := false
	switch {
	case o.State == retry.Succeeded:
		took = o.Elapsed().Seconds()
	case o.State == retry.Failed && o.Class != retry.Permanent:
		load = kindBy(c.Kind, o.Err, o.Class) == TimedOut
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
	if o.State == retry.Succeeded {
		c.state.succeeded(took)
	} else {
		c.state.failed(load)
	}
}

// Open returns the share of retries that may go, 0.02 to 1.
func (c *Congestion) Open() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
	return c.state.open
}

// begin makes the zero value ready. c.mu is held.
func (c *Congestion) begin() {
	if !c.begun {
		c.begun = true
		c.state.reset()
	}
}

// kindBy applies a function of the user's, or the default.
func kindBy(f func(error, retry.Class) Kind, err error, c retry.Class) Kind {
	if f == nil {
		return DefaultKind(err, c)
	}
	return min(f(err, c), kinds-1)
}

package budget

import (
	"cmp"
	"math"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of a [Budget] mean.
const (
	DefaultRatio      = 0.1
	DefaultMax        = 10
	DefaultFleetMax   = 2 // with more than LargeFleet clients, whose buckets add up
	LargeFleet        = 20
	DefaultCost       = 1000 // milli-tokens
	DefaultCeiling    = 0.2
	DefaultCeilingMin = 3
)

// mostTokens is the most that a bucket can hold, so that no sum overflows.
const mostTokens = 1e9

// mostTrickle, in tokens per second, is a milli-token in each nanosecond.
const mostTrickle = 1e6

// classes is how many classes a retry can follow.
const classes = int(retry.Permanent) + 1

// terms are the settings of a budget with their defaults, as integers: nothing after them is floating point.
type terms struct {
	capacity, gain int64 // milli-tokens
	costs          [classes]int64
	share          int64    // of the requests in flight that may be retries, in thousandths
	least          int64    // retries that may be in flight, whatever the share
	floors         [2]int64 // milli-tokens kept from normal and sheddable calls
	every          int64    // nanoseconds in which a milli-token trickles in; 0 for never
	health         Health
}

// terms returns the settings in force.
func (b *Budget) terms() *terms {
	if t := b.live.Load(); t != nil {
		return t
	}
	b.live.CompareAndSwap(nil, b.resolve())
	return b.live.Load()
}

// resolve turns the fields of b into terms.
func (b *Budget) resolve() *terms {
	t := &terms{
		capacity: thousandths(b.most(), mostTokens),
		gain:     thousandths(or(b.Ratio, DefaultRatio), 1),
		share:    thousandths(or(b.Ceiling, DefaultCeiling), 1),
		least:    int64(max(0, cmp.Or(b.CeilingMin, DefaultCeilingMin))),
		health:   b.Health,
	}
	ambiguous := price(b.Costs.Ambiguous)
	for i := range t.costs {
		t.costs[i] = ambiguous
	}
	t.costs[retry.Transient], t.costs[retry.Throttled] = price(b.Costs.Transient), price(b.Costs.Throttled)
	for i, share := range []float64{b.Floors.Normal, max(b.Floors.Normal, b.Floors.Sheddable)} {
		if math.IsNaN(share) {
			share = 1
		}
		t.floors[i] = (t.capacity*thousandths(share, 1) + 999) / 1000
	}
	if b.Trickle > 0 {
		// Rounding up makes the trickle slower, never faster. Beyond 292 years it is none.
		if every := math.Ceil(1e6 / b.Trickle * b.Load.clients()); every < math.MaxInt64 {
			t.every = max(1, int64(every))
		}
	}
	return t
}

// most is Max with its default.
func (b *Budget) most() float64 {
	if b.Load.Clients > LargeFleet {
		return or(b.Max, DefaultFleetMax)
	}
	return or(b.Max, DefaultMax)
}

// or is cmp.Or, under which NaN would stand for the default.
func or(x, zero float64) float64 {
	if x == 0 {
		return zero
	}
	return x
}

// thousandths rounds x down to thousandths, within 0 and most. NaN is 0. A number such as 1.001, which has no exact
// binary form, counts as what was written.
func thousandths(x, most float64) int64 {
	if !(x > 0) {
		return 0
	}
	return int64(min(x, most)*1000 + 1e-6)
}

func price(milli int64) int64 {
	if milli <= 0 {
		return DefaultCost
	}
	return milli
}

// cost is what a retry takes: the price of the failure before it, as often as its policy says.
func (t *terms) cost(a *retry.Attempt) int64 {
	price, times := t.costs[class(a)], max(1, policy(a).Cost)
	if price > math.MaxInt64/2/times {
		return math.MaxInt64 / 2 // more than any bucket holds
	}
	return price * times
}

// class is the class of the failure before a retry; one that there is not counts as the most cautious that is retried.
func class(a *retry.Attempt) retry.Class {
	if a.Class > retry.Permanent {
		return retry.Ambiguous
	}
	return a.Class
}

// floor is what a retry must leave in the bucket.
func (t *terms) floor(a *retry.Attempt) int64 {
	switch p := policy(a).Priority; {
	case p > retry.Normal:
		return 0
	case p == retry.Normal:
		return t.floors[0]
	}
	return t.floors[1]
}

// ceiling is how many retries may be in flight among so many requests.
func (t *terms) ceiling(requests int64) int64 {
	return max(t.least, requests*t.share/1000)
}

// A clock turns the times of attempts into what has trickled in.
type clock struct {
	last time.Time // up to which it was given out; zero before the first attempt
}

// pass returns the milli-tokens that came in until at, one in each every ns.
func (c *clock) pass(at time.Time, every int64) int64 {
	switch {
	case every == 0:
		return 0
	case c.last.IsZero():
		c.last = at
		return 0
	}
	n := max(0, int64(at.Sub(c.last))/every)
	c.last = c.last.Add(time.Duration(n * every)) // what is left over counts next time
	return n
}

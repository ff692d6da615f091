package sim

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/relent-go/relent/retry"
)

// errHopeless ends a call of which an oracle knows that it does not pay.
var errHopeless = errors.New("the oracle sees no retry that pays")

// An oracle is a gate that knows how a world goes on, but not how attempts end: it waits for the end of what is under way, or gives up. It shows how much
// there is to gain. Where callers take from each other what they wait for, as from a quota, it is no upper bound.
type oracle struct {
	y      *weather
	op     int
	cost   float64
	failed map[uint64]int // attempts of a call that failed while nothing was under way
}

var _ retry.Gate = (*oracle)(nil)

// Admit implements [retry.Gate].
func (g *oracle) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	now := a.At.Sub(epoch).Seconds()
	if _, under := g.y.outlook(g.op, now); math.IsInf(under, 1) {
		g.failed[a.Call]++
	}
	noise, dead := nth(g.y.w.Noise, g.op), nth(g.y.w.Dead, g.op)
	odds := dead / (1 - dead) / math.Pow(noise, float64(g.failed[a.Call]))
	if dead == 0 {
		odds = 0
	}
	left := math.Inf(1)
	if end, ok := ctx.Deadline(); ok {
		left = end.Sub(a.At).Seconds()
	}
	hint, best, wait := retry.Hint(a.Err).Seconds(), 0., 0.
	for t, d := now, 0.; d < left; t, d = math.Nextafter(t, math.Inf(1)), t-now {
		p, until := g.y.outlook(g.op, t)
		if value := p/(1+odds) - g.cost - g.y.errands[g.op].DelayCost*d; d >= hint && value > best {
			best, wait = value, d
		}
		if t = until; math.IsInf(t, 1) {
			break
		}
	}
	if best == 0 {
		return errHopeless
	}
	a.Wait = seconds(wait + 1e-6)
	return nil
}

// Settle implements [retry.Gate].
func (g *oracle) Settle(a *retry.Attempt, o *retry.Outcome) {
	if o.State == retry.Succeeded {
		delete(g.failed, a.Call)
	}
}

// outlook returns the chance of an attempt that begins at t, which is not before now, and until when what makes it less than usual is under way: +Inf if
// nothing is.
func (y *weather) outlook(op int, t float64) (p, until float64) {
	p, until = 1, math.Inf(1)
	capacity := y.w.Capacity.PerSecond
	for which, spells := range append(slices.Clone(y.spells[op]), y.dips) {
		i, _ := slices.BinarySearchFunc(spells, t, func(s spell, t float64) int {
			if s.to <= t {
				return -1
			}
			return 1
		})
		if i < len(spells) && spells[i].from <= t {
			p *= 1 - spells[i].p
			until = min(until, spells[i].to)
			if which == len(y.spells[op]) {
				capacity /= 2
			}
		}
	}
	if q := y.w.Quota; q.Attempts > 0 && y.used >= q.Attempts && int64(t/q.Window) == y.window {
		return 0, min(until, float64(y.window+1)*q.Window)
	}
	if capacity > 0 {
		ratio := min(1, capacity/y.load)
		p *= ratio * ratio * ratio
	}
	if math.IsInf(until, 1) {
		p *= 1 - nth(y.w.Noise, op)
	}
	return p, until
}

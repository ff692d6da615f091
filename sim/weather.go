package sim

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
)

// The latency of an answer is lognormal: a fit to health checks of an exchange, in ln ms.
const (
	latencyMu    = 4.677
	latencySigma = .535
	timeoutTakes = time.Second
	refusalTakes = 30 * time.Millisecond
	loadOver     = 2. // seconds of the average that a capacity is compared with
)

// failureErrors are what attempts end with.
var failureErrors = [failures]error{
	Reset:       retry.Mark(syscall.ECONNRESET, retry.Ambiguous),
	Unavailable: retry.Mark(errors.New("unavailable"), retry.Transient),
	Throttled:   retry.Mark(errors.New("429"), retry.Throttled),
	Internal:    retry.Mark(errors.New("internal error"), retry.Ambiguous),
	TimedOut:    ErrTimeout,
}

// kindOf tells the learner which failure an error is.
func kindOf(err error, c retry.Class) adaptive.Kind {
	switch {
	case errors.Is(err, ErrTimeout):
		return adaptive.TimedOut
	default:
		return adaptive.DefaultKind(err, c)
	}
}

// Purposes of random streams beyond those of a storm.
const (
	weatherStream purpose = 64 + iota
	surgeStream
	offsetStream
	dipStream
	arriveStream
	jitterStream
	gateStream
	attemptStream
	itemStream
)

// A spell is an outage, of one operation or of all.
type spell struct {
	from, to float64
	p        float64
	kind     Failure
}

// A weather is one timeline of a world.
type weather struct {
	w       *World
	seed    uint64
	horizon float64
	errands []Errand
	spells  [][][]spell // by operation, by outage, in order
	next    [][]int     // by operation, by outage: the first that has not ended
	surges  []spell
	dips    []spell
	dip     int

	load   float64 // attempts per second, recently
	loadAt float64
	window int64 // of the quota
	used   int   // in it
}

func newWeather(w *World, seed uint64, horizon float64) *weather {
	y := &weather{w: w, seed: seed, horizon: horizon, errands: w.errands(), window: -1}
	n := len(y.errands)
	y.spells, y.next = make([][][]spell, n), make([][]int, n)
	end := horizon + 3600 // calls are drained
	for i, o := range w.Outages {
		var shared []spell
		for op := range n {
			if op == 0 || o.Each {
				shared = o.spells(stream(seed, weatherStream, i*mostErrands+op), horizon, end)
			}
			y.spells[op] = append(y.spells[op], shared)
		}
	}
	if len(w.Windows) > 0 {
		y.replay(end)
	}
	for op := range n {
		y.next[op] = make([]int, len(y.spells[op]))
	}
	if s := w.Surge; s.Factor > 1 {
		y.surges = Outage{Length: s.Length, Gap: s.Gap, P: 1}.spells(stream(seed, surgeStream, 0), horizon, end)
	}
	if c := w.Capacity; c.PerSecond > 0 {
		r := stream(seed, dipStream, 0)
		for t := c.Dip.draw(r) * r.Float64(); t < end; t += max(c.Dip.draw(r), c.DipFor, leastSeconds) {
			y.dips = append(y.dips, spell{from: t, to: t + c.DipFor})
		}
	}
	return y
}

// replay lays the declared incidents on the timeline, from a random moment on.
func (y *weather) replay(end float64) {
	last := y.w.Windows[len(y.w.Windows)-1].From
	offset := stream(y.seed, offsetStream, 0).Float64() * max(0, last-y.horizon)
	var spells []spell
	for _, d := range y.w.Windows {
		if s := (spell{d.From - offset, d.To - offset, d.P, Unavailable}); s.to > 0 && s.from < end {
			spells = append(spells, s)
		}
	}
	for op := range y.spells {
		y.spells[op] = append(y.spells[op], worst(spells))
	}
}

// worst cuts overlapping spells into ones that do not overlap, in which the worst counts.
func worst(spells []spell) []spell {
	var edges []float64
	for _, s := range spells {
		edges = append(edges, s.from, s.to)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var cut []spell
	for i := range len(edges) - 1 {
		c := spell{from: edges[i], to: edges[i+1]}
		for _, s := range spells {
			if s.from <= c.from && s.to >= c.to && s.p > c.p {
				c.p, c.kind = s.p, s.kind
			}
		}
		if c.p > 0 {
			cut = append(cut, c)
		}
	}
	return cut
}

// spells draws when the outage is.
func (o Outage) spells(r *rand.Rand, horizon, end float64) (all []spell) {
	t := o.Gap * r.ExpFloat64()
	if o.Every > 0 {
		t = o.Every * r.Float64()
	}
	for t < end {
		s := spell{t, t + o.Length.draw(r), o.P, o.Kind}
		if t >= o.From*horizon && t < cmp.Or(o.Until, math.Inf(1))*horizon {
			all = append(all, s)
		}
		if o.Every > 0 {
			t += o.Every
		} else {
			t = s.to + max(leastSeconds, o.Gap*r.ExpFloat64())
		}
	}
	return all
}

func (l Length) draw(r *rand.Rand) float64 {
	switch n := len(l.Quantiles) - 1; {
	case n > 0:
		part, at := math.Modf(float64(n) * r.Float64())
		low, high := l.Quantiles[int(part)], l.Quantiles[int(part)+1]
		return low + at*(high-low)
	case l.Sigma > 0:
		return l.A * math.Exp(l.Sigma*r.NormFloat64())
	case l.B > 0:
		return l.A + (l.B-l.A)*r.Float64()
	}
	return l.A + l.Mean*r.ExpFloat64()
}

// nth is the value for the i-th operation of a list whose last value goes on.
func nth[T any](list []T, i int) (v T) {
	if len(list) > 0 {
		v = list[min(i, len(list)-1)]
	}
	return v
}

// draw returns a random number that belongs to one thing of one call, whatever happens elsewhere.
func (y *weather) draw(p purpose, op int, call, attempt, what uint64) float64 {
	h := scramble(y.seed ^ uint64(p)<<56 ^ uint64(op)<<48 ^ call<<16 ^ attempt<<4 ^ what)
	return float64(scramble(h)>>11) / (1 << 53)
}

// dead says whether a call is for an item that never succeeds.
func (y *weather) dead(op int, call uint64) bool {
	return y.draw(itemStream, op, call, 0, 0) < nth(y.w.Dead, op)
}

// answer says how an attempt that begins at now goes, and when it ends. Calls must come in the order of time.
func (y *weather) answer(op int, call uint64, attempt int, dead bool, now time.Duration) (err error, took time.Duration) {
	t := now.Seconds()
	u := func(what uint64) float64 { return y.draw(attemptStream, op, call, uint64(attempt), what) }
	normal := math.Sqrt(-2*math.Log(1-u(0))) * math.Cos(2*math.Pi*u(1))
	took = seconds(math.Exp(latencyMu+latencySigma*normal) / 1000)
	if q := y.w.Quota; q.Attempts > 0 {
		if n := int64(t / q.Window); n != y.window {
			y.window, y.used = n, 0
		}
		if y.used++; y.used > q.Attempts {
			if q.Hint {
				return retry.After(failureErrors[Throttled], max(time.Millisecond, seconds(float64(y.window+1)*q.Window-t))), refusalTakes
			}
			return failureErrors[Throttled], refusalTakes
		}
	}
	if y.w.Capacity.PerSecond > 0 {
		if capacity, load := y.capacity(t); load > capacity {
			ratio := capacity / load
			if u(2) >= ratio*ratio*ratio {
				return ErrTimeout, timeoutTakes
			}
			took *= 3
		}
	}
	inside := false
	for i, spells := range y.spells[op] {
		next := &y.next[op][i]
		for *next < len(spells) && spells[*next].to <= t {
			*next++
		}
		if *next == len(spells) || spells[*next].from > t {
			continue
		}
		s := spells[*next]
		inside = true
		if u(3+uint64(min(i, 12))) < s.p {
			return y.fail(s.kind, took)
		}
	}
	if dead {
		return y.fail(Internal, took)
	}
	if !inside && u(15) < nth(y.w.Noise, op) {
		return y.fail(nth(y.w.NoiseKind, op), took)
	}
	return nil, took
}

func (y *weather) fail(f Failure, took time.Duration) (error, time.Duration) {
	if f == TimedOut {
		took = timeoutTakes
	}
	return failureErrors[f], took
}

// capacity returns what can be done at t, and the load with one more attempt.
func (y *weather) capacity(t float64) (capacity, load float64) {
	y.load = y.load*math.Exp((y.loadAt-t)/loadOver) + 1/loadOver
	y.loadAt = t
	for y.dip < len(y.dips) && y.dips[y.dip].to <= t {
		y.dip++
	}
	capacity = y.w.Capacity.PerSecond
	if y.dip < len(y.dips) && y.dips[y.dip].from <= t {
		capacity /= 2
	}
	return capacity, y.load
}

// arrivals returns when the calls of an operation begin.
func (y *weather) arrivals(op int) (times []time.Duration) {
	r := stream(y.seed, arriveStream, op)
	rate, most := y.errands[op].Rate, max(1, y.w.Surge.Factor)
	surge := 0
	for t := 0.; ; {
		if t += r.ExpFloat64() / (rate * most); t >= y.horizon {
			return times
		}
		for surge < len(y.surges) && y.surges[surge].to <= t {
			surge++
		}
		if u := r.Float64() * most; u < 1 || surge < len(y.surges) && y.surges[surge].from <= t {
			times = append(times, seconds(t))
		}
	}
}

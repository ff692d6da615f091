package adaptive

import "math"

// delays are the waits that are considered, in seconds: 10 ms·1.6^i.
var delays = func() (d [20]float64) {
	for i := range d {
		d[i] = .01 * math.Pow(1.6, float64(i))
	}
	return d
}()

// honest is what is left of the belief when a limit was to be lifted, by a hint or by the clock.
const honest = .05

// An ask is what a decision about a retry depends on, besides what the model knows.
type ask struct {
	at        float64 // now, seconds
	left      float64 // to the deadline, seconds; +Inf without one
	expected  float64 // of an attempt, seconds
	hint      float64 // what the other side asked for, seconds
	ceiling   float64 // longest wait as configured, seconds
	longest   float64 // wait that may be chosen, seconds
	group     group
	kind      Kind
	retry     int // which retry of its call this is, from 1
	cost      float64
	delayCost float64 // per second
	preserve  bool    // give up only what cannot succeed
}

// An advice is what the model makes of it.
type advice struct {
	delay   float64 // seconds, before jitter
	success float64 // chance of the retry
	down    float64 // belief that the operation is down
	price   float64 // of a success
	net     float64 // value of going on
	back    float64 // chance that it is up again after the delay
	stop    bool
}

// choose weighs the waits. advance was called.
func (m *model) choose(a *ask) advice {
	b := &m.belief[a.group]
	h := &m.hazard[a.group]
	e := b.elapsed(a.at)
	q := m.item[a.kind][min(a.retry, retriesSeen)-1].q()
	v := advice{down: b.down, price: math.Inf(1), net: math.Inf(-1)}
	phased, instant := false, 0.
	if a.group == throttle && b.down > outageEnds {
		instant, phased = m.phase[a.group].next(m.clock(a.at))
	}
	limited, ceiling := b.down < .5 && a.hint <= 0, math.Inf(1)
	if limited {
		ceiling = max(0, a.ceiling)
	}
	most := min(a.left-a.expected, max(a.longest, a.hint))
	start := h.at(e)
	sum, d0, s0 := 0., 0., b.down
	for i, last := 0, false; !last; i++ {
		var d, s float64
		if i < len(delays) && delays[i] <= most {
			d = delays[i]
		} else if d, last = a.hint, true; v.success > 0 || d <= 0 || d > most {
			break // else the hint is beyond all that were considered
		}
		switch {
		case d < a.hint:
			s = 1
		case a.hint > 0 && a.group == throttle:
			s = honest * b.down
		case !phased:
			s = b.down * math.Exp(start-h.at(e+d))
		case d < instant:
			s = b.down
		default:
			s = honest * b.down
		}
		p := q * (1 - s)
		sum += (d - d0) * (s + s0) / 2
		d0, s0 = d, s
		v.net = max(v.net, p-a.delayCost*sum-1.5*a.cost)
		if cost := a.cost + a.delayCost*d; cost < v.price*p && (d <= ceiling || v.success == 0) {
			v.price, v.delay, v.success, v.back = cost/p, d, p, 1-s
		}
	}
	if limited {
		v.delay = min(v.delay, ceiling)
	}
	switch {
	case v.success == 0:
		v.stop = true
	case a.preserve:
		v.stop = q < 2*a.cost
	default:
		v.stop = v.net <= 0
	}
	return v
}

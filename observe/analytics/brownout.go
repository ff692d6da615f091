package analytics

import (
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	blockSeconds = 30
	blocks       = 25 * 60 * 60 / blockSeconds // that are remembered
	blockLag     = 60 * 60 / blockSeconds      // the newest are no reference, so that a slow drift does not teach itself
	blockLeast   = 10                          // calls of a block
	blockNeed    = 120                         // blocks of the reference: an hour
	noBlock      = math.MinInt16
	slowAlarm    = 12
	slowRatio    = 1.5
	slowEnd      = 1.25
	slowStep     = 3 // most that one block counts, in standard deviations: a drift is slow
	leastSpread  = 0.02
)

// drift follows the durations of first tries that succeed, in blocks of half a minute. Logarithms are kept in thousandths.
type drift struct {
	sum   float64 // of logarithms, in the block that is open
	n     float64
	ring  [blocks]int16
	last  [4]float64 // the last blocks, the newest last; NaN: too few calls
	s     float64    // the CUSUM
	since int64      // when it was zero last, in nanoseconds

	known  int // blocks of the reference
	median float64
	spread float64 // a standard deviation, corrected for what one block says of the next
}

func (d *drift) reset(at int64) {
	*d = drift{since: at}
	for i := range d.ring {
		d.ring[i] = noBlock
	}
	for i := range d.last {
		d.last[i] = math.NaN()
	}
}

func (d *drift) fold(r *Record, n uint32) {
	if r.Ended && r.OK && r.Attempt == 1 && r.Took > 0 {
		d.sum += float64(n) * math.Log(r.Took.Seconds())
		d.n += float64(n)
	}
}

// close ends a block. learn is false while the policy is slow, so that this does not become normal.
func (d *drift) close(second int64, at int64, learn bool) {
	x, kept := math.NaN(), int16(noBlock)
	if d.n >= blockLeast {
		x = d.sum / d.n
		if learn {
			kept = int16(math.Round(clamp(1000*x, math.MinInt16+1, math.MaxInt16)))
		}
	}
	d.sum, d.n = 0, 0
	d.ring[mod(second/blockSeconds, blocks)] = kept
	copy(d.last[:], d.last[1:])
	d.last[3] = x
	if d.known < blockNeed || math.IsNaN(x) {
		return
	}
	d.s = clamp(d.s+min((x-d.median)/d.spread, slowStep)-0.5, 0, 2*slowAlarm)
	if d.s == 0 {
		d.since = at
	}
}

// ratio says how much slower the last two minutes were than the reference; NaN while there is too little to say.
func (d *drift) ratio() float64 {
	if d.known < blockNeed {
		return math.NaN()
	}
	return math.Exp((d.last[0]+d.last[1]+d.last[2]+d.last[3])/4 - d.median)
}

// learn takes the reference from what was an hour ago and longer: median and median deviation, as single values count little.
func (d *drift) learn(second int64, scratch []int16) {
	list := scratch[:0]
	now := second / blockSeconds
	for i := int64(blockLag); i < blocks; i++ {
		if x := d.ring[mod(now-i, blocks)]; x != noBlock {
			list = append(list, x)
		}
	}
	if d.known = len(list); d.known < blockNeed {
		return
	}
	slices.Sort(list)
	median := list[len(list)/2]
	var square, next float64
	for i := int64(blockLag); i < blocks-1; i++ {
		x, before := d.ring[mod(now-i, blocks)], d.ring[mod(now-i-1, blocks)]
		if x != noBlock && before != noBlock {
			square += float64(x-median) * float64(x-median)
			next += float64(x-median) * float64(before-median)
		}
	}
	for i, x := range list {
		list[i] = max(x-median, median-x)
	}
	slices.Sort(list)
	rho := clamp(ratio(next, square), 0, 0.9)
	d.median = float64(median) / 1000
	d.spread = max(1.4826*float64(list[len(list)/2])/1000, leastSpread) * math.Sqrt((1+rho)/(1-rho))
}

// brownout looks, at the end of a block, for calls that became slow little by little.
func (e *Engine) brownout(s *subject, at int64) {
	open := e.isOpen(Brownout, policy(s))
	d := &s.drift
	d.close(e.second, at, !open)
	slower := d.ratio()
	if !(open && slower >= slowEnd) && !(d.s >= slowAlarm && slower >= slowRatio) {
		return
	}
	severity := Ticket
	if c := s.last(e.second, 60); c.rate() >= 3*s.p0 && c.fails >= 5 {
		severity = Page
	}
	e.raise(alarm{kind: Brownout, subject: policy(s), severity: severity, started: d.since, at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "latency_cusum", Value: d.s, Threshold: slowAlarm, Effect: slower, N: uint64(d.known), Window: 2 * time.Minute, Baseline: math.Exp(d.median)}
		},
		action: Action{Kind: LookAtErrors},
		text: func() string {
			usual := time.Duration(math.Exp(d.median) * float64(time.Second))
			return fmt.Sprintf("%s takes %.3g times as long as it used to: %v is usual.", s.name, slower, usual.Round(usual/100+1))
		}})
}

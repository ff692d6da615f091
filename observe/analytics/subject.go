package analytics

import (
	"time"
)

// counts are those of one slot.
type counts struct {
	calls, fails, attempts, recovered, failed uint32
	class                                     [4]uint32 // first-try failures
}

func (c *counts) add(o *counts) {
	c.calls += o.calls
	c.fails += o.fails
	c.attempts += o.attempts
	c.recovered += o.recovered
	c.failed += o.failed
	for i := range c.class {
		c.class[i] += o.class[i]
	}
}

// retries is never negative: a retry whose first attempt was in an earlier slot counts here.
func (c *counts) retries() float64 { return max(0, float64(c.attempts)-float64(c.calls)) }

func (c *counts) rate() float64 { return ratio(float64(c.fails), float64(c.calls)) }

func (c *counts) load() float64 { return ratio(float64(c.attempts), float64(c.calls)) }

const (
	secs = 64 // slots of a second
	tens = 6  // slots of ten seconds, for shards
	mins = 80 // slots of a minute
)

// A subject is what is known of one policy.
type subject struct {
	name   string
	above  map[string]int // what it depends on, and how far away
	active int64          // second of the last record
	orders bool
	muted  bool

	now  counts       // the second that is open
	sec  [secs]counts // by second
	ten  counts       // the ten seconds that are open
	min  [mins]counts // by minute
	mini counts       // the minute that is open
	born int64        // second of the first record

	base     float64 // failure rate when healthy
	loadBase float64 // retries per call when healthy
	phi      float64 // dispersion of failures
	loadPhi  float64 // dispersion of retries
	trained  int     // slots learnt

	shift cusum
	quick cusum // the same for outages: a higher rate, against that of healthy bursts, so that these need not slow it down
	storm cusum
	up    float64 // what a failure adds to shift; down is for a success
	down  float64
	p0    float64
	peak  float64 // a failure rate that a healthy slot had for sure; fades
	qUp   float64 // as up and down, for quick
	qDown float64
	q0    float64

	bins  bins
	track track
	flap  flap
	cycle [len(periods)]cycle
	odd   [5]bool // class shift in the windows that ended in the last five minutes

	shards map[string]*shard
	prints prints
	pay    payback
	seen   sightings
	herd   herd
	beats  beats
	drift  drift
	turn   int64 // second of each ten minutes in which the reference of drift is taken, so that not all are at once
}

// A cusum sums evidence for a change, and knows when the sum was zero last.
type cusum struct {
	s    float64
	zero int64 // nanoseconds
}

func (c *cusum) add(x float64, at int64, top float64) {
	c.s = min(c.s+x, top)
	if !(c.s > 0) {
		c.s, c.zero = 0, at
	}
}

func (s *subject) reset(name string, above map[string]int, second int64) {
	*s = subject{name: name, above: above, born: second, active: second, phi: 1, loadPhi: 1}
	zero := cusum{zero: second * int64(time.Second)}
	s.shift, s.quick, s.storm = zero, zero, zero
	s.prints.reset()
	s.drift.reset(zero.zero)
	s.turn = int64(fingerprint(0, name) % 600)
	s.rates()
}

// rates derives the steps of the failure CUSUM from the baseline.
func (s *subject) rates() {
	s.p0 = clamp(s.base, 0.001, 0.5)
	p1 := min(max(5*s.p0, 0.05), 0.9)
	s.up, s.down = logRatio(p1, s.p0)/s.phi, logRatio(1-p1, 1-s.p0)/s.phi
	s.q0 = clamp(1.5*max(s.base, s.peak), 0.01, 0.5) // above what is healthy, so that bursts neither alarm nor keep slots from being learnt
	q1 := clamp(5*s.q0, outageRate, 0.9)
	s.qUp, s.qDown = logRatio(q1, s.q0), logRatio(1-q1, 1-s.q0)
}

// outageRate is the failure rate that is to be found within seconds.
const outageRate = 0.3

// last sums the seconds before second, and the open one.
func (s *subject) last(second int64, n int64) counts {
	c := s.now
	for i := int64(1); i < n; i++ {
		c.add(&s.sec[mod(second-i, secs)])
	}
	return c
}

// samples returns failures per second, oldest first.
func (s *subject) samples(second int64) []uint64 {
	list := make([]uint64, 0, 60)
	for i := int64(59); i > 0; i-- {
		list = append(list, uint64(s.sec[mod(second-i, secs)].fails))
	}
	return append(list, uint64(s.now.fails))
}

func mod(a, n int64) int64 {
	if a %= n; a < 0 {
		a += n
	}
	return a
}

// fold counts a record of a call.
func (s *subject) fold(r *Record, n uint32) {
	if r.Ended {
		s.now.attempts += n
		if r.Attempt == 1 {
			s.now.calls += n
			if !r.OK {
				s.now.fails += n
				s.now.class[r.Class&3] += n
			}
		}
	}
	if r.Last {
		if !r.OK {
			s.now.failed += n
		} else if r.Attempt > 1 {
			s.now.recovered += n
		}
	}
	s.orders = r.Orders
	s.pay.fold(r, n)
	s.prints.fold(r, n)
	s.beats.fold(r)
	s.drift.fold(r, n)
	if r.Ended {
		s.herd.count(r.At.Add(-r.Took).UnixNano(), r.Over, n)
	}
}

// healthy says that the subject may be learnt from.
func (s *subject) healthy(open bool) bool {
	return !open && s.shift.s <= shiftAlarm/2 && s.storm.s <= stormAlarm/2
}

// learn moves the baselines by ten seconds.
func (s *subject) learn() {
	const alpha = 0.0027739 // 1 - exp(-10 s / 1 h)
	c := float64(s.ten.calls)
	if c == 0 {
		return
	}
	s.trained++
	if s.trained > 6 { // a first estimate, before what departs from it says anything
		f, r := float64(s.ten.fails), s.ten.retries()
		s.phi = max(1, ewma(s.phi, (f-s.base*c)*(f-s.base*c)/(s.p0*(1-s.p0)*c), alpha, s.trained))
		rho := max(s.loadBase, 0.02)
		s.loadPhi = max(1, ewma(s.loadPhi, (r-rho*c)*(r-rho*c)/(rho*c), alpha, s.trained))
	}
	s.peak = max(s.peak*0.9995, poissonLower(float64(s.ten.fails))/c) // half of it is left after four hours
	s.base = ewma(s.base, s.ten.rate(), alpha, s.trained)
	s.loadBase = ewma(s.loadBase, s.ten.retries()/c, alpha, s.trained)
	s.rates()
}

const trainedAt = 60 // slots

package adaptive

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	leastBelief, mostBelief = .001, .995
	outageBegins            = .8
	outageEnds              = .3
	leastOutage             = .005        // seconds
	jump                    = 3600.       // seconds: a gap in the times that no traffic explains
	backward                = 1.          // seconds that results may come out of order
	fadeAfter               = 24 * 3600.  // seconds
	coldResults             = 50          // below it the configured policy serves
	coldRetries             = 10          // likewise
	recentResults           = 10          // as many results as must lie in
	recentSpan              = 10 * 60.    // seconds
	sparse                  = .5          // calls per second below which learning does harm
	firstExpected           = .05         // seconds: an attempt, before one was seen
	longAgo                 = -1e18 / 1e9 // seconds: a result that never was
)

// A belief is how likely it is that one group of failures has its cause at the other side, for all callers alike.
type belief struct {
	down     float64 // probability
	since    float64 // when the present outage began
	first    float64 // failure of the present streak
	last     float64 // failure
	back     float64 // first success after it
	in       bool    // an outage
	failing  bool    // first is set
	returned bool    // back is set
	seen     uint32  // outages
}

// elapsed is how long the present outage has lasted at t; 0 outside of one.
func (b *belief) elapsed(t float64) float64 {
	if !b.in {
		return 0
	}
	return max(0, t-b.since)
}

// A model is what is known of one operation. Times are in seconds since epoch.
type model struct {
	_    [64]byte // away from what others write
	name string
	mode atomic.Uint32
	led  atomic.Bool // the model's advice counts, if the mode is Active

	mu       sync.Mutex
	begun    bool      // guarded by mu, as all that follows
	promoted bool      // set to Active by a Promotion
	epoch    time.Time // the first time that was seen
	at       float64   // of the last result or decision

	belief   [groups]belief
	hazard   [groups]hazard
	phase    [groups]phases
	item     [kinds][retriesSeen]item
	up       float64 // share of first attempts that succeed while up
	onsets   float64 // outages
	exposure float64 // seconds up
	faded    float64 // when both were last halved

	results, retries uint64
	recent           [recentResults]float64 // times of the last results
	lastFirst        float64                // result of a first attempt
	gap              float64                // between two of them, on the whole

	took                   float64         // by successes, seconds, recently
	waiters                [groups]int     // retries that wait, of calls that are led
	wake                   [groups]float64 // until when they have their turns after an outage
	started                float64         // when one of them last began
	heard                  float64         // last result
	attemptCost, delayCost float64         // of the last decision; the second per second
	pressure               pressure
	decisions              [Model + 1]uint64

	score score
	guard guard
	said  said
	odd   uint64 // times that were ignored
	_     [64]byte
}

// reset forgets everything.
func (m *model) reset() {
	for g := range groups {
		m.belief[g] = belief{down: leastBelief, seen: m.belief[g].seen}
		m.hazard[g].reset()
		m.phase[g] = phases{}
	}
	for k := range m.item {
		for n := range m.item[k] {
			m.item[k][n].reset()
		}
	}
	m.up, m.onsets, m.exposure = .98, 0, 0
	m.guard.reset()
	m.pressure.reset()
	m.restart()
}

// restart returns what depends on a clock that cannot be trusted any more to its beginning. Nothing learned is lost.
func (m *model) restart() {
	for g := range groups {
		m.belief[g] = belief{down: leastBelief, seen: m.belief[g].seen}
	}
	for i := range m.recent {
		m.recent[i] = longAgo
	}
	m.lastFirst, m.gap, m.faded, m.guard.until = longAgo, 0, m.at, longAgo
	m.started, m.heard, m.wake = longAgo, longAgo, [groups]float64{longAgo, longAgo}
}

// advance brings the beliefs to the moment t. It says whether t is one that can follow the moment before.
func (m *model) advance(t float64) bool {
	dt := t - m.at
	if dt < -backward || dt > jump {
		m.at = t
		m.odd++
		m.restart()
		return false
	}
	if dt <= 0 {
		return true
	}
	rise := m.onset() * dt
	if rise > 1e-4 {
		rise = -math.Expm1(-rise)
	}
	up := true
	for g := range m.belief {
		b := &m.belief[g]
		if b.in {
			up = false
			h := &m.hazard[g]
			e := b.elapsed(m.at)
			b.down *= math.Exp(h.at(e) - h.at(e+dt))
		}
		b.down = min(mostBelief, b.down+(1-b.down)*rise)
	}
	if up {
		m.exposure += dt
	}
	if m.at = t; t-m.faded >= fadeAfter {
		m.faded = t
		m.onsets, m.exposure = m.onsets/2, m.exposure/2
	}
	return true
}

// onset is how often outages begin, per second up.
func (m *model) onset() float64 { return (m.onsets + .5) / (m.exposure + 60) }

// A result is one attempt that says something about the other side.
type result struct {
	ok       bool
	group    group   // of the failure
	retry    int     // 0 for a first attempt, else which retry of its call
	kind     Kind    // of the failure before, for a retry
	launched float64 // belief in an outage when a retry began
	against  bool    // a retry that was advised against
	amid     bool    // that advice was given while the operation may have been down
	earned   float64 // by that, in successes
	advised  float64 // when
	forecast float64 // chance of success that was predicted then; 0 for none
	load     bool    // it timed out
	blind    bool    // the fallback is not used
	frozen   bool    // nothing is learned from it but the beliefs
	at, took float64
}

// observe learns from a result.
func (m *model) observe(r *result) {
	if !m.advance(r.at) {
		return
	}
	m.recent[m.results%recentResults] = m.at
	m.results++
	m.heard = m.at
	k := min(max(r.retry, 1), retriesSeen) - 1
	it := &m.item[r.kind][k]
	if r.ok {
		for g := range m.belief {
			m.belief[g].weigh(.03 / m.up)
		}
		m.took += .1 * (r.took - m.took)
		m.pressure.succeeded(r.took)
	} else {
		m.pressure.failed(r.load)
		l := max(.002, 1-m.up)
		if r.retry > 0 {
			l = max(.02, 1-it.q())
		}
		m.belief[r.group].weigh(.97 / l)
	}
	if r.retry == 0 {
		m.first(r)
	} else {
		m.retries++
		if !r.frozen {
			it.learn(r.launched, r.ok)
		}
		if r.forecast > 0 {
			m.score.add(r.forecast, r.ok, m.at)
		}
		if r.against {
			m.testify(r.earned, r.advised, r.amid)
		}
	}
	m.turn(r)
}

// testify tells the guard what a retry earned that was advised against. Those that wait in an outage at the same time share its
// end, so one of them stands for all: the next that counts was advised upon after this one was over.
func (m *model) testify(earned, advised float64, amid bool) {
	if amid {
		if advised < m.guard.until {
			return
		}
		m.guard.until = m.at
	}
	m.guard.add(earned)
}

// weigh multiplies the odds of an outage.
func (b *belief) weigh(ratio float64) {
	odds := b.down / (1 - b.down) * ratio
	b.down = min(mostBelief, max(leastBelief, odds/(1+odds)))
}

// first learns from a first attempt, which is a free probe and shows the rate of calls.
func (m *model) first(r *result) {
	y := 0.
	if r.ok {
		y = 1
	}
	if !r.frozen {
		m.up += .005 * (1 - m.belief[r.group].down) * (y - m.up)
		m.up = min(.998, max(.4, m.up))
	}
	if m.lastFirst > longAgo {
		d := m.at - m.lastFirst
		if m.gap == 0 {
			m.gap = d
		}
		m.gap += .05 * (d - m.gap)
	}
	m.lastFirst = m.at
}

// rate is how many calls come per second.
func (m *model) rate() float64 {
	if m.gap <= 0 {
		return 0
	}
	return 1 / m.gap
}

// turn begins and ends outages.
func (m *model) turn(r *result) {
	for g := range groups {
		b := &m.belief[g]
		switch {
		case r.ok:
			b.failing = false
			if !b.returned {
				b.back, b.returned = m.at, true
			}
		case g == r.group:
			if b.last, b.returned = m.at, false; !b.failing {
				b.first, b.failing = m.at, true
			}
		}
		switch {
		case !b.in && b.down > outageBegins:
			b.in, b.since = true, b.first
			b.seen++
			m.onsets++
		case b.in && b.down < outageEnds:
			m.over(g, r.frozen)
		}
	}
}

// over ends an outage.
func (m *model) over(g group, frozen bool) {
	b := &m.belief[g]
	end := b.last
	if b.returned {
		end = (b.last + b.back) / 2
	}
	if length := max(leastOutage, end-b.since); !frozen {
		m.hazard[g].learn(length)
		m.phase[g].learn(m.clock(b.since + length))
	}
	b.in = false
	m.release(g)
}

// clock is the moment t in seconds since 1970.
func (m *model) clock(t float64) float64 { return float64(m.epoch.UnixNano())/1e9 + t }

// cold says that too little is known, or too little of it is recent.
func (m *model) cold() bool {
	return m.results < coldResults || m.retries < coldRetries || m.rate() < sparse ||
		m.at-m.recent[m.results%recentResults] > recentSpan
}

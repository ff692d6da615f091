package adaptive

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

func TestProbeVectors(t *testing.T) {
	for _, test := range []struct {
		id           string
		elapsed, n   float64
		delayCost, d float64
	}{
		{"AD6: one", 1, 1, .05, 1.2344}, {"AD6: ten", 1, 10, .05, .3904}, {"AD6: a hundred", 1, 100, .05, .1234},
		{"AD6: one, later", 30, 1, .05, 6.6294}, {"AD6: ten, later", 30, 10, .05, 2.0964}, {"AD6: a hundred, later", 30, 100, .05, .6629},
		{"AD7: short", .2, 100, .05, .1}, {"AD7: long", 3600, 1, .0008, 15},
	} {
		m := newModel()
		m.belief[available].in = true
		m.at, m.delayCost = test.elapsed, test.delayCost
		if d := m.probes(available, test.n, &Terms{}); math.Abs(d-test.d) > 6e-5 {
			t.Errorf("%s: %v s; want %v", test.id, d, test.d)
		}
	}
}

// A crowd is waiters of one model, in virtual time.
type crowd struct {
	m      *model
	next   []float64 // when each looks again; +Inf for one that is gone
	notes  []uint64
	left   float64 // seconds that each has at the beginning
	random *rand.Rand
	begun  []float64
	ended  int
}

// newCrowd has n waiters in an outage that has lasted for a second.
func newCrowd(n int, left float64) *crowd {
	m := newModel()
	m.mode.Store(uint32(Active))
	m.results, m.retries, m.gap, m.up, m.delayCost = 1000, 100, 1./3, .98, .05
	m.begun, m.epoch, m.at = true, day, 1
	for i := range m.recent {
		m.recent[i] = 1
	}
	m.heard = 1
	m.belief[available] = belief{down: mostBelief, in: true, failing: true}
	m.waiters[available] = n
	c := &crowd{m: m, left: left, random: rand.New(rand.NewPCG(7, 8)), next: make([]float64, n), notes: make([]uint64, n)}
	for i := range c.next {
		c.next[i], c.notes[i] = 1+c.random.Float64(), waiting
	}
	return c
}

// until lets time pass. Those that begin find the operation up or not.
func (c *crowd) until(end float64, up bool) {
	for {
		i := 0
		for k := range c.next {
			if c.next[k] < c.next[i] {
				i = k
			}
		}
		t := c.next[i]
		if t >= end {
			return
		}
		w := waiter{retry: 1, left: c.left - t, note: c.notes[i], lever: c.random.Float64(), spread: c.random.Float64()}
		again, stop := c.m.ready(&w, &retry.Attempt{Begins: day.Add(duration(t))}, &Terms{}, false)
		c.notes[i] = w.note
		if c.next[i] = t + again.Seconds(); again > 0 {
			continue
		}
		c.next[i] = math.Inf(1)
		if stop != nil {
			c.ended++
			continue
		}
		c.begun = append(c.begun, t)
		c.m.settle(&result{ok: up, retry: 1, launched: .9, took: .1}, time.Time{}, day.Add(duration(t)))
	}
}

// AD17: in an outage, those that wait begin no more often than one probe is worth, and all begin after it.
func TestProbes(t *testing.T) {
	c := newCrowd(500, 600)
	c.until(60, false)
	probes := len(c.begun)
	for i := 1; i < probes; i++ {
		c.m.at = c.begun[i]
		if gap, d := c.begun[i]-c.begun[i-1], c.m.probes(available, 500, &Terms{}); gap < d-1e-9 {
			t.Errorf("AD17: %v s between two probes at %v s; want at least %v", gap, c.begun[i], d)
		}
	}
	if probes < 20 || probes > 300 {
		t.Errorf("AD17: %d probes of 500 waiters in a minute", probes)
	}
	c.m.at = 60
	c.until(600, true)
	if len(c.begun) != 500 || c.ended != 0 || c.m.waiters[available] != 0 {
		t.Errorf("%d began, %d were ended, %d wait; want 500, 0, 0", len(c.begun), c.ended, c.m.waiters[available])
	}
	if last := c.begun[499]; last > 60+500/9.+5 {
		t.Errorf("the last began at %v s; want all to have their turn", last)
	}
}

// AD15: a thousand that wait do not begin at once when it is over.
func TestPacedWake(t *testing.T) {
	c := newCrowd(1000, 80)
	c.until(20, false)
	before := len(c.begun)
	for range 3 {
		c.m.settle(&result{ok: true, took: .1}, time.Time{}, day.Add(20*time.Second)) // others found it up
	}
	c.until(80, true)
	var second [80]int
	for _, at := range c.begun[before:] {
		second[int(at-20)]++
	}
	most, last := 0, 0
	for s, n := range second {
		if most = max(most, n); n > 0 {
			last = s
		}
	}
	if most > 90 || last < 16 || last > 19 || len(c.begun) != 1000 {
		t.Errorf("%d began, up to %d in a second, the last in second %d; want 1000, at most 90, over 18 s", len(c.begun), most, last)
	}
}

// A retry without time for another look begins if it is worth it, and ends if not.
func TestLastChance(t *testing.T) {
	for _, test := range []struct {
		name       string
		down, left float64
		more       float64 // about
		end        bool
	}{
		{"time for another look", .9, 10, .3, false},
		{"time until shortly before the end", .99, .45, .05, false},
		{"less than that, and worth it", .9, .25, 0, false},
		{"less than that, and not worth it", .99, .25, 0, true},
		{"no time to be earlier than the end", .9, .41, 0, false},
	} {
		c := newCrowd(1, 60)
		m := c.m
		m.belief[available].down, m.started, m.at, m.took = test.down, 1, 1.01, .1
		if test.name == "no time to be earlier than the end" {
			m.took = .2
		}
		more, end := m.hold(&waiter{left: test.left, spread: .5, note: waiting}, &Terms{})
		if math.Abs(more-test.more) > .1 || more > 0 != (test.more > 0) || end != test.end {
			t.Errorf("%s: %v, ended %v; want %v, %v", test.name, more, end, test.more, test.end)
		}
	}
}

// Ready ends what the gate holds back, or what has no chance, and counts it out.
func TestReadyEndsCalls(t *testing.T) {
	c := newCrowd(3, 60)
	c.m.pressure.open = .02
	w := waiter{retry: 1, left: 60, lever: .5, note: waiting}
	a := &retry.Attempt{Call: 2, Begins: day.Add(time.Second)}
	for control(a.Call) {
		a.Call++
	}
	if again, stop := c.m.ready(&w, a, &Terms{}, false); again != 0 || stop == nil || c.m.waiters[available] != 2 || w.note&waiting != 0 {
		t.Errorf("%v, %v, %d wait", again, stop, c.m.waiters[available])
	}
	note := uint64(waiting)
	g := &shadow{l: &Learner{}, m: c.m, terms: Terms{Rand: func() float64 { return .5 }}}
	b := &retry.Attempt{Call: a.Call, Number: 2, Begins: a.Begins, Err: errBusy, Note: &note}
	if err := g.Recheck(t.Context(), b); !errors.Is(err, ErrStopped) || note&waiting != 0 || c.m.waiters[available] != 1 {
		t.Errorf("Recheck = %v, note %x, %d wait", err, note, c.m.waiters[available])
	}
	w = waiter{retry: 1, left: 60, lever: .5, note: waiting}
	if again, stop := c.m.ready(&w, a, &Terms{Without: Pressure | Parking}, false); again != 0 || stop != nil || c.m.waiters[available] != 0 {
		t.Errorf("without levers: %v, %v, %d wait", again, stop, c.m.waiters[available])
	}
}

// The wait follows the advice, with jitter, within its bounds.
func TestWaitJitter(t *testing.T) {
	m := newModel()
	for _, test := range []struct {
		name    string
		q       ask
		s       said
		u, want float64
	}{
		{"least", ask{left: 60}, said{advice: advice{delay: 1}}, 0, .8},
		{"most", ask{left: 60}, said{advice: advice{delay: 1}}, 1, 1.2},
		{"throttled, least", ask{left: 60, group: throttle}, said{advice: advice{delay: 1}}, 0, 1},
		{"throttled, most", ask{left: 60, group: throttle}, said{advice: advice{delay: 1}}, 1, 1.3},
		{"hinted", ask{left: 60, hint: 3}, said{advice: advice{delay: 1}}, .5, 3.3},
		{"AD10: not before the hint", ask{left: 3, hint: 3, expected: 1}, said{advice: advice{delay: 1}}, .5, 3},
		{"half of what is configured while it may be down", ask{left: 60}, said{advice: advice{delay: .01, down: .5}, configured: 4 * time.Second}, .5, 2},
		{"not that while it is up", ask{left: 60}, said{advice: advice{delay: .01, down: .1}, configured: 4 * time.Second}, .5, .01},
		{"no longer than there is time", ask{left: 2, expected: .5}, said{advice: advice{delay: 2}}, 1, 1.5},
	} {
		if got := m.wait(&test.q, &test.s, test.u); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %v s; want %v", test.name, got, test.want)
		}
	}
}

// AD16, with the engine: callers that wait through an outage are counted until the last is cancelled, and give all tokens back.
func TestParkedCallsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, b := &Learner{}, &purse{}
		p := &retry.Policy{Name: "venue.get", MaxAttempts: 100, MaxElapsed: time.Hour, Idempotent: true, Gates: []retry.Gate{b},
			Backoff: backoff.Constant{Wait: time.Second}}
		s := l.Source(p, Terms{Without: Falling})
		s.Current()
		l.SetMode("venue.get", Active)
		ctx, cancel := context.WithCancel(t.Context())
		var up sync.Map
		call := func(i int) {
			first := i%5 == 0
			retry.Run(ctx, s, func(context.Context) error {
				time.Sleep(20 * time.Millisecond)
				if _, down := up.Load("down"); down || first {
					first = false
					return retry.Mark(errBusy, retry.Transient)
				}
				return nil
			})
		}
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() { call(i) })
			time.Sleep(200 * time.Millisecond)
		}
		up.Store("down", true)
		for range 1000 {
			wg.Go(func() { call(1) })
		}
		time.Sleep(20 * time.Second)
		e, _ := l.Explain("venue.get")
		if e.Waiting < 700 || b.out.Load() < 700 || e.DownFor < 15*time.Second {
			t.Errorf("%d wait with %d tokens, down for %v; want most of 1000", e.Waiting, b.out.Load(), e.DownFor)
		}
		if text := e.String(); !strings.Contains(text, " wait; configured ") {
			t.Errorf("it says %q", text)
		}
		cancel()
		wg.Wait()
		if e, _ := l.Explain("venue.get"); e.Waiting != 0 || b.out.Load() != 0 {
			t.Errorf("AD16: %d wait with %d tokens after all were cancelled", e.Waiting, b.out.Load())
		}
	})
}

// Whoever revises an advice has the last word, within what numbers can be.
func TestRevise(t *testing.T) {
	v := advice{delay: 1, success: .5}
	(&Terms{Revise: func(a Advice) Advice { a.Delay, a.P, a.Stop = -1, 3, true; return a }}).revise(&v)
	if v.delay != 0 || v.success != 1 || !v.stop {
		t.Errorf("%+v", v)
	}
	if p := (&Terms{Revise: func(a Advice) Advice { a.P = -1; return a }}).chance(.5, .1); p != 0 {
		t.Errorf("chance %v; want 0", p)
	}
	if u := (&Terms{Rand: func() float64 { return .25 }}).random(); u != .25 {
		t.Errorf("random %v; want .25", u)
	}
}

// An outage of throttling takes a second at least to leave.
func TestReleaseThrottled(t *testing.T) {
	m := newModel()
	m.at, m.waiters[throttle] = 10, 1
	if m.release(throttle); m.wake[throttle] != 11 {
		t.Errorf("turns until %v s; want 11", m.wake[throttle])
	}
}

// The control arm may have policies of its own, whose budget is a slice. One call in ten uses them, while the operation is active.
func TestControlPolicies(t *testing.T) {
	l := &Learner{}
	own := &retry.Policy{Name: "venue.get", MaxAttempts: 7}
	s := l.Source(&retry.Policy{Name: "venue.get"}, Terms{Control: own})
	count := func() (n int) {
		for range 10_000 {
			if s.Current().MaxAttempts == 7 {
				n++
			}
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("%d calls of the control arm in Shadow", n)
	}
	l.SetMode("venue.get", Active)
	if n := count(); n != 0 {
		t.Errorf("%d calls of the control arm while the model is cold and leads nobody", n)
	}
	warm(t, s)
	if n := count(); n < 900 || n > 1100 {
		t.Errorf("%d of 10,000 calls are of the control arm; want one in ten", n)
	}
	g := s.aside.Load().watched.Gates[0].(*shadow)
	if !g.control(&retry.Attempt{}) || s.last.Load().watched.Gates[0].(*shadow).control(&retry.Attempt{}) || g.m != l.known("venue.get") {
		t.Error("the arms are mixed up")
	}
	if len(l.Operations()) != 1 {
		t.Errorf("operations %v; want one", l.Operations())
	}
}

// An active model sets the wait of its retries, and only of those.
func TestActiveSetsTheWait(t *testing.T) {
	for _, test := range []struct {
		name    string
		mode    Mode
		without Levers
		want    time.Duration
	}{
		{"active", Active, Falling, 10 * time.Millisecond},
		{"shadow", Shadow, Falling, time.Second},
		{"without the lever", Active, Falling | Waits, time.Second},
	} {
		l := &Learner{}
		s := l.Source(&retry.Policy{Name: "venue.get", MaxElapsed: time.Minute}, Terms{Without: test.without, Rand: func() float64 { return .5 }})
		at, p := warm(t, s), s.Current()
		l.SetMode("venue.get", test.mode)
		a := &retry.Attempt{Policy: p, Number: 2, At: at.Add(time.Second), Wait: time.Second, Err: errBusy, Class: retry.Transient, Note: new(uint64)}
		for control(a.Call) {
			a.Call++
		}
		if err := p.Gates[0].Admit(t.Context(), a); err != nil || a.Wait != test.want {
			t.Errorf("%s: %v, wait %v; want %v", test.name, err, a.Wait, test.want)
		}
	}
}

// A retry that was let in as configured does not wait for others, whatever is known by its end.
func TestOnlyThoseThatWait(t *testing.T) {
	c := newCrowd(100, 60)
	w := waiter{retry: 1, left: 60, spread: .5}
	if again, stop := c.m.ready(&w, &retry.Attempt{Begins: day.Add(time.Second)}, &Terms{}, false); again != 0 || stop != nil || c.m.waiters[available] != 100 {
		t.Errorf("%v, %v, %d wait; want it to begin", again, stop, c.m.waiters[available])
	}
}

// Retries that wait in an outage at the same time share its end: the next that counts was advised upon after the last one that did was over.
func TestThoseWhoWaitTogetherAreOneWitness(t *testing.T) {
	m := newModel()
	for i := range 50 {
		advised := day.Add(time.Duration(i) * time.Second)
		m.settle(&result{ok: true, retry: 1, against: true, amid: true, earned: .9}, advised, advised.Add(10*time.Second))
	}
	if m.guard.on || m.guard.observed != 5 {
		t.Errorf("%+v; want five retries counted, one in 10 s", m.guard)
	}
	m.settle(&result{ok: true, retry: 1, against: true, earned: .9}, day.Add(55*time.Second), day.Add(59*time.Second))
	if m.guard.observed != 6 {
		t.Errorf("%d counted; want one more, which has nothing to do with an outage", m.guard.observed)
	}
	m.restart()
	if m.guard.until != longAgo {
		t.Errorf("none counts until %v s after the clock jumped", m.guard.until)
	}
}

// A stop that is left away goes on as configured: it keeps the configured wait, and does not park.
func TestAStopLeftAwayIsAsConfigured(t *testing.T) {
	for _, without := range []Levers{0, Stops} {
		c := newCrowd(1, 60)
		before := c.m.waiters[available]
		q := benchAsk()
		q.left = .01 // no time for anything
		c.m.belief[available].down = .9
		a := &retry.Attempt{At: day.Add(2 * time.Second), Wait: 7 * time.Second}
		for c.m.guard.lets(a.Call) || control(a.Call) {
			a.Call++
		}
		note, stop := c.m.decide(&q, a, &Terms{Without: without}, false, .5)
		if stop != nil || a.Wait != 7*time.Second || note&against == 0 || (note&waiting != 0) != (without == Stops) || (c.m.waiters[available] > before) != (without == Stops) {
			t.Errorf("without %d: %v, wait %v, note %x", without, stop, a.Wait, note)
		}
	}
}

// Who names a time is believed: the configured wait after it stands, and nobody waits for others.
func TestAHintIsLeftAlone(t *testing.T) {
	l := &Learner{}
	s := l.Source(&retry.Policy{Name: "venue.get", MaxElapsed: time.Minute}, Terms{Without: Falling})
	at, p := warm(t, s), s.Current()
	l.SetMode("venue.get", Active)
	err := retry.After(retry.Mark(errBusy, retry.Throttled), 2*time.Second)
	a := &retry.Attempt{Policy: p, Number: 2, At: at.Add(time.Second), Wait: 3 * time.Second, Err: err, Class: retry.Throttled, Note: new(uint64)}
	for control(a.Call) {
		a.Call++
	}
	if err := p.Gates[0].Admit(t.Context(), a); err != nil || a.Wait != 3*time.Second || a.Kept()&waiting != 0 {
		t.Errorf("%v, wait %v, note %x; want 3s as configured", err, a.Wait, a.Kept())
	}
}

// A limit that was to be lifted by now is hardly believed in.
func TestForecastAfterAHint(t *testing.T) {
	m := newModel()
	m.belief[throttle].down = .8
	_, before := unpack(m.predict(Throttled, throttle, 1, false, &Terms{}))
	_, after := unpack(m.predict(Throttled, throttle, 1, true, &Terms{}))
	if math.Abs(before-.8*.2) > 1e-6 || math.Abs(after-.8*.96) > 1e-6 {
		t.Errorf("forecasts %v and %v; want 0.16 and 0.768", before, after)
	}
}

// In an outage that lasts, stops need no proof of their own; before, one of five is carried out.
func TestStopsInALongOutage(t *testing.T) {
	for _, test := range []struct {
		elapsed float64
		all     bool
	}{{longOutage - 1, false}, {longOutage + 1, true}} {
		c := newCrowd(1, 60)
		stops, asks := 0, 0
		for call := range uint64(100) {
			q := benchAsk()
			q.left = .01 // no time for anything
			c.m.at, c.m.belief[available].since = 100, 100-test.elapsed
			c.m.belief[available].down = .9
			asks++
			if _, stop := c.m.decide(&q, &retry.Attempt{Call: call, At: day.Add(100 * time.Second), Wait: time.Second}, &Terms{}, false, .5); stop != nil {
				stops++
			}
		}
		if all := stops == asks; all != test.all || stops == 0 {
			t.Errorf("after %v s, %d of %d stops are carried out; want all: %v", test.elapsed, stops, asks, test.all)
		}
	}
}

package adaptive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

var (
	errBusy = errors.New("busy")
	reset   = fmt.Errorf("read: %w", syscall.ECONNRESET)
)

// day is when hand-made attempts happen.
var day = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// attempt makes one attempt of a policy by hand, and settles it.
func attempt(t *testing.T, p *retry.Policy, number int, at time.Time, before, err error) {
	t.Helper()
	var note uint64
	a := &retry.Attempt{Policy: p, Number: number, At: at, Begins: at, Err: before, Class: retry.DefaultClassify(before), Note: &note}
	g := p.Gates[len(p.Gates)-1]
	if refused := g.Admit(t.Context(), a); refused != nil {
		t.Fatalf("Admit = %v; want nil", refused)
	}
	o := &retry.Outcome{State: retry.Succeeded, Start: at, End: at}
	if err != nil {
		o.State, o.Err, o.Class = retry.Failed, err, retry.DefaultClassify(err)
	}
	g.Settle(a, o)
}

// warm gives a model enough to be heard: calls twice a second, of which some need a retry.
func warm(t *testing.T, s *Source) time.Time {
	t.Helper()
	at, p := day, s.Current()
	down := retry.Mark(errBusy, retry.Transient)
	for i := range 120 {
		at = at.Add(500 * time.Millisecond)
		if i%6 == 0 {
			attempt(t, p, 1, at, nil, down)
			attempt(t, p, 2, at.Add(100*time.Millisecond), down, nil)
			continue
		}
		attempt(t, p, 1, at, nil, nil)
	}
	return at
}

func TestShadowKeepsThePromisesOfGates(t *testing.T) {
	gatetest.Suite{
		Elapsed: true,
		Open: func() retry.Gate {
			p := new(Learner).Source(&retry.Policy{Name: "venue.get"}, Terms{}).Current()
			return p.Gates[0]
		},
	}.Run(t)
}

// AD22: with and without the shadow, the same happens, jitter included.
func TestShadowChangesNothing(t *testing.T) {
	trace := func(shadow bool) (events []string) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			world := rand.New(rand.NewPCG(3, 4))
			p := &retry.Policy{
				Name: "venue.get", MaxAttempts: 5, MaxElapsed: 20 * time.Second, Rand: random.Float64,
				Validate: func(_ context.Context, a retry.Attempt) error {
					events = append(events, fmt.Sprint("valid ", a.Number))
					return nil
				},
				Observer: observe(func(e retry.Event) {
					events = append(events, fmt.Sprint(e.Kind, e.Attempts, e.State, e.Class, e.Wait, e.Elapsed, e.Reason))
				}),
			}
			var s retry.Source = p
			if shadow {
				s = new(Learner).Source(p, Terms{})
			}
			for range 400 {
				retry.Run(t.Context(), s, func(context.Context) error {
					time.Sleep(30 * time.Millisecond)
					switch u := world.Float64(); {
					case u < .3:
						return retry.Mark(errBusy, retry.Transient)
					case u < .35:
						return retry.After(errBusy, time.Second)
					case u < .4:
						return errBusy
					}
					return nil
				})
			}
		})
		return events
	}
	plain, shadowed := trace(false), trace(true)
	if !reflect.DeepEqual(plain, shadowed) {
		t.Errorf("the traces differ: %d events, and %d with the shadow", len(plain), len(shadowed))
	}
}

type observe func(retry.Event)

func (f observe) Observe(_ context.Context, e retry.Event) { f(e) }

// AD14: the first 49 results count for nothing, and neither do fewer than 10 retries, old ones or sparse ones.
func TestColdStart(t *testing.T) {
	down := retry.Mark(errBusy, retry.Transient)
	for _, test := range []struct {
		name           string
		firsts, others int
		gap            time.Duration
		idle           time.Duration
		want           By
	}{
		{"49 results", 39, 10, time.Second, 0, Cold},
		{"50 results", 40, 10, time.Second, 0, Model},
		{"nine retries", 60, 9, time.Second, 0, Cold},
		{"sparse", 60, 10, 6 * time.Second, 0, Cold},
		{"long ago", 60, 10, time.Second, 11 * time.Minute, Cold},
		{"a while ago", 60, 10, time.Second, 9 * time.Minute, Model},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Learner{}
			p := l.Source(&retry.Policy{Name: "venue.get"}, Terms{}).Current()
			at := day
			for range test.firsts {
				at = at.Add(test.gap)
				attempt(t, p, 1, at, nil, nil)
			}
			for range test.others {
				attempt(t, p, 2, at, down, nil)
			}
			at = at.Add(test.idle)
			p.Gates[0].Admit(t.Context(), &retry.Attempt{Policy: p, Number: 2, At: at, Err: down, Class: retry.Transient})
			if e, _ := l.Explain("venue.get"); e.By != test.want {
				t.Errorf("by %v; want %v", e.By, test.want)
			}
		})
	}
}

// A whole outage: it is seen, explained, learned from, and over.
func TestOutage(t *testing.T) {
	l := &Learner{}
	s := l.Source(&retry.Policy{Name: "venue.get", MaxElapsed: time.Minute}, Terms{})
	at, p := warm(t, s), s.Current()
	down := retry.Mark(errBusy, retry.Transient)
	began := at.Add(time.Second)
	for i := range 6 {
		at = began.Add(time.Duration(i) * 500 * time.Millisecond)
		attempt(t, p, 1, at, nil, down)
	}
	ctx, cancel := context.WithDeadline(t.Context(), at.Add(20*time.Second))
	defer cancel()
	g := p.Gates[0]
	g.Admit(ctx, &retry.Attempt{Policy: p, Number: 2, At: at, Wait: 1600 * time.Millisecond, Err: down, Class: retry.Transient})
	e, ok := l.Explain("venue.get")
	if !ok || e.By != Model || e.Stop || e.PDown < .95 || e.DownFor != 2500*time.Millisecond || e.Outages != 1 || e.Configured != 1600*time.Millisecond {
		t.Errorf("in the outage: %+v", e)
	}
	if line := e.String(); !strings.HasPrefix(line, "venue.get unavailable: down 9") || !strings.HasSuffix(line, "configured 1.6s; by model") {
		t.Errorf("in the outage: %s", line)
	}
	for range 4 {
		at = at.Add(100 * time.Millisecond)
		attempt(t, p, 1, at, nil, nil)
	}
	m := l.known("venue.get")
	if b := m.belief[available]; b.in || b.down > outageEnds {
		t.Errorf("after the outage: %+v", b)
	}
	// It lasted from the first failure to half-way between the last one and the first success: 2.55 s.
	if i, _ := bin(2.55); m.hazard[available].back[i] <= 1.5 {
		t.Errorf("hazard of bin %d: back %v of %v", i, m.hazard[available].back[i], m.hazard[available].risk[i])
	}
	if m.hazard[throttle].back != newModel().hazard[throttle].back {
		t.Error("an outage was learned as a throttling")
	}
}

// An outage that ends by the passing of time has no success to go by.
func TestOutageThatNobodySawEnd(t *testing.T) {
	m := newModel()
	m.exposure = 1e8 // a good operation: what rises again is little
	for i := range 3 {
		m.observe(&result{at: float64(i)})
	}
	m.observe(&result{at: 3500, group: throttle})
	if b := m.belief[available]; b.in || b.down >= outageEnds {
		t.Errorf("an hour later: %+v", b)
	}
	if i, _ := bin(2); m.hazard[available].back[i] <= priorBack {
		t.Error("no outage of 2 s was learned")
	}
}

// AD20: times that cannot be.
func TestOddTimes(t *testing.T) {
	for _, test := range []struct {
		name string
		by   time.Duration
		odd  uint64
	}{
		{"back 1 h", -time.Hour, 1},
		{"forward 2 h", 2 * time.Hour, 1},
		{"a little out of order", -time.Millisecond, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Learner{}
			s := l.Source(&retry.Policy{Name: "venue.get"}, Terms{})
			at, p := warm(t, s), s.Current()
			down := retry.Mark(errBusy, retry.Transient)
			for range 5 {
				attempt(t, p, 1, at, nil, down)
			}
			m := l.known("venue.get")
			before := m.hazard
			attempt(t, p, 1, at.Add(test.by), nil, nil)
			if m.odd != test.odd {
				t.Errorf("%d odd times; want %d", m.odd, test.odd)
			}
			if m.hazard != before {
				t.Error("an outage was recorded")
			}
			if b := m.belief[available]; test.odd > 0 && (b.in || b.down != leastBelief || !m.cold()) {
				t.Errorf("belief %+v, cold %v; want as in the beginning", b, m.cold())
			}
		})
	}
}

// AD19: one operation name per request.
func TestManyOperations(t *testing.T) {
	l := &Learner{}
	for i := range 100_000 {
		p := l.Source(&retry.Policy{Name: fmt.Sprint("venue.get_", i)}, Terms{}).Current()
		if i%1000 == 0 {
			attempt(t, p, 1, day, nil, nil)
		}
	}
	if n := len(l.Operations()); n != 256 {
		t.Errorf("%d models; want 256", n)
	}
	p := l.Source(&retry.Policy{Name: Others}, Terms{}).Current()
	down := retry.Mark(errBusy, retry.Transient)
	p.Gates[0].Admit(t.Context(), &retry.Attempt{Policy: p, Number: 2, At: day, Err: down, Class: retry.Transient})
	if e, ok := l.Explain(Others); !ok || e.Results == 0 || e.Operation != Others {
		t.Errorf("Explain(other) = %+v, %v", e, ok)
	}
	if _, ok := l.Explain("venue.get_99999"); ok {
		t.Error("an operation beyond the bound has an explanation of its own")
	}
}

func TestSource(t *testing.T) {
	l := &Learner{}
	if p := l.Source(nil, Terms{}).Current(); len(p.Gates) != 1 {
		t.Errorf("without a source: %+v", p)
	}
	shared := []*Source{l.Source(&retry.Policy{Name: "venue.list"}, Terms{}), l.Source(&retry.Policy{Name: "venue.list"}, Terms{})}
	for _, s := range shared {
		attempt(t, s.Current(), 1, day, nil, nil)
	}
	if m := l.known("venue.list"); m.results != 2 {
		t.Errorf("two sources of one operation: %d results; want 2", m.results)
	}
	gate := &Congestion{}
	inner := &retry.Policy{Name: "venue.get", Gates: append(make([]retry.Gate, 0, 8), gate)}
	s := l.Source(inner, Terms{})
	p := s.Current()
	if p != s.Current() || len(inner.Gates) != 1 || inner.Gates[:2][1] != nil || len(p.Gates) != 2 || p.Gates[0] != gate {
		t.Errorf("policy %+v of %+v; want one more gate, and the same policy again", p, inner)
	}
	if err := l.SetMode("venue.get", Off); err != nil || s.Current() != inner {
		t.Error("switched off, it is not the configured policy")
	}
	if err := l.SetMode("venue.get", Shadow); err != nil || s.Current() != p {
		t.Error("switched on again, it is not watched")
	}
	if err := l.SetMode("venue.put", Off); !errors.Is(err, ErrUnknown) {
		t.Error("SetMode knows an operation that nobody used")
	}
	if _, ok := l.Explain("venue.get"); ok {
		t.Error("an explanation before anybody asked")
	}
}

// An operation that is called like the shared model has no other.
func TestOperationNamedOther(t *testing.T) {
	l := &Learner{}
	attempt(t, l.Source(&retry.Policy{Name: Others}, Terms{}).Current(), 1, day, nil, nil)
	if m := l.known(Others); m == nil || m.results != 1 || len(l.Operations()) != 0 {
		t.Errorf("model %v, operations %v", m, l.Operations())
	}
}

// What counts is what was thought when the retry began, not when it was decided.
func TestForecastIsOfTheLaunch(t *testing.T) {
	l := &Learner{}
	s := l.Source(&retry.Policy{Name: "venue.get"}, Terms{})
	at, p := warm(t, s), s.Current()
	down := retry.Mark(errBusy, retry.Transient)
	var note uint64
	a := &retry.Attempt{Policy: p, Number: 2, At: at, Err: down, Class: retry.Transient, Note: &note}
	g := p.Gates[0].(retry.Rechecker)
	g.Admit(t.Context(), a)
	_, before := unpack(note)
	for range 4 {
		attempt(t, p, 1, at, nil, down)
	}
	a.Begins = at.Add(time.Millisecond)
	g.Recheck(t.Context(), a)
	if b, after := unpack(note); b < .9 || after > .1 || before < .5 {
		t.Errorf("belief %v, forecast %v after %v; want that of an outage", b, after, before)
	}
}

// Attempts made by hand without times do not upset the clock.
func TestNoTimes(t *testing.T) {
	l := &Learner{}
	s := l.Source(&retry.Policy{Name: "venue.get"}, Terms{})
	warm(t, s)
	g := s.Current().Gates[0].(retry.Rechecker)
	a := &retry.Attempt{Number: 2, Err: errBusy}
	g.Admit(t.Context(), a)
	g.Recheck(t.Context(), a)
	g.Settle(a, &retry.Outcome{State: retry.Succeeded})
	if m := l.known("venue.get"); m.odd != 0 || m.cold() {
		t.Errorf("%d odd times, cold %v; want none", m.odd, m.cold())
	}
}

func TestProof(t *testing.T) {
	for _, test := range []struct {
		name  string
		n     int
		every float64
		good  float64 // forecast of what succeeds
		bad   float64 // forecast of what fails
		want  bool
	}{
		{"good for a day", 600, 150, .95, .05, true},
		{"few", 400, 300, .95, .05, false},
		{"quick", 600, 100, .95, .05, false},
		{"as the base rate", 600, 150, .5, .5, false},
		{"too timid", 600, 150, .8, .2, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s score
			for i := range test.n {
				if ok := i%2 == 0; ok {
					s.add(test.good, ok, float64(i)*test.every)
				} else {
					s.add(test.bad, ok, float64(i)*test.every)
				}
			}
			if got := s.proven(); got != test.want {
				t.Errorf("proven = %v; want %v (%+v)", got, test.want, s)
			}
		})
	}
}

func TestNoEvidence(t *testing.T) {
	l := &Learner{}
	p := l.Source(&retry.Policy{Name: "venue.get"}, Terms{}).Current()
	for _, o := range []retry.Outcome{
		{State: retry.NotStarted}, {State: retry.Canceled, Err: errBusy, Start: day, End: day}, {State: retry.Panicked, Start: day, End: day},
		{State: retry.Failed, Err: errBusy, Class: retry.Permanent, Start: day, End: day},
	} {
		p.Gates[0].Settle(&retry.Attempt{Policy: p, Number: 1, At: day}, &o)
	}
	if m := l.known("venue.get"); m.results != 0 {
		t.Errorf("%d results; want none", m.results)
	}
}

func TestTerms(t *testing.T) {
	bad := Terms{AttemptCost: math.NaN(), DelayCost: -1, Goal: 7, MaxWait: -1}
	for _, field := range []string{"AttemptCost: ", "DelayCost: ", "Goal: ", "MaxWait: "} {
		if err := bad.Check(); err == nil || !strings.Contains("\n"+err.Error(), "\n"+field) {
			t.Errorf("Check() = %v; want a line that begins with %q", err, field)
		}
	}
	if err := (Terms{}).Check(); err != nil {
		t.Errorf("Check() of the zero value = %v; want nil", err)
	}
	own := Terms{AttemptCost: .1, DelayCost: .2, MaxWait: time.Second}
	if own.cost() != .1 || own.delayCost(nil) != .2 || own.longest() != 1 {
		t.Errorf("terms of one's own are not used: %+v", own)
	}
	down := retry.Mark(errBusy, retry.Transient)
	for _, terms := range []Terms{bad, {DelayCost: math.Inf(1)}, {AttemptCost: -.1}} {
		l := &Learner{}
		s := l.Source(&retry.Policy{Name: "venue.get"}, terms)
		at := warm(t, s)
		p := s.Current()
		p.Gates[0].Admit(t.Context(), &retry.Attempt{Policy: p, Number: 2, At: at, Err: down, Class: retry.Transient})
		if e, _ := l.Explain("venue.get"); e.By != Configured || e.Stop || e.Delay != 0 {
			t.Errorf("with terms %+v: %+v; want no advice", terms, e)
		}
	}
}

// A model whose forecasts are wrong is found out within 200 retries (AD21), and heard again when they come true.
func TestFallback(t *testing.T) {
	var s score
	random := rand.New(rand.NewPCG(5, 6))
	n := 0
	for ; !s.fallback; n++ {
		if n > 200 {
			t.Fatalf("no fallback after %d forecasts of .95 for what fails in one of two cases", n)
		}
		s.add(.95, random.Float64() < .5, 0)
	}
	good := 0
	for ; s.fallback; good++ {
		if good > 2000 {
			t.Fatalf("no return after %d good forecasts", good)
		}
		ok := random.Float64() < .5
		p := .05
		if ok {
			p = .95
		}
		s.add(p, ok, 0)
	}
	if good < scoreReturn {
		t.Errorf("return after %d forecasts; want at least %d", good, scoreReturn)
	}
	if c := s.calibration(); c <= 0 || c > .5 {
		t.Errorf("calibration error %v", c)
	}

	l := &Learner{}
	src := l.Source(&retry.Policy{Name: "venue.get"}, Terms{})
	at, p := warm(t, src), src.Current()
	l.known("venue.get").score.fallback = true
	down := retry.Mark(errBusy, retry.Transient)
	p.Gates[0].Admit(t.Context(), &retry.Attempt{Policy: p, Number: 2, At: at, Err: down, Class: retry.Transient})
	if e, _ := l.Explain("venue.get"); e.By != Fallback {
		t.Errorf("by %v; want %v", e.By, Fallback)
	}
}

// Any events, however odd, leave a model whose numbers are numbers, and the same ones each time.
func TestFlood(t *testing.T) {
	play := func() *model {
		m := newModel()
		random := rand.New(rand.NewPCG(7, 8))
		at := 0.
		for i := range 20_000 {
			switch random.IntN(40) {
			case 0:
				at += 3000 * random.Float64()
			case 1:
				at -= random.Float64() * 2
			case 2:
				at += 90_000 * random.Float64()
			default:
				at += random.ExpFloat64()
			}
			r := &result{ok: random.IntN(3) > 0, group: group(random.IntN(2)), at: at, took: random.Float64(), kind: Kind(random.IntN(8))}
			if r.retry = random.IntN(7) * (i % 2); r.retry > 0 {
				r.launched, r.forecast = m.belief[r.group].down, random.Float64()
			}
			m.observe(r)
			v := m.choose(&ask{
				at: m.at, left: random.ExpFloat64() * 30, expected: .05, hint: max(0, random.NormFloat64()*40), ceiling: random.Float64(), longest: 30,
				group: r.group, kind: r.kind, retry: 1 + random.IntN(9), cost: .02, delayCost: .01,
			})
			if !v.stop && !(v.delay >= 0 && v.success > 0 && v.success <= 1) {
				t.Fatalf("advice %+v", v)
			}
			for g := range m.belief {
				if d := m.belief[g].down; !(d >= leastBelief/2 && d <= mostBelief) {
					t.Fatalf("belief %v", d)
				}
			}
			if q := m.item[r.kind][0].q(); !(q > 0 && q < 1) || !(m.up >= .4 && m.up <= .998) {
				t.Fatalf("q %v, up %v", q, m.up)
			}
		}
		return m
	}
	a, b := play(), play()
	a.name, b.name = "", ""
	if !reflect.DeepEqual(a, b) {
		t.Error("the same events lead to different models")
	}
}

func TestManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Learner{}
		s := l.Source(&retry.Policy{Name: "venue.get", MaxAttempts: 4}, Terms{})
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() {
				for i := range 20 {
					calls := 0
					retry.Run(t.Context(), s, func(context.Context) error {
						time.Sleep(10 * time.Millisecond)
						if calls++; calls <= (n+i)%4 {
							return retry.Mark(errBusy, retry.Transient)
						}
						return nil
					})
					l.Explain("venue.get")
				}
			})
		}
		wg.Wait()
		e, ok := l.Explain("venue.get")
		if !ok || e.Results != 2500 || e.Retries != 1500 || e.Scored != 1500 {
			t.Errorf("%d results, %d retries, %d scored; want 2500, 1500, 1500", e.Results, e.Retries, e.Scored)
		}
	})
}

func TestModelIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(model{}); n > 2048 {
		t.Errorf("a model takes %d bytes; want at most 2048", n)
	} else {
		t.Logf("a model takes %d bytes", n)
	}
}

// Waits as configured are the most in good times, whatever the price says; and a hint is a floor.
func TestChoiceBounds(t *testing.T) {
	m := newModel()
	q := ask{left: math.Inf(1), expected: .05, ceiling: .004, longest: 30, retry: 1, cost: .02, delayCost: .01}
	if v := m.choose(&q); v.delay != .004 || v.stop {
		t.Errorf("below a ceiling of 4 ms: %+v", v)
	}
	m.belief[available] = belief{down: .45, in: true}
	q.ceiling = .1
	v := m.choose(&q)
	if q.ceiling = 1e9; v.delay > .1 || v.success >= m.choose(&q).success {
		t.Errorf("below a ceiling of 100 ms: %+v; want the chance after that wait", v)
	}
	m.belief[available] = belief{down: leastBelief}
	q.hint = 100
	if v := m.choose(&q); v.delay != 100 {
		t.Errorf("with a hint of 100 s: %+v", v)
	}
	q.hint = 40 // between two of the waits, the second of which is beyond the longest
	if v := m.choose(&q); v.delay != 40 {
		t.Errorf("with a hint of 40 s: %+v", v)
	}
	q.hint = 100
	q.left = 50
	if v := m.choose(&q); !v.stop {
		t.Errorf("with a hint beyond the deadline: %+v", v)
	}
	if s := (Explanation{Operation: "venue.get", Stop: true, Net: -.5}).String(); s != "venue.get unavailable: down 0 % (0 outages seen); stop, worth -0.50; configured 0s; by configured" {
		t.Errorf("a stop reads %q", s)
	}
}

// Recoveries on the clock are found, and waited for.
func TestPhase(t *testing.T) {
	var p phases
	for i := range 6 {
		p.learn(1e9 + 3 + 10*float64(i*i)) // three seconds past each ten
	}
	if wait, ok := p.next(1e9 + 27); !ok || math.Abs(wait-6) > 1e-3 {
		t.Errorf("next = %v, %v; want 6 s", wait, ok)
	}
	if _, ok := new(phases).next(1); ok {
		t.Error("a period without recoveries")
	}
	m := newModel()
	m.epoch = time.Unix(1e9, 0)
	m.phase[throttle] = p
	m.belief[throttle] = belief{down: .99, in: true, since: 0}
	v := m.choose(&ask{at: 7, left: 60, expected: .05, ceiling: 1, longest: 30, group: throttle, kind: Throttled, retry: 1, cost: .02, delayCost: .005})
	if v.delay < 6 || v.delay > 10 || v.success < .7 {
		t.Errorf("6 s before the limit resets: %+v", v)
	}
}

func TestKinds(t *testing.T) {
	for _, test := range []struct {
		err   error
		class retry.Class
		want  string
	}{
		{errBusy, retry.Transient, "unavailable"},
		{errBusy, retry.Throttled, "throttled"},
		{errBusy, retry.Ambiguous, "internal"},
		{context.DeadlineExceeded, retry.Ambiguous, "timeout"},
		{fmt.Errorf("get: %w", retry.ErrAttemptTimeout), retry.Ambiguous, "timeout"},
		{errTimeout{}, retry.Ambiguous, "timeout"},
		{reset, retry.Transient, "reset"},
	} {
		if got := DefaultKind(test.err, test.class); got.String() != test.want {
			t.Errorf("DefaultKind(%v, %v) = %v; want %v", test.err, test.class, got, test.want)
		}
	}
	high := func(error, retry.Class) Kind { return 200 }
	if k := kindBy(high, errBusy, 0); k != kinds-1 || k.String() != "other" {
		t.Errorf("kind 200 counts as %d, %v", k, k)
	}
	for by, want := range []string{"configured", "cold", "fallback", "guard", "control", "model"} {
		if got := By(by).String(); got != want {
			t.Errorf("By(%d) = %q; want %q", by, got, want)
		}
	}
	a := &retry.Attempt{Policy: &retry.Policy{Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}}, Number: 2}
	if d := ceiling(a); d != time.Second {
		t.Errorf("ceiling = %v; want 1s", d)
	}
}

type errTimeout struct{}

func (errTimeout) Error() string { return "too late" }
func (errTimeout) Timeout() bool { return true }

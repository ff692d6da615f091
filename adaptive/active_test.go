package adaptive

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// purse is a budget: it counts what it has given and not got back.
type purse struct{ out, spent atomic.Int64 }

func (b *purse) Admit(context.Context, *retry.Attempt) error { b.out.Add(1); return nil }
func (b *purse) Settle(_ *retry.Attempt, o *retry.Outcome) {
	b.out.Add(-1)
	if o.State != retry.NotStarted {
		b.spent.Add(1)
	}
}

// masked plays calls, five in a second, of which one in ten is for an item that never succeeds, and says what came of them.
func masked(t *testing.T, mode Mode) (good, attempts int64, e Explanation, stopped *Stopped) {
	synctest.Test(t, func(t *testing.T) {
		l, b := &Learner{}, &purse{}
		world := rand.New(rand.NewPCG(3, 4))
		s := l.Source(&retry.Policy{Name: "venue.get", MaxAttempts: 6, MaxElapsed: time.Minute, Idempotent: true, Gates: []retry.Gate{b}}, Terms{})
		s.Current()
		if err := l.SetMode("venue.get", mode); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var succeeded, tried atomic.Int64
		var last atomic.Pointer[Stopped]
		for i := range 3000 {
			dead, first := i%10 == 0, world.Float64() < .03
			wg.Go(func() {
				err := retry.Run(t.Context(), s, func(context.Context) error {
					time.Sleep(20 * time.Millisecond)
					if tried.Add(1); dead || first {
						first = false
						return errBusy
					}
					return nil
				})
				if err == nil {
					succeeded.Add(1)
				} else if x, ok := errors.AsType[*Stopped](err); ok && errors.Is(err, ErrStopped) {
					last.Store(x)
				}
			})
			time.Sleep(200 * time.Millisecond)
		}
		wg.Wait()
		good, attempts, stopped = succeeded.Load(), tried.Load(), last.Load()
		if b.out.Load() != 0 || b.spent.Load() != attempts {
			t.Errorf("the budget gave %d tokens that did not come back, and %d for %d attempts", b.out.Load(), b.spent.Load(), attempts)
		}
		e, _ = l.Explain("venue.get")
	})
	return
}

// Items that never succeed are given up early, the others are not, and the control arm goes on.
func TestActiveGivesUpWhatCannotSucceed(t *testing.T) {
	good, tries, _, none := masked(t, Shadow)
	better, fewer, e, stopped := masked(t, Active)
	if none != nil || stopped == nil {
		t.Fatalf("stopped in Shadow: %v; in Active: %v", none, stopped)
	}
	if better < good-3 || fewer > tries-300 {
		t.Errorf("%d successes with %d attempts; want as many as the %d of Shadow with far fewer than its %d", better, fewer, good, tries)
	}
	if e.Mode != Active || e.Stopped < 100 || e.Against == 0 || e.Earned >= 0 || e.GuardTrips != 0 {
		t.Errorf("%+v", e)
	}
	if text := stopped.Error(); !strings.HasPrefix(text, "adaptive: the retry does not pay: worth -0.0") || !strings.Contains(text, "venue.get is down by ") {
		t.Errorf("it says %q", text)
	}
}

// hopeless makes a model believe that no retry ever succeeds.
func hopeless(m *model) {
	for n := range m.item[Unavailable] {
		m.item[Unavailable][n] = item{good: .001, bad: 100}
	}
}

// A model that stops what would have succeeded is found out by the control arm.
func TestGuardStopsABadModel(t *testing.T) {
	var notices []Notice
	l := &Learner{Notice: func(n Notice) { notices = append(notices, n) }}
	s := l.Source(&retry.Policy{Name: "venue.get"}, Terms{})
	at, p := warm(t, s), s.Current()
	m := l.known("venue.get")
	l.SetMode("venue.get", Active)
	down := retry.Mark(errBusy, retry.Transient)
	refused, controls := 0, 0
	for call := uint64(1); !m.guard.on; call++ {
		if call > 500 {
			t.Fatalf("no trip: %+v", m.guard)
		}
		hopeless(m) // whatever it learns
		m.score = score{}
		at = at.Add(time.Second)
		attempt(t, p, 1, at, nil, nil)
		var note uint64
		a := &retry.Attempt{Policy: p, Call: call, Number: 2, At: at, Err: down, Class: retry.Transient, Note: &note}
		lets := m.guard.lets(call)
		err := p.Gates[0].Admit(t.Context(), a)
		if stop := lets && !control(call); stop != (err != nil) {
			t.Fatalf("call %d, to be stopped %v: Admit = %v", call, stop, err)
		}
		if err != nil {
			refused++
			continue
		}
		if e, _ := l.Explain("venue.get"); e.By != Control && e.By != Model {
			t.Fatalf("by %v; want control or model", e.By)
		}
		controls++
		p.Gates[0].Settle(a, &retry.Outcome{State: retry.Succeeded, Start: at, End: at.Add(100 * time.Millisecond)})
	}
	if controls > 20 || refused == 0 {
		t.Errorf("trip after %d control retries and %d stops", controls, refused)
	}
	hopeless(m)
	m.score.fallback = false
	a := &retry.Attempt{Policy: p, Call: 1, Number: 2, At: at, Err: down, Class: retry.Transient}
	for a.Call = 1; control(a.Call); a.Call++ {
	}
	if err := p.Gates[0].Admit(t.Context(), a); err != nil {
		t.Errorf("while the guard is on, Admit = %v", err)
	}
	if e, _ := l.Explain("venue.get"); e.By != Guard || e.GuardTrips != 1 || e.Earned <= 0 {
		t.Errorf("%+v", e)
	}
	for range 300 { // now what was advised against fails
		m.settle(&result{retry: 1, against: true, earned: -.03}, time.Time{}, at)
	}
	if m.guard.on {
		t.Errorf("the guard is still on: %+v", m.guard)
	}
	if want := []Notice{{"venue.get", "mode active"}, {"venue.get", "guard on"}}; !slices.Equal(notices[:min(2, len(notices))], want) {
		t.Errorf("notices %v; want %v first", notices, want)
	}
}

// The guard rarely trips when stops do neither good nor harm, which is the worst case of a model that is right.
func TestGuardHasFewFalseTrips(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	trips := 0
	const runs, length = 1000, 1000
	for range runs {
		var g guard
		g.reset()
		for range length {
			x := -.03
			if random.Float64() < .03 {
				x = .97
			}
			g.add(x)
		}
		trips += int(min(1, g.trips))
	}
	if trips > runs/20 {
		t.Errorf("%d of %d runs tripped; want at most one in twenty", trips, runs)
	}
	t.Logf("%d of %d runs tripped", trips, runs)
}

func TestGuardNeeds(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for _, test := range []struct {
		chance float64
		most   int
	}{{1, 12}, {.3, 120}, {.1, 600}} {
		var g guard
		g.reset()
		n := 0
		for ; !g.on && n < 10*test.most; n++ {
			x := -.03
			if random.Float64() < test.chance {
				x = .97
			}
			g.add(x)
		}
		if n > test.most {
			t.Errorf("where %v of what was stopped would succeed, the guard needs %d retries; want at most %d", test.chance, n, test.most)
		}
	}
	var g guard
	g.reset()
	g.add(-1000)
	if g.pays < leastWealth {
		t.Errorf("wealth %v after a disaster", g.pays)
	}
	g.reset()
	if g.add(1000); g.pays > 1+bet {
		t.Errorf("wealth %v after a miracle; want at most %v", g.pays, 1+bet)
	}

	// What a retry earned: nothing, less the attempt and the time since it was asked for.
	s := &shadow{l: &Learner{}, m: newModel(), terms: Terms{AttemptCost: .1, DelayCost: .05}}
	note := uint64(against)
	a := &retry.Attempt{Number: 2, At: day, Note: &note}
	s.Settle(a, &retry.Outcome{State: retry.Failed, Err: errBusy, Start: day.Add(time.Second), End: day.Add(2 * time.Second)})
	s.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: day.Add(time.Second), End: day.Add(2 * time.Second)})
	if got := s.m.guard; got.observed != 2 || math.Abs(got.earned-.6) > 1e-9 {
		t.Errorf("a failure and a success after 2 s earned %v in %d retries; want .6 in 2", got.earned, got.observed)
	}
}

func TestModes(t *testing.T) {
	var notices []string
	l := &Learner{MaxOperations: 1, Notice: func(n Notice) { notices = append(notices, n.Operation+" "+n.What) }}
	if got := l.Mode("venue.get"); got != Off {
		t.Errorf("mode of an unknown operation: %v", got)
	}
	l.Source(&retry.Policy{Name: "venue.get"}, Terms{}).Current()
	l.Source(&retry.Policy{Name: "venue.put"}, Terms{}).Current()
	if got := l.Mode("venue.get"); got != Shadow {
		t.Errorf("mode in the beginning: %v", got)
	}
	if err := l.SetMode(Others, Active); !errors.Is(err, ErrShared) {
		t.Errorf("SetMode(other, active) = %v; want %v", err, ErrShared)
	}
	if err := l.SetMode("venue.put", Active); !errors.Is(err, ErrUnknown) {
		t.Errorf("SetMode of one beyond the bound = %v; want %v", err, ErrUnknown)
	}
	for _, m := range []Mode{Active, Active, 99, Shadow} {
		if err := l.SetMode("venue.get", m); err != nil {
			t.Error(err)
		}
	}
	want := []string{"venue.get mode active", "venue.get mode off", "venue.get mode shadow"}
	if !slices.Equal(notices, want) {
		t.Errorf("notices %q; want %q", notices, want)
	}
	m := l.known("venue.get")
	m.score = score{n: 200, worse: .9 * scoreTrips, base: .1, rate: .1}
	if got := m.settle(&result{retry: 1, forecast: .9}, time.Time{}, day); got != "fallback on" {
		t.Errorf("notice %q; want %q", got, "fallback on")
	}
	if change("x", false) != "x off" {
		t.Error("change")
	}
}

func TestActiveCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Learner{Notice: func(Notice) {}}
		s := l.Source(&retry.Policy{Name: "venue.get", MaxAttempts: 3}, Terms{})
		s.Current()
		l.SetMode("venue.get", Active)
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				for range 20 {
					retry.Run(t.Context(), s, func(context.Context) error {
						time.Sleep(50 * time.Millisecond)
						return retry.Mark(errBusy, retry.Transient)
					})
				}
			})
		}
		wg.Wait()
		if e, _ := l.Explain("venue.get"); e.Results < 800 || e.Results > 2400 {
			t.Errorf("%d results of 800 calls with up to 3 attempts", e.Results)
		}
	})
}

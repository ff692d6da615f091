package sim

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

func TestShareKeepsThePromisesOfGates(t *testing.T) {
	gatetest.Suite{Open: func() retry.Gate { return &Share{Ratio: .2, Burst: 50} }}.Run(t)
}

// play plays a short trial.
func play(t *testing.T, world, rival string, seed uint64, horizon time.Duration) Marks {
	t.Helper()
	w, err := FindWorld(world)
	if err != nil {
		t.Fatal(err)
	}
	r, err := FindRival(rival)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Trial{World: w, Rival: r, Seed: seed, Horizon: horizon}.Play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Each rival plays each world, twice the same, and no rival's calls are fewer than another's.
func TestSameSeedSameMarks(t *testing.T) {
	for _, w := range Worlds() {
		calls := 0
		for _, rival := range Rivals() {
			if r, _ := FindRival(rival); r.taught != "" && w.Name != "iid" {
				continue // it learns for an hour first
			}
			m := play(t, w.Name, rival, 3, time.Minute)
			if again := play(t, w.Name, rival, 3, time.Minute); !reflect.DeepEqual(m, again) {
				t.Errorf("%s, %s: %+v and %+v", w.Name, rival, m, again)
			}
			if calls == 0 {
				calls = m.Calls
			}
			if m.Calls != calls || m.Success <= 0 || m.Success > 1 || m.Attempts < 1 || math.IsNaN(m.Utility) {
				t.Errorf("%s, %s: %+v; want %d calls", w.Name, rival, m, calls)
			}
		}
	}
}

// gains returns what a rival is worth beside the reference, over few seeds.
func gains(t *testing.T, world, rival string, seeds int) (Interval, Marks, Marks) {
	t.Helper()
	var own, reference []Marks
	for s := range seeds {
		own = append(own, play(t, world, rival, uint64(2000+s), time.Hour))
		reference = append(reference, play(t, world, Reference, uint64(2000+s), time.Hour))
	}
	return Gain(own, reference), Average(own), Average(reference)
}

// Each lever is worth something somewhere: without it, the table says less.
func TestEachLeverHelps(t *testing.T) {
	for _, test := range []struct {
		world, without string
		least          float64 // that the learner gains over one without the lever
	}{
		{"outages", "no-parking", 1.5},
		{"overload", "no-gate", 20},
	} {
		with, _, _ := gains(t, test.world, "learn+B20", 3)
		if without, _, _ := gains(t, test.world, test.without, 3); with.Mean-without.Mean < test.least {
			t.Errorf("%s: %v, and %v %s; want %v more", test.world, with, without, test.without, test.least)
		}
	}
}

// What the documents claim of the learner, on few seeds: it wastes less where outages last, and does no harm where nothing can be gained.
func TestLearnerGains(t *testing.T) {
	for _, test := range []struct {
		world string
		least float64
	}{{"iid", -.5}, {"quota-hint", -1}, {"outages", 10}, {"classes", 10}, {"overload", 30}} {
		if got, _, _ := gains(t, test.world, "learn+B20", 2); got.Mean < test.least {
			t.Errorf("%s: %+v; want at least %v", test.world, got, test.least)
		}
	}
}

// AD21 and goal 4: a model that is wrong is found out before it costs much.
func TestSabotageCostsLittle(t *testing.T) {
	for _, test := range []struct{ world, rival string }{
		{"masked", "sabotage-stop"}, {"iid", "sabotage-inverted"}, {"bursts", "sabotage-stop"}, {"quota-hint", "sabotage-sure"}, {"quota-blind", "sabotage-sure"},
		{"bursts", "sabotage-frozen-masked"}, {"masked", "sabotage-frozen-outages"},
	} {
		got, own, _ := gains(t, test.world, test.rival, 2)
		if got.Mean < -3 {
			t.Errorf("%s, %s: %+v; want at least -3", test.world, test.rival, got)
		}
		if test.rival == "sabotage-sure" && (got.Mean < -.5 || test.world == "quota-blind" && own.Decisions["fallback"] < .5) {
			t.Errorf("AD21: %+v, %v", got, own.Decisions) // with hints, nearly as many succeed as it says
		}
	}
}

// The simulator's calls of a learner are the engine's: a timeline that is the same for both ends with the same numbers.
func TestTrialIsTheEngines(t *testing.T) {
	w := World{
		Name: "twin", Operations: []Errand{{Name: "a", Rate: 2, Deadline: 20, DelayCost: .02, MaxAttempts: 8}}, Noise: []float64{.1},
		Outages: []Outage{{Length: Length{A: 10}, Gap: 40, P: .95, Kind: Unavailable}},
	}
	const horizon = 10 * time.Minute
	r, _ := FindRival("no-parking") // where nothing depends on what happens in the same nanosecond
	r.levers |= adaptive.Pressure
	want, err := Trial{World: w, Rival: r, Seed: 9, Horizon: horizon}.Play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		y := newWeather(&w, 9, horizon.Seconds())
		sources, learner, err := r.sources(t.Context(), y, .02, 9)
		if err != nil {
			t.Fatal(err)
		}
		var score tallies
		score.begin(y.errands, .02)
		began := time.Now()
		arrivals := y.arrivals(0)
		ended := make(chan *task)
		var mu sync.Mutex
		for i, at := range arrivals {
			time.AfterFunc(at, func() {
				n, k := uint64(i+1), &task{}
				k.started = time.Since(began)
				err := retry.Run(context.Background(), sources[0], func(context.Context) error {
					k.attempts++
					mu.Lock()
					err, took := y.answer(0, n, k.attempts, y.dead(0, n), time.Since(began))
					mu.Unlock()
					time.Sleep(took)
					return err
				})
				k.reason = err
				k.began = time.Since(began)
				ended <- k
			})
		}
		for range arrivals {
			k := <-ended
			score.ended(k, k.began)
		}
		got := score.marks(learner)
		if got.Calls != want.Calls || math.Abs(got.Success-want.Success) > .01 || math.Abs(got.Attempts-want.Attempts) > .02 || math.Abs(got.Utility-want.Utility) > .01 {
			t.Errorf("the engine: %+v\nthe simulator: %+v", got, want)
		}
	})
}

func TestTrialEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	w, _ := FindWorld("iid")
	if _, err := (Trial{World: w}).Play(ctx); !errors.Is(err, errStopped) {
		t.Errorf("Play = %v; want %v", err, errStopped)
	}
}

// A gate that refuses first attempts ends calls before they begin.
func TestTrialRefused(t *testing.T) {
	w, _ := FindWorld("iid")
	r := Rival{Name: "shut", gates: func(func() float64) []retry.Gate { return []retry.Gate{&witness{&diary{}, "a", 1}} }}
	m, err := Trial{World: w, Rival: r, Horizon: time.Minute}.Play(t.Context())
	if err != nil || m.Success != 0 || m.Attempts != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestGain(t *testing.T) {
	own, reference := []Marks{{Utility: .5}, {Utility: .7}}, []Marks{{Utility: .4}, {Utility: .4}}
	if got := Gain(own, reference); math.Abs(got.Mean-200) > 1e-9 || math.Abs(got.Half-200) > 1e-9 {
		t.Errorf("%+v; want 200 ± 200", got)
	}
	if got := Gain(own[:1], reference[:1]); math.Abs(got.Mean-100) > 1e-9 || got.Half != 0 {
		t.Errorf("%+v; want 100 ± 0", got)
	}
	if _, err := FindRival("nope"); err == nil || !strings.Contains(err.Error(), "exp+B20, none") {
		t.Errorf("FindRival(nope) = %v", err)
	}
}

// A gate that prolongs waits prolongs them here, too.
func TestProlongedWaits(t *testing.T) {
	last := func(more int) Result {
		r, err := Run(t.Context(), Scenario{Horizon: 100 * time.Second, Trigger: 20 * time.Second, Policy: func(Client) *retry.Policy {
			return &retry.Policy{Idempotent: true, Gates: []retry.Gate{&patient{witness{&diary{}, "a", 0}, 0, more, time.Second}}}
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if last(2).Trace == last(0).Trace {
		t.Error("a second more before each first retry changes nothing")
	}
}

package sim

import (
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestWorldsAreSound(t *testing.T) {
	for _, w := range Worlds() {
		if err := w.Check(); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		text, err := json.Marshal(w)
		var back World
		if err != nil || json.Unmarshal(text, &back) != nil {
			t.Fatalf("%s: %v", w.Name, err)
		}
		if again, _ := json.Marshal(back); string(again) != string(text) {
			t.Errorf("%s: %s became %s", w.Name, text, again)
		}
		for _, v := range []World{w.Stretched(.25), w.Stretched(4), w.Busier(.05), w.Busier(5)} {
			if err := v.Check(); err != nil {
				t.Errorf("%s, changed: %v", w.Name, err)
			}
		}
	}
	if _, err := FindWorld("masked"); err != nil {
		t.Error(err)
	}
	if _, err := FindWorld("nope"); err == nil || !strings.Contains(err.Error(), "iid, bursts") {
		t.Errorf("FindWorld(nope) = %v", err)
	}
	if err := new(Failure).UnmarshalText([]byte("nope")); err == nil || Failure(99).String() != "timeout" {
		t.Errorf("a failure of no name: %v, %v", err, Failure(99))
	}
}

func TestWorldCheck(t *testing.T) {
	nan := math.NaN()
	w := World{
		Operations: []Errand{{Rate: -1, Deadline: nan, DelayCost: -1}, {Name: "a", Rate: 1, Deadline: 1, MaxAttempts: 1}, {Name: "a", Rate: 1, Deadline: 1, MaxAttempts: 1}},
		Noise:      []float64{2}, Dead: []float64{nan}, NoiseKind: []Failure{99},
		Outages: []Outage{{P: nan, From: -1}}, Quota: Quota{Attempts: 1}, Surge: Surge{Factor: .5},
		Capacity: Capacity{PerSecond: -1}, Windows: []Window{{From: 2, To: 1}},
	}
	err := w.Check()
	for _, field := range []string{"Name:", "Operations[0]: Name", "Operations[0]: Rate", "Operations[0]: Deadline", "Operations[0]: DelayCost", "Operations[0]: MaxAttempts",
		"Operations[2]: Name", "Noise:", "Dead:", "NoiseKind:", "Outages[0]: Length", "Outages[0]: Gap", "Outages[0]: P", "Outages[0]: From", "Quota:", "Surge:", "Capacity:", "Windows[0]:"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+field) {
			t.Errorf("no mistake in %s: %v", field, err)
		}
	}
	if _, err := (Trial{World: w}).Play(t.Context()); err == nil {
		t.Error("a world with mistakes was played")
	}
}

const incidents = `incident_id,downtime_start,downtime_end,title,impact
1,2022-01-01T00:00:00Z,2022-01-01T05:00:00Z,"one, two",minor
2,2022-01-01T02:00:00Z,2022-01-01T03:00:00Z,in it,critical
3,2022-01-01T04:00:00Z,2022-01-01T06:00:00Z,over it,major
4,2022-01-02T00:00:00Z,2022-01-01T00:00:00Z,backwards,major
5,yesterday,2022-01-01T00:00:00Z,no time,major
6,2022-01-01T00:00:00Z,2022-01-02T00:00:00Z,no impact,huge
7,2022-01-01T00:00:00Z,2022-01-02T00:00:00Z,left out,maintenance
8,2022-01-01T00:00:00Z
`

func TestTrace(t *testing.T) {
	w, skipped, err := Trace(strings.NewReader(incidents))
	if err != nil || skipped != 4 || len(w.Windows) != 3 || w.Check() != nil {
		t.Fatalf("%+v, %d skipped, %v; want 3 windows, 4 skipped", w, skipped, err)
	}
	if v := w.Stretched(2); v.Windows[0].To != 2*w.Windows[0].To {
		t.Errorf("twice as long: %+v", v.Windows)
	}
	y := newWeather(&w, 1, 60)
	want := []spell{{0, 24, .5, Unavailable}, {24, 36, .99, Unavailable}, {36, 48, .5, Unavailable}, {48, 60, .85, Unavailable}, {60, 72, .85, Unavailable}}
	got := y.spells[0][0]
	if len(got) != len(want) {
		t.Fatalf("%+v; want %+v", got, want)
	}
	for i := range want {
		if math.Abs(got[i].from-want[i].from) > 1e-9 || math.Abs(got[i].to-want[i].to) > 1e-9 || got[i].p != want[i].p || got[i].kind != want[i].kind {
			t.Errorf("spell %d: %+v; want %+v", i, got[i], want[i])
		}
	}
	for name, r := range map[string]string{"empty": "", "columns": "a,b\n", "nothing left": "downtime_start,downtime_end,impact\n"} {
		if _, _, err := Trace(strings.NewReader(r)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := Trace(io.MultiReader(strings.NewReader(incidents), iotest.ErrReader(errRefused))); err == nil {
		t.Error("a reader that fails: no error")
	}
}

// Two gaps in a trace stay gaps.
func TestWorstLeavesGaps(t *testing.T) {
	if cut := worst([]spell{{0, 1, .5, 0}, {3, 4, .5, 0}}); len(cut) != 2 {
		t.Errorf("%+v; want two spells", cut)
	}
}

// What happens to an attempt depends on its call and number, and not on what else was asked.
func TestWeatherIsTheSameForAll(t *testing.T) {
	for _, w := range Worlds() {
		if w.Quota.Attempts > 0 || w.Capacity.PerSecond > 0 {
			continue // where callers meet each other
		}
		a, b := newWeather(&w, 5, 600), newWeather(&w, 5, 600)
		for i := range 600 {
			now := time.Duration(i) * time.Second
			for op := range 3 {
				if i%3 == 0 {
					b.answer(op, 7, 4, false, now)
				}
				err, took := a.answer(op, uint64(i), 1, a.dead(op, uint64(i)), now)
				if err2, took2 := b.answer(op, uint64(i), 1, b.dead(op, uint64(i)), now); err != err2 || took != took2 {
					t.Fatalf("%s: %v after %v, and %v after %v", w.Name, err, took, err2, took2)
				}
			}
		}
	}
}

func TestQuota(t *testing.T) {
	for _, hint := range []bool{true, false} {
		y := newWeather(&World{Name: "q", Quota: Quota{Attempts: 2, Window: 10, Hint: hint}}, 1, 60)
		y.answer(0, 1, 1, false, 3*time.Second)
		y.answer(1, 2, 1, false, 4*time.Second)
		err, took := y.answer(0, 3, 1, false, 6*time.Second)
		if want := map[bool]time.Duration{true: 4 * time.Second}[hint]; retry.Hint(err) != want || retry.DefaultClassify(err) != retry.Throttled || took != refusalTakes {
			t.Errorf("hint %v: %v with %v after %v", hint, err, retry.Hint(err), took)
		}
		if err, _ := y.answer(0, 4, 1, false, 10*time.Second); err != nil {
			t.Errorf("in the next window: %v", err)
		}
	}
}

// The shares of the first attempts that fail are those of the definition.
func TestNoise(t *testing.T) {
	w, _ := FindWorld("iid")
	y := newWeather(&w, 1, 60)
	for op, want := range []float64{.01, .05, .2} {
		failed := 0.
		for n := range uint64(20_000) {
			if err, took := y.answer(op, n, 1, false, 0); err != nil {
				failed++
			} else if took <= 0 {
				t.Fatalf("it took %v", took)
			}
		}
		if got := failed / 20_000; math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/20_000) {
			t.Errorf("operation %d: %.4f fail; want %v", op, got, want)
		}
	}
}

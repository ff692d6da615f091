package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/sim"
)

// writeFile puts text into a file of the test's.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const incidents = "downtime_start,downtime_end,impact\n2022-01-01T00:00:00Z,2022-01-01T05:00:00Z,minor\nnever,2022-01-01T05:00:00Z,minor\n"

func TestAdaptive(t *testing.T) {
	world := writeFile(t, "mine.json", `{"name": "mine", "noise": [0.1], "noise_kind": ["timeout"], "outages": [{"length": {"a": 5}, "every": 60, "p": 0.9, "kind": "unavailable"}]}`)
	told := 0
	a := Adaptive{
		Scenarios: []string{"iid", "trace", world}, Trace: writeFile(t, "trace.csv", incidents), Rivals: []string{"none", sim.Reference, "learn+B20"},
		Seeds: 2, FirstSeed: 5, Horizon: 2 * time.Minute, Stretch: .5, Busy: 2, AttemptCost: .01,
		Progress: func(done, of int) {
			if told++; of != 18 {
				t.Errorf("told of %d of %d; want 18", done, of)
			}
		},
	}
	r, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range r.Rows {
		rows = append(rows, row.Scenario+" "+row.Rival)
		if row.Rival == sim.Reference && row.Gain != (sim.Interval{}) || row.Rival == "none" && row.Gain.Mean == 0 || row.Calls == 0 {
			t.Errorf("%+v", row)
		}
	}
	if want := []string{"iid exp+B20", "iid none", "iid learn+B20", "trace exp+B20", "trace none", "trace learn+B20", "mine exp+B20", "mine none", "mine learn+B20"}; !reflect.DeepEqual(rows, want) || told != 18 {
		t.Errorf("rows %q, told of %d; want %q", rows, told, want)
	}
	if r.Command != "relent simulate adaptive --scenario iid,trace,"+world+" --seeds 2 --first-seed 5 --horizon 2m0s --stretch 0.5 --busy 2 --attempt-cost 0.01 --trace FILE --rival none,exp+B20,learn+B20" {
		t.Errorf("command %q", r.Command)
	}
	if len(r.Skipped) != 1 || r.Skipped[0] != "trace: 1 rows that could not be read" {
		t.Errorf("skipped %q", r.Skipped)
	}
	a.Progress = nil
	if again, err := a.Run(t.Context()); err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("not the same again: %v", err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 runs of 120 s each", "MINE", "learn+B20", "Left out: trace: 1 rows", "made up"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	text, err := json.Marshal(r)
	var back map[string]any
	if err != nil || json.Unmarshal(text, &back) != nil {
		t.Fatal(err)
	}
	row := back["rows"].([]any)[2].(map[string]any)
	for _, field := range []string{"scenario", "rival", "gain", "utility", "success", "wasted", "attempts", "mean_s", "p99_s"} {
		if _, ok := row[field]; !ok {
			t.Errorf("no %s in %s", field, text)
		}
	}
}

func TestAdaptiveLeavesTheTraceOut(t *testing.T) {
	r, err := Adaptive{Scenarios: []string{"all"}, Seeds: 1, Horizon: time.Second}.Run(t.Context())
	if err != nil || len(r.Rows) != len(sim.Worlds()) || len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0], "--trace") {
		t.Errorf("%d rows, skipped %q, %v", len(r.Rows), r.Skipped, err)
	}
}

func TestAdaptiveMistakes(t *testing.T) {
	err := Adaptive{Rivals: []string{"nope"}, Stretch: -1, Busy: 1e9, AttemptCost: -1}.Check()
	for _, flag := range []string{"--rival", "--scenario", "--seeds", "--horizon", "--stretch", "--busy", "--attempt-cost"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+flag+":") {
			t.Errorf("no mistake in %s: %v", flag, err)
		}
	}
	for name, a := range map[string]Adaptive{
		"checked":          {},
		"unknown scenario": {Scenarios: []string{"nope"}},
		"no such file":     {Scenarios: []string{"nope.json"}},
		"no such trace":    {Scenarios: []string{"trace"}, Trace: filepath.Join(t.TempDir(), "nope")},
		"an empty trace":   {Scenarios: []string{"trace"}, Trace: writeFile(t, "a", "")},
		"an unknown field": {Scenarios: []string{writeFile(t, "a.json", `{"nope": 1}`)}},
		"a world mistaken": {Scenarios: []string{writeFile(t, "a.json", `{}`)}},
		"an unknown kind":  {Scenarios: []string{writeFile(t, "a.json", `{"name": "a", "noise_kind": ["nope"]}`)}},
	} {
		if name != "checked" {
			a.Seeds, a.Horizon = 1, time.Second
		}
		if _, err := a.Run(t.Context()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if _, err := (Adaptive{Scenarios: []string{"iid"}, Seeds: 1, Horizon: time.Second}).Run(ctx); !errors.Is(err, errEnough) {
		t.Errorf("Run = %v; want %v", err, errEnough)
	}
}

// Variants are played by the learner alone, and levels are found where a learner meets simple policies that are bound as it is.
func TestAdaptiveVariantsAndLevels(t *testing.T) {
	a := Adaptive{
		Scenarios: []string{"overload"}, Rivals: []string{"none", "exp", "sre10", "learn+B20", "learn"}, Seeds: 2, FirstSeed: 5, Horizon: time.Minute, Variants: true,
	}
	r, err := a.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(r.Command, " --variants --rival none,exp,sre10,learn+B20,learn") {
		t.Errorf("command %q", r.Command)
	}
	var names []string
	for _, v := range r.Variants {
		names = append(names, v.Name)
		want := 2
		if v.Name == "mixtures" {
			want = 2 * len(sim.Mixtures())
		}
		if len(v.Rows) != want || v.Rows[0].Rival != sim.Reference || v.Rows[1].Rival != "learn+B20" {
			t.Errorf("%s: %+v", v.Name, v.Rows)
		}
	}
	if want := []string{"--stretch 0.25", "--stretch 4", "--busy 0.05", "--busy 5", "--attempt-cost 0.005", "--attempt-cost 0.05", "mixtures"}; !reflect.DeepEqual(names, want) {
		t.Errorf("variants %q; want %q", names, want)
	}
	if len(r.Levels) != 2 || r.Levels[0].Rival != "learn+B20" || r.Levels[1].Rival != "learn" || r.Levels[1].Best != "exp" {
		t.Fatalf("levels %+v", r.Levels)
	}
	for _, l := range r.Levels {
		if l.Scenario != "overload" || l.Level != (l.Gain.Mean+l.Gain.Half >= 0) {
			t.Errorf("%+v", l)
		}
	}
	r.Levels = append(r.Levels, Level{"x", "learn", "exp", sim.Interval{Mean: 2, Half: 1}, true}, Level{"x", "learn", "exp", sim.Interval{Mean: -2, Half: 1}, false},
		Level{"x", "learn", "exp", sim.Interval{Mean: -1, Half: 2}, true})
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BESIDE THE BEST SIMPLE POLICY", "x learn exp 2.00 1.00 better", "x learn exp -2.00 1.00 worse", "x learn exp -1.00 2.00 level", "MIXTURE, mixtures", "OVERLOAD, --stretch 4"} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	a.Scenarios = []string{writeFile(t, "a.json", `{"name": "a", "operations": [{"name": "x", "rate": 900, "deadline": 1, "max_attempts": 1}]}`)}
	if _, err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Rate") {
		t.Errorf("Run = %v; want that a variant is too fast", err)
	}
}

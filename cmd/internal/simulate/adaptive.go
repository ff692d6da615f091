package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/relent-go/relent/sim"
)

// Adaptive compares a retry policy that learns with others, in worlds that go wrong in known ways.
type Adaptive struct {
	Scenarios   []string           // names of sim.Worlds, files with a world as JSON, or "all"
	Rivals      []string           // by name, as in sim.Rivals; the reference is always one of them
	Trace       string             // a CSV file of declared incidents for the scenario "trace"; "" for none
	Seeds       int                // runs of each, from FirstSeed on
	FirstSeed   uint64             // others than the rules were tuned with
	Horizon     time.Duration      // of the arrivals of each run
	Stretch     float64            // of all times of the scenarios; 0 means 1
	Busy        float64            // factor of all rates; 0 means 1
	AttemptCost float64            // in successes; 0 means 0.02
	Progress    func(done, of int) // is told of runs; may be nil
}

// An AdaptiveReport is what became of the runs.
type AdaptiveReport struct {
	Command   string   `json:"command"`
	Machine   string   `json:"machine"`
	Reference string   `json:"reference"`
	Seeds     int      `json:"seeds"`
	FirstSeed uint64   `json:"first_seed"`
	HorizonS  float64  `json:"horizon_s"`
	Skipped   []string `json:"skipped,omitempty"`
	Rows      []Duel   `json:"rows"`
}

// A Duel is one rival in one scenario: its gain over the reference in thousandths of a success per call, paired by seed, with two standard
// errors, and the means of its marks.
type Duel struct {
	Scenario string       `json:"scenario"`
	Rival    string       `json:"rival"`
	Gain     sim.Interval `json:"gain"`
	sim.Marks
}

// Check returns all mistakes in a, joined, each beginning with the name of its flag.
func (a Adaptive) Check() error {
	var errs []error
	for _, name := range a.Rivals {
		if _, err := sim.FindRival(name); err != nil {
			errs = append(errs, fmt.Errorf("--rival: %w", err))
		}
	}
	if len(a.Scenarios) == 0 {
		errs = append(errs, errors.New("--scenario: no scenario is named"))
	}
	if a.Seeds < 1 || a.Seeds > mostRuns {
		errs = append(errs, fmt.Errorf("--seeds: %d is not from 1 to %d", a.Seeds, mostRuns))
	}
	if a.Horizon < time.Second || a.Horizon > sim.MostHorizon {
		errs = append(errs, fmt.Errorf("--horizon: %v is not from 1s to %v", a.Horizon, sim.MostHorizon))
	}
	for _, f := range []struct {
		flag  string
		value float64
	}{{"--stretch", a.Stretch}, {"--busy", a.Busy}, {"--attempt-cost", a.AttemptCost}} {
		if !(f.value >= 0 && f.value <= 100) {
			errs = append(errs, fmt.Errorf("%s: %v is not from 0 to 100", f.flag, f.value))
		}
	}
	return errors.Join(errs...)
}

// Run plays all runs. The end of ctx ends them, with the cause.
func (a Adaptive) Run(ctx context.Context) (AdaptiveReport, error) {
	if err := a.Check(); err != nil {
		return AdaptiveReport{}, err
	}
	report := AdaptiveReport{
		Command: a.command(), Machine: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version()),
		Reference: sim.Reference, Seeds: a.Seeds, FirstSeed: a.FirstSeed, HorizonS: a.Horizon.Seconds(),
	}
	worlds, skipped, err := a.worlds()
	if err != nil {
		return AdaptiveReport{}, err
	}
	report.Skipped = skipped
	names := []string{sim.Reference}
	for _, name := range a.Rivals {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	marks := make([]sim.Marks, len(worlds)*len(names)*a.Seeds)
	err = each(ctx, len(marks), a.Progress, func(ctx context.Context, i int) (err error) {
		rival, _ := sim.FindRival(names[i/a.Seeds%len(names)]) // which Check did
		marks[i], err = sim.Trial{
			World: worlds[i/a.Seeds/len(names)], Rival: rival, Seed: a.FirstSeed + uint64(i%a.Seeds), Horizon: a.Horizon, AttemptCost: a.AttemptCost,
		}.Play(ctx)
		return err
	})
	if err != nil {
		return AdaptiveReport{}, err
	}
	for w, world := range worlds {
		first := w * len(names) * a.Seeds
		for r, name := range names {
			own := marks[first+r*a.Seeds:][:a.Seeds]
			report.Rows = append(report.Rows, Duel{world.Name, name, sim.Gain(own, marks[first:][:a.Seeds]), sim.Average(own)})
		}
	}
	return report, nil
}

// worlds finds the scenarios, and says what is left out.
func (a Adaptive) worlds() (worlds []sim.World, skipped []string, err error) {
	for _, name := range a.Scenarios {
		switch {
		case name == "all":
			worlds = append(worlds, sim.Worlds()...)
			fallthrough
		case name == "trace":
			if a.Trace == "" {
				skipped = append(skipped, "trace: no --trace FILE was given")
				continue
			}
			w, left, err := readTrace(a.Trace)
			if err != nil {
				return nil, nil, fmt.Errorf("--trace: %w", err)
			}
			if left > 0 {
				skipped = append(skipped, fmt.Sprintf("trace: %d rows that could not be read", left))
			}
			worlds = append(worlds, w)
		case strings.HasSuffix(name, ".json"):
			w, err := readWorld(name)
			if err != nil {
				return nil, nil, fmt.Errorf("--scenario: %w", err)
			}
			worlds = append(worlds, w)
		default:
			w, err := sim.FindWorld(name)
			if err != nil {
				return nil, nil, fmt.Errorf("--scenario: %w; or all, trace, or a file that ends in .json", err)
			}
			worlds = append(worlds, w)
		}
	}
	for i, w := range worlds {
		if a.Stretch > 0 {
			w = w.Stretched(a.Stretch)
		}
		if a.Busy > 0 {
			w = w.Busier(a.Busy)
		}
		if worlds[i] = w; w.Check() != nil {
			return nil, nil, fmt.Errorf("--scenario: %s: %w", w.Name, w.Check())
		}
	}
	return worlds, skipped, nil
}

func readTrace(name string) (w sim.World, skipped int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sim.World{}, 0, err
	}
	defer f.Close()
	return sim.Trace(f)
}

func readWorld(name string) (w sim.World, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sim.World{}, err
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return sim.World{}, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// command is how to get the same again.
func (a Adaptive) command() string {
	var b strings.Builder
	fmt.Fprintf(&b, "relent simulate adaptive --scenario %s --seeds %d --first-seed %d --horizon %v", strings.Join(a.Scenarios, ","), a.Seeds, a.FirstSeed, a.Horizon)
	for _, f := range []struct {
		flag  string
		value float64
	}{{"--stretch", a.Stretch}, {"--busy", a.Busy}, {"--attempt-cost", a.AttemptCost}} {
		if f.value > 0 {
			fmt.Fprintf(&b, " %s %v", f.flag, f.value)
		}
	}
	if a.Trace != "" {
		b.WriteString(" --trace FILE")
	}
	if !slices.Equal(a.Rivals, sim.Rivals()) {
		b.WriteString(" --rival " + strings.Join(a.Rivals, ","))
	}
	return b.String()
}

// WriteText writes a table for people: a line for each rival in each scenario.
func (r AdaptiveReport) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %.0f s each. GAIN over %s in thousandths of a success per call, paired by seed, ± two standard errors:\n",
		count(r.Seeds, "run"), r.HorizonS, r.Reference)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, row := range r.Rows {
		if i == 0 || row.Scenario != r.Rows[i-1].Scenario {
			table.Flush()
			fmt.Fprintf(table, "\n%s\tGAIN\t±\tUTILITY\tSUCCESS\tWASTED/100\tATTEMPTS\tMEAN\tP99\tBRIER\tBASE\tTRIPS\t\n", strings.ToUpper(row.Scenario))
		}
		fmt.Fprintf(table, "%s\t%.2f\t%.2f\t%.4f\t%.2f %%\t%.1f\t%.2f\t%.1f s\t%.0f s\t", row.Rival, row.Gain.Mean, row.Gain.Half, row.Utility,
			100*row.Success, row.Wasted, row.Attempts, row.Mean, row.P99)
		if row.Scored > 0 {
			fmt.Fprintf(table, "%.3f\t%.3f\t%d\t\n", row.Brier, row.Base, row.Trips)
		} else {
			fmt.Fprint(table, "\t\t\t\n")
		}
	}
	table.Flush()
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "\nLeft out: %s\n", s)
	}
	b.WriteString("\nThe scenarios are made up. They rank policies; what a learner gains on your traffic, only your traffic says.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

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
	Variants    bool               // play the learner in variants of the scenarios, too
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

	Levels   []Level   `json:"levels,omitempty"`
	Variants []Variant `json:"variants,omitempty"`
}

// A Duel is one rival in one scenario: its gain over the reference in thousandths of a success per call, paired by seed, with two standard
// errors, and the means of its marks.
type Duel struct {
	Scenario string       `json:"scenario"`
	Rival    string       `json:"rival"`
	Gain     sim.Interval `json:"gain"`
	sim.Marks
}

// A Level compares a learner with the simple policy that was the best in a scenario, of those that have a budget if it has one, or of those that have none: its
// gain over it, paired by seed.
type Level struct {
	Scenario string       `json:"scenario"`
	Rival    string       `json:"rival"`
	Best     string       `json:"best"`
	Gain     sim.Interval `json:"gain"`
	Level    bool         `json:"level"` // not clearly worse: the interval is not all below 0
}

// verdict says it in a word.
func (l Level) verdict() string {
	switch {
	case !l.Level:
		return "worse"
	case l.Gain.Mean > l.Gain.Half:
		return "better"
	}
	return "level"
}

// A Variant is the learner in scenarios whose times, rates or costs are others.
type Variant struct {
	Name string `json:"name"` // such as "--stretch 4"
	Rows []Duel `json:"rows"`
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
	for _, name := range a.Scenarios {
		if _, err := sim.FindWorld(name); err != nil && name != "all" && name != "trace" && !strings.HasSuffix(name, ".json") {
			errs = append(errs, fmt.Errorf("--scenario: %w; or all, trace, or a file that ends in .json", err))
		}
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
	legs, skipped, err := a.legs()
	if err != nil {
		return AdaptiveReport{}, err
	}
	report.Skipped = skipped
	type run struct {
		trial sim.Trial
		marks *sim.Marks
	}
	var runs []run
	for _, l := range legs {
		for r, name := range l.rivals {
			rival, _ := sim.FindRival(name) // which Check did
			for k := range a.Seeds {
				runs = append(runs, run{
					sim.Trial{World: l.world, Rival: rival, Seed: a.FirstSeed + uint64(k), Horizon: a.Horizon, AttemptCost: l.cost}, &l.marks[r][k],
				})
			}
		}
	}
	if err := each(ctx, len(runs), a.Progress, func(ctx context.Context, i int) (err error) {
		*runs[i].marks, err = runs[i].trial.Play(ctx)
		return err
	}); err != nil {
		return AdaptiveReport{}, err
	}
	for _, l := range legs {
		rows := &report.Rows
		if l.variant != "" {
			if n := len(report.Variants); n == 0 || report.Variants[n-1].Name != l.variant {
				report.Variants = append(report.Variants, Variant{Name: l.variant})
			}
			rows = &report.Variants[len(report.Variants)-1].Rows
		} else {
			report.Levels = append(report.Levels, l.levels()...)
		}
		for r, name := range l.rivals {
			*rows = append(*rows, Duel{l.world.Name, name, sim.Gain(l.marks[r], l.marks[0]), sim.Average(l.marks[r])})
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
			w, _ := sim.FindWorld(name) // which Check did
			worlds = append(worlds, w)
		}
	}
	return worlds, skipped, nil
}

// A leg is a scenario with those that play it, the reference first.
type leg struct {
	variant string // "" for none
	world   sim.World
	rivals  []string
	cost    float64
	marks   [][]sim.Marks // by rival and seed
}

// legs are all that is played.
func (a Adaptive) legs() (legs []leg, skipped []string, err error) {
	worlds, skipped, err := a.worlds()
	if err != nil {
		return nil, nil, err
	}
	rivals := []string{sim.Reference}
	for _, name := range a.Rivals {
		if !slices.Contains(rivals, name) {
			rivals = append(rivals, name)
		}
	}
	add := func(variant string, worlds []sim.World, rivals []string, stretch, busy, cost float64) error {
		for _, w := range worlds {
			if stretch > 0 {
				w = w.Stretched(stretch)
			}
			if busy > 0 {
				w = w.Busier(busy)
			}
			if err := w.Check(); err != nil {
				return fmt.Errorf("--scenario: %s: %w", w.Name, err)
			}
			l := leg{variant: variant, world: w, rivals: rivals, cost: cost, marks: make([][]sim.Marks, len(rivals))}
			for r := range l.marks {
				l.marks[r] = make([]sim.Marks, a.Seeds)
			}
			legs = append(legs, l)
		}
		return nil
	}
	if err := add("", worlds, rivals, a.Stretch, a.Busy, a.AttemptCost); err != nil || !a.Variants {
		return legs, skipped, err
	}
	learner := []string{sim.Reference, "learn+B20"}
	for _, v := range variants {
		if err := add(fmt.Sprintf("%s %v", v.flag, v.stretch+v.busy+v.cost), worlds, learner, v.stretch, v.busy, v.cost); err != nil {
			return nil, nil, err
		}
	}
	err = add("mixtures", sim.Mixtures(), learner, 0, 0, 0)
	return legs, skipped, err
}

// variants are those of the scenarios that the reference asks for, each with one other value.
var variants = []struct {
	flag                string
	stretch, busy, cost float64
}{
	{"--stretch", .25, 0, 0}, {"--stretch", 4, 0, 0}, {"--busy", 0, .05, 0}, {"--busy", 0, 5, 0}, {"--attempt-cost", 0, 0, .005}, {"--attempt-cost", 0, 0, .05},
}

// levels compares the learners of a leg with the best simple policy.
func (l *leg) levels() (levels []Level) {
	for _, learner := range []struct {
		name   string
		budget bool
	}{{"learn+B20", true}, {"learn", false}} {
		own, best := slices.Index(l.rivals, learner.name), -1
		for r, name := range l.rivals {
			rival, _ := sim.FindRival(name)
			simple, budget := rival.Simple()
			if simple && budget == learner.budget && (best < 0 || sim.Average(l.marks[r]).Utility > sim.Average(l.marks[best]).Utility) {
				best = r
			}
		}
		if own >= 0 && best >= 0 {
			g := sim.Gain(l.marks[own], l.marks[best])
			levels = append(levels, Level{l.world.Name, learner.name, l.rivals[best], g, g.Mean+g.Half >= 0})
		}
	}
	return levels
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
	if a.Variants {
		b.WriteString(" --variants")
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
	writeRows(&b, "", r.Rows)
	if len(r.Levels) > 0 {
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(table, "\nBESIDE THE BEST SIMPLE POLICY\tBEST\tGAIN\t±\t\t\n")
		for _, l := range r.Levels {
			fmt.Fprintf(table, "%s %s\t%s\t%.2f\t%.2f\t%s\t\n", l.Scenario, l.Rival, l.Best, l.Gain.Mean, l.Gain.Half, l.verdict())
		}
		table.Flush()
	}
	for _, v := range r.Variants {
		writeRows(&b, ", "+v.Name, v.Rows)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "\nLeft out: %s\n", s)
	}
	b.WriteString("\nThe scenarios are made up. They rank policies; what a learner gains on your traffic, only your traffic says.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRows writes a table for each scenario.
func writeRows(b *strings.Builder, variant string, rows []Duel) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, row := range rows {
		if i == 0 || row.Scenario != rows[i-1].Scenario {
			table.Flush()
			fmt.Fprintf(table, "\n%s%s\tGAIN\t±\tUTILITY\tSUCCESS\tWASTED/100\tATTEMPTS\tMEAN\tP99\tBRIER\tBASE\tTRIPS\t\n", strings.ToUpper(row.Scenario), variant)
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
}

package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/relent-go/relent/sim"
)

// The most that is played.
const (
	mostClients = 10_000
	mostRuns    = 10_000
)

// A Storm is the same trouble under several policies: a server that is used to some part of its capacity stalls for 10 s.
type Storm struct {
	Policies    []string           // by name, as in sim.Names
	Clients     int                // that share the load
	Utilisation float64            // of the server without retries, over 0 and below 1
	Seeds       int                // runs of each policy, with the seeds from 1 on
	Progress    func(done, of int) // is told of runs; may be nil
}

// A StormReport is what became of the runs of a storm, in the order of its policies and seeds.
type StormReport struct {
	Rows []StormRow `json:"rows"`

	storm Storm
	first []sim.Result // of each policy, with the first seed
	about []sim.Named
}

// A StormRow is one run.
type StormRow struct {
	Policy        string   `json:"policy"`
	Clients       int      `json:"clients"`
	Utilisation   float64  `json:"utilisation"`
	Seed          uint64   `json:"seed"`
	RecoveryS     *float64 `json:"recovery_s"` // after the stall; nil for never within the run
	Amplification float64  `json:"amplification"`
}

// Check returns all mistakes in s, joined, each beginning with the name of its flag.
func (s Storm) Check() error {
	var errs []error
	if len(s.Policies) == 0 {
		errs = append(errs, errors.New("--policy: no policy is named"))
	}
	for i, name := range s.Policies {
		if slices.Contains(s.Policies[:i], name) {
			errs = append(errs, fmt.Errorf("--policy: %q is named twice", name))
		}
		if _, err := sim.Find(name); err != nil {
			errs = append(errs, fmt.Errorf("--policy: %w", err))
		}
	}
	if s.Clients < 1 || s.Clients > mostClients {
		errs = append(errs, fmt.Errorf("--clients: %d is not from 1 to %d", s.Clients, mostClients))
	}
	if !(s.Utilisation > 0 && s.Utilisation < 1) {
		errs = append(errs, fmt.Errorf("--utilisation: %v is not over 0 and below 1", s.Utilisation))
	}
	if s.Seeds < 1 || s.Seeds > mostRuns {
		errs = append(errs, fmt.Errorf("--seeds: %d is not from 1 to %d", s.Seeds, mostRuns))
	}
	return errors.Join(errs...)
}

// Run plays all runs. The end of ctx ends them, with the cause.
func (s Storm) Run(ctx context.Context) (StormReport, error) {
	if err := s.Check(); err != nil {
		return StormReport{}, err
	}
	n := len(s.Policies)
	report := StormReport{storm: s, Rows: make([]StormRow, n*s.Seeds), first: make([]sim.Result, n), about: make([]sim.Named, n)}
	for i, name := range s.Policies {
		report.about[i], _ = sim.Find(name) // which Check did
	}
	scenario := func(policy int, seed uint64) sim.Scenario {
		return report.about[policy].Scenario(s.Utilisation*sim.DefaultService, s.Clients, seed)
	}
	var longest time.Duration // all runs are as long as the longest needs to be, so that they can be compared
	for i := range report.about {
		longest = max(longest, scenario(i, 1).Horizon)
	}
	err := each(ctx, len(report.Rows), s.Progress, func(ctx context.Context, i int) error {
		policy, seed := i/s.Seeds, uint64(i%s.Seeds+1)
		run := scenario(policy, seed)
		run.Horizon = longest
		result, err := sim.Run(ctx, run)
		if err != nil {
			return err
		}
		row := StormRow{
			Policy: s.Policies[policy], Clients: s.Clients, Utilisation: s.Utilisation, Seed: seed,
			Amplification: math.Round(result.Amplification*1000) / 1000,
		}
		if result.Recovered() {
			row.RecoveryS = &result.Recovery
		}
		report.Rows[i] = row
		if seed == 1 {
			report.first[policy] = result
		}
		return nil
	})
	if err != nil {
		return StormReport{}, err
	}
	return report, nil
}

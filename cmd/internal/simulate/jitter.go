package simulate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/relent-go/relent/sim"
)

// A Jitter is the contest of the backoffs, played often: clients write one row that they read before.
type Jitter struct {
	Clients  int
	Runs     int                // of each backoff, with the seeds from 1 on
	Progress func(done, of int) // is told of runs; may be nil
}

// A JitterReport is what the contests took, in the order of sim.Spacings.
type JitterReport struct {
	Rows []JitterRow `json:"rows"`

	jitter Jitter
}

// A JitterRow is the mean of the runs of one backoff.
type JitterRow struct {
	Jitter  string  `json:"jitter"`
	Clients int     `json:"clients"`
	Calls   float64 `json:"calls"` // writes, successful or not
	MS      float64 `json:"ms"`    // until the last client was done
}

// Check returns all mistakes in j, joined, each beginning with the name of its flag.
func (j Jitter) Check() error {
	var errs []error
	if j.Clients < 1 || j.Clients > mostClients {
		errs = append(errs, fmt.Errorf("--clients: %d is not from 1 to %d", j.Clients, mostClients))
	}
	if j.Runs < 1 || j.Runs > mostRuns {
		errs = append(errs, fmt.Errorf("--runs: %d is not from 1 to %d", j.Runs, mostRuns))
	}
	return errors.Join(errs...)
}

// Run plays all contests. The end of ctx ends them, with the cause.
func (j Jitter) Run(ctx context.Context) (JitterReport, error) {
	if err := j.Check(); err != nil {
		return JitterReport{}, err
	}
	spacings := sim.Spacings()
	scores := make([]sim.Score, len(spacings)*j.Runs)
	err := each(ctx, len(scores), j.Progress, func(ctx context.Context, i int) (err error) {
		scores[i], err = sim.Contest{Seed: uint64(i%j.Runs + 1), Clients: j.Clients, Backoff: spacings[i/j.Runs].Backoff}.Play(ctx)
		return err
	})
	if err != nil {
		return JitterReport{}, err
	}
	report := JitterReport{jitter: j}
	for i, s := range spacings {
		row := JitterRow{Jitter: s.Name, Clients: j.Clients}
		for _, score := range scores[i*j.Runs : (i+1)*j.Runs] {
			row.Calls += float64(score.Calls) / float64(j.Runs)
			row.MS += score.Time.Seconds() * 1000 / float64(j.Runs)
		}
		row.Calls, row.MS = math.Round(row.Calls*10)/10, math.Round(row.MS*10)/10
		report.Rows = append(report.Rows, row)
	}
	return report, nil
}

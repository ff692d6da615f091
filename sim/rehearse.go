package sim

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
)

// What a rehearsal plays.
const (
	rehearsals    = 8 // runs of each side
	rehearsalSeed = 1
	leastHorizon  = 3600.
	outagesSeen   = 20 // in a run, if its length allows
	mostPlayed    = 50_000.
	lengthSteps   = 40
	outageP       = .97 // of an outage's attempts fail: what the learner's belief assumes
)

// Rehearse plays what was learned of an operation in a world that is made from it, and returns what the learner, led by that, gains over the policy
// alone, in thousandths of a success per call. It satisfies [adaptive.Promotion] but for the policy, of which attempts, time and backoff are played. Its gates are
// not, since they are in use: a share of 20 %, burst 50, stands in for them on both sides. Calls beyond some 14 per second are left out.
//
// In that world first attempts fail as often as while the operation was up, retries after the most frequent failure pay as
// often, and outages come as often and last as long. What was not learned, such as who else calls the same server, is not in it. The same input yields the same
// gain. It runs in the caller's goroutine, for about a second; the end of ctx ends it, with the cause.
func Rehearse(ctx context.Context, x adaptive.Learned, p *retry.Policy) (Interval, error) {
	if p == nil {
		p = &retry.Policy{}
	}
	w, horizon := stage(x, p)
	alone := Rival{gates: share20, of: p}
	led := Rival{slice: slices20, learns: true, of: p, learned: &x}
	var own, reference []Marks
	for seed := range uint64(rehearsals) {
		for _, side := range []struct {
			r    Rival
			list *[]Marks
		}{{alone, &reference}, {led, &own}} {
			m, err := Trial{World: w, Rival: side.r, Seed: rehearsalSeed + seed, Horizon: horizon, AttemptCost: x.AttemptCost}.Play(ctx)
			if err != nil {
				return Interval{}, fmt.Errorf("rehearse %s: %w", x.Operation, err)
			}
			*side.list = append(*side.list, m)
		}
	}
	return Gain(own, reference), nil
}

// stage is the world of a rehearsal, and how long a run takes.
func stage(x adaptive.Learned, p *retry.Policy) (World, time.Duration) {
	gap := max(leastSeconds, x.Gap.Seconds())
	horizon := min(MostHorizon.Seconds(), max(leastHorizon, outagesSeen*gap))
	rate := min(mostRate, max(leastSeconds, x.Rate), mostPlayed/horizon)
	failing := min(.6, max(0, 1-x.Up))
	w := World{
		Name: cmp.Or(x.Operation, "operation"),
		Operations: []Errand{{
			Name: cmp.Or(x.Operation, "operation"), Rate: rate, MaxAttempts: min(1000, p.Attempts()), DelayCost: max(0, x.DelayCost),
			Deadline: min(3600, max(leastSeconds, p.MaxElapsed.Seconds())),
		}},
		Noise: []float64{failing * x.Pays}, NoiseKind: []Failure{Internal}, Dead: []float64{failing * (1 - x.Pays)},
	}
	for _, o := range []struct {
		throttling bool
		part       float64
		kind       Failure
	}{{false, 1 - x.Throttling, Unavailable}, {true, x.Throttling, Throttled}} {
		if o.part <= 0 {
			continue
		}
		l := Length{Quantiles: make([]float64, lengthSteps)}
		for i := range l.Quantiles {
			l.Quantiles[i] = x.Lasts((float64(i)+.5)/lengthSteps, o.throttling)
		}
		w.Outages = append(w.Outages, Outage{Length: l, Gap: min(mostSeconds, gap/o.part), P: outageP, Kind: o.kind})
	}
	return w, time.Duration(math.Round(horizon)) * time.Second
}

// played is what of a policy can be played: not what is in use elsewhere or not ours.
func played(p *retry.Policy) retry.Policy {
	return retry.Policy{
		Name: p.Name, MaxAttempts: p.MaxAttempts, MaxElapsed: p.MaxElapsed, AttemptTimeout: p.AttemptTimeout, Expected: p.Expected,
		Backoff: p.Backoff, MaxHint: p.MaxHint, Idempotent: true,
	}
}

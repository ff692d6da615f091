package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/retry"
)

// Reference is the rival that others are measured against.
const Reference = "exp+B20"

// A Rival is a way to retry that is compared with others in a [Trial].
type Rival struct {
	Name  string
	About string

	attempts int              // most; 0 means those of the operation
	backoff  backoff.Strategy // nil means the default
	gates    func(random func() float64) []retry.Gate
	learns   bool
	slice    func(random func() float64) (control, other []retry.Gate) // of the budget, one tenth and the rest; nil for no budget
	levers   adaptive.Levers                                           // that the learner goes without
	revise   func(adaptive.Advice) adaptive.Advice                     // sabotage
}

// share20 is the budget of the reference.
func share20(func() float64) []retry.Gate { return []retry.Gate{&Share{Ratio: .2, Burst: 50}} }

// slices20 is the same budget for a control arm, which is a tenth of the calls, and the others.
func slices20(func() float64) (control, other []retry.Gate) {
	return []retry.Gate{&Share{Ratio: .2, Burst: 5}}, []retry.Gate{&Share{Ratio: .2, Burst: 45}}
}

func bucket(func() float64) []retry.Gate { return []retry.Gate{&budget.Budget{}} }

func buckets(func() float64) (control, other []retry.Gate) {
	return []retry.Gate{&budget.Budget{Max: 1}}, []retry.Gate{&budget.Budget{Max: 9}}
}

// rivals are all of them, in the order of the table.
var rivals = []Rival{
	{Name: Reference, About: "100 ms doubling to 30 s, full jitter; retries are 20 % of first attempts, burst 50", gates: share20},
	{Name: "none", About: "no retries", attempts: 1},
	{Name: "exp", About: "the reference without a budget"},
	{Name: "linear", About: "500 ms more each time, ±25 %, no budget",
		backoff: backoff.Linear{Base: 500 * time.Millisecond, Step: 500 * time.Millisecond, Jitter: backoff.Proportional(.25)}},
	{Name: "fib", About: "Fibonacci from 100 ms, ±25 %, no budget", backoff: backoff.Fibonacci{Base: 100 * time.Millisecond, Jitter: backoff.Proportional(.25)}},
	{Name: "aws26", About: "three attempts, quota of the AWS SDKs of 2026", attempts: 3,
		backoff: backoff.Exponential{Base: 50 * time.Millisecond, Max: 20 * time.Second},
		gates:   func(func() float64) []retry.Gate { return []retry.Gate{&profile.AWS2026{}} }},
	{Name: "sre10", About: "three attempts; retries are 10 % of first attempts, burst 50", attempts: 3,
		gates: func(func() float64) []retry.Gate { return []retry.Gate{&Share{Ratio: .1, Burst: 50}} }},
	{Name: "exp+gate", About: "the reference with the congestion gate", gates: func(random func() float64) []retry.Gate {
		return []retry.Gate{&Share{Ratio: .2, Burst: 50}, &adaptive.Congestion{Kind: kindOf, Rand: random}}
	}},
	{Name: "learn+B20", About: "the learner under the reference's budget", slice: slices20, learns: true},
	{Name: "learn", About: "the learner without a budget", learns: true},
	{Name: "bucket", About: "the reference's waits under relent's default bucket", gates: bucket},
	{Name: "learn+bucket", About: "the learner under relent's default bucket", slice: buckets, learns: true},
	{Name: "no-waits", About: "learn+B20, waits as configured", slice: slices20, learns: true, levers: adaptive.Waits},
	{Name: "no-parking", About: "learn+B20, callers do not wait for each other", slice: slices20, learns: true, levers: adaptive.Parking},
	{Name: "no-gate", About: "learn+B20, no congestion gate", slice: slices20, learns: true, levers: adaptive.Pressure},
	{Name: "no-guard", About: "learn+B20, no guard", slice: slices20, learns: true, levers: adaptive.Guarding},
	{Name: "no-fallback", About: "learn+B20, no calibration fallback", slice: slices20, learns: true, levers: adaptive.Falling},
	{Name: "sabotage-inverted", About: "learn+B20 gives up when all is well and hammers when it is not", slice: slices20, learns: true, revise: inverted},
	{Name: "sabotage-stop", About: "learn+B20 always gives up", slice: slices20, learns: true, revise: alwaysStop},
	{Name: "sabotage-now", About: "learn+B20 never waits", slice: slices20, learns: true, revise: alwaysNow},
	{Name: "sabotage-sure", About: "learn+B20 believes that 95 % of retries succeed", slice: slices20, learns: true, revise: alwaysSure},
}

func inverted(a adaptive.Advice) adaptive.Advice {
	if a.PDown < .5 {
		a.Stop = true
		return a
	}
	return alwaysNow(a)
}

func alwaysStop(a adaptive.Advice) adaptive.Advice {
	a.Stop = true
	return a
}

func alwaysNow(a adaptive.Advice) adaptive.Advice {
	a.Stop, a.Delay = false, 0
	return a
}

func alwaysSure(a adaptive.Advice) adaptive.Advice {
	a.Stop, a.P = false, .95
	return a
}

// Rivals returns the names that [FindRival] knows.
func Rivals() []string {
	names := make([]string, len(rivals))
	for i, r := range rivals {
		names[i] = r.Name
	}
	return names
}

// FindRival returns a rival by its name. The error lists all names.
func FindRival(name string) (Rival, error) {
	for _, r := range rivals {
		if r.Name == name {
			return r, nil
		}
	}
	return Rival{}, fmt.Errorf("unknown rival %q: want one of %s", name, strings.Join(Rivals(), ", "))
}

// sources returns the policy of each operation, and the learner if there is one.
func (r *Rival) sources(errands []Errand, cost float64, seed uint64) (sources []retry.Source, learner *adaptive.Learner) {
	if r.learns {
		learner = &adaptive.Learner{}
	}
	for op, e := range errands {
		p := &retry.Policy{
			Name: e.Name, MaxAttempts: e.MaxAttempts, MaxElapsed: time.Duration(e.Deadline * float64(time.Second)), Idempotent: true,
			MaxHint: time.Duration(e.Deadline * float64(time.Second)), Backoff: r.backoff, Rand: stream(seed, jitterStream, op).Float64,
		}
		if r.attempts > 0 {
			p.MaxAttempts = min(r.attempts, p.MaxAttempts)
		}
		random := stream(seed, gateStream, op).Float64
		if r.gates != nil {
			p.Gates = r.gates(random)
		}
		var s retry.Source = p
		if learner != nil {
			aside := *p
			if r.slice != nil {
				aside.Gates, p.Gates = r.slice(random)
			}
			s = learner.Source(p, adaptive.Terms{
				Control: &aside, AttemptCost: cost, DelayCost: e.DelayCost, Kind: kindOf, Rand: random, Without: r.levers, Revise: r.revise,
			})
			s.Current() // makes the model known
			learner.SetMode(e.Name, adaptive.Active)
		}
		sources = append(sources, s)
	}
	return sources, learner
}

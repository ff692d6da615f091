package sim

import (
	"context"
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
	goal     adaptive.Goal                                             // of the learner
	taught   string                                                    // the world in which it learned, and after which it learns no more
	sees     bool                                                      // it knows the future
	standing standing

	of      *retry.Policy     // a rehearsal's, instead of the operation's
	learned *adaptive.Learned // likewise, what the learner begins with
}

// A standing says with whom a rival is compared.
type standing uint8

const (
	apart   standing = iota
	bounded          // simple, and its retries are bounded
	unbound          // simple, and only attempts and time bound its retries
)

// Simple says that r neither learns nor knows more than its own call: what a learner should at least be level with. bounded says that a budget bounds its retries.
func (r Rival) Simple() (simple, budget bool) { return r.standing != apart, r.standing == bounded }

// share20 is the budget of the reference.
func share20(func() float64) []retry.Gate { return []retry.Gate{&Share{Ratio: .2, Burst: 50}} }

// slices20 is the same budget for a control arm, which is a tenth of the calls, and the others.
func slices20(func() float64) (control, other []retry.Gate) {
	s := &Share{Ratio: .2, Burst: 50}
	return []retry.Gate{s.Aside(.1)}, []retry.Gate{s}
}

func bucket(func() float64) []retry.Gate { return []retry.Gate{&budget.Budget{}} }

func buckets(func() float64) (control, other []retry.Gate) {
	return []retry.Gate{&budget.Budget{Max: 1}}, []retry.Gate{&budget.Budget{Max: 9}}
}

// rivals are all of them, in the order of the table.
var rivals = []Rival{
	{Name: Reference, About: "100 ms doubling to 30 s, full jitter; retries are 20 % of first attempts, burst 50", gates: share20, standing: bounded},
	{Name: "none", About: "no retries", attempts: 1, standing: bounded},
	{Name: "exp", About: "the reference without a budget", standing: unbound},
	{Name: "linear", About: "500 ms more each time, ±25 %, no budget", standing: unbound,
		backoff: backoff.Linear{Base: 500 * time.Millisecond, Step: 500 * time.Millisecond, Jitter: backoff.Proportional(.25)}},
	{Name: "fib", About: "Fibonacci from 100 ms, ±25 %, no budget", standing: unbound, backoff: backoff.Fibonacci{Base: 100 * time.Millisecond, Jitter: backoff.Proportional(.25)}},
	{Name: "aws26", About: "three attempts, quota of the AWS SDKs of 2026", attempts: 3, standing: bounded,
		backoff: backoff.Exponential{Base: 50 * time.Millisecond, Max: 20 * time.Second},
		gates:   func(func() float64) []retry.Gate { return []retry.Gate{&profile.AWS2026{}} }},
	{Name: "sre10", About: "three attempts; retries are 10 % of first attempts, burst 50", attempts: 3, standing: bounded,
		gates: func(func() float64) []retry.Gate { return []retry.Gate{&Share{Ratio: .1, Burst: 50}} }},
	{Name: "exp+gate", About: "the reference with the congestion gate", gates: func(random func() float64) []retry.Gate {
		return []retry.Gate{&Share{Ratio: .2, Burst: 50}, &adaptive.Congestion{Kind: kindOf, Rand: random}}
	}},
	{Name: "learn+B20", About: "the learner under the reference's budget", slice: slices20, learns: true},
	{Name: "learn", About: "the learner without a budget", learns: true},
	{Name: "bucket", About: "the reference's waits under relent's default bucket", gates: bucket, standing: bounded},
	{Name: "learn+bucket", About: "the learner under relent's default bucket", slice: buckets, learns: true},
	{Name: "preserve+B20", About: "learn+B20 with the goal to give up only what cannot succeed", slice: slices20, learns: true, goal: adaptive.PreserveSuccess},
	{Name: "preserve", About: "likewise, without a budget", learns: true, goal: adaptive.PreserveSuccess},
	{Name: "oracle+B20", About: "knows the future of the scenario, under the reference's budget", gates: share20, sees: true},
	{Name: "oracle", About: "likewise, without a budget", sees: true},
	{Name: "no-waits", About: "learn+B20, waits as configured", slice: slices20, learns: true, levers: adaptive.Waits},
	{Name: "no-parking", About: "learn+B20, callers do not wait for each other", slice: slices20, learns: true, levers: adaptive.Parking},
	{Name: "no-gate", About: "learn+B20, no congestion gate", slice: slices20, learns: true, levers: adaptive.Pressure},
	{Name: "no-guard", About: "learn+B20, no guard", slice: slices20, learns: true, levers: adaptive.Guarding},
	{Name: "no-fallback", About: "learn+B20, no calibration fallback", slice: slices20, learns: true, levers: adaptive.Falling},
	{Name: "no-stops", About: "learn+B20, no call is given up", slice: slices20, learns: true, levers: adaptive.Stops},
	{Name: "sabotage-inverted", About: "learn+B20 gives up when all is well and hammers when it is not", slice: slices20, learns: true, revise: inverted},
	{Name: "sabotage-stop", About: "learn+B20 always gives up", slice: slices20, learns: true, revise: alwaysStop},
	{Name: "sabotage-now", About: "learn+B20 never waits", slice: slices20, learns: true, revise: alwaysNow},
	{Name: "sabotage-sure", About: "learn+B20 believes that 95 % of retries succeed", slice: slices20, learns: true, revise: alwaysSure},
	{Name: "sabotage-frozen-outages", About: "learn+B20 that learned in outages, and learns no more", slice: slices20, learns: true, taught: "outages", levers: adaptive.Learning},
	{Name: "sabotage-frozen-masked", About: "learn+B20 that learned in masked, and learns no more", slice: slices20, learns: true, taught: "masked", levers: adaptive.Learning},
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
func (r *Rival) sources(ctx context.Context, y *weather, cost float64, seed uint64) (sources []retry.Source, learner *adaptive.Learner, err error) {
	if r.learns {
		learner = &adaptive.Learner{}
	}
	if r.taught != "" {
		if err := r.teach(ctx, learner, y.errands, seed); err != nil {
			return nil, nil, err
		}
	}
	for op, e := range y.errands {
		p := &retry.Policy{
			Name: e.Name, MaxAttempts: e.MaxAttempts, MaxElapsed: time.Duration(e.Deadline * float64(time.Second)), Idempotent: true,
			MaxHint: time.Duration(e.Deadline * float64(time.Second)), Backoff: r.backoff,
		}
		if r.of != nil {
			*p = played(r.of)
			p.Name = e.Name
		}
		p.Rand = chance(seed, jitterStream, op)
		if r.attempts > 0 {
			p.MaxAttempts = min(r.attempts, p.MaxAttempts)
		}
		random := chance(seed, gateStream, op)
		if r.gates != nil {
			p.Gates = r.gates(random)
		}
		if r.sees {
			p.Gates = append(p.Gates, &oracle{y: y, op: op, cost: cost, failed: map[uint64]int{}})
		}
		var s retry.Source = p
		if learner != nil {
			if s, err = r.learner(learner, p, e, cost, random); err != nil {
				return nil, nil, err
			}
		}
		sources = append(sources, s)
	}
	return sources, learner, nil
}

// learner returns the source of a policy that a learner leads.
func (r *Rival) learner(l *adaptive.Learner, p *retry.Policy, e Errand, cost float64, random func() float64) (retry.Source, error) {
	aside := *p
	if r.slice != nil {
		aside.Gates, p.Gates = r.slice(random)
	}
	t := adaptive.Terms{
		Goal: r.goal, Control: &aside, AttemptCost: cost, DelayCost: e.DelayCost, Kind: kindOf, Rand: random, Without: r.levers, Revise: r.revise,
	}
	if r.learned != nil {
		most := r.learned.Kind
		t.Kind = func(_ error, c retry.Class) adaptive.Kind { // failures that are no throttling are all of the one kind that is played
			if c == retry.Throttled {
				return adaptive.Throttled
			}
			return most
		}
		if err := l.Adopt(*r.learned, epoch); err != nil {
			return nil, err
		}
	}
	s := l.Source(p, t)
	s.Current() // makes the model known
	l.SetMode(e.Name, adaptive.Active)
	return s, nil
}

// teach has the learner begin with what another one learned elsewhere.
func (r *Rival) teach(ctx context.Context, l *adaptive.Learner, errands []Errand, seed uint64) error {
	w, err := FindWorld(r.taught)
	if err != nil {
		return err
	}
	w.Operations = errands
	pupil := *r
	pupil.taught, pupil.levers = "", 0
	_, teacher, err := Trial{World: w, Rival: pupil, Seed: scramble(seed)}.play(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(errands))
	for i, e := range errands {
		names[i] = e.Name
	}
	return l.Load(teacher.Snapshot(epoch), epoch, names...)
}

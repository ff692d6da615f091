package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

// long says whether the rows without a star run, too.
var long = os.Getenv("RELENT_LONG") != ""

const seeds = 5

var never = math.Inf(1)

// A span is a range, ends included.
type span struct{ low, high float64 }

// wider is a reference range made 20 % wider, and wider by least.
func (s span) wider(least float64) span {
	return span{min(s.low*0.8, s.low-least), max(s.high*1.2, s.high+least)}
}

// whole is s in whole seconds: the vectors S1, S4 and S5 are the bands of their rows, rounded.
func (s span) whole() span { return span{math.Round(s.low), math.Round(s.high)} }

func (s span) holds(x float64) bool { return s.low <= x && x <= s.high }

// A row is a line of the table of expectations. It passes when every seed is within the bands: the reference
// range, wider by 20 % and at least 5 s for recoveries, and at least 0.05 for amplifications.
type row struct {
	name     string
	star     bool // in the ordinary suite
	scenario sim.Scenario
	recovery span    // reference, in s
	amp      span    // reference; the zero span is not in the table
	most     float64 // of the amplification, where a vector says it; 0 for none
	modes    bool    // some seeds recover and some never do
	strays   int     // seeds that are outside although the model is right, see the comment there
}

// play runs all seeds.
func (r row) play(t *testing.T) []sim.Result {
	t.Helper()
	if err := r.scenario.Check(); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	var results []sim.Result
	for seed := range seeds {
		s := r.scenario
		s.Seed = uint64(seed + 1)
		result, err := sim.Run(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
	return results
}

// misses says which seeds are outside of the bands, if they are more than known to be.
func (r row) misses(results []sim.Result) []string {
	var list []string
	outside := 0
	recovery, amp := r.recovery.wider(5).whole(), r.amp.wider(0.05)
	recovered := 0
	for i, result := range results {
		if result.Recovered() {
			recovered++
		}
		before := len(list)
		if !recovery.holds(result.Recovery) {
			list = append(list, fmt.Sprintf("seed %d: recovery %v s; want %v", i+1, result.Recovery, recovery))
		}
		if r.amp != (span{}) && !amp.holds(result.Amplification) || r.most > 0 && result.Amplification > r.most {
			list = append(list, fmt.Sprintf("seed %d: amplification %.3f; want %v, at most %v", i+1, result.Amplification, amp, r.most))
		}
		if len(list) > before {
			outside++
		}
	}
	if outside <= r.strays {
		list = nil
	}
	if r.modes && (recovered == 0 || recovered == len(results)) {
		list = append(list, fmt.Sprintf("%d of %d seeds recover; want two modes", recovered, len(results)))
	}
	return list
}

// summary is a line for people.
func summary(name string, results []sim.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-60s", name)
	for _, r := range results {
		fmt.Fprintf(&b, " %5.0f/%.2f", r.Recovery, r.Amplification)
	}
	return b.String()
}

// retries is the model's policy: so many retries after up to base, 2*base, 4*base …
func retries(n int, base time.Duration, gates ...func(sim.Client) retry.Gate) func(sim.Client) *retry.Policy {
	return func(c sim.Client) *retry.Policy {
		p := &retry.Policy{MaxAttempts: 1 + n, Backoff: backoff.Exponential{Base: base}, Idempotent: true}
		if base == 0 {
			p.Backoff = backoff.Constant{}
		}
		for _, g := range gates {
			p.Gates = append(p.Gates, g(c))
		}
		return p
	}
}

// three is the policy of most rows.
func three(gates ...func(sim.Client) retry.Gate) func(sim.Client) *retry.Policy {
	return retries(3, 100*time.Millisecond, gates...)
}

func bucket(most float64) func(sim.Client) retry.Gate {
	return func(sim.Client) retry.Gate { return &budget.Budget{Max: most} }
}

// each makes a gate of its own for each client.
func each[G retry.Gate](gate func(sim.Client) G) func(sim.Client) retry.Gate {
	return func(c sim.Client) retry.Gate { return gate(c) }
}

func finagle(f func() *profile.Finagle) func(sim.Client) *retry.Policy {
	return three(each(func(sim.Client) *profile.Finagle { return f() }))
}

func sre(k, most float64, window time.Duration) func(sim.Client) *retry.Policy {
	return three(func(c sim.Client) retry.Gate {
		return &profile.SRE{K: k, Most: most, Window: window, Ratio: 1, Rand: c.Rand} // the throttle alone
	})
}

// shared makes one breaker for all clients of a run.
func shared(r breaker.Rules) func(sim.Client) retry.Gate {
	var b *breaker.Breaker
	return func(c sim.Client) retry.Gate {
		if c.Number == 0 {
			b = &breaker.Breaker{Rules: r, Rand: c.Rand}
		}
		return b
	}
}

// window is the breaker of the table: 50 %, 10 s, min 20, open 5 s, 10 probes.
var window = breaker.Rules{Classic: true, Probes: 10, MaxOpenFor: 5 * time.Second}

// onRetries asks a gate about retries only.
type onRetries struct{ retry.Gate }

func (o onRetries) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number == 1 {
		return nil
	}
	return o.Gate.Admit(ctx, a)
}

// operated is a scenario whose queue is full of retries when an operator stops something for a while, at 200 s.
func operated(state halt.State, d time.Duration) sim.Scenario {
	const at = 200 * time.Second
	var stops *halt.Tree
	return sim.Scenario{
		Queue: 500, From: at,
		Policy: three(func(c sim.Client) retry.Gate {
			if c.Number == 0 {
				stops = &halt.Tree{Ramp: halt.Ramp{Step: 1}} // all at once, as the table has it
			}
			return stops.Gate("venue")
		}),
		Actions: []sim.Action{
			{At: at, Do: func() {
				_, err := stops.Stop(halt.Command{Scope: "venue", State: state, Who: "a", Why: "storm"})
				must(err, stops.Close()) // which waits until all who wait have been told
			}},
			{At: at + d, Do: func() {
				now, err := stops.Look("venue")
				_, refused := stops.Resume(halt.Release{Scope: "venue", Epoch: now.Epoch, Requester: "b", Approver: "c", Why: "over"})
				must(err, refused)
			}},
		},
	}
}

func must(errs ...error) {
	if err := errors.Join(errs...); err != nil {
		panic(err)
	}
}

// named is a policy that the command knows.
func named(name string, arrivals float64, clients int) sim.Scenario {
	n, err := sim.Find(name)
	if err != nil {
		panic(err)
	}
	return n.Scenario(arrivals, clients, 0)
}

const ms = time.Millisecond

// The rows that collapse come first: a model that cannot fail proves nothing.
var collapses = []row{
	{name: "3 retries, immediate", star: true, scenario: sim.Scenario{Policy: retries(3, 0)}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "S2 3 retries, jitter 0.1 s", star: true, scenario: sim.Scenario{Policy: three()}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "3 retries, jitter 1 s", scenario: sim.Scenario{Policy: retries(3, time.Second)}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "1 retry", star: true, scenario: sim.Scenario{Policy: retries(1, 100*ms)}, recovery: span{never, never}, amp: span{2, 2}},
	{name: "3 retries, λ 30", scenario: sim.Scenario{Arrivals: 30, Policy: three()}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "3 retries, λ 50", scenario: sim.Scenario{Arrivals: 50, Policy: three()}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "3 retries, stall 1 s", scenario: sim.Scenario{Stall: time.Second, Policy: three()}, recovery: span{0, never}, modes: true},
	{name: "3 retries, stall 2 s", scenario: sim.Scenario{Stall: 2 * time.Second, Policy: three()}, recovery: span{never, never}},
	{name: "3 retries, queue 500", scenario: sim.Scenario{Queue: 500, Policy: three()}, recovery: span{never, never}, amp: span{4, 4}},
	{name: "3 retries, expired work dropped if remaining > 0", scenario: sim.Scenario{DropExpired: true, Margin: -1, Policy: three()},
		recovery: span{15, never}, amp: span{2.9, 2.9}, modes: true},
	{name: "finagle", star: true, scenario: named("finagle", 80, 1), recovery: span{never, never}, amp: span{1.33, 1.33}},
	{name: "finagle, 100 clients", scenario: named("finagle", 80, 100), recovery: span{never, never}, amp: span{4, 4}},
	{name: "finagle, ratio 0.25, floor 0", scenario: sim.Scenario{Policy: finagle(func() *profile.Finagle {
		return &profile.Finagle{Percent: 0.25, Min: profile.None}
	})}, recovery: span{never, never}, amp: span{1.25, 1.25}},
	{name: "envoy", scenario: named("envoy", 80, 1), recovery: span{never, never}, amp: span{1.26, 1.26}},
	{name: "envoy, 100 clients", scenario: named("envoy", 80, 100), recovery: span{never, never}, amp: span{3.15, 3.15}},
	{name: "operator, queue 500: stop retries for 10 s", scenario: operated(halt.NoRetries, 10*time.Second), recovery: span{never, never}},
	{name: "3 retries, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second, Policy: three()}, recovery: span{never, never}},
}

var recoveries = []row{
	{name: "S1 no retries", star: true, recovery: span{32, 48}, amp: span{1, 1}, most: 1.02},
	{name: "S7 3 retries, λ 20", star: true, scenario: sim.Scenario{Arrivals: 20, Policy: three()}, recovery: span{20, 32}, amp: span{4, 4}},
	{name: "3 retries, λ 24", scenario: sim.Scenario{Arrivals: 24, Policy: three()}, recovery: span{98, 293}, amp: span{4, 4}},
	{name: "3 retries, stall 0.5 s", scenario: sim.Scenario{Stall: 500 * ms, Policy: three()}},
	{name: "S8 3 retries, queue 50", scenario: sim.Scenario{Queue: 50, Policy: three()}, amp: span{1, 1}, most: 1.05},
	{name: "3 retries, expired work dropped with a margin of 50 ms", star: true, scenario: sim.Scenario{DropExpired: true, Policy: three()}, amp: span{1.02, 1.02}},
	{name: "3 retries, LIFO above depth 50", star: true, scenario: sim.Scenario{LIFOAbove: 50, Policy: three()}, amp: span{1.02, 1.02}},
	{name: "no retries, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second}, recovery: span{20, 33}},

	{name: "S4 relent bucket 0.1, capacity 10", star: true, scenario: sim.Scenario{Policy: three(bucket(10))},
		recovery: span{34, 42}, amp: span{1, 1}, most: 1.02},
	{name: "S5 relent bucket 0.1, capacity 2, 100 clients", star: true, scenario: sim.Scenario{Clients: 100, Policy: three(bucket(2))},
		recovery: span{41, 47}, amp: span{1, 1}},
	{name: "relent bucket, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second, Policy: three(bucket(10))},
		recovery: span{24, 32}},
	{name: "relent bucket, λ 95", scenario: sim.Scenario{Arrivals: 95, Policy: three(bucket(10))}, recovery: span{164, 280}, amp: span{1, 1}},
	{name: "aws-2025, 1 client", scenario: named("aws-2025", 80, 1), recovery: span{39, 49}, amp: span{1, 1}},
	{name: "aws-2025, 100 clients", scenario: named("aws-2025", 80, 100), recovery: span{516, 530}, amp: span{3.96, 3.96}},
	{name: "aws-2026, 1 client", scenario: named("aws-2026", 80, 1), recovery: span{34, 43}, amp: span{1, 1}},
	{name: "aws-2026, 100 clients", scenario: named("aws-2026", 80, 100), recovery: span{212, 227}, amp: span{1.35, 1.35}},
	{name: "grpc 10/0.1, 1 client", scenario: named("grpc", 80, 1), recovery: span{30, 43}, amp: span{1, 1}},
	{name: "grpc 10/0.1, 100 clients", scenario: named("grpc", 80, 100), recovery: span{52, 67}, amp: span{1, 1}},
	{name: "finagle, λ 70", scenario: named("finagle", 70, 1), recovery: span{129, 179}},
	{name: "finagle, λ 60", scenario: named("finagle", 60, 1), recovery: span{30, 49}},
	{name: "finagle, ratio 0.1, floor 0", scenario: sim.Scenario{Policy: finagle(func() *profile.Finagle {
		return &profile.Finagle{Percent: 0.1, Min: profile.None}
	})}, recovery: span{49, 79}, amp: span{1.10, 1.10}},
	// Of 60 seeds, 54 are in the band; the median is 49 s. Seed 4 takes 37 s. The reference counts a retry in its backoff as
	// active, Envoy does not, so there are a few less of them here.
	{name: "envoy, λ 70", scenario: named("envoy", 70, 1), recovery: span{51, 76}, amp: span{1.25, 1.25}, strays: 1},
	{name: "sre K 2, window 120 s", scenario: sim.Scenario{Policy: sre(2, 1, 120*time.Second), Horizon: 1000 * time.Second},
		recovery: span{705, 829}, amp: span{2.65, 2.65}},
	{name: "sre K 2, window 10 s", scenario: sim.Scenario{Policy: sre(2, 1, 10*time.Second)}, recovery: span{41, 49}, amp: span{.01, .01}},
	{name: "sre K 2, window 10 s, cap 0.9", scenario: sim.Scenario{Policy: sre(2, .9, 10*time.Second)}, recovery: span{26, 28}, amp: span{.19, .19}},
	// Of 60 seeds, 56 are in the band. Seed 4 takes 450 s, and 5 has an amplification of 0.579 instead of 0.584: when the first
	// probes get through is a matter of luck.
	{name: "sre K 1/0.9, window 60 s, cap 0.9", scenario: sim.Scenario{Policy: sre(1/.9, .9, time.Minute), Horizon: 1000 * time.Second},
		recovery: span{618, never}, amp: span{.73, .73}, strays: 2},
	{name: "breaker 50 %, 10 s, min 20, open 5 s, 10 probes", scenario: sim.Scenario{Policy: three(shared(window))},
		recovery: span{11, 11}, amp: span{.70, .70}},
	{name: "the same breaker on retries only", scenario: sim.Scenario{Policy: three(func() func(sim.Client) retry.Gate {
		b := shared(window)
		return func(c sim.Client) retry.Gate { return onRetries{b(c)} }
	}())}, recovery: span{53, 74}, amp: span{1, 1}},
	{name: "the same breaker and the relent bucket", star: true, scenario: sim.Scenario{Policy: three(shared(window), bucket(10))},
		recovery: span{6, 6}, amp: span{.95, .95}},
	{name: "relent+breaker, 1 client", star: true, scenario: named("relent+breaker", 80, 1), recovery: span{6, 6}, amp: span{.95, .95}},
	{name: "relent+breaker, 100 clients", scenario: named("relent+breaker", 80, 100), recovery: span{6, 6}, amp: span{.95, .95}},
	{name: "operator, queue 500: stop all for 5 s", scenario: operated(halt.Stopped, 5*time.Second), recovery: span{6, 6}},
	{name: "operator, queue 500: stop retries for 30 s", scenario: operated(halt.NoRetries, 30*time.Second), recovery: span{13, 23}},
	{name: "relent bucket, deadline known to the server", star: true, scenario: sim.Scenario{DropExpired: true, Policy: three(bucket(10))},
		amp: span{1, 1}},
}

// check plays rows, and complains.
func check(t *testing.T, rows []row) {
	for _, r := range rows {
		if !r.star && !long {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			results := r.play(t)
			t.Log(summary(r.name, results))
			for _, miss := range r.misses(results) {
				t.Error(miss)
			}
		})
	}
}

func TestCollapses(t *testing.T)  { check(t, collapses) }
func TestRecoveries(t *testing.T) { check(t, recoveries) }

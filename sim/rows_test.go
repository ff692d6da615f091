package sim_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
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

// misses says which seeds are outside of the bands.
func (r row) misses(results []sim.Result) []string {
	var list []string
	recovery, amp := r.recovery.wider(5).whole(), r.amp.wider(0.05)
	recovered := 0
	for i, result := range results {
		if result.Recovered() {
			recovered++
		}
		if !recovery.holds(result.Recovery) {
			list = append(list, fmt.Sprintf("seed %d: recovery %v s; want %v", i+1, result.Recovery, recovery))
		}
		if r.amp != (span{}) && !amp.holds(result.Amplification) || r.most > 0 && result.Amplification > r.most {
			list = append(list, fmt.Sprintf("seed %d: amplification %.3f; want %v, at most %v", i+1, result.Amplification, amp, r.most))
		}
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
	{name: "3 retries, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second, Policy: three()}, recovery: span{never, never}},
}

var recoveries = []row{
	{name: "S1 no retries", star: true, recovery: span{32, 48}, amp: span{1, 1}, most: 1.02},
	{name: "S7 3 retries, λ 20", star: true, scenario: sim.Scenario{Arrivals: 20, Policy: three()}, recovery: span{20, 32}, amp: span{4, 4}},
	{name: "3 retries, λ 24", scenario: sim.Scenario{Arrivals: 24, Policy: three()}, recovery: span{98, 293}, amp: span{4, 4}},
	{name: "3 retries, stall 0.5 s", scenario: sim.Scenario{Stall: 500 * ms, Policy: three()}},
	{name: "S8 3 retries, queue 50", scenario: sim.Scenario{Queue: 50, Policy: three()}, amp: span{1, 1}, most: 1.05},
	{name: "3 retries, expired work dropped with a margin of 50 ms", star: true, scenario: sim.Scenario{DropExpired: true, Policy: three()}, amp: span{1.02, 1.02}},
	{name: "3 retries, LIFO above depth 50", scenario: sim.Scenario{LIFOAbove: 50, Policy: three()}, amp: span{1.02, 1.02}},
	{name: "no retries, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second}, recovery: span{20, 33}},

	{name: "S4 relent bucket 0.1, capacity 10", star: true, scenario: sim.Scenario{Policy: three(bucket(10))},
		recovery: span{34, 42}, amp: span{1, 1}, most: 1.02},
	{name: "S5 relent bucket 0.1, capacity 2, 100 clients", star: true, scenario: sim.Scenario{Clients: 100, Policy: three(bucket(2))},
		recovery: span{41, 47}, amp: span{1, 1}},
	{name: "relent bucket, spike ×3 for 5 s", scenario: sim.Scenario{Stall: -1, Spike: 3, SpikeFor: 5 * time.Second, Policy: three(bucket(10))},
		recovery: span{24, 32}},
	{name: "relent bucket, λ 95", scenario: sim.Scenario{Arrivals: 95, Policy: three(bucket(10))}, recovery: span{164, 280}, amp: span{1, 1}},
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

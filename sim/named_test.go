package sim_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/sim"
)

func TestNames(t *testing.T) {
	want := []string{"none", "retry3", "relent", "relent+breaker", "finagle", "envoy", "grpc", "aws-2025", "aws-2026", "sre"}
	if got := sim.Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %q; want %q", got, want)
	}
	for _, name := range sim.Names() {
		n, err := sim.Find(name)
		if err != nil || n.Name != name || n.About == "" {
			t.Errorf("Find(%q) = %+v, %v", name, n, err)
		}
		s := n.Scenario(80, 2, 1)
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if (s.Policy == nil) != (name == "none") {
			t.Errorf("%s: no policy, or one too many", name)
		}
		if s.Policy != nil {
			if p := s.Policy(sim.Client{Of: 2}); p.Check() != nil || p.Name != name || p.Attempts() != 4 {
				t.Errorf("%s: %+v, %v", name, p, p.Check())
			}
		}
	}
	const message = `unknown policy "nope": want one of none, retry3, relent, relent+breaker, finagle, envoy, grpc, aws-2025, aws-2026, sre`
	if _, err := sim.Find("nope"); err == nil || err.Error() != message {
		t.Errorf("Find = %v; want %s", err, message)
	}
}

// Runs are as long as the forecast asks for.
func TestNamedHorizon(t *testing.T) {
	for _, test := range []struct {
		name     string
		arrivals float64
		clients  int
		want     time.Duration
	}{
		{"aws-2025", 80, 100, 1000 * time.Second}, {"aws-2026", 80, 100, 0}, {"relent", 80, 100, 0}, {"relent", 80, 1, 0}, {"none", 80, 1, 0},
		{"none", 98, 1, 1000 * time.Second}, {"relent", 0, -1, 0},
	} {
		n, err := sim.Find(test.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Scenario(test.arrivals, test.clients, 1).Horizon; got != test.want {
			t.Errorf("%s at λ %v, %d clients: horizon %v; want %v", test.name, test.arrivals, test.clients, got, test.want)
		}
	}
}

// A fleet saves up less, and breakers are shared by the clients of a run and by nobody else.
func TestGatesOfClients(t *testing.T) {
	if alone, fleet := sim.Budget(sim.Client{Of: 20}).Max, sim.Budget(sim.Client{Of: 21}).Max; alone != 10 || fleet != 2 {
		t.Errorf("a client saves up %v, one of a fleet %v; want 10, 2", alone, fleet)
	}
	n, _ := sim.Find("relent+breaker")
	one, other := n.Policies(), n.Policies()
	first, second := one(sim.Client{Number: 0, Of: 2}), one(sim.Client{Number: 1, Of: 2})
	if first.Gates[0] != second.Gates[0] || first.Gates[1] == second.Gates[1] || first.Gates[0] == other(sim.Client{}).Gates[0] {
		t.Error("clients should share a breaker, and have buckets of their own; runs should share nothing")
	}
}

// With nothing but defaults, with one client and with a hundred, every seed recovers: faster than without
// retries, as far as the breaker is concerned.
func TestDefaultsRecover(t *testing.T) {
	for _, test := range []struct {
		name    string
		guarded bool
		slowest float64
	}{{"bucket", false, 56}, {"breaker and bucket", true, 20}} {
		for _, clients := range []int{1, 100} {
			t.Run(fmt.Sprintf("%s, %d clients", test.name, clients), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(seeds) {
					var shared *breaker.Breaker
					r := run(t, sim.Scenario{Seed: seed + 1, Clients: clients, Policy: func(c sim.Client) *retry.Policy {
						p := &retry.Policy{Idempotent: true}
						if c.Number == 0 {
							shared = &breaker.Breaker{Rand: c.Rand}
						}
						if test.guarded {
							p.Gates = append(p.Gates, shared)
						}
						p.Gates = append(p.Gates, sim.Budget(c))
						return p
					}})
					if r.Recovery > test.slowest || r.Amplification > 1.02 {
						t.Errorf("seed %d: recovery %v s, amplification %.2f; want at most %v s, 1.02", seed+1, r.Recovery, r.Amplification, test.slowest)
					}
				}
			})
		}
	}
}

func ExampleRun() {
	// Three retries per operation keep a server down that was at 80 % and stalled for ten seconds.
	storm, _ := sim.Find("retry3")
	r, _ := sim.Run(context.Background(), storm.Scenario(80, 1, 1))
	fmt.Printf("retry3: recovered %v, %.1f attempts per operation\n", r.Recovered(), r.Amplification)

	// The same with a budget that only successes fund.
	calm, _ := sim.Find("relent")
	r, _ = sim.Run(context.Background(), calm.Scenario(80, 1, 1))
	fmt.Printf("relent: recovered %v, %.1f attempts per operation\n", r.Recovered(), r.Amplification)
	// Output:
	// retry3: recovered false, 4.1 attempts per operation
	// relent: recovered true, 1.0 attempts per operation
}

func ExampleContest() {
	calls := map[string]int{}
	for _, s := range sim.Spacings() {
		score, _ := sim.Contest{Clients: 100, Seed: 1, Backoff: s.Backoff}.Play(context.Background())
		calls[s.Name] = score.Calls
	}
	fmt.Println("full jitter spares half of the calls:", calls["full"] < calls["exponential"]/2)
	// Output:
	// full jitter spares half of the calls: true
}

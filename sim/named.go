package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/retry"
)

// A Named policy is one that people compare. All but "none" make up to three retries, after up to 0.1, 0.2 and
// 0.4 s: they differ only in the gates that may refuse an attempt.
type Named struct {
	Name  string
	About string // in a few words

	savings func(clients int) float64 // retries that each client has saved up; nil for none
	gates   func() gating             // nil for no retries
}

// A gating returns the gates of each client of one run, in order from 0.
type gating func(Client) []retry.Gate

// named are all of them, in the order of the documentation.
var named = []Named{
	{Name: "none", About: "no retries"},
	{Name: "retry3", About: "three retries, jitter 0.1 s", gates: own(nil)},
	{Name: "relent", About: "a bucket that successes fund", savings: capacity,
		gates: own(func(c Client) retry.Gate { return Budget(c) })},
	{Name: "relent+breaker", About: "the bucket, and a breaker that all clients share", savings: capacity, gates: guarded},
	{Name: "finagle", About: "a budget that requests fund, and 10 retries/s in any case",
		gates: own(func(Client) retry.Gate { return &profile.Finagle{} })},
	{Name: "envoy", About: "retries up to 20 % of what is in flight, at least 3",
		gates: own(func(Client) retry.Gate { return &profile.Envoy{} })},
	{Name: "grpc", About: "retry throttling of gRFC A6, 10 tokens", savings: fixed(5),
		gates: own(func(Client) retry.Gate { return &profile.GRPC{} })},
	{Name: "aws-2025", About: "a quota of 500, of which a retry takes 5", savings: fixed(500. / 5),
		gates: own(func(Client) retry.Gate { return &profile.AWS2025{} })},
	{Name: "aws-2026", About: "a quota of 500, of which a retry takes 14", savings: fixed(500. / 14),
		gates: own(func(Client) retry.Gate { return &profile.AWS2026{} })},
	{Name: "sre", About: "10 % retries, and throttling with K 2 over 10 s",
		gates: own(func(c Client) retry.Gate { return &profile.SRE{Rand: c.Rand} })},
}

// own gives each client a gate of its own; nil is no gate.
func own(gate func(Client) retry.Gate) func() gating {
	return func() gating {
		return func(c Client) []retry.Gate {
			if gate == nil {
				return nil
			}
			return []retry.Gate{gate(c)}
		}
	}
}

// guarded is a bucket for each client behind a breaker for all. The breaker stays open for 5 s however
// often its probes fail: with the doubling that is the default the way back takes some seconds more.
func guarded() gating {
	var shared *breaker.Breaker
	return func(c Client) []retry.Gate {
		if c.Number == 0 {
			shared = &breaker.Breaker{Rules: breaker.Rules{Probes: 10, MaxOpenFor: breaker.DefaultOpenFor}, Rand: c.Rand}
		}
		return []retry.Gate{shared, Budget(c)}
	}
}

func fixed(n float64) func(int) float64 { return func(int) float64 { return n } }

// fleet is how many clients make a fleet, in which each may save up little.
const fleet = 20

// Budget returns relent's bucket as a client among others should have it.
func Budget(c Client) *budget.Budget { return &budget.Budget{Max: capacity(c.Of)} }

// capacity is how many retries one of so many clients should save up.
func capacity(clients int) float64 {
	if clients > fleet {
		return 2
	}
	return budget.DefaultMax
}

// Names returns the names that [Find] knows.
func Names() []string {
	names := make([]string, len(named))
	for i, n := range named {
		names[i] = n.Name
	}
	return names
}

// Find returns a policy by its name. The error lists all names.
func Find(name string) (Named, error) {
	for _, n := range named {
		if n.Name == name {
			return n, nil
		}
	}
	return Named{}, fmt.Errorf("unknown policy %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Policies returns what a Scenario asks for the policy of each client. It is for one run at a time.
func (n Named) Policies() func(Client) *retry.Policy {
	if n.gates == nil {
		return nil
	}
	gates := n.gates()
	return func(c Client) *retry.Policy {
		return &retry.Policy{
			Name:        n.Name,
			MaxAttempts: 4,
			Backoff:     backoff.Exponential{Base: 100 * time.Millisecond},
			Idempotent:  true,
			Gates:       gates(c),
		}
	}
}

// Scenario returns the reference scenario for the policy. It is long enough for the recovery that the closed
// form forecasts: 400 s, or 1000 s if that is more than 300 s.
func (n Named) Scenario(arrivals float64, clients int, seed uint64) Scenario {
	s := Scenario{Seed: seed, Arrivals: arrivals, Clients: clients, Policy: n.Policies()}
	c := s.complete()
	f := Forecast{Arrivals: c.Arrivals, Service: c.Service, Timeout: c.Timeout, Stall: c.Stall, Clients: c.Clients}
	if n.savings != nil {
		f.Allowance = n.savings(c.Clients)
	}
	if f.Recovery() > 300 {
		s.Horizon = 1000 * time.Second
	}
	return s
}

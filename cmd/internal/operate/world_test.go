package operate

import (
	"time"

	"github.com/relent-go/relent/control"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// world is a fleet with one of everything, n seconds after noon.
func world(n uint64) control.View {
	now := noon.Add(time.Duration(n) * time.Second)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	outcomes := func(first, retried, failed uint64) map[string]uint64 {
		return map[string]uint64{"success_first_try": first, "success_after_retry": retried, "exhausted": failed}
	}
	return control.View{
		Instance: "fleet", Epoch: 7, Since: ago(26 * time.Hour), At: now, Build: control.Build{Version: "v1.4.0", Revision: "abc", Go: "go1.26"},
		Policies: []control.PolicyView{
			{Name: "binance.place_order", Component: "binance", Policy: "up to 2 attempts, waiting exponential(50ms, x2, max 2s, full)", Version: 2,
				Base: map[string]string{"max_attempts": "3"}, Override: map[string]string{"max_attempts": "2"},
				Outcomes: outcomes(900+n*9, 60+n*2, 40+n), Attempts: 1200 + n*15, InFlight: 2, Waiting: 1, Suppressed: map[string]uint64{"budget": 4, "breaker": 0}},
			{Name: "market_data.fetch_a_rather_long_name_of_an_order_book", Outcomes: outcomes(500_000, 0, 1), Attempts: 500_001},
			{Name: "model.predict", Outcomes: outcomes(0, 0, 0)},
			{Name: "fix.heartbeat", Outcomes: outcomes(1_000_000+n*1234, 0, 0), Attempts: 1_000_000 + n*1234},
		},
		Circuits: []control.CircuitView{
			{Policy: "binance.place_order", Target: "api.binance.com", State: "open", Since: ago(4 * time.Minute), FailureRate: .62, NextProbe: now.Add(3 * time.Second), Critical: true, Cause: "failure rate 62 % of 40"},
			{Policy: "model.predict", State: "half_open", Since: ago(2 * time.Second), FailureRate: .5},
			{Target: "okx", State: "closed", Since: ago(time.Hour)},
			{Target: "dns", State: "isolated", Forced: true, Since: ago(time.Minute)},
		},
		Budgets: []control.BudgetView{{Name: "orders", Level: .4, Max: 10, Granted: 12_345, Denied: 67}, {Name: "reads", Level: 100, Max: 100}},
		Stops: []control.StopView{
			{Scope: "equities/binance", State: "risk-reducing", Epoch: 3, Actor: "ann", Source: "cli", Reason: "prices look wrong", Ticket: "OPS-12", Since: ago(4 * time.Minute), Expires: now.Add(26 * time.Minute)},
			{Scope: "research", State: "stopped", Epoch: 1, Drill: true, Actor: "bob", Since: ago(time.Second)},
			{Scope: "fx", State: "running", Epoch: 5, Ramp: .1, Actor: "eve"},
			{Scope: "old", State: "running", Epoch: 2},
		},
		Venues: []control.VenueView{
			{Name: "binance", Unknown: 3, OldestUnknown: ago(95 * time.Second), Parked: 1, GuardTrips: 11, Reconnects: map[string]uint64{"eof": 4}, Headroom: map[string]float64{"weight": .9, "orders, 10 s": .24}},
			{Name: "okx", BannedUntil: now.Add(2 * time.Minute)},
			{Name: "kraken", Unknown: 1},
			{Name: "alpaca", BannedUntil: ago(time.Hour)},
		},
		Components: []control.ComponentView{
			{Name: "binance", Critical: true, State: "degraded", Cause: "clock"}, {Name: "clock", State: "failing", Cause: "2.1 s off", Stuck: true}, {Name: "okx", State: "up"},
		},
		Findings: []control.FindingView{
			{Kind: "retry_storm", Subject: "binance.place_order", Severity: "page", Summary: "one call in three is a retry, for four minutes, and the share of calls that they save is falling",
				Action: "stop retries of binance, then look at the venue", Since: ago(4 * time.Minute)},
			{Kind: "slow", Subject: "model.predict", Severity: "ticket", Summary: "slower", Since: ago(time.Hour)},
		},
		Audit:     &control.AuditView{Records: 12_345, WriteErrors: 2, Broken: true},
		Config:    &control.ConfigView{Hash: "0123456789abcdef", Loaded: ago(49 * time.Hour), Errors: []string{"policies.x: bad"}},
		Instances: []control.InstanceView{{Name: "desk-1", Connected: true, Seen: ago(time.Second), Version: "v1.4.0", Config: "0123456789"}, {Name: "desk-2", Seen: ago(3 * time.Hour)}},
		Dropped:   map[string]uint64{"spool": 3},
	}
}

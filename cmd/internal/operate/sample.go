package operate

import (
	"encoding/json"
	"math"
	"time"

	"github.com/relent-go/relent/control"
)

// A ratio is a number whose JSON is null where there is none: a share of nothing.
type ratio float64

// MarshalJSON implements json.Marshaler.
func (r ratio) MarshalJSON() ([]byte, error) {
	if r.none() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

func (r ratio) none() bool { return math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) }

// A count is what the counters of a policy say, or a difference of two such.
type count struct {
	calls, first, recovered, attempts uint64
}

func countOf(p *control.PolicyView) (c count) {
	for _, n := range p.Outcomes {
		c.calls += n
	}
	c.first = p.Outcomes[control.SuccessFirstTry.String()]
	c.recovered = p.Outcomes[control.SuccessAfterRetry.String()]
	c.attempts = p.Attempts
	return c
}

// since returns c less b. A counter that fell, because a process left the fleet, tells nothing.
func (c count) since(b count) count {
	return count{less(c.calls, b.calls), less(c.first, b.first), less(c.recovered, b.recovered), less(c.attempts, b.attempts)}
}

func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// Shares are what became of calls, before and after retries.
type shares struct {
	Calls         uint64 `json:"calls"`
	Attempts      uint64 `json:"attempts"`
	Success       ratio  `json:"success"`       // share of the calls
	FirstTry      ratio  `json:"first_try"`     // share of the calls that needed no retry
	Amplification ratio  `json:"amplification"` // attempts of a call
}

func (c count) shares() shares {
	n := ratio(c.calls)
	return shares{c.calls, c.attempts, ratio(c.first+c.recovered) / n, ratio(c.first) / n, ratio(c.attempts) / n}
}

// A policy is one operation as status shows it.
type policy struct {
	Name       string            `json:"name"`
	Component  string            `json:"component,omitempty"`
	Policy     string            `json:"policy"` // what is in force, in words
	Version    uint64            `json:"version"`
	Base       map[string]string `json:"base,omitempty"`
	Override   map[string]string `json:"override,omitempty"`
	CallRate   ratio             `json:"calls_per_second"`
	RetryRate  ratio             `json:"retries_per_second"`
	Window     shares            `json:"window"`
	Since      shares            `json:"since_start"`
	InFlight   int64             `json:"in_flight"`
	Waiting    int64             `json:"waiting"`
	Suppressed map[string]uint64 `json:"suppressed,omitempty"` // retries not made since the start, those that are not zero
}

// shown are the shares that a person sees: of the window, or of all time if nothing happened in it.
func (p *policy) shown() (s shares, old bool) {
	if p.Window.Calls > 0 {
		return p.Window, false
	}
	return p.Since, p.Since.Calls > 0
}

// A status is a view and what moved since the one before.
type status struct {
	V        int       `json:"v"`
	Server   string    `json:"server"`
	At       time.Time `json:"at"`
	Instance string    `json:"instance"`
	Since    time.Time `json:"since"`
	Build    buildView `json:"build"`
	Window   float64   `json:"window_seconds"` // over which rates and the shares of the window are; 0: there are none yet

	Stops      []control.StopView      `json:"stops"`
	Findings   []control.FindingView   `json:"findings"`
	Policies   []policy                `json:"policies"`
	Circuits   []control.CircuitView   `json:"circuits"`
	Budgets    []control.BudgetView    `json:"budgets"`
	Venues     []control.VenueView     `json:"venues"`
	Components []control.ComponentView `json:"components"`
	Instances  []control.InstanceView  `json:"instances"`
	Audit      *control.AuditView      `json:"audit,omitempty"`
	Config     *control.ConfigView     `json:"config,omitempty"`
	Dropped    map[string]uint64       `json:"dropped,omitempty"`
	Settings   []setting               `json:"settings,omitempty"` // with -v: where they come from
}

type buildView = control.Build

// compare makes a status of two views; before may be that of another process, or the same one.
func compare(before, now *control.View) *status {
	s := &status{
		V: 1, At: now.At, Instance: now.Instance, Since: now.Since, Build: now.Build,
		Stops: some(now.Stops), Findings: some(now.Findings), Policies: []policy{}, Circuits: some(now.Circuits), Budgets: some(now.Budgets),
		Venues: some(now.Venues), Components: some(now.Components), Instances: some(now.Instances),
		Audit: now.Audit, Config: now.Config, Dropped: now.Dropped,
	}
	old := map[string]count{}
	if window := now.At.Sub(before.At); before.Epoch == now.Epoch && window > 0 {
		s.Window = window.Seconds()
		for i := range before.Policies {
			old[before.Policies[i].Name] = countOf(&before.Policies[i])
		}
	}
	for i := range now.Policies {
		s.Policies = append(s.Policies, s.policy(&now.Policies[i], old))
	}
	return s
}

func (s *status) policy(v *control.PolicyView, old map[string]count) policy {
	all := countOf(v)
	p := policy{
		Name: v.Name, Component: v.Component, Policy: v.Policy, Version: v.Version, Base: v.Base, Override: v.Override,
		InFlight: v.InFlight, Waiting: v.Waiting, Since: all.shares(), CallRate: ratio(math.NaN()), RetryRate: ratio(math.NaN()),
		Window: count{}.shares(), Suppressed: map[string]uint64{},
	}
	for reason, n := range v.Suppressed {
		if n > 0 {
			p.Suppressed[reason] = n
		}
	}
	if s.Window > 0 { // a policy that is new began at 0
		moved := all.since(old[v.Name])
		p.Window = moved.shares()
		p.CallRate = ratio(float64(moved.calls) / s.Window)
		p.RetryRate = ratio(float64(less(moved.attempts, moved.calls)) / s.Window)
	}
	return p
}

// some is a list that is not null in JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

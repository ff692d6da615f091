package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	breakers "github.com/relent-go/relent/gate/breaker/profile"
	"github.com/relent-go/relent/gate/budget"
	budgets "github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// A checker is a gate that knows what is wrong with itself.
type checker interface {
	retry.Gate
	Check() error
}

// policy returns p without gates.
func (p *Policy) policy(name string) *retry.Policy {
	made := &retry.Policy{
		Name:           name,
		MaxElapsed:     p.MaxElapsed.std(),
		AttemptTimeout: p.AttemptTimeout.std(),
		Idempotent:     p.Idempotent,
		Nested:         p.Nested,
		Cost:           int64(p.Cost),
		Priority:       map[string]retry.Priority{"critical": retry.Critical, "sheddable": retry.Sheddable}[p.Priority],
		Backoff:        backoff.Default(),
		Expected:       p.Expected.orNegative(),
		MaxHint:        p.MaxHint.orNegative(),
	}
	if p.MaxAttempts != nil {
		made.MaxAttempts = int(*p.MaxAttempts)
	}
	if p.Backoff != nil {
		made.Backoff = p.Backoff.Strategy
	}
	return made
}

// orNegative is for fields where zero means the default and a negative value zero.
func (d *DurationOrZero) orNegative() time.Duration {
	switch {
	case d == nil:
		return 0
	case *d == 0:
		return -1
	}
	return time.Duration(*d)
}

// orNone is for fields where zero means the default and None zero.
func orNone[T int | float64](v *T) T {
	switch {
	case v == nil:
		return 0
	case *v == 0:
		return budget.None
	}
	return *v
}

// budget returns the gate, without Health.
func (b *Budget) budget(name string) (checker, error) {
	if b.Profile != "" {
		var settings []string
		for key, value := range b.Settings {
			settings = append(settings, key+"="+value)
		}
		slices.Sort(settings)
		return budgets.New(b.Profile, settings...)
	}
	made := &budget.Budget{
		Name: name, Ratio: orNone(b.Ratio), Max: orNone(b.Max), Ceiling: orNone(b.Ceiling), CeilingMin: orNone(b.CeilingMin), Trickle: b.Trickle,
	}
	if c := b.Costs; c != nil {
		made.Costs = budget.Costs{Transient: int64(c.Transient), Ambiguous: int64(c.Ambiguous), Throttled: int64(c.Throttled)}
	}
	if f := b.Floors; f != nil {
		made.Floors = budget.Floors{Normal: float64(f.Normal), Sheddable: float64(f.Sheddable)}
	}
	if o := b.Load; o != nil {
		made.Load = budget.Load{Offered: o.Offered, Capacity: o.Capacity, Clients: o.Clients}
	}
	return made, nil
}

func (b *Breaker) rules() breaker.Rules {
	return breaker.Rules{
		Window: b.Window.std(), Calls: b.Calls, MinSamples: b.MinSamples, FailureRate: float64(b.FailureRate),
		SlowAfter: b.SlowAfter.std(), Classic: b.Classic, SlowRate: float64(b.SlowRate),
		Healthy: float64(b.Healthy), Failing: float64(b.Failing), Latency: b.Latency,
		OpenFor: b.OpenFor.std(), MaxOpenFor: b.MaxOpenFor.std(), Probes: b.Probes, Quorum: b.Quorum, QuorumOpen: b.QuorumOpen,
	}
}

func (b *Breaker) gate(name string) (retry.Gate, error) {
	if b.Profile != "" {
		return breakers.New(b.Profile)
	}
	return &breaker.Breaker{Name: name, Rules: b.rules()}, nil
}

// kind names the field that says what sort of limit it is.
func (m *Limit) kind() string {
	switch {
	case m.Concurrency > 0:
		return "concurrency"
	case m.Rate > 0:
		return "rate"
	case m.Retries != nil:
		return "retries"
	case m.AttemptsPerParent != nil:
		return "attempts_per_parent"
	}
	return ""
}

func (m *Limit) gate(name string) checker {
	var wait time.Duration
	if m.MaxWait != nil {
		wait = time.Duration(*m.MaxWait)
	}
	switch m.kind() {
	case "concurrency":
		return &limit.Concurrency{Name: name, Max: m.Concurrency, MaxWait: wait, MaxWaiters: orNone(m.MaxWaiters)}
	case "rate":
		return &limit.Rate{Name: name, Tokens: m.Rate, Per: m.Per.std(), Burst: m.Burst, MaxWait: wait, MaxWaiters: orNone(m.MaxWaiters)}
	case "retries":
		if m.Per > 0 {
			return &budget.Window{Name: name, Max: orNone(m.Retries), Per: m.Per.std()}
		}
		return &limit.Retries{Name: name, Max: orNone(m.Retries)}
	}
	return &budget.Parents{Name: name, Max: orNone(m.AttemptsPerParent), Loose: m.Loose}
}

// state returns the zero value, which has a default, for a name that is not given.
func state(name string) halt.State {
	if name == "" {
		return halt.Running
	}
	s, _ := halt.ParseState(name)
	return s
}

// tree returns the emergency stop; a nil h is one in memory.
func (h *Halt) tree() *halt.Tree {
	if h == nil {
		return &halt.Tree{}
	}
	t := &halt.Tree{
		File: h.StateFile, Trigger: h.TriggerFile, Approvers: h.Approvers, Designated: h.Designated,
		Ramp: halt.Ramp{Step: h.RampStep.std(), Burst: h.RampBurst}, Lease: h.Lease.std(),
	}
	if o := h.Lost; o != nil {
		t.Lost = halt.Lost{Orders: state(o.Orders), Other: state(o.Other), Reads: state(o.Reads)}
	}
	return t
}

// limits returns those of a scope, and whether there are any.
func (s *Scope) limits() (halt.Limits, bool) {
	l := halt.Limits{
		Attempts: s.Attempts, Messages: s.Messages, Heal: s.Heal.std(), Executions: s.Executions, Duplicates: s.Duplicates, Skew: s.Skew, State: state(s.State),
	}
	return l, l != halt.Limits{}
}

// scope returns the place of a policy in the emergency stop: by default the parts of its name.
func (p *Policy) scope(name string) []string {
	if p.Scope != "" {
		return strings.Split(p.Scope, "/")
	}
	return strings.Split(name, ".")
}

// Profile returns the profile of a budget or breaker, by what policies call it; empty if it has none.
func (f *File) Profile(reference string) string {
	section, name, _ := strings.Cut(reference, ".")
	for _, n := range []string{name, reference} {
		switch section {
		case "budget":
			if b, ok := f.Budgets[n]; ok {
				return b.Profile
			}
		case "breaker":
			if b, ok := f.Breakers[n]; ok {
				return b.Profile
			}
		}
	}
	return ""
}

// ErrUnknownPolicy is what looking up a policy by a name that there is not leads to.
var ErrUnknownPolicy = errors.New("unknown policy")

// UnknownPolicy says which policies there are instead.
type UnknownPolicy struct {
	Name        string
	Suggestions []string
	Names       []string
}

// Error names what may have been meant, or what there is.
func (e *UnknownPolicy) Error() string {
	text := fmt.Sprintf("%v %q", ErrUnknownPolicy, e.Name)
	switch {
	case len(e.Suggestions) > 0:
		return text + "; did you mean " + list(e.Suggestions, "or") + "?"
	case len(e.Names) == 0:
		return text + ": there are none"
	}
	shown := e.Names[:min(8, len(e.Names))]
	text += ": there are " + strings.Join(shown, ", ")
	if len(shown) < len(e.Names) {
		text += ", …"
	}
	return text
}

// Unwrap returns ErrUnknownPolicy.
func (e *UnknownPolicy) Unwrap() error { return ErrUnknownPolicy }

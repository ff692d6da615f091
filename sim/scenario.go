package sim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of a Scenario mean: the reference scenario, at 80 % utilisation.
const (
	DefaultArrivals = 80.0
	DefaultService  = 100.0
	DefaultTimeout  = time.Second
	DefaultHorizon  = 400 * time.Second
	DefaultTrigger  = 60 * time.Second
	DefaultStall    = 10 * time.Second
	DefaultMargin   = 50 * time.Millisecond
)

// The largest values that a run takes; anything above counts as this.
const (
	MostPerSecond = 100_000.0
	MostClients   = 100_000
	MostHorizon   = 24 * time.Hour
)

// A Scenario is one server, its clients, and what goes wrong. It is plain data: derive one by
// copying another. Zero fields mean the reference scenario: 80 operations per second meet a server for
// 100, which stalls for 10 s after a minute. Every value has a meaning, and [Scenario.Check] names the
// odd ones.
type Scenario struct {
	Seed     uint64
	Arrivals float64       // operations per second of all clients together, Poisson; default 80
	Service  float64       // requests per second that the server can do, exponential; default 100
	Timeout  time.Duration // of each attempt, unless its policy has a shorter one; default 1 s
	Clients  int           // share the arrivals evenly; default 1
	Horizon  time.Duration // of the run; default 400 s

	// Policy returns the policy of a client, with gates that are fresh for this run. It is called for
	// each client in order, from 0, when the run begins; gates that clients share are made for client 0.
	// A nil Policy, and a nil result, mean no retries. A policy without Rand draws its jitter from a stream
	// of its client.
	Policy func(Client) *retry.Policy

	Queue       int           // most requests in line; a further one is rejected at once; not positive means no limit
	LIFOAbove   int           // with more in line than this, the newest is served first; not positive means never
	DropExpired bool          // the server knows deadlines, and drops a request that it reaches too late
	Margin      time.Duration // too late is when no more than this is left; default 50 ms, negative means 0

	Trigger  time.Duration // when the trouble begins; default 60 s, negative means at once
	Stall    time.Duration // how long the server then stalls; default 10 s, negative means that it does not
	Spike    float64       // factor of the arrivals from then on; not positive means 1
	SpikeFor time.Duration // how long; not positive means no spike

	Actions []Action      // what an operator does
	From    time.Duration // when counting towards the recovery begins; default, and negative, is the end of the trouble
}

// A Client is one of those that share the arrivals.
type Client struct {
	Number int            // from 0
	Of     int            // how many there are
	Rand   func() float64 // uniform in [0, 1), from a stream of its own: for gates that draw
}

// An Action is what an operator does at a time of the run, such as a stop. Calls that wait then hear
// of a stop at once, as they would from the engine.
type Action struct {
	At time.Duration
	Do func()
}

// Check returns all mistakes in s, joined, each beginning with its field's name, or nil. A scenario
// with mistakes still runs.
func (s Scenario) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		field string
		value float64
		means float64
	}{
		{"Arrivals", s.Arrivals, DefaultArrivals}, {"Service", s.Service, DefaultService}, {"Spike", s.Spike, 1},
	} {
		switch {
		case !(f.value >= 0):
			mistake("%s: %v is not a positive number and counts as %v", f.field, f.value, f.means)
		case f.value > MostPerSecond:
			mistake("%s: %v is above %v and counts as that", f.field, f.value, MostPerSecond)
		}
	}
	for _, f := range []struct {
		field string
		value time.Duration
		means string
	}{
		{"Timeout", s.Timeout, DefaultTimeout.String()}, {"Horizon", s.Horizon, DefaultHorizon.String()},
		{"SpikeFor", s.SpikeFor, "no spike"}, {"From", s.From, "the end of the trouble"},
	} {
		if f.value < 0 {
			mistake("%s: %v is negative and means %s", f.field, f.value, f.means)
		}
	}
	if s.Clients < 0 || s.Clients > MostClients {
		mistake("Clients: %d is not within 1 and %d", s.Clients, MostClients)
	}
	if s.Queue < 0 || s.LIFOAbove < 0 {
		mistake("Queue, LIFOAbove: %d, %d: a negative one means none", s.Queue, s.LIFOAbove)
	}
	c := s.complete()
	if s.Horizon > MostHorizon {
		mistake("Horizon: %v is above %v and counts as that", s.Horizon, MostHorizon)
	} else if c.base()+window*time.Second > c.Horizon {
		mistake("Horizon: %v leaves no %d s after %v to recover in", c.Horizon, window, c.base())
	}
	for i, a := range s.Actions {
		if a.Do == nil || a.At < 0 || a.At >= c.Horizon {
			mistake("Actions[%d]: nothing to do, or not within the run", i)
		}
	}
	return errors.Join(errs...)
}

// complete returns s with every field set to what it means.
func (s Scenario) complete() Scenario {
	s.Arrivals = rate(s.Arrivals, DefaultArrivals)
	s.Service = rate(s.Service, DefaultService)
	s.Spike = rate(s.Spike, 1)
	s.Timeout = cmp.Or(max(0, s.Timeout), DefaultTimeout)
	s.Clients = min(cmp.Or(max(0, s.Clients), 1), MostClients)
	s.Horizon = min(cmp.Or(max(0, s.Horizon), DefaultHorizon), MostHorizon)
	s.Margin = max(0, cmp.Or(s.Margin, DefaultMargin))
	s.Trigger = min(max(0, cmp.Or(s.Trigger, DefaultTrigger)), s.Horizon)
	s.Stall = min(max(0, cmp.Or(s.Stall, DefaultStall)), s.Horizon)
	s.SpikeFor = min(max(0, s.SpikeFor), s.Horizon)
	return s
}

// base is when counting begins. s is complete.
func (s *Scenario) base() time.Duration {
	if s.From > 0 {
		return s.From
	}
	return s.Trigger + max(s.Stall, s.SpikeFor)
}

// rate returns a number per second that a run can bear.
func rate(x, otherwise float64) float64 {
	if !(x > 0) || math.IsInf(x, 1) {
		x = otherwise
	}
	return min(x, MostPerSecond)
}

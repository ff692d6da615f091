package process

import (
	"errors"
	"fmt"
	"net"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/memory"
	"github.com/relent-go/relent/work/job"
)

// A Gate has a name, by which policies refer to it. A *breaker.Breaker and a *budget.Budget can be seen under that name, as circuit
// and budget; a breaker with the name of a component is that component's circuit, and its health follows it.
type Gate struct {
	Name string
	Gate retry.Gate
}

// A Classifier is a classification of errors, such as that of a venue, with a name.
type Classifier struct {
	Name     string
	Classify func(error) retry.Class
}

// Stores keep what outlives a call. One that is nil is in memory, and ends with the process: order services give durable ones.
// Whoever opened a store closes it, after Stop.
type Stores struct {
	Keys   idempotent.Store
	Jobs   job.Store
	Orders order.Log
	Audit  audit.Store
}

// A Config says what a process is made of. The zero value is a process without parts that is not served.
type Config struct {
	Registry    *control.Registry // nil means a new one; its Recorder, if it has none, becomes the audit log, and its Rehearse sim.Rehearse
	Stops       *halt.Tree        // nil means a new one, in memory
	Stores      Stores
	Gates       []Gate
	Classifiers []Classifier
	Components  []control.Component
	Fleet       *control.Fleet // nil: no control plane. Registry and Stops that are nil are filled in
	// Analyzer finds patterns in what calls do: the dashboard and the control plane show them. Nil means one that also has them
	// written to the audit log, unless the Registry has one already, which is somebody else's to run.
	Analyzer  *analytics.Analyzer
	Dashboard dashboard.Config // Source and Commander that are nil are the registry
	Listen    string           // the address that serves the dashboard and the health; empty: none, see Process.Handler
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (c Config) Check() error {
	var errs []error
	for i, g := range c.Gates {
		if g.Name == "" || g.Gate == nil {
			errs = append(errs, fmt.Errorf("Gates: number %d needs both a Name and a Gate", i))
		}
	}
	for i, k := range c.Classifiers {
		if k.Name == "" || k.Classify == nil {
			errs = append(errs, fmt.Errorf("Classifiers: number %d needs both a Name and a Classify", i))
		}
	}
	if c.Stops != nil {
		if err := c.Stops.Check(); err != nil {
			errs = append(errs, fmt.Errorf("Stops: %w", err))
		}
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			errs = append(errs, fmt.Errorf("Listen: %q is not an address with a port: %w", c.Listen, err))
		} else if c.Dashboard.Auth == nil && !loopback(c.Listen) {
			errs = append(errs, fmt.Errorf("Listen: %s is not a loopback address and Dashboard.Auth is nil: anybody could stop trading; set Auth", c.Listen))
		}
	}
	return errors.Join(errs...)
}

// loopback reports whether an address with a port is of this machine only.
func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// filled returns s with stores in memory where there are none.
func (s Stores) filled() Stores {
	if s.Keys == nil {
		s.Keys = &memory.Idempotent{}
	}
	if s.Jobs == nil {
		s.Jobs = &memory.Jobs{}
	}
	if s.Orders == nil {
		s.Orders = &memory.Orders{}
	}
	if s.Audit == nil {
		s.Audit = &memory.Audit{}
	}
	return s
}

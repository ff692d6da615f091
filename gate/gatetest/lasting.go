package gatetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// An end is a way for a call to end.
type end struct {
	name string
	fn   func(cancel context.CancelFunc) error
	with func(retry.Gate) []retry.Gate // other gates around the one that is tested

	learns bool // the gate may hold it against the other side until it has seen that it works again
}

var ends = []end{
	{name: "success", fn: func(context.CancelFunc) error { return nil }},
	{name: "failure", fn: func(context.CancelFunc) error { return errFailed }, learns: true},
	{name: "cancelled by the caller", fn: func(cancel context.CancelFunc) error { cancel(); return context.Canceled }},
	{name: "panic", fn: func(context.CancelFunc) error { panic(errFailed) }, learns: true},
	{name: "Goexit", fn: func(context.CancelFunc) error { runtime.Goexit(); return nil }, learns: true},
	{name: "refused by a later gate", with: func(g retry.Gate) []retry.Gate { return []retry.Gate{g, refuser{}} }},
	{name: "refused by an earlier gate when it begins", with: func(g retry.Gate) []retry.Gate { return []retry.Gate{stopper{}, g} }},
}

const (
	rounds  = 50
	healing = 200
)

// leavesNothing brings calls to each kind of end, and then finds the gate as it was.
func leavesNothing(t *testing.T, s Suite, complain complaint) {
	fresh := s.driver(complain).room(time.Now())
	for _, e := range ends {
		d := s.driver(complain)
		p := d.policy
		p.Gates = []retry.Gate{d.gate}
		if e.with != nil {
			p.Gates = e.with(d.gate)
		}
		p.Backoff = backoff.Constant{Wait: time.Second}
		for range rounds {
			time.Sleep(time.Hour)
			d.run(p, e.fn)
		}
		if e.learns {
			d.heal()
		}
		time.Sleep(time.Hour)
		if got := d.room(time.Now()); less(got, fresh) || !e.learns && got != fresh {
			complain("after %d calls that ended by %s the gate holds %+v at once; want %+v as when it was new", rounds, e.name, got, fresh)
		}
	}
}

// heal lets the gate see that the other side works.
func (d *driver) heal() {
	p := *d.policy
	p.Gates = []retry.Gate{d.gate}
	for range healing {
		time.Sleep(time.Hour)
		d.run(&p, func(context.CancelFunc) error { return nil })
	}
}

func less(a, b room) bool { return a.first < b.first || a.retries < b.retries }

// run makes one call in a goroutine of its own, which may end in any way.
func (d *driver) run(p *retry.Policy, fn func(context.CancelFunc) error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if r := recover(); r != nil && r != errFailed {
				d.complain("the gate panicked: %v", r)
			}
		}()
		retry.Run(ctx, p, func(context.Context) error { return fn(cancel) })
	})
	wg.Wait()
}

// refusalsLeaveNothing fills the gate and goes on asking.
func refusalsLeaveNothing(t *testing.T, s Suite, complain complaint) {
	d := s.driver(complain)
	fresh := d.room(time.Now())
	for range 3 {
		time.Sleep(time.Hour)
		if got := d.room(time.Now()); got != fresh {
			complain("after refusals, and attempts given back, the gate holds %+v at once; want %+v as before", got, fresh)
		}
	}
}

var errRefused = errors.New("refused by another gate")

// A refuser refuses when asked.
type refuser struct{}

func (refuser) Admit(context.Context, *retry.Attempt) error { return errRefused }
func (refuser) Settle(*retry.Attempt, *retry.Outcome)       {}

// A stopper refuses when an attempt begins.
type stopper struct{}

func (stopper) Admit(context.Context, *retry.Attempt) error { return nil }
func (stopper) Start(context.Context, *retry.Attempt) error { return errRefused }
func (stopper) Settle(*retry.Attempt, *retry.Outcome)       {}

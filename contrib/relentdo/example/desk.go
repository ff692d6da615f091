package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/samber/do/v2"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/relentdo"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// A desk asks a venue for prices, from the moment it is made until its shutdown.
type desk struct {
	out      io.Writer
	registry *control.Registry
	fetch    *control.Operation
	asked    int // used by one goroutine
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// newDesk asks the injector for the process, so it is shut down before it.
func newDesk(i do.Injector) (*desk, error) {
	s, err := do.Invoke[*relentdo.Service](i)
	if err != nil {
		return nil, err
	}
	shared, err := s.Registry.Gates("venue", "retries")
	if err != nil {
		return nil, err
	}
	fetch, err := s.Registry.AddOperation("venue", &retry.Policy{
		Name: "venue.fetch_price", Idempotent: true, Backoff: backoff.Constant{Wait: 20 * time.Millisecond},
		Gates: append(s.Gates("desk", "venue", "fetch_price"), shared...), // the stop has the last word, so it is asked first
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &desk{out: do.MustInvoke[io.Writer](i), registry: s.Registry, fetch: fetch, cancel: cancel}
	fmt.Fprintf(d.out, "dashboard http://%s/\n", s.Addr())
	d.work.Go(func() { d.trade(ctx) })
	return d, nil
}

// Shutdown implements do.Shutdowner.
func (d *desk) Shutdown() {
	d.cancel()
	d.work.Wait()
	v := d.registry.View().Policies[0]
	fmt.Fprintf(d.out, "%s: %d calls succeeded at once, %d after a retry\n", v.Name, v.Outcomes["success_first_try"], v.Outcomes["success_after_retry"])
}

// trade asks twenty times a second.
func (d *desk) trade(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		_, _ = retry.Do(ctx, d.fetch, d.price) // what became of it is on the dashboard
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// price stands for the SDK of a venue that is busy every twelfth time.
func (d *desk) price(context.Context) (float64, error) {
	if d.asked++; d.asked%12 == 0 {
		return 0, retry.Mark(errors.New("busy"), retry.Transient)
	}
	return 101.5, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/fx"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// A desk asks a venue for prices.
type desk struct {
	fetch *control.Operation
	asked int // used by one goroutine
	work  sync.WaitGroup
}

// newDesk makes a desk that works while the app runs. It needs the process, so it is stopped before it.
func newDesk(life fx.Lifecycle, p *process.Process, r *control.Registry, out io.Writer) (*desk, error) {
	shared, err := r.Gates("venue", "retries")
	if err != nil {
		return nil, err
	}
	fetch, err := r.AddOperation("venue", &retry.Policy{
		Name: "venue.fetch_price", Idempotent: true, Backoff: backoff.Constant{Wait: 20 * time.Millisecond},
		Gates: append(p.Gates("desk", "venue", "fetch_price"), shared...), // the stop has the last word, so it is asked first
	})
	if err != nil {
		return nil, err
	}
	d := &desk{fetch: fetch}
	ctx, cancel := context.WithCancel(context.Background())
	life.Append(fx.StartStopHook(func() {
		fmt.Fprintf(out, "dashboard http://%s/\n", p.Addr())
		d.work.Go(func() { d.trade(ctx) })
	}, func() {
		cancel()
		d.work.Wait()
		v := r.View().Policies[0]
		fmt.Fprintf(out, "%s: %d calls succeeded at once, %d after a retry\n", v.Name, v.Outcomes["success_first_try"], v.Outcomes["success_after_retry"])
	}))
	return d, nil
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

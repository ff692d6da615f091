package job_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

func ExampleRunner() {
	ctx, stop := context.WithCancel(context.Background())
	r := &job.Runner{
		Store: &jobtest.Model{}, // one of store/sqldb, to survive a crash
		Handlers: map[string]job.Handler{"settle": {Steps: []job.Step{
			{Name: "net", Effect: job.Safe, Do: func(_ context.Context, t *job.Task) error {
				t.Keep([]byte("120 USD"))
				return nil
			}},
			{Name: "pay", Effect: job.Unsafe, Do: func(_ context.Context, t *job.Task) error {
				fmt.Printf("pay %s under %s\n", t.State(), t.Key())
				return nil
			}},
		}}},
		Observe: func(_ context.Context, e job.Event) {
			if e.Kind == job.Ended {
				fmt.Println(e.Job, e.Status)
				stop()
			}
		},
	}
	r.Enqueue(ctx, job.Job{ID: "settle-42", Kind: "settle"})
	r.Run(ctx)
	// Output:
	// pay 120 USD under settle-42/pay
	// settle-42 done
}

// A payment whose outcome nobody knows is parked. A person finds out, and sends the job on its way.
func ExampleStore_redrive() {
	store := &jobtest.Model{}
	ended := make(chan job.Status, 1)
	r := &job.Runner{
		Store: store,
		Handlers: map[string]job.Handler{"pay": {Steps: []job.Step{
			{Do: func(context.Context, *job.Task) error { return errors.New("connection reset") }},
			{Effect: job.Safe, Do: func(context.Context, *job.Task) error { return nil }},
		}}},
		Observe: func(_ context.Context, e job.Event) {
			if e.Kind == job.Ended {
				ended <- e.Status
			}
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go r.Run(ctx)
	r.Enqueue(ctx, job.Job{ID: "pay-7", Kind: "pay"})
	fmt.Println(<-ended)

	parked, _ := store.Load(ctx, "pay-7")
	fmt.Println(parked.History[0].How, parked.History[0].Err)
	fmt.Println(store.Redrive(ctx, "pay-7", job.Redrive{By: "ann"}))
	fmt.Println(store.Redrive(ctx, "pay-7", job.Redrive{By: "ann", Note: "seen at the bank", Open: job.Applied}))
	r.Wake()
	fmt.Println(<-ended)
	// Output:
	// unknown
	// parked outcome unknown, and not repeated because the step is unsafe: connection reset
	// a step may have had its effect: say whether it did
	// <nil>
	// done
}

// A handler that finds the job pointless ends it.
func ExampleErrAbandoned() {
	err := fmt.Errorf("the market has closed: %w", job.ErrAbandoned)
	fmt.Println(errors.Is(err, job.ErrAbandoned), retry.DefaultClassify(err))
	// Output: true permanent
}

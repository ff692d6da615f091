package job_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/relent-go/relent/work/job"
	"github.com/relent-go/relent/work/job/jobtest"
)

// A hundred jobs of one step, with a store that costs next to nothing.
func BenchmarkJobs(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan struct{}, 100)
		r := &job.Runner{
			Store: &jobtest.Model{}, Workers: 4,
			Handlers: map[string]job.Handler{"k": {Steps: []job.Step{{Effect: job.Safe, Do: func(context.Context, *job.Task) error { return nil }}}}},
			Observe: func(_ context.Context, e job.Event) {
				if e.Kind == job.Ended {
					ended <- struct{}{}
				}
			},
		}
		for i := range cap(ended) {
			r.Enqueue(ctx, job.Job{ID: fmt.Sprint(i), Kind: "k"})
		}
		go func() {
			for range cap(ended) {
				<-ended
			}
			stop()
		}()
		r.Run(ctx)
	}
}

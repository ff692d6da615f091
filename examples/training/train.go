package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

const steps, interval = 1000, 50

// A model is a line, y = W x + B, and all that its training needs to go on.
type model struct {
	Step int
	W, B float64
	Rand []byte
}

// work trains in this process, with the checkpoint in a file, and returns the model.
func work(path string, pace time.Duration) string {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store := must(open(ctx, path, job.Job{ID: "line", Kind: "train"}))
	r := &job.Runner{
		Store: store,
		Handlers: map[string]job.Handler{"train": {Steps: []job.Step{{Effect: job.Safe, Do: func(ctx context.Context, t *job.Task) error {
			return train(ctx, t, pace)
		}}}}},
		Observe: func(_ context.Context, e job.Event) {
			if e.Kind == job.Ended {
				stop()
			}
		},
	}
	must(0, r.Run(ctx))
	return string(must(store.Load(context.Background(), "line")).State)
}

// train is the step of the job: linear regression by stochastic gradient descent, on points that it makes up.
func train(ctx context.Context, t *job.Task, pace time.Duration) error {
	var m model
	source := rand.NewPCG(1, 2)
	if saved := t.State(); saved != nil {
		err := json.Unmarshal(saved, &m)
		if err == nil {
			err = source.UnmarshalBinary(m.Rand)
		}
		if err != nil {
			return retry.Mark(err, retry.Permanent) // a damaged checkpoint does not mend
		}
	}
	var err error
	for random := rand.New(source); m.Step < steps && err == nil && ctx.Err() == nil; {
		x := random.Float64()*2 - 1
		y := 3*x - 1 + random.NormFloat64()/10
		wrong := m.W*x + m.B - y
		m.W, m.B = m.W-wrong*x/20, m.B-wrong/20
		m.Step++
		fmt.Println("step", m.Step)
		time.Sleep(pace)
		if m.Step%interval == 0 {
			m.Rand, _ = source.MarshalBinary()
			state, _ := json.Marshal(m)
			err = t.Save(ctx, state)
		}
	}
	return cmp.Or(err, context.Cause(ctx))
}

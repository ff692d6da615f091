package inference

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// verdict says what a call's error means for the model.
func verdict(ctx context.Context, attempts int, err error) fate {
	e, _ := errors.AsType[*retry.Error](err)
	switch {
	case ctx.Err() != nil:
		return neutral
	case open(err):
		return broken
	case attempts == 0:
		return neutral // a budget or a stop says nothing about the model
	case errors.Is(err, ErrNotFinite):
		return bad // Permanent, but not the input's fault
	case e.Reason == retry.ErrPermanent:
		return refused
	}
	return bad
}

// open says that a breaker lets no call through. One that sheds some of them, or lets some through again, has not made up its mind.
func open(err error) bool {
	if e, ok := errors.AsType[*breaker.Error](err); ok {
		return e.State == breaker.Open || e.State == breaker.Isolated
	}
	return errors.Is(err, breaker.ErrOpen)
}

// portion returns the part of ctx that is a model's: what is left of the time, less what the simpler ones need.
func (l *Ladder[In, Out]) portion(ctx context.Context, now time.Time, i int) (context.Context, context.CancelFunc, error) {
	until, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}, nil
	}
	left := until.Sub(now)
	share := left
	for j := range l.Models[i+1:] {
		p95 := l.Models[i+1+j].P95
		if p95 <= 0 {
			p95 = min(DefaultP95, left/4)
		}
		share -= min(p95, max(0, share))
	}
	if share <= 0 || share < l.Models[i].P50 {
		return nil, nil, ErrNoTime
	}
	if share == left {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithDeadlineCause(ctx, now.Add(share), ErrShare)
	return ctx, cancel, nil
}

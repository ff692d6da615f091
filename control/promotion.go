package control

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/adaptive"
)

const (
	reviewEvery = time.Minute
	promoter    = "relent" // the actor of promotions, and of what takes them back
)

// promoting reviews promotions each minute, and takes back at once those of which the guard finds that they do harm, until ctx ends.
func (r *Registry) promoting(ctx context.Context) {
	ticker := time.NewTicker(reviewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.live.harm:
			r.takeBack(ctx)
		case <-ticker.C:
			r.takeBack(ctx) // what could not be recorded before
			r.review(ctx)
		}
	}
}

// review promotes what is proven. Each promotion is a command, so that it is refused where an operator was quicker.
func (r *Registry) review(ctx context.Context) {
	var w *row // of the operation that is asked about
	p := adaptive.Promotion{
		Learner: &r.live.learner,
		May: func(name string) bool {
			o, err := r.Operation(name)
			if err == nil { // not removed meanwhile
				w = o.row()
			}
			return err == nil && w.learning != nil && w.learning.Promote && w.learning.mode() == adaptive.Shadow && w.budgeted
		},
		Rehearse: func(ctx context.Context, x adaptive.Learned) (float64, error) { return r.Rehearse(ctx, x, w.tuned) },
		Set:      func(ctx context.Context, _, why string) error { return r.switchTo(ctx, w, adaptive.Active, why) },
	}
	if err := p.Review(ctx, time.Now()); err != nil && ctx.Err() == nil {
		r.logLearned("is not promoted", err)
	}
}

// switchTo changes the mode of an operation, if its row is still the one in force.
func (r *Registry) switchTo(ctx context.Context, w *row, mode adaptive.Mode, why string) error {
	next := *w.learning
	next.Mode = mode
	_, err := r.tune(ctx, Tune{
		Operation: w.policy.Name, Version: w.version, Fields: map[string]string{"adaptive": next.String()}, Actor: promoter, Reason: why,
	}, mode == adaptive.Active)
	return err
}

// guarded is told that the guard came on. A promotion is without effect from then on; Run takes it back, with a record.
func (r *Registry) guarded(o *Operation) {
	o.lesson.harm.Store(true)
	if o.row().promoted != "" {
		r.live.learner.SetMode(o.name, adaptive.Shadow) // it is known: it told
	}
	select {
	case r.live.harm <- struct{}{}:
	default: // Run will look anyway
	}
}

// takeBack sets operations back to Shadow that were promoted and then did harm.
func (r *Registry) takeBack(ctx context.Context) {
	s := &r.live
	s.mu.Lock()
	all := s.present()
	s.mu.Unlock()
	for _, o := range all {
		if !o.lesson.harm.Swap(false) {
			continue
		}
		w := o.row()
		if w.promoted == "" {
			r.relead(o) // an operator may have set it while guarded looked
			continue
		}
		if err := r.switchTo(ctx, w, adaptive.Shadow, "the guard found that calls it gave up would have succeeded"); err != nil {
			o.lesson.harm.Store(true)
			if !errors.Is(err, ErrVersion) {
				r.logLearned("is not set back to shadow", err)
			}
		}
	}
}

// relead tells the learner again what is in force.
func (r *Registry) relead(o *Operation) {
	r.live.changing.Lock()
	defer r.live.changing.Unlock()
	r.lead(o.row())
}

// promotion says why an operation was promoted, or what it waits for.
func (o *Operation) promotion(x *adaptive.Explanation) string {
	w := o.row()
	switch {
	case w.promoted != "":
		return "promoted: " + w.promoted
	case w.learning == nil || !w.learning.Promote || w.learning.mode() != adaptive.Shadow:
		return ""
	case !w.budgeted:
		return "never: no budget is among the gates"
	case o.registry.Rehearse == nil:
		return "never: this program has no rehearsal"
	case x.Proven:
		return "proven: the rehearsal is due"
	}
	return "waits for a proof"
}

package inference

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/retry"
)

// A query is one input on its way through the models.
type query[In, Out any] struct {
	in       In
	key      string // "" if the answer is neither kept nor shared
	features Featured
	missing  []string
	attempts int
	flights  int          // that ended before its time was over
	at       int          // the model that is asked
	failed   []ModelError // of the models so far
	now      time.Time
}

// lacks says which of a model's needs the input lacks; without features, all of them.
func (q *query[In, Out]) lacks(needs []string) error {
	if len(needs) == 0 {
		return nil
	}
	if q.features != nil {
		needs = q.features.Lacks(needs)
	}
	if len(needs) == 0 {
		return nil
	}
	return &MissingError{needs}
}

// atHand answers without asking a model, if there is no better model that could be asked.
func (l *Ladder[In, Out]) atHand(q *query[In, Out]) (Answer[Out], bool) {
	if l.Cache == nil || q.key == "" {
		return Answer[Out]{}, false
	}
	q.now = time.Now()
	for i := range l.Models {
		a, ok, err := l.standing(q, i)
		if ok {
			return a, true
		}
		if err == nil {
			break
		}
		if a, ok := l.unanswered(q, i, err); ok {
			return a, true
		}
	}
	q.failed = nil
	return Answer[Out]{}, false
}

// standing is what is known about a model before it is asked: a recent answer, or an error that says why it is not asked.
func (l *Ladder[In, Out]) standing(q *query[In, Out], i int) (a Answer[Out], ok bool, err error) {
	if err := q.lacks(l.Models[i].Needs); err != nil {
		return a, false, err
	}
	if a, ok := l.kept(q, i, l.TTL, Cached); ok {
		return a, true, nil
	}
	return a, false, l.admit(q, i)
}

// unanswered goes on after a model that did not answer, with a stale answer of its own if that comes first.
func (l *Ladder[In, Out]) unanswered(q *query[In, Out], i int, err error) (Answer[Out], bool) {
	q.failed = append(q.failed, ModelError{l.Models[i].Name, err})
	if l.FreshFirst || q.lacks(l.Models[i].Needs) != nil {
		return Answer[Out]{}, false
	}
	return l.kept(q, i, l.StaleFor, Stale)
}

// kept answers from the cache, but not with what a model said that is held: it is out for good reason.
func (l *Ladder[In, Out]) kept(q *query[In, Out], i int, most time.Duration, s Source) (a Answer[Out], ok bool) {
	m := &l.Models[i]
	if State(l.models[i].seen.Load()) == Held {
		return a, false
	}
	v, age, ok := l.Cache.get(cacheKey{m.Name, m.Version, l.Schema, q.key}, q.now, most)
	if !ok {
		return a, false
	}
	a = l.answer(q, i, v, s)
	a.Age = age
	return a, true
}

// answer is what a model says, or said.
func (l *Ladder[In, Out]) answer(q *query[In, Out], i int, v Out, s Source) Answer[Out] {
	m := &l.Models[i]
	a := Answer[Out]{Value: v, Model: m.Name, Version: m.Version, Quality: m.Quality, Source: s, Attempts: q.attempts, Missing: q.missing}
	if i > 0 || s == Stale {
		a.Degraded, a.Why = true, q.why(l.Name)
	}
	return a
}

// why joins the errors of the models so far.
func (q *query[In, Out]) why(name string) error {
	return &Error{Ladder: name, Models: q.failed}
}

// ask takes a query through the models, in the caller's goroutine.
func (l *Ladder[In, Out]) ask(ctx context.Context, q *query[In, Out]) (Answer[Out], error) {
	for i := range l.Models {
		q.now = time.Now()
		a, ok, err := l.standing(q, i)
		if ok {
			return a, nil
		}
		if err == nil {
			var v Out
			var f fate
			v, f, err = l.call(ctx, q, i)
			q.now = time.Now()
			switch {
			case err == nil:
				return l.answer(q, i, v, Live), nil
			case f == refused:
				return Answer[Out]{Attempts: q.attempts}, err
			case ctx.Err() != nil:
				q.failed = append(q.failed, ModelError{l.Models[i].Name, err})
				return l.late(ctx, q)
			}
		}
		if a, ok := l.unanswered(q, i, err); ok {
			return a, nil
		}
	}
	if a, ok := l.instead(q); ok {
		return a, nil
	}
	return Answer[Out]{Attempts: q.attempts}, q.why(l.Name)
}

// instead answers without any model: with what one of them said earlier, or with the default.
func (l *Ladder[In, Out]) instead(q *query[In, Out]) (Answer[Out], bool) {
	for i := range l.Models {
		if q.lacks(l.Models[i].Needs) != nil {
			continue
		}
		if a, ok := l.kept(q, i, l.StaleFor, Stale); ok {
			return a, true
		}
	}
	if l.Default != nil {
		if v, ok := l.Default(q.in); ok {
			return Answer[Out]{Value: v, Quality: Default.String(), Source: Default, Degraded: true, Why: q.why(l.Name), Attempts: q.attempts, Missing: q.missing}, true
		}
	}
	return Answer[Out]{}, false
}

// late ends a call whose context has ended. A caller whose time ran out is still helped by what takes none.
func (l *Ladder[In, Out]) late(ctx context.Context, q *query[In, Out]) (Answer[Out], error) {
	q.now = time.Now()
	if len(q.failed) == 0 {
		q.failed = []ModelError{{l.Models[0].Name, context.Cause(ctx)}}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		if a, ok := l.instead(q); ok {
			return a, nil
		}
	}
	return Answer[Out]{Attempts: q.attempts}, context.Cause(ctx)
}

// A fate is what the end of a call says about the model.
type fate uint8

const (
	neutral fate = iota // nothing: it was not asked, or its caller gave up
	good                // it answered
	bad                 // it failed
	broken              // its breaker is open
	refused             // it said that the input is bad
)

// call asks one model, within its share of the time, and keeps what it says.
func (l *Ladder[In, Out]) call(ctx context.Context, q *query[In, Out], i int) (v Out, f fate, err error) {
	share, cancel, err := l.portion(ctx, q.now, i)
	if err != nil {
		return v, neutral, err
	}
	defer cancel()
	q.at = i
	era, returned := l.era(i), false
	defer func() {
		if !returned {
			l.settle(i, era, bad, errPanicked)
		}
	}()
	v, attempts, f, err := l.attempt(share, ctx, q, i)
	returned = true
	q.attempts += attempts
	l.settle(i, era, f, err)
	return v, f, err
}

var errPanicked = errors.New("it panicked, or ended its goroutine")

// attempt calls one model through its policy. share is the part of outer that is the model's.
func (l *Ladder[In, Out]) attempt(share, outer context.Context, q *query[In, Out], i int) (v Out, attempts int, f fate, err error) {
	m := &l.Models[i]
	if m.Predict == nil {
		return v, 0, neutral, retry.ErrNilFunc
	}
	var began time.Time
	v, err = retry.Do(share, m.Policy, func(ctx context.Context) (Out, error) {
		attempts++
		began = time.Now()
		v, err := m.Predict(ctx, q.in)
		if err == nil && !m.AllowNotFinite {
			err = finite(v)
		}
		return v, err
	})
	if err == nil {
		l.Cache.put(cacheKey{m.Name, m.Version, l.Schema, q.key}, v, began)
		return v, attempts, good, nil
	}
	return *new(Out), attempts, verdict(outer, attempts, err), err
}

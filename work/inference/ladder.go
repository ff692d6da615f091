package inference

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// DefaultFlights is how many calls are shared at one time if [Ladder.Flights] is zero.
const DefaultFlights = 256

// A Ladder is an order of models, best first, behind one call. When a model fails, the next one answers, and the answer says
// so; see the package comment.
//
// A literal is ready. It must not be copied, and its exported fields must not be changed once it is in use. It is safe for
// concurrent use. Close ends the goroutines that it starts: those of calls with a key, which their callers share, and of probes.
type Ladder[In, Out any] struct {
	Name   string           // in errors and changes
	Models []Model[In, Out] // best first

	// Key returns the canonical text of an input: equal for inputs that must have the same answer, different for all others. ""
	// says that the answer is neither kept nor shared. Nil means "" for all. What a Featured input lacks is added to it.
	Key    func(In) string
	Schema string // version of the features, in the key of the cache

	Cache    *Cache[Out]   // of answers; nil means none. Errors and defaults are never kept
	TTL      time.Duration // up to this age an answer is Cached and nobody is asked; not positive means that all are asked
	StaleFor time.Duration // up to this age an answer may stand in for a model that fails; not positive means never

	FreshFirst bool // simpler models come before stale answers of better ones

	// Default answers when there is nothing else. It must be quick; false means that it has no answer either. Nil means none.
	Default func(In) (Out, bool)

	Rules   Rules // for leaving models out and taking them back
	Flights int   // shared calls at one time, beyond which each caller makes its own; 0 means 256, negative means none

	OnChange func(Change)   // told of changes in their order, outside of locks, one at a time; a slow listener misses some
	Rand     func() float64 // uniform in [0, 1), for probes and the ramp, safe for concurrent use; nil means math/rand/v2, and what is not in there counts as 0.5

	once     sync.Once
	ready    atomic.Bool // once was: the usual case costs no closure
	featured bool        // an In may be Featured; set once, as rules and models are
	rules    Rules

	owner   owner
	mu      sync.Mutex
	models  []*condition // the contents are guarded by mu, as what follows
	flights map[string]*flight[Out]
	flying  int // flights whose goroutine has not ended
	teller  teller
}

// Check returns all mistakes in l, joined, each beginning with its field's name, or nil. A ladder with mistakes works as far
// as it can: what is negative means none or the default.
func (l *Ladder[In, Out]) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(l.Models) == 0 {
		mistake("Models: empty, so that each call fails")
	}
	names := map[string]bool{}
	for i := range l.Models {
		m := &l.Models[i]
		if m.Name == "" || names[m.Name] {
			mistake("Models[%d].Name: %q is empty or taken", i, m.Name)
		}
		names[m.Name] = true
		if m.Quality == "" {
			mistake("Models[%d].Quality: missing, so that answers do not say what they are worth", i)
		}
		if m.Predict == nil {
			mistake("Models[%d].Predict: nil, so that the model never answers", i)
		}
		if m.P50 < 0 || m.P95 < 0 || m.P95 > 0 && m.P50 > m.P95 {
			mistake("Models[%d].P50: want 0 <= P50 <= P95, have %v and %v", i, m.P50, m.P95)
		}
	}
	for _, f := range []struct {
		field string
		value time.Duration
	}{{"TTL", l.TTL}, {"StaleFor", l.StaleFor}} {
		if f.value < 0 {
			mistake("%s: %v is negative and means 0", f.field, f.value)
		}
		if f.value > 0 && (l.Cache == nil || l.Key == nil) {
			mistake("%s: %v without Cache and Key, so that no answer is kept", f.field, f.value)
		}
	}
	if l.StaleFor > 0 && l.StaleFor < l.TTL {
		mistake("StaleFor: %v is shorter than TTL, %v: both count from the attempt that answered", l.StaleFor, l.TTL)
	}
	if err := l.Rules.Check(); err != nil {
		mistake("Rules: %w", err)
	}
	if l.Cache != nil {
		if err := l.Cache.Check(); err != nil {
			mistake("Cache: %w", err)
		}
	}
	return errors.Join(errs...)
}

// Predict asks the models, best first, until one answers, and says which did. Where the ladder has a cache, a recent answer comes
// from there.
//
// It returns when there is an answer, when all that could answer has failed, or when ctx ends. If ctx ends by its
// deadline, a stale answer or the default still serves. An error of a model whose class is Permanent says that the input is
// bad: it is returned as it is, and no simpler model is asked. Else the error is an [*Error], or the cause of ctx.
//
// Calls with one key are one call, which goes on until the last caller has left. So in must not be modified after it was handed over.
func (l *Ladder[In, Out]) Predict(ctx context.Context, in In) (Answer[Out], error) {
	switch {
	case ctx == nil:
		return Answer[Out]{}, retry.ErrNilContext
	case ctx.Err() != nil:
		return Answer[Out]{}, context.Cause(ctx)
	case len(l.Models) == 0:
		return Answer[Out]{}, ErrNoModel
	}
	l.prepare()
	q := query[In, Out]{in: in}
	if l.Key != nil {
		q.key = l.Key(in)
	}
	if l.featured {
		if f, ok := any(in).(Featured); ok {
			q.features, q.missing = f, f.Missing()
			if len(q.missing) > 0 && q.key != "" {
				q.key += "\x00without " + strings.Join(q.missing, "\x00")
			}
		}
	}
	if a, ok := l.atHand(&q); ok {
		return a, nil
	}
	if q.key == "" {
		return l.ask(ctx, &q)
	}
	return l.share(ctx, &q)
}

// prepare makes a literal ready.
func (l *Ladder[In, Out]) prepare() {
	if l.ready.Load() {
		return
	}
	l.once.Do(func() {
		t := reflect.TypeFor[In]()
		l.featured = t.Kind() == reflect.Interface || t.Implements(reflect.TypeFor[Featured]())
		l.rules = l.Rules.full()
		l.models = make([]*condition, len(l.Models))
		for i := range l.models {
			l.models[i] = &condition{span: l.rules.Span, last: i == len(l.models)-1}
		}
		l.flights = map[string]*flight[Out]{}
		l.ready.Store(true)
	})
}

// Close ends the calls and probes under way, and returns when their goroutines have. Later calls with a key fail with [ErrClosed].
func (l *Ladder[In, Out]) Close() { l.owner.close() }

func (l *Ladder[In, Out]) random() float64 {
	if l.Rand == nil {
		return rand.Float64()
	}
	if u := l.Rand(); u >= 0 && u < 1 {
		return u
	}
	return 0.5
}

package inference

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of [Features] mean.
const (
	DefaultTimeout     = 100 * time.Millisecond
	DefaultGrace       = time.Second
	DefaultConcurrency = 64
	DefaultStored      = 10_000
)

// ahead is how far in the future a value may be dated, for clocks that differ a little.
const ahead = time.Second

// A Reading is a value with the data's own time.
type Reading[V any] struct {
	Value V
	At    time.Time // the zero time means when the fetch began
}

// A Feature is one source of values, for entities such as a symbol or an account. It is plain data.
type Feature[K comparable, V any] struct {
	Name   string
	Fetch  func(context.Context, K) (Reading[V], error) // must obey its context
	Policy retry.Source                                 // how it may be fetched; nil means the zero policy

	// MaxAge is the oldest that data may be, fetched or stored; what is older is missing. Not positive means that what is
	// fetched may have any age, and that nothing is stored.
	MaxAge time.Duration

	Default *V // stands in when there is no other value; nil means that the feature is missing then
}

// Features fetch all features of an entity at once, within one time, each with its own policy. What cannot be had is stale,
// a default or missing, and the result says so for each.
//
// A literal is ready. It must not be copied, and its exported fields must not be changed once it is in use. It is safe for
// concurrent use. Close ends the fetches under way.
type Features[K comparable, V any] struct {
	List        []Feature[K, V]
	Timeout     time.Duration // of a call; not positive means 100 ms
	Grace       time.Duration // how much longer a fetch may take, for the sake of later calls; 0 means 1 s, negative means no longer
	MaxSkew     time.Duration // between the newest and the oldest data of a vector, defaults aside; not positive means no limit
	Concurrency int           // fetches at one time, of all calls; not positive means 64
	Stored      int           // last values kept, of all features and entities; 0 means 10 000, negative means none

	AllowNotFinite bool // values with NaN and infinite numbers are taken, too

	// Late is told of each fetch that ended after its call had, with its error. A panic is a [*Panic]. It must be quick and safe for concurrent use. Nil means that nobody is told.
	Late func(feature string, entity K, err error)

	owner owner
	mu    sync.Mutex
	slots chan struct{}                // set by the first call; guarded by mu
	store lru[storeKey[K], Reading[V]] // guarded by mu
}

type storeKey[K comparable] struct {
	feature string
	entity  K
}

// Check returns all mistakes in f, joined, each beginning with its field's name, or nil. What is negative means none or the default.
func (f *Features[K, V]) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	names := map[string]bool{}
	for i := range f.List {
		x := &f.List[i]
		if x.Name == "" || names[x.Name] {
			mistake("List[%d].Name: %q is empty or taken", i, x.Name)
		}
		names[x.Name] = true
		if x.Fetch == nil {
			mistake("List[%d].Fetch: nil, so that the feature is never fresh", i)
		}
		if x.MaxAge < 0 {
			mistake("List[%d].MaxAge: %v is negative and means 0", i, x.MaxAge)
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Timeout", f.Timeout}, {"MaxSkew", f.MaxSkew}} {
		if d.value < 0 {
			mistake("%s: %v is negative and means 0", d.field, d.value)
		}
	}
	if f.Concurrency < 0 {
		mistake("Concurrency: %d is negative and means %d", f.Concurrency, DefaultConcurrency)
	}
	return errors.Join(errs...)
}

// Fetch returns what is known of an entity's features. It returns when all fetches have ended, when Timeout is over, or when ctx
// ends. Whatever is there at a timeout or at the deadline of ctx is used; a fetch that takes longer updates what is stored, not the
// vector.
//
// The error is [ErrSkew], with both features, when the data is too far apart in time; the vector is then there, too. It is the cause of ctx when
// that was cancelled, and [ErrClosed] after Close. That features are missing is no error: see [Vector.Need].
func (f *Features[K, V]) Fetch(ctx context.Context, entity K) (*Vector[V], error) {
	switch {
	case ctx == nil:
		return nil, retry.ErrNilContext
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case f.owner.over():
		return nil, ErrClosed
	}
	w := &wait[V]{open: true, left: len(f.List), done: make(chan struct{}), got: make([]result[V], len(f.List))}
	timeout := or(f.Timeout, DefaultTimeout)
	limit, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	f.send(limit, entity, w, time.Now().Add(timeout))
	if len(f.List) > 0 {
		select {
		case <-w.done:
		case <-limit.Done():
		}
	}
	got, fell := w.close()
	switch {
	case fell != nil:
		panic(fell)
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, context.Cause(ctx)
	}
	return f.judge(entity, got, time.Now())
}

// Close ends the fetches under way, and returns when their goroutines have.
func (f *Features[K, V]) Close() { f.owner.close() }

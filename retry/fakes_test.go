package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

var (
	errPlain  = errors.New("plain")
	transient = retry.Mark(errPlain, retry.Transient)
	permanent = retry.Mark(errPlain, retry.Permanent)
	refused   = errors.New("refused")
)

// second waits exactly one second after each failure.
var second = backoff.Constant{Wait: time.Second, Jitter: backoff.None}

// immediate does not wait.
var immediate = backoff.Constant{Jitter: backoff.None}

// script returns a function that yields the errors in turn, then nil, and counts its calls.
func script(errs ...error) (fn func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error {
		*calls++
		if *calls <= len(errs) {
			return errs[*calls-1]
		}
		return nil
	}, calls
}

// always returns a function that fails with err every time, and counts its calls.
func always(err error) (fn func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error { *calls++; return err }, calls
}

// A fakeGate records what it is told, and refuses the attempt number refuse.
type fakeGate struct {
	name   string
	refuse int
	err    error
	admit  func(context.Context, *retry.Attempt)

	mu  sync.Mutex
	log *[]string
	out []retry.Outcome
	in  []retry.Attempt
}

func (g *fakeGate) Admit(ctx context.Context, a *retry.Attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.in = append(g.in, *a)
	if g.admit != nil {
		g.admit(ctx, a)
	}
	if a.Number == g.refuse {
		g.note("%s refuses %d", g.name, a.Number)
		return g.err
	}
	g.note("%s admits %d", g.name, a.Number)
	return nil
}

func (g *fakeGate) Settle(a *retry.Attempt, o *retry.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out = append(g.out, *o)
	g.note("%s settles %d %v", g.name, a.Number, o.State)
}

func (g *fakeGate) note(format string, args ...any) {
	if g.log != nil {
		*g.log = append(*g.log, fmt.Sprintf(format, args...))
	}
}

// A recorder keeps the events it is told.
type recorder struct {
	mu     sync.Mutex
	events []retry.Event
}

func (r *recorder) Observe(_ context.Context, e retry.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *recorder) finished() (n int) {
	for _, e := range r.events {
		if e.Kind == retry.Finished {
			n++
		}
	}
	return n
}

// asError returns err as the *retry.Error that every failed call must yield.
func asError(t *testing.T, err error) *retry.Error {
	t.Helper()
	e, ok := errors.AsType[*retry.Error](err)
	if !ok {
		t.Fatalf("error %T %v; want a *retry.Error", err, err)
	}
	return e
}

// quiet swallows a test server's complaints about clients that hang up.
var quiet = log.New(io.Discard, "", 0)

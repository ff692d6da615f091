package budget_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func TestRB5CancellationDuringBackoffReturnsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{CeilingMin: 1000, Max: 1000}
		p := &retry.Policy{Backoff: wait(time.Minute), Gates: []retry.Gate{b}}
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		for range 1000 {
			calls.Go(func() { retry.Run(ctx, p, func(context.Context) error { return busy }) })
		}
		synctest.Wait()
		if s := b.Stats(); s.Retries != 1000 || s.Balance != 0 {
			t.Fatalf("%+v; want 1000 retries waiting, and nothing left", s)
		}
		cancel()
		calls.Wait()
		if s := b.Stats(); s.Balance != 1e6 || s.Retries != 0 || s.Requests != 0 || s.Started != 0 || s.Defects != 0 {
			t.Errorf("%+v; want a full bucket and nothing in flight", s)
		}
	})
}

func TestRB11DenialIsImmediateAndNamesBothErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{Name: "binance", Max: budget.None}
		p := &retry.Policy{Name: "binance.fetch_book", Backoff: wait(10 * time.Second), Gates: []retry.Gate{b}}
		began := time.Now()
		err := retry.Run(t.Context(), p, func(context.Context) error { return busy })
		if d := time.Since(began); d != 0 || !errors.Is(err, budget.ErrSpent) || !errors.Is(err, errBusy) {
			t.Errorf("%v after %v; want %v and %v at once", err, d, budget.ErrSpent, errBusy)
		}
		e := refused(t, err, budget.RuleTokens)
		if want := (budget.Error{Budget: "binance", Policy: p.Name, Rule: budget.RuleTokens, Cost: 1000}); *e != want {
			t.Errorf("%+v; want %+v", *e, want)
		}
		const text = "binance.fetch_book: gave up after 1 attempt: retry budget spent: binance: 0 of 0 tokens left, this retry costs 1; successes earn more: busy"
		if err.Error() != text {
			t.Errorf("Error() = %q; want %q", err, text)
		}
	})
}

// A gateFunc refuses attempts.
type gateFunc func(*retry.Attempt) error

func (g gateFunc) Admit(_ context.Context, a *retry.Attempt) error { return g(a) }
func (g gateFunc) Settle(*retry.Attempt, *retry.Outcome)           {}

// A stop is a switch that ends waiting calls.
type stop struct {
	context.Context
	end context.CancelCauseFunc
}

func newStop() *stop {
	ctx, end := context.WithCancelCause(context.Background())
	return &stop{ctx, end}
}

func (s *stop) Admit(context.Context, *retry.Attempt) error { return context.Cause(s.Context) }
func (s *stop) Start(context.Context, *retry.Attempt) error { return context.Cause(s.Context) }
func (s *stop) Settle(*retry.Attempt, *retry.Outcome)       {}
func (s *stop) Halted(*retry.Attempt) context.Context       { return s.Context }

// obsolete is a validator that allows the backoff, but not the attempt after it.
func obsolete() func(context.Context, retry.Attempt) error {
	asked := 0
	return func(context.Context, retry.Attempt) error {
		if asked++; asked == 2 {
			return errors.New("obsolete")
		}
		return nil
	}
}

// However a call ends, nothing stays reserved, and only retries that began are paid for.
func TestNothingLeaks(t *testing.T) {
	hour := wait(time.Hour)
	fails := func(context.Context) error { return busy }
	second := func(f func()) func(context.Context) error { // ends the second attempt by f
		n := 0
		return func(context.Context) error {
			if n++; n == 2 {
				f()
			}
			return busy
		}
	}
	type call struct {
		policy  retry.Policy
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		fn      func(context.Context) error
		during  func(*stop) // while the call waits
		started int64
	}
	for name, c := range map[string]call{
		"panic":  {fn: second(func() { panic("bug") }), started: 1},
		"Goexit": {fn: second(runtime.Goexit), started: 1},
		"canceled before it begins": {fn: fails, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}},
		"deadline during the backoff": {policy: retry.Policy{Backoff: hour, Expected: -1}, fn: fails, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}},
		"stop during the backoff":    {policy: retry.Policy{Backoff: hour}, fn: fails, during: func(s *stop) { s.end(errors.New("stop")) }},
		"obsolete after the backoff": {policy: retry.Policy{Backoff: hour, Validate: obsolete()}, fn: fails},
		"another gate refuses": {policy: retry.Policy{Gates: []retry.Gate{gateFunc(func(a *retry.Attempt) error {
			if a.Number == 2 {
				return errors.New("no")
			}
			return nil
		})}}, fn: fails},
		"another gate panics": {policy: retry.Policy{Gates: []retry.Gate{gateFunc(func(a *retry.Attempt) error {
			if a.Number == 2 {
				panic("bug")
			}
			return nil
		})}}, fn: fails},
		"attempts exhausted": {fn: fails, started: 2},
		"permanent":          {fn: func(context.Context) error { return retry.Mark(errBusy, retry.Permanent) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, b := newStop(), &budget.Budget{}
				p := c.policy
				p.Gates = append([]retry.Gate{s, b}, p.Gates...)
				if p.Backoff == nil {
					p.Backoff = wait(time.Second)
				}
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if c.ctx != nil {
					ctx, cancel = c.ctx(ctx)
				}
				done := make(chan bool)
				go func() {
					defer close(done)
					defer func() { recover() }()
					retry.Run(ctx, &p, c.fn)
				}()
				synctest.Wait()
				if c.during != nil {
					c.during(s)
				}
				<-done
				cancel()
				if got := b.Stats(); got.Balance != 10000-1000*c.started || got.Started != c.started || got.Requests != 0 || got.Retries != 0 || got.Defects != 0 {
					t.Errorf("%+v; want %d retries paid for, and nothing in flight", got, c.started)
				}
			})
		})
	}
}

// The other kinds of calls settle as Do does.
func TestAttemptsAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{}
		p := &retry.Policy{Backoff: wait(time.Second), Gates: []retry.Gate{b}}
		var err error
		for range retry.Attempts(t.Context(), p, &err) {
			err = busy
		}
		_, err = retry.Go(retry.WithPool(t.Context(), &retry.Pool{}), p, func(context.Context) (int, error) { return 0, busy }).Wait(t.Context())
		if s := b.Stats(); err == nil || s.Balance != 6000 || s.Started != 4 || s.Requests != 0 {
			t.Errorf("%v, %+v; want four retries", err, s)
		}
	})
}

func TestFirstAttemptsAllocateNothing(t *testing.T) {
	b := &budget.Budget{}
	a, o := first(0), ended(retry.Succeeded)
	again, lost := again(retry.Transient), ended(retry.NotStarted)
	p := &retry.Policy{Gates: []retry.Gate{b, &budget.Window{}}}
	fn := func(context.Context) (int, error) { return 1, nil }
	for name, f := range map[string]func(){
		"first attempt": func() { b.Admit(ctx, a); b.Settle(a, o) },
		"retry":         func() { b.Admit(ctx, again); b.Settle(again, lost) },
		"Do":            func() { retry.Do(ctx, p, fn) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations; want none", name, n)
		}
	}
}

func ExampleBudget() {
	var binance budget.Budget // one for all policies that call the same dependency

	p := &retry.Policy{Name: "binance.fetch_book", Backoff: immediate, Gates: []retry.Gate{&binance}}
	attempts := 0
	for range 1000 { // an outage: every call fails
		retry.Run(context.Background(), p, func(context.Context) error {
			attempts++
			return retry.Mark(errors.New("http 503"), retry.Transient)
		})
	}
	fmt.Println(attempts, "attempts for 1000 calls")

	err := retry.Run(context.Background(), p, func(context.Context) error {
		return retry.Mark(errors.New("http 503"), retry.Transient)
	})
	fmt.Println(errors.Is(err, budget.ErrSpent), err.(*retry.Error).Reason)
	// Output:
	// 1010 attempts for 1000 calls
	// true retry budget spent: 0 of 10 tokens left, this retry costs 1; successes earn more
}

package retry_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{})
		var n atomic.Int32
		start := time.Now()
		f := retry.Go(ctx, &retry.Policy{Backoff: second}, func(context.Context) (int32, error) {
			if v := n.Add(1); v < 3 {
				return 0, transient
			}
			return 42, nil
		})
		var wg sync.WaitGroup
		for range 10 { // many readers, one result
			wg.Go(func() {
				if v, err := f.Wait(t.Context()); v != 42 || err != nil {
					t.Errorf("Wait = %d, %v; want 42", v, err)
				}
			})
		}
		wg.Wait()
		<-f.Done()
		if v, err := f.Wait(nil); v != 42 || err != nil {
			t.Errorf("Wait of a result that is there = %d, %v", v, err)
		}
		if n.Load() != 3 || time.Since(start) != 2*time.Second {
			t.Errorf("%d attempts in %v; want 3 in 2s", n.Load(), time.Since(start))
		}
	})
}

func TestGoFails(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	ran := func(context.Context) (int, error) { return 7, transient }
	for _, test := range []struct {
		name   string
		ctx    context.Context
		fn     func(context.Context) (int, error)
		value  int
		reason error
	}{
		{"exhausted", t.Context(), ran, 7, retry.ErrExhausted},
		{"cancelled before", gone, ran, 0, context.Canceled},
		{"nil context", nil, ran, 0, retry.ErrNilContext},
		{"nil function", t.Context(), nil, 0, retry.ErrNilFunc},
	} {
		v, err := retry.Go(test.ctx, &retry.Policy{Backoff: immediate}, test.fn).Wait(t.Context())
		if v != test.value || asError(t, err).Reason != test.reason {
			t.Errorf("%s: %d, %v; want %d, %v", test.name, v, err, test.value, test.reason)
		}
	}
}

func TestWaitIsBoundByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{})
		f := retry.Go(ctx, &retry.Policy{}, func(context.Context) (int, error) { time.Sleep(time.Minute); return 1, nil })
		short, cancel := context.WithTimeoutCause(t.Context(), time.Second, refused)
		defer cancel()
		if _, err := f.Wait(short); err != refused {
			t.Errorf("Wait = %v; want the cause of its context", err)
		}
		if _, err := f.Wait(nil); err != retry.ErrNilContext {
			t.Errorf("Wait(nil) = %v; want %v", err, retry.ErrNilContext)
		}
		if v, err := f.Wait(t.Context()); v != 1 || err != nil {
			t.Errorf("the call did not go on: %d, %v", v, err)
		}
	})
}

// A waiting call holds no goroutine.
func TestParkedCallsHoldNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 1000
		ctx, cancel := context.WithCancelCause(retry.WithPool(t.Context(), &retry.Pool{}))
		before := runtime.NumGoroutine()
		futures := make([]*retry.Future[int], calls)
		for i := range futures {
			futures[i] = retry.Go(ctx, &retry.Policy{Backoff: second}, func(context.Context) (int, error) { return 0, transient })
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n > calls/100 { // the runtime has some of its own, now and then
			t.Errorf("%d waiting calls hold %d goroutines; want none", calls, n)
		}
		start := time.Now()
		cancel(refused)
		for _, f := range futures {
			if _, err := f.Wait(t.Context()); !errors.Is(err, refused) || !errors.Is(err, errPlain) {
				t.Fatalf("%v; want the cause of the cancel and the last error", err)
			}
		}
		if time.Since(start) != 0 {
			t.Errorf("woken after %v; want at once", time.Since(start))
		}
	})
}

func TestPoolBoundsItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{Workers: 3})
		var running, most atomic.Int32
		var order []int
		var mu sync.Mutex
		var futures []*retry.Future[int]
		for i := range 20 {
			futures = append(futures, retry.Go(ctx, &retry.Policy{Backoff: immediate}, func(context.Context) (int, error) {
				n := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Duration(i+1) * time.Millisecond) // distinct ends make the order certain
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				return i, nil
			}))
			synctest.Wait()
		}
		for i, f := range futures {
			if v, err := f.Wait(t.Context()); v != i || err != nil {
				t.Errorf("call %d = %d, %v", i, v, err)
			}
		}
		if most.Load() != 3 {
			t.Errorf("%d attempts at one time; want 3", most.Load())
		}
		for i, v := range order {
			if v != i {
				t.Fatalf("served in the order %v; want first come first served", order)
			}
		}
	})
}

func TestPoolRefusesWhatItCannotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		ctx := retry.WithPool(t.Context(), &retry.Pool{MaxCalls: 2})
		p := &retry.Policy{Name: "a.b", Backoff: second, Observer: r}
		slow := func(context.Context) (int, error) { time.Sleep(time.Second); return 0, nil }
		a, b, c := retry.Go(ctx, p, slow), retry.Go(ctx, p, slow), retry.Go(ctx, p, slow)
		if _, err := c.Wait(t.Context()); asError(t, err).Reason != retry.ErrSaturated {
			t.Errorf("third call: %v; want %v", err, retry.ErrSaturated)
		}
		a.Wait(t.Context())
		b.Wait(t.Context())
		synctest.Wait()
		if _, err := retry.Go(ctx, p, slow).Wait(t.Context()); err != nil {
			t.Errorf("after the others ended: %v", err)
		}
		if r.finished() != 4 {
			t.Errorf("%d terminal events; want 4", r.finished())
		}
	})
}

// A function that ends its goroutine costs a worker, not a call: nothing is lost.
func TestGoexitInAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{Workers: 1})
		p := &retry.Policy{}
		a := retry.Go(ctx, p, func(context.Context) (int, error) { time.Sleep(1); runtime.Goexit(); return 0, nil })
		b := retry.Go(ctx, p, func(context.Context) (int, error) { return 2, nil })
		if _, err := a.Wait(t.Context()); asError(t, err).Reason != retry.ErrPanicked {
			t.Errorf("%v; want %v", err, retry.ErrPanicked)
		}
		if v, err := b.Wait(t.Context()); v != 2 || err != nil {
			t.Errorf("the next call = %d, %v", v, err)
		}
		// An observer that does it at the end of a call that had succeeded.
		p = &retry.Policy{Observer: observerFunc(func(retry.Event) { runtime.Goexit() })}
		c := retry.Go(ctx, p, func(context.Context) (int, error) { return 3, nil })
		if _, err := c.Wait(t.Context()); asError(t, err).Reason != retry.ErrPanicked {
			t.Errorf("%v; want %v", err, retry.ErrPanicked)
		}
	})
}

func TestGoMaxElapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{})
		g := &fakeGate{admit: func(_ context.Context, a *retry.Attempt) {
			if a.Number == 2 {
				time.Sleep(300 * time.Millisecond)
			}
		}}
		p := &retry.Policy{MaxElapsed: 1200 * time.Millisecond, Backoff: second, Gates: []retry.Gate{g}}
		_, err := retry.Go(ctx, p, func(context.Context) (int, error) { return 0, transient }).Wait(t.Context())
		if asError(t, err).Reason != retry.ErrElapsed {
			t.Errorf("%v; want %v", err, retry.ErrElapsed)
		}
		if len(g.in) != 2 || len(g.out) != 2 {
			t.Errorf("%d admitted, %d settled", len(g.in), len(g.out))
		}
	})
}

// Calls with different waits wake each at its own time.
func TestScheduleWakesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(t.Context(), &retry.Pool{})
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 200 {
			wait := time.Duration((i*7919)%200+1) * time.Second
			fn, _ := script(retry.After(errPlain, wait))
			f := retry.Go(ctx, &retry.Policy{Backoff: immediate}, func(ctx context.Context) (time.Duration, error) {
				return time.Since(start), fn(ctx)
			})
			wg.Go(func() {
				if got, err := f.Wait(t.Context()); err != nil || got != wait {
					t.Errorf("woke after %v, %v; want %v", got, err, wait)
				}
			})
		}
		wg.Wait()
	})
}

// Without a bubble: the shared pool, for real, under the race detector.
func TestSharedPool(t *testing.T) {
	var wg sync.WaitGroup
	var done atomic.Int32
	for range 2000 {
		fn, _ := script(transient, retry.After(errPlain, time.Millisecond))
		f := retry.Go(retry.WithPool(t.Context(), nil), &retry.Policy{Backoff: immediate}, func(ctx context.Context) (int, error) { return 1, fn(ctx) })
		wg.Go(func() {
			if v, err := f.Wait(t.Context()); err == nil {
				done.Add(int32(v))
			}
		})
	}
	wg.Wait()
	if done.Load() != 2000 {
		t.Errorf("%d calls succeeded; want 2000", done.Load())
	}
}

// Thousands of calls that are due together, without a context that could end.
func TestManyWakeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := retry.WithPool(context.Background(), &retry.Pool{Workers: 2})
		start := time.Now()
		futures := make([]*retry.Future[int], 5000)
		for i := range futures {
			fn, _ := script(transient)
			futures[i] = retry.Go(ctx, &retry.Policy{Backoff: second}, func(ctx context.Context) (int, error) { return i, fn(ctx) })
		}
		for i, f := range futures {
			if v, err := f.Wait(context.Background()); v != i || err != nil {
				t.Fatalf("call %d = %d, %v", i, v, err)
			}
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("all done after %v; want 1s", took)
		}
	})
}

// Far more submissions than workers: each runs once, and none is lost.
func TestManySubmissions(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	ctx := retry.WithPool(context.Background(), &retry.Pool{Workers: 4})
	p := &retry.Policy{}
	var ran atomic.Int64
	futures := make([]*retry.Future[int], n)
	for i := range futures {
		futures[i] = retry.Go(ctx, p, func(context.Context) (int, error) { ran.Add(1); return i, nil })
	}
	for i, f := range futures {
		if v, err := f.Wait(context.Background()); v != i || err != nil {
			t.Fatalf("call %d = %d, %v", i, v, err)
		}
	}
	if ran.Load() != int64(n) {
		t.Errorf("%d of %d calls ran", ran.Load(), n)
	}
}

package inference_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/work/inference"
)

// after is a model that takes d.
func after(d time.Duration, calls *atomic.Int32) func(context.Context, int) (float64, error) {
	return func(ctx context.Context, _ int) (float64, error) {
		calls.Add(1)
		select {
		case <-time.After(d):
			return 1, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Callers join a flight only if they may wait as long, and go on when it ends before their time.
func TestWhoShares(t *testing.T) {
	const long = time.Minute
	for _, test := range []struct {
		name    string
		takes   time.Duration   // the model
		waits   []time.Duration // of callers in turn; 0 means without end
		calls   int32
		answers int
	}{
		{"equal", time.Second, []time.Duration{long, long, long}, 1, 3},
		{"none", time.Second, []time.Duration{0, 0}, 1, 2},
		{"longer", time.Second, []time.Duration{long, 2 * long, 0}, 1, 3},
		{"shorter goes alone", time.Second, []time.Duration{long, long / 2}, 2, 2},
		{"bounded beside unbounded goes alone", time.Second, []time.Duration{0, long}, 2, 2},
		{"goes on together when the first one's time is over", 2 * time.Second, []time.Duration{time.Second, long, long}, 2, 2},
		{"goes on without end", 2 * time.Second, []time.Duration{time.Second, 0, 0}, 2, 2},
		{"does not go on for little", 2 * time.Second, []time.Duration{time.Second, 1500 * time.Millisecond}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int32
				l := two(after(test.takes, &calls))
				l.Models = l.Models[:1]
				defer l.Close()
				results := make(chan error, len(test.waits))
				for _, wait := range test.waits {
					go func() {
						ctx := t.Context()
						if wait > 0 {
							var cancel context.CancelFunc
							ctx, cancel = context.WithTimeout(ctx, wait)
							defer cancel()
						}
						_, err := l.Predict(ctx, 7)
						results <- err
					}()
					synctest.Wait()
				}
				answers := 0
				for range test.waits {
					if <-results == nil {
						answers++
					}
				}
				if calls.Load() != test.calls || answers != test.answers {
					t.Errorf("%d calls, %d answers; want %d, %d", calls.Load(), answers, test.calls, test.answers)
				}
			})
		})
	}
}

func TestFlightsAreBounded(t *testing.T) {
	for _, test := range []struct {
		flights int
		calls   int32
	}{{0, 2}, {2, 2}, {1, 11}, {-1, 20}} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			l := two(after(time.Second, &calls))
			l.Flights = test.flights
			defer l.Close()
			done := make(chan error)
			for i := range 20 {
				go func() {
					_, err := l.Predict(t.Context(), i%2)
					done <- err
				}()
				synctest.Wait()
			}
			for range 20 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if calls.Load() != test.calls {
				t.Errorf("Flights %d: %d calls; want %d", test.flights, calls.Load(), test.calls)
			}
		})
	}
}

// The last caller that leaves ends the flight, and the next one begins another.
func TestLastOneEndsTheFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 2)
		l := two(func(ctx context.Context, _ int) (float64, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			time.Sleep(time.Second) // it is slow to obey
			return 0, ctx.Err()
		})
		for range 2 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if _, err := l.Predict(ctx, 7); err != context.Canceled {
				t.Errorf("%v; want %v", err, context.Canceled)
			}
			if err := <-ended; err != context.Canceled {
				t.Errorf("the flight ended with %v; want %v", err, context.Canceled)
			}
		}
		l.Close()
		if n := l.Status()[0].Failures; n != 0 {
			t.Errorf("%d failures; callers who leave say nothing", n)
		}
	})
}

func TestCloseEndsFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := two(hang)
		time.AfterFunc(time.Second, l.Close)
		if _, err := l.Predict(t.Context(), 7); !errors.Is(err, inference.ErrClosed) {
			t.Errorf("%v; want %v", err, inference.ErrClosed)
		}
	})
}

// What a model panics with rises in each caller that waits; else the status shows it.
func TestPanics(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func()
		want string
	}{
		{"panic", func() { panic("index out of range") }, "panicked: index out of range\n\ngoroutine"},
		{"end of the goroutine", runtime.Goexit, "ended its goroutine\n\ngoroutine"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := two(func(context.Context, int) (float64, error) {
					time.Sleep(time.Second)
					test.f()
					return 0, nil
				})
				defer l.Close()
				risen := make(chan any)
				for range 2 {
					go func() {
						defer func() { risen <- recover() }()
						l.Predict(t.Context(), 7)
					}()
				}
				for range 2 {
					p, ok := (<-risen).(*inference.Panic)
					if !ok || !strings.HasPrefix(p.Error(), test.want) {
						t.Errorf("risen: %v; want %s", p, test.want)
					}
				}
				if s := l.Status()[0]; s.Failures != 1 || s.Err == nil {
					t.Errorf("%+v; want a failure", s)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
				defer cancel()
				if _, err := l.Predict(ctx, 7); err == nil {
					t.Error("nil; want an error")
				}
				time.Sleep(time.Second)
				if p, ok := l.Status()[0].Err.(*inference.Panic); !ok {
					t.Errorf("%v; want a panic that nobody else hears of", p)
				}
			})
		})
	}
	l := two(func(context.Context, int) (float64, error) { panic("alone") })
	l.Key = nil
	defer func() {
		if r := recover(); r != "alone" {
			t.Errorf("recovered %v; want the value itself in the caller's goroutine", r)
		}
	}()
	l.Predict(t.Context(), 7)
}

package retry_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// Nudges work alike for calls that wait in their goroutine and for calls that are parked.
func TestNudge(t *testing.T) {
	minute := retry.Policy{MaxAttempts: 2, Backoff: second}
	hinted := retry.After(errPlain, 10*time.Second)
	for _, test := range []struct {
		name  string
		err   error
		nudge func(chan struct{}) // in the middle of the first second
		calls int
		want  []time.Duration // of each call's end, in order
	}{
		{"none", transient, func(chan struct{}) {}, 2, []time.Duration{time.Second, time.Second}},
		{"one value ends one wait", transient, func(c chan struct{}) { c <- struct{}{} }, 2, []time.Duration{500 * time.Millisecond, time.Second}},
		{"closing ends all", transient, func(c chan struct{}) { close(c) }, 2, []time.Duration{500 * time.Millisecond, 500 * time.Millisecond}},
		{"not sooner than the other side asked", hinted, func(c chan struct{}) { close(c) }, 2, []time.Duration{10 * time.Second, 10 * time.Second}},
		{"nor with a value", hinted, func(c chan struct{}) { c <- struct{}{} }, 2, []time.Duration{10 * time.Second, 11 * time.Second}},
	} {
		for kind, start := range starters {
			t.Run(test.name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					nudge := make(chan struct{})
					p := minute
					p.Nudge = nudge
					begin := time.Now()
					var mu sync.Mutex
					var ends []time.Duration
					var wg sync.WaitGroup
					ctx := retry.WithPool(t.Context(), &retry.Pool{})
					for range test.calls {
						fn, _ := script(test.err)
						wait := start(ctx, &p, fn)
						wg.Go(func() {
							if err := wait(); err != nil {
								t.Error(err)
							}
							mu.Lock()
							ends = append(ends, time.Since(begin))
							mu.Unlock()
						})
					}
					time.Sleep(500 * time.Millisecond)
					test.nudge(nudge)
					wg.Wait()
					for i := range ends {
						if ends[i] != test.want[i] {
							t.Fatalf("calls ended after %v; want %v", ends, test.want)
						}
					}
				})
			})
		}
	}
}

var starters = map[string]func(context.Context, *retry.Policy, func(context.Context) error) (wait func() error){
	"Run": func(ctx context.Context, p *retry.Policy, fn func(context.Context) error) func() error {
		return func() error { return retry.Run(ctx, p, fn) }
	},
	"Go": func(ctx context.Context, p *retry.Policy, fn func(context.Context) error) func() error {
		f := retry.Go(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
		return func() error { _, err := f.Wait(context.WithoutCancel(ctx)); return err }
	},
}

func TestNudgeBeforeTheWait(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		value bool // else closed
		want  time.Duration
	}{
		{"a value ends the first wait", transient, true, time.Second},
		{"a value leaves the hint", retry.After(errPlain, 10*time.Second), true, 21 * time.Second},
		{"a channel closed long ago ends none", transient, false, 2 * time.Second},
	} {
		for kind, start := range starters {
			t.Run(test.name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					nudge := make(chan struct{}, 1)
					if test.value {
						nudge <- struct{}{}
					} else {
						close(nudge)
					}
					fn, _ := script(test.err, test.err)
					begin := time.Now()
					ctx := retry.WithPool(t.Context(), &retry.Pool{})
					if err := start(ctx, &retry.Policy{Backoff: second, Nudge: nudge}, fn)(); err != nil {
						t.Fatal(err)
					}
					if got := time.Since(begin); got != test.want {
						t.Errorf("waited %v; want %v", got, test.want)
					}
				})
			})
		}
	}
}

func TestCancelEndsAWaitThatListensToNudges(t *testing.T) {
	for kind, start := range starters {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(retry.WithPool(t.Context(), &retry.Pool{}))
				time.AfterFunc(300*time.Millisecond, func() { cancel(refused) })
				fn, _ := always(transient)
				begin := time.Now()
				err := start(ctx, &retry.Policy{Backoff: second, Nudge: make(chan struct{})}, fn)()
				if asError(t, err).Reason != refused || time.Since(begin) != 300*time.Millisecond {
					t.Errorf("%v after %v; want the cause of the cancel after 300ms", err, time.Since(begin))
				}
			})
		})
	}
}

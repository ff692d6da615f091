package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

func TestConcurrencyMax(t *testing.T) {
	for _, test := range []struct{ max, want int }{{0, limit.DefaultConcurrency}, {3, 3}, {-5, 1}} {
		c := &limit.Concurrency{Max: test.max}
		n := 0
		for n < 1000 && begin(t.Context(), c, attempt(retry.Normal)) == nil {
			n++
		}
		if n != test.want || c.Stats() != (limit.Stats{Running: test.want, Refused: 1}) {
			t.Errorf("Max %d: %d begin, Stats() = %+v; want %d", test.max, n, c.Stats(), test.want)
		}
	}
}

// An attempt that cannot remember what it holds takes its slot when it is admitted.
func TestConcurrencyWithoutNote(t *testing.T) {
	c := &limit.Concurrency{Max: 1, MaxWait: time.Hour}
	a := &retry.Attempt{Number: 1}
	if err := c.Admit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := c.Admit(t.Context(), a); !errors.Is(err, limit.ErrBusy) {
		t.Errorf("second: %v; want refused at once", err)
	}
	if err := c.Start(t.Context(), a); err != nil || c.Stats().Running != 1 {
		t.Errorf("Start: %v, %d running; want the slot of Admit", err, c.Stats().Running)
	}
	c.Settle(a, &retry.Outcome{}) // not started
	if got := c.Stats().Running; got != 0 {
		t.Errorf("%d running; want none", got)
	}
}

// However callers come, wait, leave and end, no more than Max run, and no slot is lost.
func TestConcurrencyHoldsUnderAnyInterleaving(t *testing.T) {
	const most = 3
	synctest.Test(t, func(t *testing.T) {
		c := &limit.Concurrency{Max: most, MaxWait: 5 * time.Millisecond, MaxWaiters: 8}
		var running, began atomic.Int64
		var wg sync.WaitGroup
		for caller := range 32 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), 1))
				pause := func() { time.Sleep(time.Duration(random.IntN(4)) * time.Millisecond) }
				for range 200 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(6))*time.Millisecond)
					a := attempt(retry.Priority(random.IntN(3) - 1))
					if begin(ctx, c, a) == nil {
						began.Add(1)
						if n := running.Add(1); n > most {
							t.Errorf("%d run at once; want at most %d", n, most)
						}
						pause()
						running.Add(-1)
						end(c, a)
					}
					cancel()
					pause()
				}
			})
		}
		wg.Wait()
		s := c.Stats()
		if s.Running != 0 || s.Waiting != 0 || s.Waited == 0 || s.Shed == 0 || began.Load() < 500 {
			t.Errorf("%d began, Stats() = %+v; want none left, and all kinds of ends seen", began.Load(), s)
		}
	})
}

// The same on real processors, where the race between a grant and the end of a wait is a real one.
func TestConcurrencyInParallel(t *testing.T) {
	c := &limit.Concurrency{Max: 2, MaxWait: limit.Forever}
	var running atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				if a := attempt(retry.Normal); begin(ctx, c, a) == nil {
					if n := running.Add(1); n > 2 {
						t.Errorf("%d run at once; want at most 2", n)
					}
					running.Add(-1)
					end(c, a)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("Stats() = %+v; want nothing left", s)
	}
}

package limit_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

type health struct{ doubt atomic.Bool }

func (h *health) Suspect() bool { return h.doubt.Load() }

var _ interface{ Suspect() bool } = (*breaker.Breaker)(nil) // what Health is made for

func TestDoubtHalves(t *testing.T) {
	h := &health{}
	h.doubt.Store(true)
	for _, test := range []struct{ max, want int }{{0, 32}, {8, 4}, {3, 1}, {1, 1}, {-1, 1}} {
		c := &limit.Concurrency{Max: test.max, Health: h}
		n := 0
		for n < 100 && begin(t.Context(), c, attempt(retry.Normal)) == nil {
			n++
		}
		if n != test.want {
			t.Errorf("Max %d: %d begin while in doubt; want %d", test.max, n, test.want)
		}
	}
}

// What runs when doubt begins may end; nobody follows until half are left. When it is over, all slots are used again,
// although only one attempt ends.
func TestDoubtComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &health{}
		c := &limit.Concurrency{Max: 4, MaxWait: limit.Forever, Health: h}
		var running []*retry.Attempt
		for range 4 {
			a := attempt(retry.Normal)
			if err := begin(t.Context(), c, a); err != nil {
				t.Fatal(err)
			}
			running = append(running, a)
		}
		var began atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if begin(ctx, c, attempt(retry.Normal)) == nil {
					began.Add(1)
				}
			})
		}
		end := func(wantBegan, wantRunning int) {
			t.Helper()
			c.Settle(running[0], &retry.Outcome{})
			running = running[1:]
			synctest.Wait()
			if s := c.Stats(); int(began.Load()) != wantBegan || s.Running != wantRunning {
				t.Errorf("%d began, %+v; want %d began and %d running", began.Load(), s, wantBegan, wantRunning)
			}
		}
		synctest.Wait()
		h.doubt.Store(true)
		end(0, 3)
		end(0, 2)
		end(1, 2)
		h.doubt.Store(false)
		end(4, 4)
		cancel()
		wg.Wait()
	})
}

// However doubt comes and goes, no more than Max run, no slot is lost, and nobody waits beside a free one for ever.
func TestDoubtUnderAnyInterleaving(t *testing.T) {
	const most = 4
	synctest.Test(t, func(t *testing.T) {
		h := &health{}
		c := &limit.Concurrency{Max: most, MaxWait: 5 * time.Millisecond, MaxWaiters: 8, Health: h}
		var running, began atomic.Int64
		var wg sync.WaitGroup
		for caller := range 16 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), 2))
				for range 200 {
					h.doubt.Store(random.IntN(2) == 0)
					a := attempt(retry.Normal)
					if begin(t.Context(), c, a) != nil {
						continue
					}
					if n := running.Add(1); n > most {
						t.Errorf("%d run", n)
					}
					began.Add(1)
					time.Sleep(time.Duration(random.IntN(4)) * time.Millisecond)
					running.Add(-1)
					c.Settle(a, &retry.Outcome{})
				}
			})
		}
		wg.Wait()
		if s := c.Stats(); s.Running != 0 || s.Waiting != 0 || began.Load() == 0 {
			t.Errorf("%+v after %d began; want nothing left", s, began.Load())
		}
	})
}

package halt_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// Many goroutines call while stops and resumes come and go. Whoever calls after Stop has returned, and before
// anybody resumes, must not get to an attempt; and what Stop could count when it returned is all that begins.
func TestNoAttemptStartsAfterStop(t *testing.T) {
	rounds, late := 40, 20_000
	if testing.Short() {
		rounds, late = 8, 1000
	}
	for _, active := range []bool{false, true} {
		tree := &halt.Tree{Active: active, Ramp: halt.Ramp{Step: 1}}
		p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk", "binance", "place_order")}}
		var began, wrong, stopped atomic.Int64
		fn := func(ctx context.Context) (int, error) { began.Add(1); return 0, nil }
		check := func(context.Context) (int, error) { wrong.Add(1); began.Add(1); return 0, nil }
		ctx, end := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var phase atomic.Int64 // odd while stopped, as callers see it
		for range 2 * runtime.GOMAXPROCS(0) {
			load.Go(func() {
				for ctx.Err() == nil {
					if before := phase.Load(); before%2 == 1 {
						// Stop had returned. If the phase is still the same afterwards, the call lay within it.
						ran := false
						retry.Do(context.Background(), p, func(context.Context) (int, error) { ran = true; began.Add(1); return 0, nil })
						if phase.Load() == before {
							stopped.Add(1)
							if ran {
								wrong.Add(1)
							}
						}
					} else {
						retry.Do(context.Background(), p, fn)
					}
				}
			})
		}
		scopes := []halt.Scope{halt.Global, "desk", "desk/binance", "desk/binance/place_order"}
		for round := range rounds {
			scope := scopes[round%len(scopes)]
			for seen := began.Load(); began.Load() < seen+100; {
				runtime.Gosched()
			}
			stop(t, tree, scope, halt.Stopped, "ops1")
			counted := look(t, tree, "desk/binance/place_order").Begun
			phase.Add(1)
			for range late / rounds {
				retry.Do(context.Background(), p, check)
				stopped.Add(1)
			}
			// Each caller may be about to take back the count of one refusal.
			if now := look(t, tree, "desk/binance/place_order").Begun; now > counted+int64(2*runtime.GOMAXPROCS(0)) {
				t.Fatalf("%d attempts counted when Stop had returned, %d later", counted, now)
			}
			phase.Add(1)
			resume(t, tree, scope)
			tree.Close()
		}
		end()
		load.Wait()
		if wrong.Load() != 0 {
			t.Errorf("active %v: %d attempts began after Stop had returned, of %d calls", active, wrong.Load(), stopped.Load())
		}
		if active {
			if s := look(t, tree, "desk/binance/place_order"); s.Active != 0 || s.Begun != began.Load() {
				t.Errorf("%d run, %d began; want 0 and %d", s.Active, s.Begun, began.Load())
			}
		}
		t.Logf("active %v: %d calls while stopped, %d attempts while running", active, stopped.Load(), began.Load())
	}
}

// A million calls that are made after Stop has returned.
func TestMillionCallsAfterStop(t *testing.T) {
	calls := 1_000_000
	if testing.Short() {
		calls = 50_000
	}
	var tree halt.Tree
	g := tree.Gate("desk", "venue")
	p := &retry.Policy{Gates: []retry.Gate{g}}
	var began, after atomic.Int64
	var done atomic.Bool
	var load sync.WaitGroup
	ready := make(chan struct{})
	workers := 8
	for range workers {
		load.Go(func() {
			<-ready
			for n := 0; n < calls/workers; {
				returned := done.Load()
				_, err := retry.Do(context.Background(), p, func(context.Context) (int, error) {
					began.Add(1)
					if returned {
						after.Add(1)
					}
					return 0, nil
				})
				if returned {
					n++
					if !isHalted(err) {
						after.Add(1)
					}
				}
			}
		})
	}
	close(ready)
	for began.Load() < 1000 {
		runtime.Gosched()
	}
	stop(t, &tree, "desk", halt.Stopped, "ops1")
	done.Store(true)
	load.Wait()
	if after.Load() != 0 {
		t.Errorf("%d attempts in %d calls made after Stop had returned; want 0", after.Load(), calls)
	}
}

func TestAllocs(t *testing.T) {
	ctx := context.Background()
	a, o := &retry.Attempt{Number: 1, At: time.Now(), Note: new(uint64)}, &retry.Outcome{State: retry.Succeeded}
	for name, tree := range map[string]*halt.Tree{"running": {}, "active counted": {Active: true}} {
		g := tree.Gate("desk", "binance", "place_order")
		if n := testing.AllocsPerRun(1000, func() { pass(t, ctx, g, a, o) }); n != 0 {
			t.Errorf("%s: %v allocations; want 0", name, n)
		}
		p := &retry.Policy{Gates: []retry.Gate{g}}
		if n := testing.AllocsPerRun(1000, func() {
			retry.Do(ctx, p, func(context.Context) (int, error) { return 0, nil })
		}); n != 0 {
			t.Errorf("%s: %v allocations in Do; want 0", name, n)
		}
		tree.Stop(halt.Command{})
		if n := testing.AllocsPerRun(1000, func() { g.Admit(ctx, a) }); n != 0 {
			t.Errorf("%s: a refusal makes %v allocations; want 0", name, n)
		}
	}
}

// A local trigger must work when memory is short: a stop of a hundred scopes allocates little more than one.
func TestStopAllocatesLittle(t *testing.T) {
	var tree halt.Tree
	for i := range 100 {
		tree.Gate("desk", string(rune('A'+i)))
	}
	tree.Stop(halt.Command{Who: "ops1"}) // what is new with the first: the waits to end
	if n := testing.AllocsPerRun(100, func() { tree.Stop(halt.Command{Who: "ops1"}) }); n > 16 {
		t.Errorf("%v allocations; want at most 16", n)
	}
}

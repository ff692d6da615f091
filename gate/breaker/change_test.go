package breaker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

func TestChanges(t *testing.T) {
	var got []string
	var b *breaker.Breaker
	b = &breaker.Breaker{Name: "binance", Rand: even, OnChange: func(c breaker.Change) {
		b.Snapshot() // it is told outside the lock
		got = append(got, fmt.Sprintf("%d: %v to %v by %s", c.Generation, c.From, c.To, c.Cause))
		if c.Key != "binance" || c.At.Before(start) || c.LowerBound != c.Counts.LowerBound() {
			t.Errorf("%+v", c)
		}
		if c.To == breaker.Open && (c.Wait < 5*time.Second || c.CUSUM < 10 && c.Cause == breaker.ByOpenTest) {
			t.Errorf("without evidence: %+v", c)
		}
	}}
	d := drive(t, b).ruin(b)
	d.wait(5 * time.Second).do(bad)
	d.wait(10 * time.Second).admit()
	d.wait(25*time.Second).times(4, 0, good)
	d.times(30, 0, good).times(4, 0, bad).times(100, 0, good).wait(5 * time.Second).do(good)
	wants := []string{
		"1: closed to suspect by cusum", "2: suspect to throttling by cusum", "3: throttling to open by open test",
		"4: open to half_open by open time over", "5: half_open to open by probe failed", "6: open to half_open by open time over",
		"7: half_open to open by probe hung", "8: open to half_open by open time over", "9: half_open to closed by probes succeeded",
		"10: closed to suspect by cusum", "11: suspect to closed by calm",
	}
	for i, want := range wants {
		if i >= len(got) || got[i] != want {
			t.Fatalf("changes %q; want %q", got, wants)
		}
	}
	if len(got) != len(wants) {
		t.Errorf("also %q", got[len(wants):])
	}
}

// A listener may use the breaker: what that brings about is told when it returns.
func TestListenerMayUseTheBreaker(t *testing.T) {
	var got []breaker.State
	var b *breaker.Breaker
	inside := false
	b = &breaker.Breaker{Rand: even, OnChange: func(c breaker.Change) {
		if inside {
			t.Error("told of a change inside the telling of another")
		}
		inside = true
		defer func() { inside = false }()
		if got = append(got, c.To); c.To == breaker.Suspect {
			b.Isolate(breaker.Order{Who: "a rule", Why: "no risk", For: time.Hour})
		}
	}}
	drive(t, b).times(40, 0, good).times(4, 0, bad)
	if fmt.Sprint(got) != "[suspect isolated]" {
		t.Errorf("told of %v; want suspect, then isolated", got)
	}
}

// A listener that does not come to an end does not fill the memory.
func TestChangesThatWait(t *testing.T) {
	var got []uint64
	var b *breaker.Breaker
	me := breaker.Order{Who: "me", Why: "test", For: time.Hour}
	b = &breaker.Breaker{OnChange: func(c breaker.Change) {
		if got = append(got, c.Generation); len(got) == 1 {
			for range 1000 {
				b.Isolate(me)
			}
		}
	}}
	b.Isolate(me)
	if len(got) != 257 || got[256] != 257 {
		t.Errorf("told of %d changes, the last being number %d; want 257", len(got), got[len(got)-1])
	}
	b.Isolate(me)
	if last := got[len(got)-1]; last != 1002 {
		t.Errorf("then told of number %d; want 1002", last)
	}
}

func TestListenerPanics(t *testing.T) {
	n := 0
	b := &breaker.Breaker{Rand: even, OnChange: func(breaker.Change) {
		if n++; n == 1 {
			panic("listener")
		}
	}}
	d := drive(t, b).times(40, 0, good)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not rise")
			}
		}()
		d.times(4, 0, bad)
	}()
	d.times(1, 0, bad)
	if n != 2 {
		t.Errorf("told %d times; want 2: the panic of a listener is not the end of listening", n)
	}
}

// Changes are told in their order, however many goroutines bring them about.
func TestChangesInOrder(t *testing.T) {
	var mu sync.Mutex
	last := uint64(0)
	b := &breaker.Breaker{Rules: breaker.Rules{Classic: true, MinSamples: 2, OpenFor: 50 * time.Millisecond, Probes: 1}, OnChange: func(c breaker.Change) {
		mu.Lock()
		defer mu.Unlock()
		if c.Generation != last+1 {
			t.Errorf("told of %d after %d", c.Generation, last)
		}
		last = c.Generation
	}}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				a := &retry.Attempt{Policy: read, Call: uint64(i), Number: 1, Lane: uint32(g), Note: new(uint64), At: start.Add(time.Duration(i) * time.Millisecond)}
				if b.Admit(context.Background(), a) == nil {
					o := bad
					if i%3 > 0 {
						o = good
					}
					o.Start = a.At
					b.Settle(a, &o)
				}
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if s := b.Snapshot(); last != s.Generation || last < 10 {
		t.Errorf("told of %d changes of %d", last, s.Generation)
	}
}

func TestStateText(t *testing.T) {
	for s := breaker.Closed; s <= breaker.ForcedClosed; s++ {
		text, err := json.Marshal(s)
		var back breaker.State
		if err != nil || json.Unmarshal(text, &back) != nil || back != s {
			t.Errorf("%v becomes %s and then %v", s, text, back)
		}
	}
	var s breaker.State
	if err := s.UnmarshalText([]byte("ajar")); err == nil {
		t.Error("took an unknown state")
	}
	if got := breaker.State(99).String(); got != "state(99)" {
		t.Error(got)
	}
	if breaker.ForcedClosed.Label() != "closed" || breaker.HalfOpen.Label() != "half_open" {
		t.Error("labels are not those of the metrics")
	}
}

func TestErrors(t *testing.T) {
	e := &breaker.Error{Key: "binance", State: breaker.Open, Wait: 4321 * time.Millisecond}
	if got, want := e.Error(), "breaker binance: attempt refused while open, retry after 4.321s"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	e = &breaker.Error{Key: "binance", State: breaker.Isolated, Retry: true, Why: "maintenance"}
	if got, want := e.Error(), "breaker binance: retry refused while isolated (maintenance)"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	wrapped := fmt.Errorf("fetch: %w", e)
	if !errors.Is(wrapped, breaker.ErrOpen) || retry.DefaultClassify(wrapped) != retry.Transient {
		t.Errorf("%v is not ErrOpen, or not Transient but %v", wrapped, retry.DefaultClassify(wrapped))
	}
}

package retryws_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{} // one a second
		start := time.Now()
		for i := range 3 {
			if err := b.Acquire(t.Context(), "host", false); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start).Round(time.Millisecond); took != time.Duration(i)*time.Second {
				t.Errorf("connect %d after %v; want one a second", i+1, took)
			}
		}
	})
}

// A quarter is left to private streams, which also go first when all wait.
func TestBudgetShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{Connects: 8, Per: 8 * time.Second}
		var mu sync.Mutex
		var order []string
		start := func(private bool, n int) {
			for range n {
				go func() {
					if b.Acquire(t.Context(), "host", private) == nil {
						mu.Lock()
						order = append(order, fmt.Sprint(private))
						mu.Unlock()
					}
				}()
				synctest.Wait()
			}
		}
		count := func() string { mu.Lock(); defer mu.Unlock(); return strings.Join(order, " ") }
		start(false, 8)
		if got := count(); got != strings.TrimSpace(strings.Repeat("false ", 6)) {
			t.Errorf("at once: %s; want six public ones", got)
		}
		start(true, 3)
		if got := count(); strings.Count(got, "true") != 2 {
			t.Errorf("then: %s; want the two that were left", got)
		}
		time.Sleep(1100 * time.Millisecond)
		if got := count(); strings.Count(got, "true") != 3 || strings.Count(got, "false") != 6 {
			t.Errorf("after a second: %s; want the third private one", got)
		}
		time.Sleep(8 * time.Second)
		if private, public := b.Waiting(); private+public != 0 {
			t.Errorf("%d and %d still wait", private, public)
		}
	})
}

// A place is given back, and whoever gives up leaves nothing behind.
func TestBudgetMaxOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{Connects: 100, MaxOpen: 1}
		if err := b.Acquire(t.Context(), "host", false); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errReset)
		defer cancel()
		if err := b.Acquire(ctx, "host", true); !errors.Is(err, errReset) {
			t.Errorf("Acquire = %v; want the cause of the context", err)
		}
		var got atomic.Bool
		go func() { got.Store(b.Acquire(t.Context(), "host", false) == nil) }()
		synctest.Wait()
		if got.Load() {
			t.Error("two links are open; want one")
		}
		b.Release()
		synctest.Wait()
		if !got.Load() {
			t.Error("the place is not given on")
		}
	})
}

// A context that ends in the moment of the grant loses the token, and not the place.
func TestBudgetGrantAndCancel(t *testing.T) {
	for range 200 {
		b := &retryws.Budget{Connects: 1000, MaxOpen: 1}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.Acquire(ctx, "host", false) == nil {
			b.Release()
		}
		if err := b.Acquire(t.Context(), "host", false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{Connects: 100}
		until := time.Now().Add(time.Minute)
		b.Hold(t.Context(), "one", until, "banned")
		b.Hold(t.Context(), "one", until.Add(-time.Second), "shorter")
		if got := b.Held("one"); !got.Equal(until) {
			t.Errorf("Held = %v; want %v", got, until)
		}
		var one atomic.Bool
		go func() { one.Store(b.Acquire(t.Context(), "one", true) == nil) }()
		if err := b.Acquire(t.Context(), "two", false); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute - time.Millisecond)
		if one.Load() {
			t.Error("granted before the time")
		}
		time.Sleep(2 * time.Millisecond)
		if !one.Load() || !b.Held("one").IsZero() {
			t.Error("not granted after it")
		}
	})
}

// ledger is a store that programs share.
type ledger struct {
	mu    sync.Mutex
	waits []time.Duration
	err   error
	held  time.Time
	asked int
	why   string
}

func (l *ledger) Take(_ context.Context, key string, connects int, per time.Duration) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.err != nil || len(l.waits) == 0 {
		return 0, l.err
	}
	wait := l.waits[0]
	l.waits = l.waits[1:]
	return wait, nil
}

func (l *ledger) Hold(_ context.Context, host string, until time.Time, why string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.why = until, why
	return l.err
}

func (l *ledger) Held(context.Context, string) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held, l.err
}

func TestLedger(t *testing.T) {
	for _, test := range []struct {
		name string
		l    *ledger
		took time.Duration
		err  error
	}{
		{"grants", &ledger{}, 0, nil},
		{"has us wait, twice", &ledger{waits: []time.Duration{time.Second, 2 * time.Second}}, 3 * time.Second, nil},
		{"fails: the budget alone decides", &ledger{err: errReset, held: time.Now().Add(1 << 60)}, 0, nil},
		{"has us wait too long", &ledger{waits: []time.Duration{time.Hour}}, time.Minute, context.DeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &retryws.Budget{Connects: 100, MaxOpen: 1, Shared: test.l, Key: "venue"}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				err := b.Acquire(ctx, "host", false)
				if took := time.Since(start); took != test.took || !errors.Is(err, test.err) {
					t.Errorf("Acquire = %v after %v; want %v after %v", err, took, test.err, test.took)
				}
				if err == nil {
					b.Release()
				}
				test.l.err, test.l.waits = nil, nil
				if err := b.Acquire(t.Context(), "host", false); test.l.held.IsZero() && err != nil {
					t.Errorf("Acquire = %v; want the place given back", err)
				}
			})
		})
	}
}

// A ban is made durable, and another program's ban holds here, too.
func TestSharedBans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{err: errReset}
		o := &log{}
		v := &venue{refuse: func(n int) error {
			if n == 1 {
				return &retryws.HandshakeError{Status: 418, After: time.Minute}
			}
			return nil
		}}
		b := &retryws.Budget{Connects: 100, Shared: l, Key: "venue"}
		run(t, retryws.Config{Protocol: &words{}, Dialer: v, Budgets: []*retryws.Budget{b}, Observe: o.observe}, "a")
		synctest.Wait()
		if a := o.of(retryws.Alerted); len(a) != 2 || !errors.Is(a[1].Err, errReset) {
			t.Errorf("alerts %+v; want the ban, and that it could not be made durable", a)
		}
		if until := time.Until(l.held); until < time.Minute || l.why == "" {
			t.Errorf("held for %v, because %q; want at least a minute", until, l.why)
		}
		l.mu.Lock()
		l.err = nil
		l.mu.Unlock()
		if err := b.Hold(t.Context(), "another.example", time.Now(), "test"); err != nil {
			t.Errorf("Hold = %v", err)
		}
		l.mu.Lock()
		l.held = time.Now().Add(time.Minute)
		l.mu.Unlock()
		other := &retryws.Budget{Connects: 100, Shared: l, Key: "venue"} // of another program
		start := time.Now()
		if err := other.Acquire(t.Context(), "stream.venue.example", true); err != nil || time.Since(start) < time.Minute {
			t.Errorf("Acquire = %v after %v; want to wait for the end of the ban", err, time.Since(start))
		}
	})
}

// All budgets must grant, and what one granted is given back when another does not.
func TestTwoBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ip, key := &retryws.Budget{Connects: 10, MaxOpen: 1}, &retryws.Budget{Connects: 10, MaxOpen: 1}
		key.Acquire(t.Context(), "host", false)
		s := retryws.New(retryws.Config{Protocol: &words{}, Dialer: &venue{}, Budgets: []*retryws.Budget{ip, key}})
		go s.Run(t.Context())
		synctest.Wait()
		if s.State() != retryws.Idle {
			t.Errorf("state %v; want IDLE while the budget is waited for", s.State())
		}
		s.Close()
		if err := ip.Acquire(t.Context(), "host", false); err != nil {
			t.Error(err)
		}
	})
}

func TestBudgetCheck(t *testing.T) {
	b := &retryws.Budget{Connects: -1, Per: -1, MaxOpen: -1, Shared: &ledger{}}
	want := "Connects: is negative: -1\nPer: is negative: -1ns\nMaxOpen: is negative: -1\nKey: is required with Shared"
	if err := b.Check(); err == nil || err.Error() != want {
		t.Errorf("Check = %v; want %s", err, want)
	}
	if err := new(retryws.Budget).Check(); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
}

// After a ban one connect goes first, and the others follow at the rate of the refill.
func TestHoldEndsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &retryws.Budget{Connects: 3, Per: 3 * time.Second}
		b.Hold(t.Context(), "host", time.Now().Add(time.Minute), "banned")
		var n atomic.Int64
		for range 3 {
			go func() {
				if b.Acquire(t.Context(), "host", false) == nil {
					n.Add(1)
				}
			}()
		}
		time.Sleep(time.Minute + time.Millisecond)
		for want := range int64(3) {
			if n.Load() != want+1 {
				t.Errorf("%d connects %v after the ban; want %d", n.Load(), time.Duration(want)*time.Second, want+1)
			}
			time.Sleep(time.Second)
		}
	})
}

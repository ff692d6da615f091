package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/batch"
)

var errBusy = errors.New("busy")

func transient() error { return retry.Mark(errBusy, retry.Transient) }
func permanent() error { return retry.Mark(errBusy, retry.Permanent) }
func throttled() error { return retry.After(errBusy, 0) }

type options = batch.Options[int, string]

func count(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// states returns how each item ended, a letter for each: Succeeded, Failed, Unknown, NotSent.
func states(r *batch.Report[string]) (s string) {
	for i, o := range r.Outcomes {
		if o.Index != i {
			s += "!"
		}
		s += strings.ToUpper(o.State.String()[:1])
	}
	return s
}

func sees(t *testing.T, r *batch.Report[string], want string) {
	t.Helper()
	if got := states(r); got != want {
		t.Errorf("the items ended as %q; want %q", got, want)
	}
}

// W1, N10: the second send carries exactly the items that failed and may be sent again.
func TestW1SecondSendCarriesTheFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		begun := time.Now()
		r, err := batch.Bulk(t.Context(), &retry.Policy{}, count(10), func(_ context.Context, items []batch.Item[int]) (answers []batch.Answer[string], _ error) {
			var s []string
			for _, item := range items {
				s = append(s, fmt.Sprint(item.Value))
				var a batch.Answer[string]
				switch {
				case len(sent) > 0:
				case item.Value < 3:
					a.Err = throttled()
				case item.Value == 3:
					a.Err = permanent()
				case item.Value == 4:
					a.Err = errBusy
				}
				if a.Err == nil {
					a.Value = item.Key
				}
				answers = append(answers, a)
			}
			sent = append(sent, strings.Join(s, " "))
			return answers, nil
		}, &options{Key: "b", Linger: time.Hour}) // there is nobody to wait for
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("took %v; want nobody waited for", took)
		}
		if want := []string{"0 1 2 3 4 5 6 7 8 9", "0 1 2"}; !slices.Equal(sent, want) {
			t.Errorf("sent %q; want %q", sent, want)
		}
		sees(t, r, "SSSFUSSSSS")
		if got, want := fmt.Sprint(r.Outcomes[1]), "{1 b/1 succeeded b/1 <nil> ambiguous 2 false}"; got != want {
			t.Errorf("outcome 1 is %s; want %s", got, want)
		}
		var e *batch.Error
		if !errors.As(err, &e) || !errors.Is(err, retry.ErrAmbiguous) || !errors.Is(err, retry.ErrPermanent) || e.Class() != retry.Ambiguous {
			t.Errorf("the error is %v; want the reasons of all items", err)
		}
		const want = "8 of 10 items succeeded, 1 failed, 1 with an unknown outcome: retry: gave up after 1 attempt"
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("the error is %q; want %q", err, want)
		}
	})
}

func TestDoRetriesTheFailedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		runs := map[int]int{}
		r, err := batch.Do(t.Context(), &retry.Policy{}, count(6), func(ctx context.Context, i int) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			runs[i]++
			switch {
			case i == 1 && runs[i] < 3:
				return "", transient()
			case i == 2:
				return "", permanent()
			case i == 3:
				return "", errBusy
			case i == 4:
				return "", transient()
			}
			return batch.Key(ctx), nil
		}, &options{Key: "b"})
		sees(t, r, "SSFUFS")
		if want := map[int]int{0: 1, 1: 3, 2: 1, 3: 1, 4: 3, 5: 1}; fmt.Sprint(runs) != fmt.Sprint(want) {
			t.Errorf("runs: %v; want %v", runs, want)
		}
		if o := r.Outcomes[5]; o.Value != "b/5" || o.Attempts != 1 {
			t.Errorf("outcome 5: %+v; want the key b/5 after 1 attempt", o)
		}
		if o := r.Outcomes[4]; o.Attempts != 3 || o.Class != retry.Transient || !errors.Is(o.Err, retry.ErrExhausted) {
			t.Errorf("outcome 4: %+v; want 3 attempts and what they came to", o)
		}
		if err == nil || !slices.Equal(r.Indexes(batch.Failed), []int{2, 4}) || r.Count(batch.Unknown) != 1 {
			t.Errorf("%v, failed: %v", err, r.Indexes(batch.Failed))
		}
	})
}

func TestPoisonDoesNotHoldUpTheRest(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			var last time.Duration
			one := func(i int) (string, error) {
				if i < 20 {
					return "", transient()
				}
				last = time.Since(begun)
				return "", nil
			}
			p := &retry.Policy{MaxAttempts: 5, Backoff: backoff.Constant{Wait: time.Minute, Jitter: backoff.None}}
			r := do(t, bulk, p, count(100), one, &options{Concurrency: 1, Size: 3})
			if last > time.Second || r.Count(batch.Succeeded) != 80 || r.Count(batch.Failed) != 20 {
				t.Errorf("bulk %v: the last good item took %v, %s", bulk, last, states(r))
			}
		})
	}
}

// do does a batch by Do or by Bulk.
func do(t *testing.T, bulk bool, s retry.Source, items []int, one func(int) (string, error), o *options) *batch.Report[string] {
	var mu sync.Mutex
	guarded := func(i int) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		return one(i)
	}
	if !bulk {
		r, _ := batch.Do(t.Context(), s, items, func(_ context.Context, i int) (string, error) { return guarded(i) }, o)
		return r
	}
	r, _ := batch.Bulk(t.Context(), s, items, func(_ context.Context, items []batch.Item[int]) (answers []batch.Answer[string], _ error) {
		for _, item := range items {
			v, err := guarded(item.Value)
			answers = append(answers, batch.Answer[string]{Value: v, Err: err})
		}
		return answers, nil
	}, o)
	return r
}

func TestOrderIsKept(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var done []string
			tries := map[int]int{}
			one := func(i int) (string, error) {
				if tries[i]++; i%4 == 1 && tries[i] < 3 {
					return "", transient()
				}
				done = append(done, fmt.Sprint(i))
				return "", nil
			}
			o := &options{Order: func(i int) string { return []string{"", "odd"}[i%2] }}
			r := do(t, bulk, &retry.Policy{}, count(12), one, o)
			sees(t, r, "SSSSSSSSSSSS")
			odd := slices.DeleteFunc(done, func(s string) bool { return len(s) == 1 && s[0]%2 == 0 || s == "10" })
			if got := strings.Join(odd, " "); got != "1 3 5 7 9 11" {
				t.Errorf("bulk %v: the odd ones were done in the order %s", bulk, got)
			}
		})
	}
}

func TestOrderAfterOneThatFailed(t *testing.T) {
	for _, test := range []struct {
		err    error
		strict bool
		want   string
	}{
		{permanent(), false, "SFSS"}, {permanent(), true, "SFNN"}, {errBusy, false, "SUNN"}, {errBusy, true, "SUNN"},
	} {
		one := func(i int) (string, error) {
			if i == 1 {
				return "", test.err
			}
			return "", nil
		}
		r := do(t, false, nil, count(4), one, &options{Order: func(int) string { return "one" }, Strict: test.strict})
		sees(t, r, test.want)
		if o := r.Outcomes[3]; o.State == batch.NotSent && (!errors.Is(o.Err, batch.ErrHeldBack) || o.Attempts != 0) {
			t.Errorf("an item that was held back: %+v", o)
		}
	}
}

func TestReconcile(t *testing.T) {
	errLost := errors.New("lost")
	for _, bulk := range []bool{false, true} {
		r := do(t, bulk, &retry.Policy{}, count(5), func(i int) (string, error) {
			if i == 0 {
				return "", transient()
			}
			return "", errBusy
		}, &options{Key: "b", Reconcile: func(_ context.Context, item batch.Item[int], err error) (string, batch.Finding, error) {
			if !errors.Is(err, errBusy) {
				t.Errorf("reconciling %v", err)
			}
			switch item.Index {
			case 0:
				t.Error("an item that failed for certain was reconciled")
			case 1:
				return item.Key, batch.Applied, nil
			case 2:
				return "", batch.Absent, nil
			case 3:
				return "", batch.Applied, errLost
			}
			return "", batch.Undecided, nil
		}})
		sees(t, r, "FSFUU")
		if o := r.Outcomes[1]; o.Value != "b/1" || o.Err != nil || !o.Reconciled {
			t.Errorf("applied: %+v", o)
		}
		if o := r.Outcomes[2]; !o.Reconciled || o.Class != retry.Transient || o.Err == nil {
			t.Errorf("absent: %+v", o)
		}
		if o := r.Outcomes[3]; o.Reconciled || !errors.Is(o.Err, errLost) || !errors.Is(o.Err, errBusy) {
			t.Errorf("not found out: %+v", o)
		}
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, peak atomic.Int32
		enter := func() {
			peak.Store(max(peak.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
		}
		begun := time.Now()
		_, err := batch.Do(t.Context(), nil, count(30), func(context.Context, int) (string, error) {
			enter()
			return "", nil
		}, &options{Concurrency: 3})
		if peak.Load() != 3 || err != nil || time.Since(begun) != 10*time.Second {
			t.Errorf("Do: %d at one time, %v, in %v; want 3 in 10s", peak.Load(), err, time.Since(begun))
		}
		peak.Store(0)
		begun = time.Now()
		_, err = batch.Bulk(t.Context(), nil, count(30), func(_ context.Context, items []batch.Item[int]) ([]batch.Answer[string], error) {
			enter()
			if len(items) != 5 {
				t.Errorf("%d items; want 5", len(items))
			}
			return make([]batch.Answer[string], len(items)), nil
		}, &options{Concurrency: 2, Size: 5})
		if peak.Load() != 2 || err != nil || time.Since(begun) != 3*time.Second {
			t.Errorf("Bulk: %d at one time, %v, in %v; want 2 in 3s", peak.Load(), err, time.Since(begun))
		}
	})
}

// The budget pays for each item's retry, and says no to those it has nothing for.
func TestGatesApplyPerItem(t *testing.T) {
	for _, bulk := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			g := &counting{}
			p := &retry.Policy{MaxAttempts: 2, Gates: []retry.Gate{&budget.Budget{Max: 4}, nil, g}}
			r := do(t, bulk, p, count(10), func(i int) (string, error) { return "", transient() }, nil)
			spent := 0
			for _, o := range r.Outcomes {
				if errors.Is(o.Err, budget.ErrSpent) {
					spent++
				}
			}
			if spent == 0 || g.admitted != g.settled || int(g.started) != 20-spent {
				t.Errorf("bulk %v: %d refused by the budget, %d started, %d admitted, %d settled", bulk, spent, g.started, g.admitted, g.settled)
			}
		})
	}
}

// counting is a gate that counts.
type counting struct {
	mu                         sync.Mutex
	admitted, started, settled int
	refuse                     func(item string) error
}

func (c *counting) Admit(context.Context, *retry.Attempt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.admitted++
	return nil
}

func (c *counting) Start(ctx context.Context, _ *retry.Attempt) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		if err := c.refuse(batch.Key(ctx)); err != nil {
			return err
		}
	}
	c.started++
	return nil
}

func (c *counting) Settle(*retry.Attempt, *retry.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled++
}

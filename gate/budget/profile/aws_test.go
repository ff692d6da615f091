package profile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// down takes what a quota has above left, by retries that fail.
func down(t *testing.T, g interface {
	Profile
	Quota() int
}, left int) {
	t.Helper()
	for g.Quota() > left {
		err := errServer
		if _, ok := g.(*AWS2026); ok && (g.Quota()-left)%14 != 0 {
			err = errSlow // costs 5
		}
		c, refused := fails(t, g, 0, err)
		if refused != nil {
			t.Fatal(refused)
		}
		c.end(0, errServer)
	}
	same(t, "quota", g.Quota(), left)
}

func TestAWS2026(t *testing.T) {
	ms := func(list ...time.Duration) []time.Duration {
		for i := range list {
			list[i] *= time.Millisecond
		}
		return list
	}
	for _, test := range []struct {
		vector   string
		quota    int
		attempts int
		results  []error
		delays   []time.Duration
		quotas   []int // after each attempt's retry was granted, and at the end
		refused  bool
	}{
		{"B14", 500, 3, []error{errServer, errServer, nil}, ms(50, 100), []int{486, 472, 486}, false},
		{"B15", 14, 3, []error{errServer, errServer}, ms(50), []int{0, 0}, true},
		{"B16", 20, 3, []error{errServer, errServer}, ms(50), []int{6, 6}, true},
		{"B18", 500, 3, []error{errSlow, nil}, ms(1000), []int{495, 500}, false},
		{"A3", 14, 3, []error{errServer, errServer}, ms(50), []int{0, 0}, true},
		{"A4", 0, 3, []error{errServer}, nil, []int{0}, true},
		{"A5", 500, 5, []error{errServer, errServer, errServer, errServer, errServer}, ms(50, 100, 200, 400), []int{486, 472, 458, 444, 444}, false},
		{"A9", 500, 3, []error{retry.Mark(errors.New("http 400 ThrottlingException"), retry.Throttled), nil}, ms(1000), []int{495, 500}, false},
		{"A10 known by its status", 500, 3, []error{errSlow, nil}, ms(1000), []int{495, 500}, false},
		{"A10 not retryable", 500, 3, []error{retry.Mark(errors.New("http 429, not retryable"), retry.Permanent)}, nil, []int{500}, false},
	} {
		t.Run(test.vector, func(t *testing.T) {
			q := &AWS2026{MaxAttempts: test.attempts}
			if test.quota < 500 {
				down(t, q, test.quota)
			}
			p := q.Policy()
			same(t, "attempts", p.MaxAttempts, test.attempts)
			c := newCall(t, q)
			var delays []time.Duration
			var quotas []int
			var refused error
			for i, result := range test.results {
				if c.a.Number == 0 {
					c.try(0)
				}
				c.end(0, result)
				if result == nil || c.a.Class == retry.Permanent || i+1 == p.MaxAttempts {
					quotas = append(quotas, q.Quota())
					break
				}
				refused = c.try(0)
				quotas = append(quotas, q.Quota())
				if refused != nil {
					break
				}
				delays = append(delays, q.Delay(i+1, c.a.Class, 0, 1).Round(time.Microsecond)) // U = 1, less a nanosecond
			}
			if !slices.Equal(delays, test.delays) || !slices.Equal(quotas, test.quotas) || (refused != nil) != test.refused {
				t.Errorf("delays %v, quotas %v, refused %v; want %v, %v, %v", delays, quotas, refused, test.delays, test.quotas, test.refused)
			}
		})
	}
}

// The same through the engine, where the failures are not Throttled: the preset waits what is published.
func TestAWSPresets(t *testing.T) {
	for _, test := range []struct {
		p    Profile
		want []time.Duration
	}{
		{&AWS2026{MaxAttempts: 5}, []time.Duration{25, 50, 100, 200}},
		{&AWS2025{MaxAttempts: 8}, []time.Duration{500, 1000, 2000, 4000, 8000, 10000, 10000}},
		{&Envoy{}, []time.Duration{12500 * time.Microsecond / time.Millisecond}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := test.p.Policy()
			p.Rand = func() float64 { return 0.5 }
			var waits []time.Duration
			last := time.Now()
			err := retry.Run(t.Context(), p, func(context.Context) error {
				waits = append(waits, time.Since(last).Truncate(time.Millisecond)/time.Millisecond)
				last = time.Now()
				return errServer
			})
			if !errors.Is(err, retry.ErrExhausted) || !slices.Equal(waits[1:], test.want) {
				t.Errorf("%T: waits %v, %v; want %v", test.p, waits[1:], err, test.want)
			}
		})
	}
}

// B20
func TestAWSCeilings(t *testing.T) {
	q := &AWS2026{}
	for i, want := range []float64{.05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8, 20, 20} {
		if d := q.Delay(i+1, retry.Transient, 0, 1); !close(d.Seconds(), want, 2e-9) {
			t.Errorf("B20 %d: %v; want %v s", i+1, d, want)
		}
	}
}

func TestAWSHint(t *testing.T) {
	q := &AWS2026{}
	for _, test := range []struct {
		value string
		class retry.Class
		want  time.Duration
	}{
		{"", retry.Transient, 25 * time.Millisecond},
		{"10", retry.Transient, 25 * time.Millisecond},
		{"1500", retry.Transient, 1500 * time.Millisecond},
		{"99999", retry.Transient, 5025 * time.Millisecond},
		{"18446744073709551615", retry.Transient, 5025 * time.Millisecond},
		{"-5", retry.Transient, 25 * time.Millisecond},
		{"1.5", retry.Transient, 25 * time.Millisecond},
		{"99999", retry.Throttled, 5500 * time.Millisecond},
	} {
		if got := q.Delay(1, test.class, RetryAfter(test.value), 0.5); got != test.want {
			t.Errorf("hint %q after %v: %v; want %v", test.value, test.class, got, test.want)
		}
	}
}

// An adapter that marks a throttling error as the documentation says waits no less than published.
func TestAWSThrottlingThroughTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &AWS2026{}
		p := q.Policy()
		p.Rand = func() float64 { return 0.5 }
		n, began := 0, time.Now()
		err := retry.Run(t.Context(), p, func(context.Context) error {
			if n++; n == 1 {
				return retry.After(errSlow, q.Delay(n, retry.Throttled, 0, 0.5))
			}
			return nil
		})
		if took := time.Since(began); err != nil || took < 500*time.Millisecond || took > 525*time.Millisecond {
			t.Errorf("%v after %v; want success after 500 to 525 ms", err, took)
		}
		same(t, "quota", q.Quota(), 500)
	})
}

// B21
func TestAWS2025(t *testing.T) {
	q := &AWS2025{}
	newCall(t, q).run(0, nil)
	same(t, "full", q.Quota(), 500)
	for range 5 {
		c, _ := fails(t, q, 0, errLate) // a timeout costs 10
		c.end(0, errServer)
	}
	same(t, "quota", q.Quota(), 450)
	newCall(t, q).run(0, errWrong)
	same(t, "B21 after a 400", q.Quota(), 450)
	newCall(t, q).run(0, nil)
	same(t, "B21 after a 200", q.Quota(), 451)

	q = &AWS2025{Capacity: 20}
	c := newCall(t, q)
	made, _ := c.run(0, retry.Mark(netError(true), retry.Ambiguous), retry.Mark(netError(false), retry.Transient), nil)
	same(t, "attempts", made, 3)
	same(t, "the last amount is refunded", q.Quota(), 10)
	made, err := newCall(t, q).run(0, errServer, errServer, errServer, errServer)
	same(t, "attempts", made, 3)
	same(t, "refusal", fmt.Sprint(err), "retry budget spent: aws-2025 by balance: 0 of 5")
	same(t, "attempts", (&AWS2025{MaxAttempts: -1}).Policy().MaxAttempts, 1)
}

// What was paid for a retry that never began comes back, once it was paid.
func TestQuotaReturns(t *testing.T) {
	for _, g := range []interface {
		Profile
		Quota() int
	}{&AWS2025{}, &AWS2026{}} {
		down(t, g, 430)
		c, _ := fails(t, g, 0, errServer)
		c.drop(retry.NotStarted)
		same(t, "quota", g.Quota(), 430)
		for _, s := range []retry.State{retry.NotStarted, retry.Canceled, retry.Panicked} {
			first := newCall(t, g)
			first.try(0)
			first.drop(s)
		}
		same(t, "quota", g.Quota(), 430)
	}
}

// A long poll that is refused sleeps its backoff, unless the caller or a stop ends that.
func TestAWSLongPoll(t *testing.T) {
	stop := errors.New("stop")
	for _, test := range []struct {
		name   string
		wait   time.Duration
		end    func(cancel context.CancelCauseFunc, h *halter)
		reason error
	}{
		{"refused", 50 * time.Millisecond, func(context.CancelCauseFunc, *halter) {}, nil},
		{"cancelled", 10 * time.Millisecond, func(cancel context.CancelCauseFunc, _ *halter) { cancel(stop) }, stop},
		{"stopped", 10 * time.Millisecond, func(_ context.CancelCauseFunc, h *halter) { h.cancel(stop) }, stop},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(WithCall(t.Context(), Call{LongPoll: true}))
				h := newHalter()
				q := &AWS2026{Capacity: None}
				p := q.Policy()
				p.Gates = append(p.Gates, h)
				p.Rand = func() float64 { return math.Nextafter(1, 0) }
				time.AfterFunc(10*time.Millisecond, func() { test.end(cancel, h) })
				began := time.Now()
				err := retry.Run(ctx, p, func(context.Context) error { return errServer })
				if took := time.Since(began).Round(time.Millisecond); took != test.wait {
					t.Errorf("ended after %v; want %v", took, test.wait)
				}
				if test.reason == nil {
					_, ok := errors.AsType[*Refusal](err)
					same(t, "refused", ok, true)
				} else if !errors.Is(err, test.reason) {
					t.Errorf("%v; want %v", err, test.reason)
				}
				time.Sleep(time.Second)
				cancel(nil)
			})
		})
	}
}

// A halter is a stop switch.
type halter struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func newHalter() *halter {
	h := &halter{}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	return h
}

func (h *halter) Admit(context.Context, *retry.Attempt) error { return nil }
func (h *halter) Start(context.Context, *retry.Attempt) error { return nil }
func (h *halter) Settle(*retry.Attempt, *retry.Outcome)       {}
func (h *halter) Halted(*retry.Attempt) context.Context       { return h.ctx }

package breaker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func TestPatientConforms(t *testing.T) {
	patient := gatetest.Suite{Open: func() retry.Gate { return &breaker.Patient{Breaker: &breaker.Breaker{Rand: even}, MaxWait: -1} }}
	patient.Run(t) // with MaxWait it is as quick as the other side heals
}

// justOpened returns a breaker that has just opened, in the bubble's time. It lets the first probe in after 5 s.
func justOpened(t *testing.T) *breaker.Breaker {
	b := &breaker.Breaker{Name: "binance", Rand: even, Rules: breaker.Rules{Probes: 1}}
	d := drive(t, b)
	d.at = time.Now()
	d.times(30, 0, good)
	for b.State() != breaker.Open {
		d.do(bad)
	}
	return b
}

func TestPatientWaits(t *testing.T) {
	for _, test := range []struct {
		name    string
		patient *breaker.Patient
		timeout time.Duration
		wait    time.Duration // before the call ends
		runs    bool
		err     error
	}{
		{"until the probe", &breaker.Patient{}, 0, 5 * time.Second, true, nil},
		{"not longer than it may", &breaker.Patient{MaxWait: 4 * time.Second}, 0, 0, false, breaker.ErrOpen},
		{"not beyond the deadline", &breaker.Patient{}, 3 * time.Second, 0, false, breaker.ErrOpen},
		{"not until the deadline", &breaker.Patient{}, 5 * time.Second, 0, false, breaker.ErrOpen},
		{"within the deadline", &breaker.Patient{}, 6 * time.Second, 5 * time.Second, true, nil},
		{"not at all", &breaker.Patient{MaxWait: -1}, 0, 0, false, breaker.ErrOpen},
		{"not beside others", &breaker.Patient{MaxWaiters: -1}, 0, 0, false, breaker.ErrOpen},
		{"until the caller gives up", &breaker.Patient{}, -time.Second, time.Second, false, context.Canceled},
		{"until a stop", &breaker.Patient{}, -2 * time.Second, 2 * time.Second, false, halt.ErrHalted},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := justOpened(t)
				purse := &budget.Budget{}
				p := test.patient
				p.Breaker = b
				policy := &retry.Policy{Idempotent: true, MaxAttempts: 2, Gates: []retry.Gate{p, purse}}
				ctx := t.Context()
				switch {
				case errors.Is(test.err, halt.ErrHalted):
					stopped := &halt.Tree{}
					policy.Gates = append(policy.Gates, stopped.Gate("venue"))
					time.AfterFunc(-test.timeout, func() {
						if _, err := stopped.Stop(halt.Command{Scope: halt.At(), State: halt.Stopped, Who: "ann", Why: "test"}); err != nil {
							t.Error(err)
						}
					})
				case test.timeout < 0:
					c, cancel := context.WithCancel(ctx)
					time.AfterFunc(-test.timeout, cancel)
					ctx = c
				case test.timeout > 0:
					c, cancel := context.WithTimeout(ctx, test.timeout)
					defer cancel()
					ctx = c
				}
				began, ran := time.Now(), false
				err := retry.Run(ctx, policy, func(context.Context) error { ran = true; return nil })
				if took := time.Since(began); took != test.wait || ran != test.runs || !errors.Is(err, test.err) {
					t.Errorf("ran: %v, after %v, error %v; want %v, %v, %v", ran, took, err, test.runs, test.wait, test.err)
				}
				if s := purse.Stats(); s.Started != 0 || s.Requests != 0 {
					t.Errorf("the wait drew on the budget: %+v", s)
				}
				if p.Waiting() != 0 {
					t.Errorf("%d still wait", p.Waiting())
				}
			})
		})
	}
}

// When many wait, one probes and the others wait for what it finds.
func TestPatientCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &breaker.Patient{Breaker: justOpened(t), MaxWait: time.Minute, MaxWaiters: 10}
		policy := &retry.Policy{Idempotent: true, Gates: []retry.Gate{p}}
		var wg sync.WaitGroup
		var mu sync.Mutex
		passed, refused := 0, 0
		for range 15 {
			wg.Go(func() {
				err := retry.Run(t.Context(), policy, func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil })
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					passed++
				} else if errors.Is(err, breaker.ErrOpen) {
					refused++
				}
			})
		}
		wg.Wait()
		if passed == 0 || passed+refused != 15 || refused < 5 {
			t.Errorf("%d passed, %d refused; want 15 in all, and 5 refused at once", passed, refused)
		}
	})
}

// A retry that may not begin any more after its backoff is refused without a wait.
func TestPatientRechecksAtOnce(t *testing.T) {
	b := &breaker.Breaker{}
	p := &breaker.Patient{Breaker: b}
	d := drive(t, p)
	a := d.attempt(2)
	if err := p.Admit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := b.Isolate(breaker.Order{Who: "ann", Why: "upgrade", At: d.at, For: time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := p.Recheck(t.Context(), a); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("Recheck() = %v; want refused", err)
	}
	p.Settle(a, &unbegun)
}

func TestPatientCheck(t *testing.T) {
	if err := (&breaker.Patient{Breaker: &breaker.Breaker{}}).Check(); err != nil {
		t.Error(err)
	}
	err := (&breaker.Patient{MaxWait: -1, MaxWaiters: -1}).Check()
	want := "Breaker: nil; name the breaker to ask\nMaxWait: -1ns is negative and means no wait\nMaxWaiters: -1 is negative and means none"
	if err == nil || err.Error() != want {
		t.Errorf("Check() = %v; want\n%s", err, want)
	}
}

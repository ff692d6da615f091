package halt_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// NoRetries ends waits for retries, and lets first attempts that wait in a limiter go on, risk-reducing or not.
func TestNoRetriesLeavesFirstAttemptsWaiting(t *testing.T) {
	for _, reducing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var tree halt.Tree
			g := tree.Gate("desk")
			if reducing {
				g = g.RiskReducing()
			}
			rate := &limit.Rate{Burst: 1, Tokens: 1, Per: time.Minute, MaxWait: time.Hour}
			policy := &retry.Policy{Gates: []retry.Gate{g, rate}, Idempotent: true, MaxAttempts: 2, Backoff: backoff.Constant{Wait: time.Second}}
			call := func(failures int) chan error {
				done := make(chan error, 1)
				go func() {
					done <- retry.Run(t.Context(), policy, func(context.Context) error {
						if failures--; failures >= 0 {
							return transient
						}
						return nil
					})
				}()
				synctest.Wait()
				return done
			}
			again := call(2) // the first attempt has the only token, the second waits
			time.Sleep(2 * time.Second)
			first := call(0)
			stop(t, &tree, "desk", halt.NoRetries, "ops1")
			synctest.Wait()
			select {
			case err := <-again:
				if !errors.Is(err, halt.ErrHalted) || !errors.Is(err, errPlain) {
					t.Errorf("the retry ended with %v; want halted", err)
				}
			default:
				t.Error("a retry goes on waiting")
			}
			select {
			case err := <-first:
				t.Errorf("the first attempt does not go on waiting: %v", err)
			default:
				if err := <-first; err != nil {
					t.Errorf("the first attempt was refused: %v", err)
				}
			}
			tree.Close()
		})
	}
}

// limitedTo returns a policy of a gate and a number of slots; 0 for as many as there are calls.
func limitedTo(slots int, g *halt.Gate) *retry.Policy {
	p := &retry.Policy{Gates: []retry.Gate{g}}
	if slots > 0 {
		p.Gates = append(p.Gates, &limit.Concurrency{Max: slots, MaxWait: limit.Forever})
	}
	return p
}

func call(t *testing.T, p *retry.Policy, work func()) error {
	return retry.Run(t.Context(), p, func(context.Context) error { work(); return nil })
}

func hold(really bool, d time.Duration) {
	if really {
		time.Sleep(d)
	}
}

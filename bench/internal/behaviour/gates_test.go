package behaviour

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/avast/retry-go/v5"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	eapache "github.com/eapache/go-resiliency/breaker"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/relent-go/relent/bench/internal/peer"
	relentbreaker "github.com/relent-go/relent/gate/breaker"
	relentbudget "github.com/relent-go/relent/gate/budget"
	relent "github.com/relent-go/relent/retry"
)

// panics lets the first attempt fail and the second panic, under a budget or what comes closest.
func panics(t *testing.T, s peer.Subject) string {
	attempts := 0
	fn := func() (int, error) {
		if attempts++; attempts == 2 {
			panic("bug")
		}
		return 0, busy(s)
	}
	rises := func(call func()) (answer string) {
		defer func() {
			if recover() != nil {
				answer = ", the panic rises"
			}
		}()
		call()
		return ", the panic is swallowed"
	}
	var back bool
	var rest string
	switch s.Name {
	case "relent":
		b := &relentbudget.Budget{}
		rest = rises(func() {
			relent.Do(t.Context(), &relent.Policy{Gates: []relent.Gate{b}}, func(context.Context) (int, error) { return fn() })
		})
		held := b.Stats()
		back = held.Retries == 0 && held.Requests == 0
	case "failsafe":
		b := budget.New()
		p := retrypolicy.NewBuilder[int]().WithBudget(b).Build()
		rest = rises(func() { failsafe.With[int](p).Get(fn) })
		back = b.Rate() == 0
	default:
		return ""
	}
	if back {
		return "given back" + rest
	}
	return "leaked" + rest
}

// budgetZero gives each budget the least that it takes, and a call that fails three times.
func budgetZero(t *testing.T, s peer.Subject) string {
	runs := 0
	fn := func() (int, error) {
		runs++
		return 0, busy(s)
	}
	retries := func() int {
		n := runs - 1
		runs = 0
		return n
	}
	switch s.Name {
	case "relent":
		b := &relentbudget.Budget{Ratio: relentbudget.None, Max: relentbudget.None}
		relent.Do(t.Context(), &relent.Policy{Gates: []relent.Gate{b}}, func(context.Context) (int, error) { return fn() })
		return fmt.Sprint(retries())
	case "failsafe":
		p := retrypolicy.NewBuilder[int]().WithBudget(budget.NewBuilder().WithMaxRate(0).Build()).Build()
		failsafe.With[int](p).Get(fn)
		least := retries()
		none := budget.NewBuilder().WithMaxRate(0).WithMinConcurrency(0).Build()
		failsafe.With[int](retrypolicy.NewBuilder[int]().WithBudget(none).Build()).Get(fn)
		return fmt.Sprintf("%d; %d with a minimum concurrency of 0", least, retries())
	case "avast":
		r := retry.NewWithData[int](retry.Attempts(peer.Attempts), retry.Delay(0),
			retry.WithFixedTokenBucketThrottle(retry.FixedTokenBucketThrottleConfig{MaxCapacity: 0}))
		r.Do(fn)
		return fmt.Sprint(retries())
	case "aws":
		m := awsretry.NewAttemptMiddleware(awsretry.NewStandard(func(o *awsretry.StandardOptions) {
			o.RateLimiter = ratelimit.NewTokenRateLimit(0)
		}), func(request any) any { return request })
		m.HandleFinalize(t.Context(), middleware.FinalizeInput{}, middleware.FinalizeHandlerFunc(
			func(context.Context, middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
				_, err = fn()
				return out, md, err
			}))
		return fmt.Sprint(retries())
	}
	return ""
}

// hungProbe opens a breaker, lets its probe hang, and tries again an hour later.
func hungProbe(_ *testing.T, s peer.Subject) string {
	release := make(chan struct{})
	defer synctest.Wait()
	defer close(release)
	hang := func() error {
		<-release
		return nil
	}
	var run func(fn func() error) error
	var open error
	switch s.Name {
	case "relent":
		b := &relentbreaker.Breaker{Rules: relentbreaker.Rules{Classic: true, Calls: 1, MinSamples: 1, OpenFor: time.Second}}
		p := &relent.Policy{MaxAttempts: 1, Idempotent: true, Gates: []relent.Gate{b}}
		run = func(fn func() error) error {
			return relent.Run(context.Background(), p, func(context.Context) error { return fn() })
		}
		open = relentbreaker.ErrOpen
	case "failsafe":
		b := circuitbreaker.NewBuilder[any]().WithDelay(time.Second).Build()
		run, open = failsafe.With[any](b).Run, circuitbreaker.ErrOpen
	case "eapache":
		run, open = eapache.New(1, 1, time.Second).Run, eapache.ErrBreakerOpen
	default:
		return ""
	}
	run(func() error { return busy(s) })
	time.Sleep(2 * time.Second)
	go run(hang)
	synctest.Wait()
	time.Sleep(time.Hour)
	for range 3 { // the first may only find out that the probe hangs
		if err := run(func() error { return nil }); !errors.Is(err, open) {
			return "admits a call"
		}
		time.Sleep(time.Minute)
	}
	return "still refuses every call"
}

// cancelledCallers has five callers give up while their attempts run.
func cancelledCallers(t *testing.T, s peer.Subject) string {
	ctx, cancel := context.WithCancel(t.Context())
	attempt := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	var call func() error
	var answer func() string
	switch s.Name {
	case "relent":
		b := &relentbreaker.Breaker{Rules: relentbreaker.Rules{Classic: true, Calls: 5, MinSamples: 5}}
		p := &relent.Policy{Gates: []relent.Gate{b}}
		call = func() error { return relent.Run(ctx, p, attempt) }
		answer = func() string { return state(b.State() == relentbreaker.Open) }
	case "failsafe":
		b := circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).Build()
		executor := failsafe.With[any](retrypolicy.NewWithDefaults[any](), b)
		call = func() error {
			return executor.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error { return attempt(e.Context()) })
		}
		answer = func() string { return state(b.IsOpen()) }
	case "eapache":
		b := eapache.New(5, 1, time.Minute)
		call = func() error { return b.Run(func() error { return attempt(ctx) }) }
		answer = func() string { return state(b.GetState() == eapache.Open) }
	default:
		cancel()
		return ""
	}
	for range 5 {
		go call()
	}
	synctest.Wait()
	cancel()
	synctest.Wait()
	a := answer()
	time.Sleep(2 * time.Minute) // until the breakers' own timers have ended
	return a
}

func state(open bool) string {
	if open {
		return "opens"
	}
	return "stays closed"
}

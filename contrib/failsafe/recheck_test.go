package failsafegate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/relent-go/relent/backoff"
	failsafegate "github.com/relent-go/relent/contrib/failsafe"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A retry does not begin if the breaker opened during its backoff.
func TestOpenedDuringABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opens := range []bool{false, true} {
			g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(10))
			p := policy(g)
			p.MaxAttempts, p.Backoff = 2, backoff.Constant{Wait: 30 * time.Second, Jitter: backoff.None}
			calls := 0
			err := retry.Run(t.Context(), p, func(context.Context) error {
				if opens {
					time.AfterFunc(time.Second, cb.Open)
				}
				calls++
				return errReset
			})
			if errors.Is(err, breaker.ErrOpen) != opens || calls == 1 != opens {
				t.Errorf("opens %v: %v after %d attempts", opens, err, calls)
			}
		}
	})
}

// A meddler is an error that does something when it is looked at.
type meddler struct{ do func() }

func (meddler) Error() string { return "looked at" }

func (m meddler) Is(error) bool { m.do(); return false }

// A permit that comes back when its half-open state is over is no permit of the next one.
func TestPermitOfAnotherPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, cb := failsafegate.New("venue", circuitbreaker.NewBuilder[any]().WithFailureThreshold(1).WithSuccessThreshold(1).WithDelay(time.Second))
		ask := func() (*retry.Attempt, error) {
			a := &retry.Attempt{Policy: policy(g), Number: 1, At: time.Now(), Note: new(uint64)}
			return a, g.Admit(t.Context(), a)
		}
		cb.Open()
		time.Sleep(2 * time.Second)
		first, err := ask()
		if err != nil {
			t.Fatal(err)
		}
		var second error
		g.Settle(first, &retry.Outcome{State: retry.Failed, Class: retry.Permanent, Err: meddler{func() { // what others do meanwhile
			cb.Open()
			time.Sleep(2 * time.Second)
			_, second = ask()
		}}})
		if _, third := ask(); second != nil || third == nil {
			t.Errorf("second probe %v, third %v at once; want one", second, third)
		}
	})
}

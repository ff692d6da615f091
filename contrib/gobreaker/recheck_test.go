package gobreakergate_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/relent-go/relent/backoff"
	gobreakergate "github.com/relent-go/relent/contrib/gobreaker"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A retry does not begin if the breaker opened during its backoff.
func TestOpenedDuringABackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opens := range []bool{false, true} {
			g := gobreakergate.New(gobreaker.Settings{Name: "venue"})
			failing := func(context.Context) error { return errors.New("down") }
			calls := 0
			p := &retry.Policy{MaxAttempts: 2, Idempotent: true, Gates: []retry.Gate{g}, Backoff: backoff.Constant{Wait: 30 * time.Second, Jitter: backoff.None}}
			err := retry.Run(t.Context(), p, func(ctx context.Context) error {
				if calls++; opens {
					time.AfterFunc(time.Second, func() {
						for range 10 {
							retry.Run(t.Context(), &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{g}}, failing)
						}
					})
				}
				return failing(ctx)
			})
			if errors.Is(err, breaker.ErrOpen) != opens || calls == 1 != opens {
				t.Errorf("opens %v: %v after %d attempts", opens, err, calls)
			}
		}
	})
}

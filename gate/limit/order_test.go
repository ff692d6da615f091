package limit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// With the rate before the slots in the list, attempts that waited for slots begin no faster than the rate allows when many slots
// become free at once.
func TestRateHoldsAfterWaitsForSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := &limit.Concurrency{Max: 8, MaxWait: limit.Forever}
		rate := &limit.Rate{Tokens: 10, MaxWait: limit.Forever}
		p := &retry.Policy{Gates: []retry.Gate{rate, slots}}
		began := make(chan time.Time, 40)
		since := time.Now()
		for i := range 40 {
			time.Sleep(100 * time.Millisecond)
			go retry.Run(t.Context(), p, func(context.Context) error {
				began <- time.Now()
				if i < 8 {
					time.Sleep(10*time.Second - time.Since(since)) // all eight end at once
				}
				return nil
			})
		}
		last := <-began
		for range 39 {
			next := <-began
			if d := next.Sub(last); d < 100*time.Millisecond {
				t.Errorf("one began %v after the one before; want 100ms at least", d)
			}
			last = next
		}
	})
}

// A negative time is no faster than the same without its sign.
func TestNegativePerIsSlow(t *testing.T) {
	for _, test := range []struct{ per, want time.Duration }{{-time.Minute, time.Minute}, {-1, time.Second}} {
		r := &limit.Rate{Tokens: 1, Per: test.per}
		epoch := time.Now()
		first, early, then := begin(t.Context(), r, at(epoch, 0)), begin(t.Context(), r, at(epoch, test.want-1)), begin(t.Context(), r, at(epoch, test.want))
		if first != nil || early == nil || then != nil {
			t.Errorf("Per %v: %v, %v, %v; want one each %v", test.per, first, early, then, test.want)
		}
	}
}

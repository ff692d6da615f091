package limit

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Forever, as MaxWait, leaves the end of a wait to the context of the call.
const Forever time.Duration = math.MaxInt64

// DefaultMaxWaiters is what a zero MaxWaiters means.
const DefaultMaxWaiters = 1024

// cause returns why a wait must end, or nil.
func cause(ctx, halted context.Context) error {
	if halted.Err() != nil {
		return context.Cause(halted)
	}
	return context.Cause(ctx)
}

// waiters resolves the special values of MaxWaiters.
func waiters(n int) int {
	if n == 0 {
		return DefaultMaxWaiters
	}
	return max(0, n)
}

// checkWait returns the mistakes in the fields that say how to wait.
func checkWait(maxWait time.Duration, maxWaiters int) (errs []error) {
	if maxWait < 0 {
		errs = append(errs, fmt.Errorf("MaxWait: %v is negative and counts as 0", maxWait))
	}
	if maxWaiters < 0 {
		errs = append(errs, fmt.Errorf("MaxWaiters: %d is negative and counts as none", maxWaiters))
	}
	if maxWaiters != 0 && maxWait <= 0 {
		errs = append(errs, fmt.Errorf("MaxWaiters: %d has no effect without MaxWait", maxWaiters))
	}
	return errs
}

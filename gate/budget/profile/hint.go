package profile

import (
	"math"
	"strconv"
	"time"
)

// Pushback reads the values of the trailer grpc-retry-pushback-ms: how long the server wants to be left alone.
// It wants no retry at all, and ok is false, unless there is exactly one value and that is a signed number of 32
// bits, of milliseconds, that is not negative and has no needless zero or sign (gRFC A6).
func Pushback(values ...string) (wait time.Duration, ok bool) {
	if len(values) != 1 {
		return 0, false
	}
	ms, err := strconv.ParseInt(values[0], 10, 32)
	if err != nil || ms < 0 || strconv.FormatInt(ms, 10) != values[0] {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// RetryAfter reads the header x-amz-retry-after: milliseconds until the next attempt. What is no whole number
// above zero is no hint, and gives 0. [AWS2026.Delay] says what becomes of it.
func RetryAfter(value string) time.Duration {
	ms, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(min(ms, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
}

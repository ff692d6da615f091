package sqldb

import (
	"math"
	"time"
)

// Times are kept in microseconds since 1970. The longest span from now, 292 years, stays far below the largest int64.

// micros returns a span in whole microseconds, not less than d; 0 if d is not positive. Rounded up, it is never early.
func micros(d time.Duration) int64 {
	us := max(0, int64(d)) / 1000
	if d > 0 && d%1000 != 0 {
		us++
	}
	return us
}

// floor returns a span in whole microseconds, not more than d; 0 if d is not positive. A lease never lasts longer than asked for.
func floor(d time.Duration) int64 { return max(0, int64(d)) / 1000 }

// span is the way back; 0 if it is not positive.
func span(us int64) time.Duration {
	return time.Duration(max(0, min(us, math.MaxInt64/1000)) * 1000)
}

package retry

import "time"

// Moments are nanoseconds on the monotonic clock: half the price of [time.Now], and nobody can set it.

// epoch is what moments count from. It only makes them small.
var epoch = time.Now().Add(-time.Second)

func now() int64 { return int64(time.Since(epoch)) }

// since is the moment t.
func since(t time.Time) int64 { return int64(t.Sub(epoch)) }

// moment is the time at n.
func moment(n int64) time.Time { return epoch.Add(time.Duration(n)) }

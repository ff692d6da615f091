package profile

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// AWS2026 is the retry quota of the AWS SDKs' standard mode with the costs of 2026: a retry costs 14, one after
// Throttled 5. A success gives back what its call paid last, so each of a call's retries but the last stays
// paid; a success at once gives 1.
//
// A call that polls for something to happen (see [WithCall]) waits its backoff out when it is refused, before it
// fails, so that a loop around it does not spin. That wait ends with the context or a stop.
//
// [AWS2026.Delay] is the published wait. It depends on the class of the failure and on the hint of the server, which a
// [backoff.Strategy] is not told. So the backoff of the preset is the one after Transient and Ambiguous
// failures; for the others, an adapter that knows the attempt's number marks its error with
// retry.After(err, q.Delay(n, retry.Throttled, hint, u)). relent adds the backoff to that, so it waits
// no less than published, and up to the Transient delay longer.
//
// A retry that was admitted but never began gives back what it paid.
type AWS2026 struct {
	Capacity    int           // 0 means 500, None means none: no retries
	MaxAttempts int           // in all; 0 means 3
	Base        time.Duration // of the wait after a failure that is not Throttled, up to 20 s; 0 and less mean 50 ms

	quota quota
}

const (
	aws2026Base     = 50 * time.Millisecond
	aws2026Throttle = time.Second
	aws2026Hint     = 5 * time.Second // longest that a hint may add to the wait
)

var _ Profile = (*AWS2026)(nil)

// Admit pays for a retry. It waits only when it refuses a call that polls.
func (q *AWS2026) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	err := q.quota.take("aws-2026", q.Capacity, q.cost(a))
	if err != nil && callOf(ctx).LongPoll {
		if ended := pause(ctx, a, a.Wait); ended != nil {
			return ended
		}
	}
	return err
}

// Settle gives back what is due.
func (q *AWS2026) Settle(a *retry.Attempt, o *retry.Outcome) {
	q.quota.settle(q.Capacity, q.cost(a), a, o)
}

// cost of the retry a: the attempt before decides, so it is the same when a is admitted and when it is settled.
func (q *AWS2026) cost(a *retry.Attempt) int {
	if a.Class == retry.Throttled {
		return 5
	}
	return 14
}

// Quota returns what is left.
func (q *AWS2026) Quota() int { return q.quota.balance(q.Capacity) }

// Delay is the published wait t before the n-th retry, after a failure of a class, for a random u in [0, 1):
// u * min(base*2^(n-1), 20 s), where base is 1 s after Throttled. A hint of the server, as read by [RetryAfter],
// makes it max(t, min(hint, t + 5 s)).
func (q *AWS2026) Delay(n int, class retry.Class, hint time.Duration, u float64) time.Duration {
	b := q.backoff()
	if class == retry.Throttled {
		b.Base = aws2026Throttle
	}
	t := b.Delay(n, 0, u)
	return max(t, min(hint, t+aws2026Hint))
}

func (q *AWS2026) backoff() backoff.Exponential {
	return backoff.Exponential{Base: pick(max(0, q.Base), aws2026Base, 1, awsMax), Max: awsMax}
}

// Check implements [Profile].
func (q *AWS2026) Check() error { return check(q.fields()) }

// Policy implements [Profile]: the waits after failures that are not Throttled.
func (q *AWS2026) Policy() *retry.Policy {
	return &retry.Policy{
		MaxAttempts: pick(q.MaxAttempts, awsAttempts, 1, math.MaxInt32),
		Backoff:     q.backoff(),
		Gates:       []retry.Gate{q},
	}
}

// Funding implements [Profile]: only successes fund it.
func (q *AWS2026) Funding() (ratio, floorPerSecond float64) { return 0, 0 }

func (q *AWS2026) fields() []field {
	return append(quotaFields(&q.Capacity, &q.MaxAttempts), field{name: "Base", at: &q.Base, low: 1, high: float64(awsMax)})
}

// pause waits for d. It returns why it ended before.
func pause(ctx context.Context, a *retry.Attempt, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	halted := a.Halted()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-halted.Done():
		return context.Cause(halted)
	}
}

package profile

import (
	"context"
	"math"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// AWS2025 is the retry quota of the AWS SDKs' standard mode as it was up to 2026: a retry costs 5, one after a
// timeout 10. A success gives back what its call paid last, so each of a call's retries but the last stays
// paid; a success at once gives 1.
//
// A retry that was admitted but never began gives back what it paid.
type AWS2025 struct {
	Capacity    int // 0 means 500, None means none: no retries
	MaxAttempts int // in all; 0 means 3

	quota quota
}

const (
	awsMax      = 20 * time.Second
	awsAttempts = 3
)

var _ Profile = (*AWS2025)(nil)

// Admit pays for a retry.
func (q *AWS2025) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	return q.quota.take("aws-2025", q.Capacity, q.cost(a))
}

// Settle gives back what is due.
func (q *AWS2025) Settle(a *retry.Attempt, o *retry.Outcome) {
	q.quota.settle(q.Capacity, q.cost(a), a, o)
}

// cost of the retry a: the attempt before decides, so it is the same when a is admitted and when it is settled.
func (q *AWS2025) cost(a *retry.Attempt) int {
	if timedOut(a.Err) {
		return 10
	}
	return 5
}

// Quota returns what is left.
func (q *AWS2025) Quota() int { return q.quota.balance(q.Capacity) }

// Check implements [Profile].
func (q *AWS2025) Check() error { return check(q.fields()) }

// Policy implements [Profile]: waits of U(0, 1) * min(2^i, 20) seconds, i = 0 before the first retry.
func (q *AWS2025) Policy() *retry.Policy {
	return &retry.Policy{
		MaxAttempts: pick(q.MaxAttempts, awsAttempts, 1, math.MaxInt32),
		Backoff:     backoff.Exponential{Base: time.Second, Max: awsMax},
		Gates:       []retry.Gate{q},
	}
}

// Funding implements [Profile]: only successes fund it.
func (q *AWS2025) Funding() (ratio, floorPerSecond float64) { return 0, 0 }

func (q *AWS2025) fields() []field { return quotaFields(&q.Capacity, &q.MaxAttempts) }

// quotaFields are the options that the AWS profiles share.
func quotaFields(capacity, attempts *int) []field {
	return []field{
		{name: "Capacity", at: capacity, high: math.MaxInt32, none: true},
		{name: "MaxAttempts", at: attempts, low: 1, high: math.MaxInt32},
	}
}

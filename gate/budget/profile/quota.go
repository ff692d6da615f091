package profile

import (
	"math"
	"sync"

	"github.com/relent-go/relent/retry"
)

// A quota is the bucket of the AWS SDKs: a retry takes its cost, a success gives back what its call took
// last, and a success without a retry gives one.
type quota struct {
	mu    sync.Mutex
	ready bool // guarded by mu
	most  int  // guarded by mu
	left  int  // guarded by mu
}

const quotaCapacity = 500

// open begins full. The caller holds mu.
func (q *quota) open(capacity int) {
	if !q.ready {
		q.ready, q.most = true, pick(capacity, quotaCapacity, 0, math.MaxInt32)
		q.left = q.most
	}
}

// take pays for a retry.
func (q *quota) take(profile string, capacity, cost int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open(capacity)
	if q.left < cost {
		return refuse(profile, ruleBalance, q.left, cost)
	}
	q.left -= cost
	return nil
}

// settle gives back the cost of a retry that succeeded or never began, or 1 for a success at once.
func (q *quota) settle(capacity, cost int, a *retry.Attempt, o *retry.Outcome) {
	switch {
	case o.State != retry.Succeeded && (o.State != retry.NotStarted || a.Number <= 1):
		return
	case a.Number <= 1:
		cost = 1
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open(capacity)
	q.left = min(q.left+cost, q.most)
}

// balance returns what is left.
func (q *quota) balance(capacity int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open(capacity)
	return q.left
}

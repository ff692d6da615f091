package retryws

import "time"

// A quota lets so many messages be sent in any time per, by remembering when the last ones were.
type quota struct {
	per  time.Duration
	sent []time.Time // ring; empty for no limit
	next int
}

// newQuota keeps a tenth of the limit back, and at least one of several, for pongs that the
// connection sends by itself and for answers that cannot wait.
func newQuota(l Limits) quota {
	if l.Messages <= 0 {
		return quota{}
	}
	n := l.Messages - max(1, l.Messages/10)
	return quota{per: l.Per, sent: make([]time.Time, max(1, n))}
}

// wait says how long until one may be sent.
func (q *quota) wait(now time.Time) time.Duration {
	if len(q.sent) == 0 || q.sent[q.next].IsZero() {
		return 0
	}
	return max(0, q.sent[q.next].Add(q.per).Sub(now))
}

// take counts one that is sent now.
func (q *quota) take(now time.Time) {
	if len(q.sent) > 0 {
		q.sent[q.next] = now
		q.next = (q.next + 1) % len(q.sent)
	}
}

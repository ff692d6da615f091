package budget

import "github.com/relent-go/relent/retry"

// Stats is what a [Budget] holds and did. Tokens are in thousandths.
type Stats struct {
	Balance  int64 // in the bucket, as of the last attempt
	Capacity int64
	Requests int64                 // in flight: first attempts and retries
	Retries  int64                 // in flight: waiting or running
	Ceiling  int64                 // retries that may be in flight now
	Started  int64                 // retries that began
	Consumed map[retry.Class]int64 // by retries that began, by the class of the failure before
	Denied   map[Rule]int64        // refusals
	Defects  int64                 // attempts that were settled twice, or never admitted; always 0 under package retry
}

// Stats returns a snapshot. It takes the lock that decisions about retries take.
func (b *Budget) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.terms()
	s := Stats{
		Balance:  t.capacity - b.missing.Load(),
		Capacity: t.capacity,
		Requests: b.first.sum() + b.retries,
		Retries:  b.retries,
		Started:  b.started,
		Consumed: make(map[retry.Class]int64),
		Denied:   make(map[Rule]int64),
		Defects:  b.defects.Load(),
	}
	s.Ceiling = t.ceiling(s.Requests)
	for class, n := range b.consumed {
		if n > 0 {
			s.Consumed[retry.Class(class)] = n
		}
	}
	for rule, n := range b.denied {
		if n > 0 {
			s.Denied[Rule(rule)] = n
		}
	}
	return s
}

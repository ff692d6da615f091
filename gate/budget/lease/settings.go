package lease

import "time"

// What zero fields of a Lease mean.
const (
	DefaultRatio   = 100 // milli-tokens
	DefaultFloor   = 100 // milli-tokens per second
	DefaultHistory = 5 * time.Second
	DefaultWant    = 10_000 // milli-tokens

	price    = 1000 // milli-tokens: of one retry
	mostCost = 1 << 40
)

func (l *Lease) ratio() int64 {
	if l.Ratio == 0 {
		return DefaultRatio
	}
	return min(max(0, l.Ratio), price)
}

func (l *Lease) floor() int64 {
	if l.Floor == 0 {
		return DefaultFloor
	}
	return min(max(0, l.Floor), 1_000_000)
}

func (l *Lease) history() time.Duration {
	if l.History <= 0 {
		return DefaultHistory
	}
	return min(l.History, mostValid)
}

func (l *Lease) want() int64 {
	if l.Want <= 0 {
		return DefaultWant
	}
	return min(l.Want, mostTokens)
}

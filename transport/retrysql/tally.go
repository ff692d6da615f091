package retrysql

import (
	"errors"
	"sync/atomic"
)

// A Tally counts failed attempts, each once. It is safe for concurrent use, also by several operations.
type Tally struct {
	Transport atomic.Int64 // the database or the way to it failed
	Stale     atomic.Int64 // an answer was older than allowed: [*StaleError]
	Invalid   atomic.Int64 // a check did not hold: [*InvalidError]
}

// count counts an attempt. Errors that are not of the database count as Transport if all others do.
func (t *Tally) count(err error, others bool) {
	if t == nil || err == nil {
		return
	}
	if has[*StaleError](err) {
		t.Stale.Add(1)
	} else if has[*InvalidError](err) {
		t.Invalid.Add(1)
	} else if others || has[*Error](err) {
		t.Transport.Add(1)
	}
}

func has[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

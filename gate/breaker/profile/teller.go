package profile

import (
	"sync"

	"github.com/relent-go/relent/gate/breaker"
)

// A teller tells of changes in their order and outside the lock that guards it, which is the attempt that brought the
// first of them about; others leave theirs to it.
type teller struct {
	pending []breaker.Change
	telling bool
}

// mostPending is how many changes wait for a listener that takes its time. More are left out; the generations tell.
const mostPending = 256

// leave leaves a change to be told of.
func (t *teller) leave(c breaker.Change) {
	if len(t.pending) < mostPending {
		t.pending = append(t.pending, c)
	}
}

// unlock unlocks mu, and tells what there is to tell.
func (t *teller) unlock(mu *sync.Mutex, tell func(breaker.Change)) {
	if tell == nil {
		t.pending = nil
	}
	if t.telling || len(t.pending) == 0 {
		mu.Unlock()
		return
	}
	t.telling = true
	defer func() {
		t.telling = false
		mu.Unlock()
	}()
	for len(t.pending) > 0 {
		c := t.pending[0]
		t.pending = t.pending[1:]
		func() {
			mu.Unlock()
			defer mu.Lock() // also when it panics
			tell(c)
		}()
	}
}

package limit

import "testing"

// What only a race brings about: a slot is freed between the first look and the queue, a waiter leaves between
// the look at the state and the queue.
func TestConcurrencyLooksAgain(t *testing.T) {
	c := &Concurrency{Max: 1}
	if w, err := c.join(0); w != nil || err != nil || c.Stats().Running != 1 {
		t.Errorf("join with a free slot = %v, %v, %+v; want the slot", w, err, c.Stats())
	}
	if c.hand() {
		t.Error("hand without a waiter said that it gave the slot away")
	}
}

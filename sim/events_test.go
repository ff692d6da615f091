package sim

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Events happen by time, and those of one moment in the order in which they were made.
func TestEventsAreInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h events
	var last event
	for n := 0; n < 20_000; n++ {
		if len(h.list) > 0 && (r.IntN(2) == 0 || len(h.list) > 200) {
			e := h.pop()
			if e.before(&last) {
				t.Fatalf("event %d at %v after %d at %v", e.seq, e.at, last.seq, last.at)
			}
			last = e
			continue
		}
		h.push(event{at: last.at + time.Duration(r.IntN(5))})
	}
}

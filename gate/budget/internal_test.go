package budget

import (
	"context"
	"testing"
	"unsafe"

	"github.com/relent-go/relent/retry"
)

// Calls on different processors must not disturb each other: each lane has its own counter, two cache lines from the next.
func TestLanesAreApart(t *testing.T) {
	var l lanes
	for lane := range uint32(2 * shards) {
		l.add(lane, 1)
	}
	for i := range l {
		if n := l[i].n.Load(); n != 2 {
			t.Errorf("lane %d counts %d; want 2", i, n)
		}
	}
	if d := uintptr(unsafe.Pointer(&l[1])) - uintptr(unsafe.Pointer(&l[0])); d != 128 {
		t.Errorf("lanes are %d bytes apart; want 128", d)
	}
	var b Budget
	if d := unsafe.Offsetof(b.first) - unsafe.Offsetof(b.missing); d < 128 {
		t.Errorf("what every call reads is %d bytes from what calls write; want 128", d)
	}
}

// A Spend remembers the attempts in flight, and none before them.
func TestSpendMemoryIsBounded(t *testing.T) {
	s := &Spend{Currency: "USD", Limit: 1 << 40, Estimate: Amount{Micro: 1}}
	for range 100 {
		var held [3]retry.Attempt
		for i := range held {
			held[i] = retry.Attempt{Number: 1, Note: new(uint64)}
			if err := s.Admit(context.Background(), &held[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range held {
			s.Settle(&held[i], &retry.Outcome{State: retry.Failed})
		}
	}
	if len(s.held) != 3 || len(s.free) != 3 {
		t.Errorf("%d places, %d free; want 3 and 3", len(s.held), len(s.free))
	}
}

package retry

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// However calls come and go, the first of the schedule is the next to wake, and each knows its slot.
func TestSchedule(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s schedule
	var want []slot
	most := 0
	for step := range 20000 {
		switch grow := step < 12000; {
		case len(want) == 0 || grow && r.IntN(3) > 0:
			e := slot{r.Int64N(1000), &parked{}}
			s.add(e)
			want = append(want, e)
		case r.IntN(2) == 0:
			i := r.IntN(len(want))
			s.remove(int(want[i].call.slot))
			if want[i].call.slot != -1 {
				t.Fatal("a call that left still has a slot")
			}
			want = slices.Delete(want, i, i+1)
		default:
			i := r.IntN(len(want))
			want[i].until = r.Int64N(1000)
			s.place(int(want[i].call.slot), want[i])
		}
		most = max(most, len(s))
		if len(s) != len(want) {
			t.Fatalf("%d in the schedule; want %d", len(s), len(want))
		}
		for i, e := range s {
			if int(e.call.slot) != i || i > 0 && s[(i-1)/4].until > e.until {
				t.Fatalf("step %d: the call at %d has slot %d", step, i, e.call.slot)
			}
		}
		if step%1000 == 0 && len(want) > 0 {
			if next := slices.MinFunc(want, func(a, b slot) int { return cmp.Compare(a.until, b.until) }); s[0].until != next.until {
				t.Fatalf("next at %d; want %d", s[0].until, next.until)
			}
		}
	}
	for len(s) > 0 {
		s.remove(0)
	}
	if most < 1500 || cap(s) > 1024 {
		t.Errorf("%d calls at most, and room for %d afterwards; want over 1500, and the memory given back", most, cap(s))
	}
}

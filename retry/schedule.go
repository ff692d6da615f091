package retry

// A schedule is a heap of parked calls, the next to wake first. It has four children to a node and the
// times beside each other, which with a million calls costs half of what container/heap does.
type schedule []slot

type slot struct {
	until int64 // nanoseconds after epoch
	call  *parked
}

func (s *schedule) add(e slot) {
	*s = append(*s, e)
	s.up(len(*s)-1, e)
}

// remove takes out the call at i.
func (s *schedule) remove(i int) {
	old := *s
	last := len(old) - 1
	old[i].call.slot = -1
	e := old[last]
	old[last] = slot{}
	*s = old[:last]
	if i < last {
		s.place(i, e)
	}
	if cap(old) > 1024 && last < cap(old)/4 { // memory goes back after a storm
		*s = append(make(schedule, 0, cap(old)/2), *s...)
	}
}

// place puts e where it belongs, of which i is near.
func (s *schedule) place(i int, e slot) {
	if i > 0 && e.until < (*s)[(i-1)/4].until {
		s.up(i, e)
	} else {
		s.down(i, e)
	}
}

// up puts e at i or above.
func (s *schedule) up(i int, e slot) {
	h := *s
	for i > 0 {
		parent := (i - 1) / 4
		if h[parent].until <= e.until {
			break
		}
		h[i] = h[parent]
		h[i].call.slot = int32(i)
		i = parent
	}
	h[i] = e
	e.call.slot = int32(i)
}

// down puts e at i or below.
func (s *schedule) down(i int, e slot) {
	h := *s
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for j := child + 1; j < min(child+4, len(h)); j++ {
			if h[j].until < h[least].until {
				least = j
			}
		}
		if e.until <= h[least].until {
			break
		}
		h[i] = h[least]
		h[i].call.slot = int32(i)
		i = least
	}
	h[i] = e
	e.call.slot = int32(i)
}

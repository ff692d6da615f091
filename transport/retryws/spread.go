package retryws

import (
	"cmp"
	"slices"
)

// Spread divides topics among links so that each keeps to the limits and the rates are about even. What
// before had on a link stays there, so that a change moves nothing else; the rest goes, busiest first, to
// the link with the least, and to new links when none has room. A link that lost its last topic is empty.
// A nil rate takes all topics for equally busy.
func Spread(topics []Topic, rate func(Topic) float64, limits Limits, before [][]Topic) [][]Topic {
	if rate == nil {
		rate = func(Topic) float64 { return 1 }
	}
	left := make(map[Topic]bool, len(topics))
	total := 0
	for _, t := range topics {
		if !left[t] {
			total += size(t)
		}
		left[t] = true
	}
	s := spreader{limits: limits, rate: rate}
	for _, link := range before {
		s.grow()
		for _, t := range link {
			if left[t] {
				s.add(len(s.loads)-1, t)
				delete(left, t)
			}
		}
	}
	need := 1
	if limits.Topics > 0 {
		need = max(need, (len(topics)+limits.Topics-1)/limits.Topics)
	}
	if limits.LinkBytes > 0 {
		need = max(need, (total+limits.LinkBytes-1)/limits.LinkBytes)
	}
	for len(s.loads) < need && len(left) > 0 {
		s.grow()
	}
	var rest []Topic
	for _, t := range topics {
		if left[t] {
			rest = append(rest, t)
			delete(left, t)
		}
	}
	slices.SortStableFunc(rest, func(a, b Topic) int { return cmp.Compare(rate(b), rate(a)) })
	for _, t := range rest {
		s.add(s.place(t), t)
	}
	return s.links
}

type spreader struct {
	limits Limits
	rate   func(Topic) float64
	links  [][]Topic
	loads  []load
}

type load struct {
	rate  float64
	bytes int
}

func (s *spreader) grow() {
	s.links = append(s.links, nil)
	s.loads = append(s.loads, load{})
}

func (s *spreader) add(i int, t Topic) {
	s.links[i] = append(s.links[i], t)
	s.loads[i].rate += s.rate(t)
	s.loads[i].bytes += size(t)
}

// place returns the link with the least load that has room for t.
func (s *spreader) place(t Topic) int {
	best := -1
	for i := range s.loads {
		full := s.limits.Topics > 0 && len(s.links[i]) >= s.limits.Topics ||
			s.limits.LinkBytes > 0 && len(s.links[i]) > 0 && s.loads[i].bytes+size(t) > s.limits.LinkBytes
		if !full && (best < 0 || s.loads[i].rate < s.loads[best].rate) {
			best = i
		}
	}
	if best < 0 {
		s.grow()
		best = len(s.loads) - 1
	}
	return best
}

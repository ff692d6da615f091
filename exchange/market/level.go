package market

import (
	"errors"
	"slices"
)

// A Level is a price and what is offered at it. In a delta, quantity 0 takes the level away.
type Level struct {
	Price    Number
	Quantity Number
}

// A side is one half of a book, sorted with the best price last: most changes are near the best
// price, so few levels move, and the search begins there.
type side struct {
	levels []Level
	flip   uint64 // all ones on the side of asks, where the lowest price is the best: it turns the order round
}

func newSide(asks bool) side {
	if asks {
		return side{flip: 1<<64 - 1}
	}
	return side{}
}

// find returns where price is, or belongs. It doubles its steps from the best price, and then halves them.
func (s *side) find(price Number) (int, bool) {
	hi, lo := price.whole^s.flip, price.part>>decimalBits^s.flip
	n := len(s.levels)
	low, high, step := 0, n, 1
	for i := n - 1; i >= 0; i = n - step {
		p := &s.levels[i].Price
		h, l := p.whole^s.flip, p.part>>decimalBits^s.flip
		if h < hi || h == hi && l < lo {
			low = i + 1
			break
		}
		if h == hi && l == lo {
			return i, true
		}
		high = i
		step *= 2
	}
	for low < high {
		i := int(uint(low+high) / 2)
		p := &s.levels[i].Price
		h, l := p.whole^s.flip, p.part>>decimalBits^s.flip
		switch {
		case h < hi || h == hi && l < lo:
			low = i + 1
		case h == hi && l == lo:
			return i, true
		default:
			high = i
		}
	}
	return low, false
}

// set puts a level, or takes it away if its quantity is 0, and returns what was at its price.
func (s *side) set(l Level) (old Level) {
	i, found := s.find(l.Price)
	switch {
	case found && l.Quantity.Zero():
		old = s.levels[i]
		s.levels = slices.Delete(s.levels, i, i+1)
		return old
	case found:
		old = s.levels[i]
		s.levels[i] = l
		return old
	case !l.Quantity.Zero():
		s.levels = slices.Insert(s.levels, i, l)
	}
	return Level{Price: l.Price}
}

// best returns the best level.
func (s *side) best() (Level, bool) {
	if len(s.levels) == 0 {
		return Level{}, false
	}
	return s.levels[len(s.levels)-1], true
}

// at returns the i-th level, 0 the best.
func (s *side) at(i int) Level { return s.levels[len(s.levels)-1-i] }

// copyTo appends the best n levels, the best first; all if n is not positive.
func (s *side) copyTo(to []Level, n int) []Level {
	if n <= 0 || n > len(s.levels) {
		n = len(s.levels)
	}
	for i := range n {
		to = append(to, s.at(i))
	}
	return to
}

var errTwice = errors.New("a price twice")

// load replaces the whole side by levels in any order.
func (s *side) load(levels []Level) error {
	s.levels = s.levels[:0]
	for _, l := range slices.Backward(levels) { // venues send the best first
		if !l.Quantity.Zero() {
			s.levels = append(s.levels, l)
		}
	}
	by := func(a, b Level) int {
		if s.flip != 0 {
			return b.Price.Cmp(a.Price)
		}
		return a.Price.Cmp(b.Price)
	}
	if !slices.IsSortedFunc(s.levels, by) {
		slices.SortFunc(s.levels, by)
	}
	for i := 1; i < len(s.levels); i++ {
		if by(s.levels[i-1], s.levels[i]) == 0 {
			return errTwice
		}
	}
	return nil
}

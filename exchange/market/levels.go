package market

import "fmt"

// change applies the levels of a delta, all of them or, if the outcome cannot be right, none.
func (b *Book) change(d *Delta) error {
	b.undo = b.undo[:0]
	err := b.set(false, d.Bids)
	if err == nil {
		err = b.set(true, d.Asks)
	}
	if err == nil {
		b.cut(&b.bids, false)
		b.cut(&b.asks, true)
		err = b.check(&b.bids, &b.asks, d.Sum, d.Summed)
	}
	if err != nil {
		for i := len(b.undo) - 1; i >= 0; i-- {
			b.of(b.undo[i].ask).set(b.undo[i].old)
		}
	}
	return err
}

func (b *Book) of(ask bool) *side {
	if ask {
		return &b.asks
	}
	return &b.bids
}

func (b *Book) set(ask bool, levels []Level) error {
	s := b.of(ask)
	for _, l := range levels {
		if l.Price.Zero() {
			if b.rules.Sequence == KuCoinRange {
				continue // it says that nothing changed, but the number
			}
			return fmt.Errorf("%w: price 0", ErrLevels)
		}
		b.undo = append(b.undo, change{s.set(l), ask})
	}
	return nil
}

// cut takes away what lies deeper than the subscribed depth: the venue says nothing more about it.
func (b *Book) cut(s *side, ask bool) {
	n := len(s.levels) - b.rules.Depth
	if b.rules.Depth <= 0 || n <= 0 {
		return
	}
	for _, l := range s.levels[:n] {
		b.undo = append(b.undo, change{l, ask})
	}
	s.levels = append(s.levels[:0], s.levels[n:]...)
}

// check says what is wrong with two sides.
func (b *Book) check(bids, asks *side, sum uint32, summed bool) error {
	if len(bids.levels) > maxLevels || len(asks.levels) > maxLevels {
		return fmt.Errorf("%w: more than %d on a side", ErrLevels, maxLevels)
	}
	bid, ok1 := bids.best()
	ask, ok2 := asks.best()
	if ok1 && ok2 && bid.Price.Cmp(ask.Price) >= 0 {
		return fmt.Errorf("%w: bid %v, ask %v", ErrCrossed, bid.Price, ask.Price)
	}
	if summed && !b.rules.IgnoreChecksum {
		if ok1, b.text = b.rules.Checksum.holds(sum, bids, asks, b.text); !ok1 {
			return fmt.Errorf("%w: the venue says %d", ErrChecksum, sum)
		}
	}
	return nil
}

// load replaces both sides, or, if they cannot be right, neither.
func (b *Book) load(bids, asks []Level, sum uint32, summed bool) error {
	for i, levels := range [][]Level{bids, asks} {
		s := &b.spare[i]
		if err := s.load(levels); err != nil {
			return fmt.Errorf("%w: %w", ErrLevels, err)
		}
		if len(s.levels) > 0 && (s.levels[0].Price.Zero() || s.at(0).Price.Zero()) {
			return fmt.Errorf("%w: price 0", ErrLevels)
		}
		b.undo = b.undo[:0]
		b.cut(s, i == 1)
	}
	if err := b.check(&b.spare[0], &b.spare[1], sum, summed); err != nil {
		return err
	}
	b.bids, b.spare[0] = b.spare[0], b.bids
	b.asks, b.spare[1] = b.spare[1], b.asks
	return nil
}

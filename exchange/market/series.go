package market

import (
	"cmp"
	"slices"
	"time"
)

const (
	candlesKept = 64   // delivered candles that a correction is looked for among
	candlesWait = 1000 // closed candles that wait for a fill
)

// A CandlePage asks for candles, in any order: those that start at From or later and before To. To may
// be the zero time: all there are. The one that is not over yet may be among them.
type CandlePage struct {
	Symbol   string
	Interval time.Duration
	From, To time.Time
	Rows     int // most that the venue returns; 0 if unknown
}

// A series puts the candles of one symbol and interval into order. A candle is final when the venue
// says so, or when it was read again after a later one had begun. It is not safe for concurrent use.
type series struct {
	symbol   string
	interval time.Duration
	rules    CandleRules
	emit     func(Event)

	next      time.Time // the start of the first candle that was not delivered as final
	delivered []Candle  // the last of them
	filling   bool
	want      CandlePage // while filling
	pending   []Candle   // while filling, closed ones
	live      *Candle    // while filling, the newest

	stats CandleStats
}

// CandleStats counts what happened to candles.
type CandleStats struct {
	Closed      uint64 // delivered
	Corrections uint64
	Fills       uint64
	Holes       uint64 // that stay
}

// add takes a candle of the stream. It returns true if a fill is to begin: want says of what.
func (s *series) add(c Candle) bool {
	if s.next.IsZero() {
		s.next = c.Start
	}
	if c.Start.Sub(s.next)%s.interval != 0 {
		return false // of another clock
	}
	switch {
	case s.filling && !c.Closed:
		s.live = &c
	case s.filling:
		s.pending = append(s.pending, c)
		if len(s.pending) > candlesWait {
			for s.filling { // more gaps among those that wait
				s.filled(nil, ErrTooMany)
			}
		}
	case c.Start.After(s.next):
		if c.Closed {
			s.pending = append(s.pending[:0], c)
		} else {
			s.live = &c
		}
		return s.fill(c.Start)
	case c.Closed:
		s.close(c)
	case c.Start.Equal(s.next):
		s.emit(Event{Symbol: s.symbol, Kind: Live, Candle: c})
	}
	return false
}

// interrupted begins a fill of what may have been missed; it returns false if there is nothing to go on from.
func (s *series) interrupted() bool {
	if s.next.IsZero() || s.filling {
		return false
	}
	return s.fill(time.Time{})
}

// fill begins with the last candle that was delivered: it may have been corrected.
func (s *series) fill(to time.Time) bool {
	from := s.next
	if n := len(s.delivered); n > 0 {
		from = s.delivered[n-1].Start
	}
	s.want = CandlePage{Symbol: s.symbol, Interval: s.interval, From: from, To: to, Rows: s.rules.Rows}
	s.filling = true
	s.stats.Fills++
	return true
}

// close delivers a final candle, or corrects the one that was.
func (s *series) close(c Candle) {
	c.Closed = true
	if !c.Start.Before(s.next) {
		s.next = c.Start.Add(s.interval)
		s.stats.Closed++
		s.emit(Event{Symbol: s.symbol, Kind: Closed, Candle: c})
		if len(s.delivered) == candlesKept {
			s.delivered = slices.Delete(s.delivered, 0, 1)
		}
		s.delivered = append(s.delivered, c)
		return
	}
	i := slices.IndexFunc(s.delivered, func(d Candle) bool { return d.Start.Equal(c.Start) })
	if i >= 0 && !s.delivered[i].same(&c) {
		s.delivered[i] = c
		s.stats.Corrections++
		s.emit(Event{Symbol: s.symbol, Kind: Correction, Candle: c})
	}
}

// filled takes what was read, and delivers it and what waited. It returns true if another fill is to begin.
func (s *series) filled(rows []Candle, err error) bool {
	s.filling = false
	slices.SortStableFunc(rows, func(a, b Candle) int { return a.Start.Compare(b.Start) })
	to := s.want.To
	if to.IsZero() { // the newest need not be over
		to = s.next
		if n := len(rows); n > 0 && rows[n-1].Start.After(to) {
			to = rows[n-1].Start
		}
	}
	for _, c := range rows {
		if c.Start.Before(to) {
			s.skipTo(c.Start, nil)
			s.close(c)
		}
	}
	s.skipTo(to, err)
	pending, live := s.pending, s.live
	s.pending, s.live = nil, nil
	slices.SortStableFunc(pending, func(a, b Candle) int { return a.Start.Compare(b.Start) })
	for i, c := range pending {
		if s.add(c) {
			s.pending = append(s.pending, pending[i+1:]...)
			s.live = cmp.Or(live, s.live)
			return true
		}
	}
	return live != nil && s.add(*live)
}

// skipTo goes on at a time. What is left out is a hole, if it could not be read, or if the venue has
// a candle for every interval.
func (s *series) skipTo(start time.Time, err error) {
	if !start.After(s.next) {
		return
	}
	if err != nil || s.rules.Repeats {
		s.stats.Holes++
		s.emit(Event{Symbol: s.symbol, Kind: Missing, Hole: Hole{
			From: s.next, To: start.Add(-s.interval), Why: cmp.Or(err, ErrNotKept),
		}})
	}
	s.next = start
}

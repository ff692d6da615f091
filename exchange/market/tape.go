package market

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Why there is a [Hole].
var (
	ErrNotKept   = errors.New("the venue does not keep it any more")
	ErrPages     = errors.New("too many pages")
	ErrTooMany   = errors.New("too many events while a gap was filled")
	ErrOverflow  = errors.New("the consumer is too slow")
	ErrRestarted = errors.New("the venue numbers anew")
)

const (
	overlap    = time.Second // what is read again by time, before the last trade seen
	keysKept   = 10_000      // of the trades delivered last, where trades are not numbered
	restartGap = time.Minute // a lower number this much later is no latecomer
)

// A TradePage asks for trades, in any order. Which of its fields matter is for [TradeRules] to say.
type TradePage struct {
	Symbol       string
	First, Last  int64     // numbers, both wanted
	Since, Until time.Time // times, both included
	Rows         int       // most that the venue returns; 0 if unknown
}

// A tape puts the trades of one symbol into order. It is not safe for concurrent use.
type tape struct {
	symbol string
	rules  TradeRules
	most   int // trades that wait for a fill
	emit   func(Event)

	started bool
	last    Trade // delivered last
	broken  bool  // the stream was interrupted since
	filling bool
	want    TradePage // while filling
	pending []Trade   // while filling: live trades, in order of number

	recent map[string]struct{} // keys delivered, where trades are not numbered
	ring   []string            // the same, in order
	oldest int                 // in ring

	stats TradeStats
}

// TradeStats counts what happened to trades.
type TradeStats struct {
	Delivered  uint64
	Duplicates uint64 // dropped
	Fills      uint64 // of gaps
	Holes      uint64 // that stay
}

// add takes a live trade. It returns true if a fill is to begin: want says of what.
func (t *tape) add(tr Trade) bool {
	if !t.started {
		t.started = true
		t.deliver(tr, false)
		return false
	}
	if t.filling {
		return t.wait(tr)
	}
	if !t.rules.Numbered {
		if !t.broken {
			t.once(tr, false)
			return false
		}
		t.broken = false
		return t.fill(tr, TradePage{Since: t.last.At.Add(-overlap), Until: tr.At})
	}
	switch {
	case tr.ID == t.last.ID+1:
		t.deliver(tr, false)
	case tr.ID > t.last.ID:
		return t.fill(tr, TradePage{First: t.last.ID + 1, Last: tr.ID - 1, Since: t.last.At, Until: tr.At})
	case tr.At.Sub(t.last.At) > restartGap:
		t.hole(Hole{From: t.last.At, To: tr.At, Why: ErrRestarted})
		t.deliver(tr, false)
	default:
		t.stats.Duplicates++
	}
	return false
}

// fill begins to wait for what is missing before tr.
func (t *tape) fill(tr Trade, want TradePage) bool {
	want.Symbol, want.Rows = t.symbol, t.rules.Rows
	t.want, t.filling, t.pending = want, true, append(t.pending[:0], tr)
	t.stats.Fills++
	return true
}

// wait keeps a live trade until the fill is done. When there are too many, the fill is given up.
func (t *tape) wait(tr Trade) bool {
	if t.rules.Numbered {
		i, found := slices.BinarySearchFunc(t.pending, tr, byID)
		if found || tr.ID <= t.last.ID {
			t.stats.Duplicates++
			return false
		}
		t.pending = slices.Insert(t.pending, i, tr)
	} else {
		t.pending = append(t.pending, tr)
	}
	if len(t.pending) > t.most {
		for t.filling { // more gaps among those that wait
			t.filled(nil, ErrTooMany)
		}
	}
	return false
}

// filled takes what was read, and delivers it and what waited. It returns true if another fill is to begin.
func (t *tape) filled(trades []Trade, err error) bool {
	pending := t.pending
	t.filling, t.pending = false, nil
	if !t.rules.Numbered {
		t.filledByTime(trades, pending[0].At, err)
		for _, tr := range pending {
			t.once(tr, false)
		}
		return false
	}
	for i := range trades {
		trades[i].Filled = true
	}
	for len(pending) > 0 && pending[0].ID <= t.want.Last { // latecomers
		trades, pending = append(trades, pending[0]), pending[1:]
	}
	slices.SortStableFunc(trades, byID)
	for _, tr := range trades {
		if tr.ID > t.last.ID && tr.ID <= t.want.Last {
			t.skipTo(tr.ID, err)
			t.deliver(tr, false)
		}
	}
	t.skipTo(t.want.Last+1, err)
	for i, tr := range pending {
		if t.add(tr) {
			t.pending = append(t.pending, pending[i+1:]...)
			return true
		}
	}
	return false
}

// skipTo leaves a hole up to a number, unless that is the next one.
func (t *tape) skipTo(id int64, err error) {
	if id > t.last.ID+1 {
		t.hole(Hole{First: t.last.ID + 1, Last: id - 1, From: t.last.At, To: t.want.Until, Why: cmp.Or(err, ErrNotKept)})
		t.last.ID = id - 1
	}
}

// filledByTime delivers what was read, as far as it was not delivered before. That the oldest was
// is the only sign that nothing is missing before it.
func (t *tape) filledByTime(trades []Trade, until time.Time, err error) {
	slices.SortStableFunc(trades, func(a, b Trade) int { return a.At.Compare(b.At) })
	joined := slices.ContainsFunc(trades, func(tr Trade) bool { return t.seen(tr) })
	if !joined && len(trades) > 0 {
		t.hole(Hole{From: t.last.At, To: trades[0].At, Why: ErrNotKept})
	}
	for _, tr := range trades {
		tr.Filled = true
		t.once(tr, true)
	}
	if err != nil || len(trades) == 0 {
		t.hole(Hole{From: t.last.At, To: until, Why: cmp.Or(err, ErrNotKept)})
	}
}

// once delivers a trade without a number, unless it was delivered before.
func (t *tape) once(tr Trade, bestEffort bool) {
	if t.seen(tr) {
		t.stats.Duplicates++
		return
	}
	t.deliver(tr, bestEffort)
}

func (t *tape) seen(tr Trade) bool {
	_, seen := t.recent[key(&tr)]
	return seen
}

func (t *tape) deliver(tr Trade, bestEffort bool) {
	t.last = tr
	if !t.rules.Numbered {
		t.remember(key(&tr))
	}
	t.stats.Delivered++
	t.emit(Event{Symbol: t.symbol, Kind: Traded, Trade: tr, BestEffort: bestEffort})
}

func (t *tape) hole(h Hole) {
	t.stats.Holes++
	t.emit(Event{Symbol: t.symbol, Kind: Missing, Hole: h, BestEffort: !t.rules.Numbered})
}

// remember keeps a key, and forgets the oldest when there are many.
func (t *tape) remember(key string) {
	if t.recent == nil {
		t.recent = make(map[string]struct{})
	}
	t.recent[key] = struct{}{}
	if len(t.ring) < keysKept {
		t.ring = append(t.ring, key)
		return
	}
	delete(t.recent, t.ring[t.oldest])
	t.ring[t.oldest] = key
	t.oldest = (t.oldest + 1) % keysKept
}

func key(tr *Trade) string {
	if tr.Key != "" {
		return tr.Key
	}
	return strconv.FormatInt(tr.ID, 10)
}

func byID(a, b Trade) int { return cmp.Compare(a.ID, b.ID) }

// String says what is asked for.
func (p TradePage) String() string {
	if p.First > 0 {
		return fmt.Sprintf("trades %d to %d of %s", p.First, p.Last, p.Symbol)
	}
	return fmt.Sprintf("trades of %s from %s to %s", p.Symbol, p.Since.Format(time.RFC3339Nano), p.Until.Format(time.RFC3339Nano))
}

package market

import (
	"fmt"
	"time"
)

// The limits of a book.
const (
	keepDeltas = 2000             // while a snapshot is on its way
	keepFor    = 10 * time.Second // since the oldest of them
	maxLevels  = 50_000           // of a side: no venue sends as many
)

// A Book is the order book of one symbol: a state machine that is fed deltas and snapshots and is
// never wrong about being right. It is not safe for concurrent use, starts nothing, and is told the
// time; [Books] keeps many and does the rest. Make one with [NewBook].
type Book struct {
	rules  *Rules
	symbol string

	state   State
	lagging bool      // SYNCED inside, but shown as STALE
	reason  error     // why it is STALE
	since   time.Time // since when it is SYNCED, or not SYNCED
	synced  time.Time // since when it has been SYNCED
	version uint64    // rises with every message that the book reflects
	mark    mark
	at      time.Time // of the venue, of the data
	updated time.Time // of the last message that the book reflects

	bids, asks side
	spare      [2]side // for the next snapshot
	undo       []change
	text       []byte // scratch of checksums

	buffer   []kept
	overflow uint64 // how often the buffer was dropped
}

// kept is a delta that waits for a snapshot.
type kept struct {
	Delta
	received time.Time
}

// A change can be taken back.
type change struct {
	old Level
	ask bool
}

// NewBook returns an EMPTY book that follows the rules, which are not modified afterwards.
func NewBook(symbol string, r *Rules) *Book {
	return &Book{rules: r, symbol: symbol, asks: newSide(true), spare: [2]side{newSide(false), newSide(true)}}
}

// State returns the state. A book that lags is STALE although its sequence is clean.
func (b *Book) State() State {
	if b.lagging {
		return Stale
	}
	return b.state
}

// Sequence returns the number of the update that the book shows.
func (b *Book) Sequence() int64 { return b.mark.last }

// Reason returns why the book is STALE; nil if it is not.
func (b *Book) Reason() error { return b.reason }

// Begin makes the book wait for a snapshot. From now on deltas are kept, or ignored if the venue
// sends its snapshots in band. There is no book until then.
func (b *Book) Begin(now time.Time) {
	b.enter(Buffering, nil, now)
	b.buffer = b.buffer[:0]
	b.bids.levels, b.asks.levels = b.bids.levels[:0], b.asks.levels[:0]
}

// Clear forgets everything: the stream does not carry the symbol any more.
func (b *Book) Clear(now time.Time) {
	b.Begin(now)
	b.state, b.mark = Empty, mark{}
}

// Invalidate makes a SYNCED book STALE. What it showed stays readable, marked.
func (b *Book) Invalidate(reason error, now time.Time) {
	if b.state != Empty {
		b.enter(Stale, reason, now)
		b.buffer = b.buffer[:0]
	}
}

func (b *Book) enter(s State, reason error, now time.Time) {
	if b.state == Empty || (b.State() == Synced) != (s == Synced) {
		b.since = now // a book that was STALE is so until it is SYNCED again
	}
	b.state, b.reason, b.lagging = s, reason, false
}

// Apply takes the next delta of the stream. It returns an error if that made the book STALE, which
// it then is already; nil if the delta was applied, kept, or not needed. The delta is not kept.
func (b *Book) Apply(d *Delta, now time.Time) error {
	if b.state == Empty {
		return nil
	}
	if b.state != Synced {
		switch {
		case b.rules.Fetched && b.state == Buffering:
			b.keep(d, now)
		case !b.rules.Fetched && b.rules.Sequence.judge(mark{}, d) == replace:
			return b.replace(d, now)
		}
		return nil
	}
	return b.follow(d, now)
}

// follow applies a delta to a SYNCED book.
func (b *Book) follow(d *Delta, now time.Time) error {
	switch b.rules.Sequence.judge(b.mark, d) {
	case late:
		return nil
	case apply:
		if err := b.change(d); err != nil {
			return b.fail(fmt.Errorf("%s: update %d: %w", b.symbol, d.Last, err), now)
		}
		b.mark = mark{last: d.Last, prev: d.Prev}
		b.see(d.At, now, now)
		return nil
	case replace:
		if !b.rules.Fetched {
			return b.replace(d, now)
		}
	}
	return b.fail(fmt.Errorf("%s: %w: update %d to %d after %d does not follow %d",
		b.symbol, ErrGap, d.First, d.Last, d.Prev, b.mark.last), now)
}

func (b *Book) fail(err error, now time.Time) error {
	b.Invalidate(err, now)
	return err
}

// replace takes an in-band snapshot. One that is odd leaves the last book, STALE.
func (b *Book) replace(d *Delta, now time.Time) error {
	if err := b.load(d.Bids, d.Asks, d.Sum, d.Summed); err != nil {
		return b.fail(fmt.Errorf("%s: snapshot %d: %w", b.symbol, d.Last, err), now)
	}
	b.synchronize(mark{last: d.Last, prev: d.Prev}, d.At, now, now)
	return nil
}

// Load takes a snapshot that was asked for at the time asked, and plays the deltas kept since. With
// an error the book is not SYNCED: after [ErrOldSnapshot] it still waits, and keeps what it has; after
// any other it is STALE. A book that does not wait for a snapshot ignores it.
func (b *Book) Load(s *Snapshot, asked, now time.Time) error {
	if b.state != Buffering || !b.rules.Fetched {
		return nil
	}
	m := mark{last: s.ID, fresh: true}
	next := 0
	for next < len(b.buffer) && b.rules.Sequence.judge(m, &b.buffer[next].Delta) == late {
		next++
	}
	if next < len(b.buffer) && b.rules.Sequence.judge(m, &b.buffer[next].Delta) == gap {
		return fmt.Errorf("%s: %w: snapshot %d, deltas from %d", b.symbol, ErrOldSnapshot, s.ID, b.buffer[next].First)
	}
	if err := b.load(s.Bids, s.Asks, 0, false); err != nil {
		return b.fail(fmt.Errorf("%s: snapshot %d: %w", b.symbol, s.ID, err), now)
	}
	play := b.buffer[next:]
	b.synchronize(m, s.At, asked, now)
	for i := range play {
		if err := b.follow(&play[i].Delta, play[i].received); err != nil {
			return err
		}
	}
	b.buffer = b.buffer[:0]
	return nil
}

// synchronize makes the book SYNCED with what was just loaded.
func (b *Book) synchronize(m mark, at, updated, now time.Time) {
	if b.state != Synced {
		b.enter(Synced, nil, now)
		b.synced = now
	}
	b.mark, b.at = m, time.Time{}
	b.see(at, updated, now)
}

// see notes the times of a message that the book reflects now, and judges its lag.
func (b *Book) see(at, updated, now time.Time) {
	b.updated = updated
	b.version++
	if at.IsZero() {
		return
	}
	b.at = at
	lag := b.rules.lag(at, now)
	switch {
	case lag > b.rules.maxLag() && !b.lagging:
		b.lagging, b.since = true, now
		b.reason = fmt.Errorf("%s: %w: by %v", b.symbol, ErrLag, lag)
	case lag <= b.rules.maxLag() && b.lagging:
		b.lagging, b.since, b.reason = false, now, nil
	}
}

// keep puts a delta aside. When there are too many, or they are too old, it begins again with this one.
func (b *Book) keep(d *Delta, now time.Time) {
	if len(b.buffer) > 0 && (len(b.buffer) >= keepDeltas || now.Sub(b.buffer[0].received) > keepFor) {
		b.buffer = b.buffer[:0]
		b.overflow++
	}
	b.buffer = append(b.buffer, kept{d.clone(), now})
}

// Top returns the best levels. A side without levels has price 0.
func (b *Book) Top() (bid, ask Level) {
	bid, _ = b.bids.best()
	ask, _ = b.asks.best()
	return bid, ask
}

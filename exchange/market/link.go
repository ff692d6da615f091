package market

import (
	"fmt"
	"sync"
	"time"
)

// A Link feeds [Books] from one connection. Make one with [Books.Link] for each connection, and call
// Receive from the goroutine that reads it; the other methods may be called from anywhere. After Lost
// it is of no use any more: a new connection has a new Link.
type Link struct {
	books   *Books
	decoder *Decoder
	frame   Frame // of the last Receive

	mu       sync.Mutex
	carried  map[string]*entry // guarded by mu
	sequence int64             // guarded by mu; of the connection
	counted  bool              // guarded by mu; sequence is known
}

// Link returns a Link that reads frames with d.
func (b *Books) Link(d *Decoder) *Link {
	return &Link{books: b, decoder: d, carried: make(map[string]*entry)}
}

// Subscribed says that the connection carries the books of these symbols from now on. Their books
// become BUFFERING, but for one that another Link still feeds and whose numbers go on here: that one
// stays as it is, and takes from this Link what it has not seen. Symbols that were not added to
// the Books are left out.
func (l *Link) Subscribed(symbols ...string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, symbol := range symbols {
		if e := l.books.entry(symbol); e != nil && l.carried != nil {
			l.carried[symbol] = e
			e.start(l, now)
		}
	}
}

// Unsubscribed says that the connection does not carry these symbols any more: their books become
// STALE and stay so until a Link is subscribed to them.
func (l *Link) Unsubscribed(symbols ...string) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, symbol := range symbols {
		if e := l.carried[symbol]; e != nil {
			delete(l.carried, symbol)
			e.lose(l, fmt.Errorf("%s: not subscribed", symbol), now)
		}
	}
}

// Lost says that the connection has ended. All its books are STALE when it returns.
func (l *Link) Lost(cause error) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for symbol, e := range l.carried {
		e.lose(l, fmt.Errorf("%s: %w: %w", symbol, ErrLinkLost, cause), now)
	}
	l.carried = nil
}

// Receive takes one frame. When it returns, every book that the frame proves wrong is STALE. What the
// frame holds besides, trades and candles, is returned, and valid until the next Receive. An error
// says what was wrong with the frame or became of a book; the connection may go on.
func (l *Link) Receive(raw []byte) (*Frame, error) {
	now := time.Now()
	if err := l.decoder.Decode(raw, &l.frame); err != nil {
		l.suspect(l.frame.about, err, now)
		return &Frame{}, err
	}
	f := &l.frame
	var first error
	if l.books.Rules.Sequence.ofConnection() && f.Counted {
		switch l.number(f.Sequence) {
		case late:
			return &Frame{}, nil
		case gap:
			first = fmt.Errorf("%s: %w: message %d", l.books.Rules.Venue, ErrGap, f.Sequence)
			l.suspect("", first, now)
		}
	}
	for i := range f.Deltas {
		d := &f.Deltas[i]
		l.mu.Lock()
		e := l.carried[d.Symbol]
		l.mu.Unlock()
		if e == nil {
			continue
		}
		if err := e.apply(l, d, now); err != nil && first == nil {
			first = err
		}
	}
	return f, first
}

// number judges the number of a message. After a gap the count goes on from there.
func (l *Link) number(n int64) judgement {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := apply
	if l.counted {
		j = count(l.sequence, n)
	}
	if j != late {
		l.sequence, l.counted = n, true
	}
	return j
}

// suspect makes the book of a symbol STALE, or all of the connection if it is not known whose it was.
func (l *Link) suspect(symbol string, reason error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, e := range l.carried {
		if symbol == "" || s == symbol {
			e.mu.Lock()
			if e.link == l {
				e.suspect(reason, now)
			}
			e.mu.Unlock()
		}
	}
}

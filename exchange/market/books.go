package market

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/backoff"
)

// Books keeps the order books of many symbols of one venue: it hands deltas to them, repairs those
// that went STALE, and tells consumers. Set the fields, run Run, and feed it through a [Link] for
// each connection. Fields are not modified afterwards. It is safe for concurrent use.
type Books struct {
	Rules Rules

	// Source gets a new snapshot of a symbol. It blocks as long as the rate limiter's share for
	// repairs makes it wait, and may return an error with a hint (retry.After). If the venue sends
	// snapshots in band, it unsubscribes, waits for the confirmation, subscribes, and returns nil.
	Source func(ctx context.Context, symbol string) (*Snapshot, error)

	// Backoff is the wait before the repair of a symbol, by how often it failed in a row; after 60 s of
	// SYNCED that begins anew. Default exponential, 1 s to 60 s, full jitter.
	Backoff backoff.Strategy

	Concurrency int            // calls of Source at the same time; default 4
	Rand        func() float64 // uniform in [0,1), safe for concurrent use; default math/rand/v2

	roster roster
	books  atomic.Pointer[map[string]*entry] // what it points to is not modified
	mu     sync.Mutex                        // held to replace books
}

// The times of repairs.
const (
	resetAfter = 60 * time.Second // of SYNCED: what failed before is forgotten
	answerIn   = 10 * time.Second // for a snapshot in band
)

// BookStats counts what happened to a book, or to all.
type BookStats struct {
	Received  uint64 // deltas and snapshots of streams
	Stale     uint64 // times that a SYNCED book went STALE
	Snapshots uint64 // asked of Source
	Failed    uint64 // of those, errors and snapshots that were too old or odd
	Overflows uint64 // times that the deltas kept for a snapshot were dropped
}

// Add makes room for a symbol. The book is EMPTY until a [Link] is subscribed to it. Where many books
// need a repair, those with the greatest weight, such as the traded value of a day, are first.
func (b *Books) Add(symbol string, weight float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entry(symbol)
	if e == nil {
		e = &entry{books: b, book: NewBook(symbol, &b.Rules)}
		e.errand.do = e.repair
		all := b.clone()
		all[symbol] = e
		b.books.Store(&all)
	}
	b.roster.weigh(&e.errand, weight)
}

// clone returns a copy of all books. The caller holds mu.
func (b *Books) clone() map[string]*entry {
	all := make(map[string]*entry)
	if old := b.books.Load(); old != nil {
		maps.Copy(all, *old)
	}
	return all
}

// Remove forgets a symbol. Its consumers see an EMPTY book.
func (b *Books) Remove(symbol string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entry(symbol); e != nil {
		all := b.clone()
		delete(all, symbol)
		b.books.Store(&all)
		e.stop(time.Now())
	}
}

// Run repairs books until ctx ends, and returns its cause after the last call of Source has returned.
func (b *Books) Run(ctx context.Context) error {
	if err := b.Rules.Check(); err != nil {
		return fmt.Errorf("market: rules of %s: %w", b.Rules.Venue, err)
	}
	if b.Source == nil {
		return errors.New("market: Source: no way to get a snapshot: set it")
	}
	n := b.Concurrency
	if n <= 0 {
		n = 4
	}
	return b.roster.run(ctx, n)
}

func (b *Books) entry(symbol string) *entry {
	if all := b.books.Load(); all != nil {
		return (*all)[symbol]
	}
	return nil
}

// Top returns the best levels of a symbol. It is not SYNCED if there are none.
func (b *Books) Top(symbol string) Top {
	e := b.entry(symbol)
	if e == nil {
		return Top{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.top
}

// View copies the best depth levels of a symbol, all if depth is not positive, into v. It is false if
// the symbol was not added.
func (b *Books) View(symbol string, depth int, v *View) bool {
	e := b.entry(symbol)
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.book.View(v, depth)
	return true
}

// Invalidate makes a book STALE, and has it repaired. It is for reasons that only the caller knows, such
// as a subscription that went silent.
func (b *Books) Invalidate(symbol string, reason error) {
	if e := b.entry(symbol); e != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.suspect(reason, time.Now())
	}
}

// Stats returns the sums over all symbols.
func (b *Books) Stats() BookStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum BookStats
	for _, e := range b.clone() {
		e.mu.Lock()
		sum.Received += e.counts.Received
		sum.Stale += e.counts.Stale
		sum.Snapshots += e.counts.Snapshots
		sum.Failed += e.counts.Failed
		sum.Overflows += e.book.overflow
		e.mu.Unlock()
	}
	return sum
}

func (b *Books) delay(tries int) time.Duration {
	s := b.Backoff
	if s == nil {
		s = backoff.Exponential{Base: time.Second, Max: time.Minute}
	}
	u := b.Rand
	if u == nil {
		u = rand.Float64
	}
	return s.Delay(tries, 0, u())
}

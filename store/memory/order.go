package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// DefaultMaxIntents is what Orders.MaxIntents means where it is not set.
const DefaultMaxIntents = 1 << 16

// Orders is an [order.Log] in memory. It is not durable: after a restart nobody knows what was sent, so an order in
// flight is lost from sight and its id could be used again. It is for tests, and for programs that trade with play money.
//
// The zero value is empty. It is safe for concurrent use, and keeps the time of the process. It must not be copied
// after first use. Open and Forget look at every intent of an account.
type Orders struct {
	// MaxIntents is how many intents are held, closed ones included; not positive means 65,536. One more is refused with
	// [ErrFull]: see Forget.
	MaxIntents int

	mu      sync.Mutex
	writers map[order.Scope]*writer     // guarded by mu
	books   map[order.Scope]orderBook   // guarded by mu; without prefixes
	keys    map[order.Scope]map[key]int // guarded by mu; without prefixes
	intents int                         // guarded by mu
}

var _ order.Log = (*Orders)(nil)

// A writer is who holds a lease, or held it last.
type writer struct {
	order.Lease
	ends time.Time
}

// An orderBook holds the intents of an account.
type orderBook map[string]*story

// A story is what happened to an intent.
type story struct {
	entries []order.Entry
	closed  time.Time // by the clock of the process; the zero time while it is open
}

type key struct {
	id   string
	kind order.Kind
	key  string
}

// String says what a log should say, too.
func (s *Orders) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("orders in memory, not durable: %d", s.intents)
}

// Acquire is of [order.Log], as are the methods below.
func (s *Orders) Acquire(ctx context.Context, scope order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if err := alive(ctx); err != nil {
		return order.Lease{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.writers[scope]
	if w == nil {
		w = &writer{Lease: order.Lease{Scope: scope}}
		if s.writers == nil {
			s.writers = make(map[order.Scope]*writer)
		}
		s.writers[scope] = w
	}
	now := time.Now()
	switch {
	case w.Owner == owner:
	case w.Owner != "" && now.Before(w.ends):
		return order.Lease{}, fmt.Errorf("%w: %q, for another %v", order.ErrHeld, w.Owner, w.ends.Sub(now))
	default:
		w.Owner = owner
		w.Token++
	}
	w.ends = now.Add(span)
	return w.Lease, nil
}

// Release gives a lease back.
func (s *Orders) Release(_ context.Context, l order.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writers[l.Scope]; w != nil && w.Lease == l {
		w.Owner = ""
	}
	return nil
}

// Append adds entries.
func (s *Orders) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	if err := alive(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writers[l.Scope]; w == nil || w.Lease != l {
		return order.ErrFenced
	}
	book, keys := s.account(l.Scope)
	fresh := 0
	for i, e := range entries {
		k := key{e.ID, e.Kind, e.Key}
		twice := func(f order.Entry) bool { return key{f.ID, f.Kind, f.Key} == k }
		if e.Key != "" && (keys[k] > 0 || slices.ContainsFunc(entries[:i], twice)) {
			return fmt.Errorf("%w: %s %q of %s", order.ErrTwice, e.Kind, e.Key, e.ID)
		}
		if book[e.ID] == nil && !slices.ContainsFunc(entries[:i], func(f order.Entry) bool { return f.ID == e.ID }) {
			fresh++
		}
	}
	if most := s.maxIntents(); fresh > 0 && s.intents+fresh > most {
		return fmt.Errorf("%w: %d orders", ErrFull, s.intents)
	}
	s.intents += fresh
	for _, e := range entries {
		st := book[e.ID]
		if st == nil {
			st = &story{}
			book[e.ID] = st
		}
		if e.Key != "" {
			keys[key{e.ID, e.Kind, e.Key}]++
		}
		st.closed = time.Time{}
		if e.Kind == order.KindClosed {
			st.closed = time.Now()
		}
		e.Data = slices.Clone(e.Data)
		st.entries = append(st.entries, e)
	}
	return nil
}

func (s *Orders) maxIntents() int {
	if s.MaxIntents <= 0 {
		return DefaultMaxIntents
	}
	return s.MaxIntents
}

// account returns what is kept of a venue and account, whatever the prefix.
func (s *Orders) account(scope order.Scope) (orderBook, map[key]int) {
	scope.Prefix = ""
	if s.books[scope] == nil {
		if s.books == nil {
			s.books = make(map[order.Scope]orderBook)
			s.keys = make(map[order.Scope]map[key]int)
		}
		s.books[scope] = make(orderBook)
		s.keys[scope] = make(map[key]int)
	}
	return s.books[scope], s.keys[scope]
}

// Load returns the entries of an intent.
func (s *Orders) Load(ctx context.Context, scope order.Scope, id string) ([]order.Entry, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	book, _ := s.account(scope)
	if book[id] == nil {
		return nil, nil
	}
	list := slices.Clone(book[id].entries)
	for i := range list {
		list[i].Data = slices.Clone(list[i].Data)
	}
	return list, nil
}

// Open lists what is not closed.
func (s *Orders) Open(ctx context.Context, scope order.Scope, after string, limit int) ([]string, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	book, _ := s.account(scope)
	var ids []string
	for id, st := range book {
		if id > after && strings.HasPrefix(id, scope.Prefix) && st.closed.IsZero() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), max(0, limit))], nil
}

// Forget removes up to limit intents of all accounts that were closed at least so long ago, and says how many. Their
// ids can be used again, and late evidence on them finds nothing: let days pass.
func (s *Orders) Forget(ago time.Duration, limit int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for scope, book := range s.books {
		for id, st := range book {
			if n >= limit {
				return n
			}
			if st.closed.IsZero() || now.Sub(st.closed) < max(0, ago) {
				continue
			}
			for _, e := range st.entries {
				delete(s.keys[scope], key{e.ID, e.Kind, e.Key})
			}
			delete(book, id)
			s.intents--
			n++
		}
	}
	return n
}

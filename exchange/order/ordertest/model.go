package ordertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// A Model is an [order.Log] in memory. The zero value is empty. It is safe for concurrent use. A second machine that is
// handed the same Model finds what a restart would find.
type Model struct {
	mu     sync.Mutex
	leases map[order.Scope]*lease       // guarded by mu
	books  map[order.Scope]*book        // guarded by mu; Prefix is empty in the key
	Broken func(es []order.Entry) error // if set, Append fails with its error, and appends nothing
}

type lease struct {
	order.Lease
	ends time.Time
}

type book struct {
	entries map[string][]order.Entry
	taken   map[taken]bool
}

type taken struct {
	id   string
	kind order.Kind
	key  string
}

var _ order.Log = (*Model)(nil)

// Break sets Broken while the log is in use.
func (m *Model) Break(broken func(es []order.Entry) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Broken = broken
}

// Acquire is of [order.Log], as are the methods below.
func (m *Model) Acquire(ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if ctx.Err() != nil {
		return order.Lease{}, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.leases[s]
	if l == nil {
		l = &lease{Lease: order.Lease{Scope: s}}
		if m.leases == nil {
			m.leases = make(map[order.Scope]*lease)
		}
		m.leases[s] = l
	}
	now := time.Now()
	if l.Owner != "" && l.Owner != owner && now.Before(l.ends) {
		return order.Lease{}, fmt.Errorf("%w: %s, for %v", order.ErrHeld, l.Owner, l.ends.Sub(now))
	}
	if l.Owner != owner {
		l.Owner = owner
		l.Token++
	}
	l.ends = now.Add(span)
	return l.Lease, nil
}

// Release gives a lease back.
func (m *Model) Release(_ context.Context, l order.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holds(l) {
		m.leases[l.Scope].Owner = ""
	}
	return nil
}

func (m *Model) holds(l order.Lease) bool {
	held := m.leases[l.Scope]
	return held != nil && held.Lease == l
}

// Append adds entries.
func (m *Model) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Broken != nil {
		if err := m.Broken(entries); err != nil {
			return err
		}
	}
	if !m.holds(l) {
		return order.ErrFenced
	}
	b := m.book(l.Scope)
	keys := make(map[taken]bool)
	for _, e := range entries {
		k := taken{e.ID, e.Kind, e.Key}
		if e.Key != "" && (b.taken[k] || keys[k]) {
			return fmt.Errorf("%w: %s %s of %s", order.ErrTwice, e.Kind, e.Key, e.ID)
		}
		keys[k] = e.Key != ""
	}
	maps.Copy(b.taken, keys)
	for _, e := range entries {
		e.Data = slices.Clone(e.Data)
		b.entries[e.ID] = append(b.entries[e.ID], e)
	}
	return nil
}

// book returns the entries of an account.
func (m *Model) book(s order.Scope) *book {
	s.Prefix = ""
	b := m.books[s]
	if b == nil {
		b = &book{make(map[string][]order.Entry), make(map[taken]bool)}
		if m.books == nil {
			m.books = make(map[order.Scope]*book)
		}
		m.books[s] = b
	}
	return b
}

// Load returns the entries of an intent.
func (m *Model) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.book(s).entries[id])
	for i := range list {
		list[i].Data = slices.Clone(list[i].Data)
	}
	return list, nil
}

// Open lists what is not closed.
func (m *Model) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id, entries := range m.book(s).entries {
		closed := entries[len(entries)-1].Kind == order.KindClosed
		if id > after && strings.HasPrefix(id, s.Prefix) && !closed {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), max(0, limit))], nil
}

package ordertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// A mutant is a model with one thing wrong.
type mutant struct {
	*Model
	acquire func(m *Model, ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error)
	release func(m *Model, ctx context.Context, l order.Lease) error
	append  func(m *Model, ctx context.Context, l order.Lease, entries ...order.Entry) error
	load    func(m *Model, ctx context.Context, s order.Scope, id string) ([]order.Entry, error)
	open    func(m *Model, ctx context.Context, s order.Scope, after string, limit int) ([]string, error)
}

func (m mutant) Acquire(ctx context.Context, s order.Scope, owner string, span time.Duration) (order.Lease, error) {
	if m.acquire != nil {
		return m.acquire(m.Model, ctx, s, owner, span)
	}
	return m.Model.Acquire(ctx, s, owner, span)
}

func (m mutant) Release(ctx context.Context, l order.Lease) error {
	if m.release != nil {
		return m.release(m.Model, ctx, l)
	}
	return m.Model.Release(ctx, l)
}

func (m mutant) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	if m.append != nil {
		return m.append(m.Model, ctx, l, entries...)
	}
	return m.Model.Append(ctx, l, entries...)
}

func (m mutant) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if m.load != nil {
		return m.load(m.Model, ctx, s, id)
	}
	return m.Model.Load(ctx, s, id)
}

func (m mutant) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	if m.open != nil {
		return m.open(m.Model, ctx, s, after, limit)
	}
	return m.Model.Open(ctx, s, after, limit)
}

// lowered appends under ids in small letters.
func lowered(m *Model, ctx context.Context, l order.Lease, entries ...order.Entry) error {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].ID = "A1" + strings.ToLower(strings.TrimPrefix(entries[i].ID, "A1"))
	}
	return m.Append(ctx, l, entries...)
}

func TestMutantsAreCaught(t *testing.T) {
	type (
		C = context.Context
		M = *Model
		S = order.Scope
		L = order.Lease
		E = order.Entry
	)
	free := func(m M, s S) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if l := m.leases[s]; l != nil {
			l.ends = time.Time{}
		}
	}
	for _, test := range []struct {
		promise string
		m       mutant
	}{
		{"gives one owner the lease", mutant{acquire: func(m M, ctx C, s S, owner string, span time.Duration) (L, error) {
			free(m, s)
			return m.Acquire(ctx, s, owner, span)
		}}},
		{"has one winner in a race for a lease", mutant{acquire: func(m M, ctx C, s S, owner string, span time.Duration) (L, error) {
			free(m, s)
			return m.Acquire(ctx, s, owner, span)
		}}},
		{"renews the owner's lease", mutant{acquire: func(m M, ctx C, s S, owner string, span time.Duration) (L, error) {
			m.Release(ctx, L{Scope: s, Owner: owner, Token: 1})
			return m.Acquire(ctx, s, owner, span)
		}}},
		{"ends leases by its own clock", mutant{acquire: func(m M, ctx C, s S, owner string, span time.Duration) (L, error) {
			return m.Acquire(ctx, s, owner, span*10)
		}}},
		{"takes leases back", mutant{release: func(M, C, L) error { return nil }}},
		{"takes leases back", mutant{release: grumbling}},
		{"refuses a second SENDING(n)", mutant{release: grumbling}},
		{"keeps scopes apart", mutant{append: func(m M, ctx C, l L, es ...E) error {
			l.Account = scope.Account
			l.Token = 1
			return m.Append(ctx, l, es...)
		}}},
		{"gives entries back as they were", mutant{load: func(m M, ctx C, s S, id string) ([]E, error) {
			es, err := m.Load(ctx, s, id)
			slices.Reverse(es)
			return es, err
		}}},
		{"gives entries back as they were", sharing(func(data []byte) []byte { return data })},
		{"gives entries back as they were", sharing(slices.Clone[[]byte])},
		{"appends all or nothing", mutant{append: func(m M, ctx C, l L, es ...E) error {
			for _, e := range es {
				if err := m.Append(ctx, l, e); err != nil {
					return err
				}
			}
			return nil
		}}},
		{"refuses a second SENDING(n)", mutant{append: unkeyed(order.KindSending)}},
		{"has one winner in a race for an attempt", mutant{append: unkeyed(order.KindSending)}},
		{"refuses an id used again", mutant{append: unkeyed(order.KindIntent)}},
		{"keys nothing but what has a key", mutant{append: func(m M, ctx C, l L, es ...E) error {
			es = slices.Clone(es)
			for i := range es {
				if es[i].Key == "" {
					es[i].Key = "none"
				}
			}
			return m.Append(ctx, l, es...)
		}}},
		{"fences the one who lost", mutant{append: func(m M, ctx C, l L, es ...E) error {
			m.mu.Lock()
			l = m.leases[l.Scope].Lease
			m.mu.Unlock()
			return m.Append(ctx, l, es...)
		}}},
		{"lets write until another follows", mutant{append: func(m M, ctx C, l L, es ...E) error {
			m.mu.Lock()
			over := time.Now().After(m.leases[l.Scope].ends)
			m.mu.Unlock()
			if over {
				return order.ErrFenced
			}
			return m.Append(ctx, l, es...)
		}}},
		{"checks the lease without entries", mutant{append: func(m M, ctx C, l L, es ...E) error {
			if len(es) == 0 {
				return nil
			}
			return m.Append(ctx, l, es...)
		}}},
		{"lists what is open", mutant{open: func(m M, ctx C, s S, after string, limit int) ([]string, error) {
			return m.Open(ctx, s, "", limit)
		}}},
		{"compares ids byte by byte", mutant{append: lowered}},
		{"bears large entries", mutant{append: func(m M, ctx C, l L, es ...E) error {
			es = slices.Clone(es)
			for i := range es {
				es[i].Data = es[i].Data[:min(len(es[i].Data), 65535)]
			}
			return m.Append(ctx, l, es...)
		}}},
		{"does nothing for a context that ended", mutant{append: func(m M, ctx C, l L, es ...E) error {
			return m.Append(context.WithoutCancel(ctx), l, es...)
		}}},
		{"does nothing for a context that ended", mutant{acquire: func(m M, ctx C, s S, owner string, span time.Duration) (L, error) {
			return m.Acquire(context.WithoutCancel(ctx), s, owner, span)
		}}},
		{"does nothing for a context that ended", mutant{load: func(m M, ctx C, s S, id string) ([]E, error) {
			return m.Load(context.WithoutCancel(ctx), s, id)
		}}},
		{"does nothing for a context that ended", mutant{open: func(m M, ctx C, s S, after string, limit int) ([]string, error) {
			return m.Open(context.WithoutCancel(ctx), s, after, limit)
		}}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			i := slices.IndexFunc(promises, func(p promise) bool { return p.name == test.promise })
			caught := 0
			promises[i].run(t, suite{
				open:   func(*testing.T) order.Log { m := test.m; m.Model = &Model{}; return m },
				report: func(string, ...any) { caught++ },
			})
			if caught == 0 {
				t.Error("the mutant keeps the promise")
			}
		})
	}
}

// grumbling takes the lease back, and says that it has not.
func grumbling(m *Model, ctx context.Context, l order.Lease) error {
	return errors.Join(m.Release(ctx, l), errors.New("grumble"))
}

// sharing gives the same memory to all who load, or even to who appends.
func sharing(keep func([]byte) []byte) mutant {
	var kept []byte
	return mutant{
		append: func(m *Model, ctx context.Context, l order.Lease, entries ...order.Entry) error {
			kept = keep(entries[0].Data)
			return m.Append(ctx, l, entries...)
		},
		load: func(m *Model, ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
			entries, err := m.Load(ctx, s, id)
			if len(entries) == 1 && entries[0].Kind == order.KindRead {
				entries[0].Data = kept
			}
			return entries, err
		},
	}
}

// unkeyed appends entries of a kind as if they had no key.
func unkeyed(k order.Kind) func(*Model, context.Context, order.Lease, ...order.Entry) error {
	return func(m *Model, ctx context.Context, l order.Lease, entries ...order.Entry) error {
		entries = slices.Clone(entries)
		for i := range entries {
			if entries[i].Kind == k {
				entries[i].Key = ""
			}
		}
		return m.Append(ctx, l, entries...)
	}
}

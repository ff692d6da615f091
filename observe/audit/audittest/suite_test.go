package audittest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/relent-go/relent/observe/audit"
)

// A broken store breaks promises where a function is set.
type broken struct {
	audit.Store
	append func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error)
	query  func(s audit.Store, ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error)
	links  func(s audit.Store, ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error)
	heads  func(s audit.Store, ctx context.Context) ([]audit.Head, error)
	anchor func(s audit.Store, ctx context.Context, c audit.Checkpoint) error
	points func(s audit.Store, ctx context.Context, chain string, after uint64, limit int) ([]audit.Checkpoint, error)
}

func (b *broken) Append(ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
	if b.append == nil {
		return b.Store.Append(ctx, chain, records)
	}
	return b.append(b.Store, ctx, chain, records)
}

func (b *broken) Query(ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
	if b.query == nil {
		return b.Store.Query(ctx, f, after, limit)
	}
	return b.query(b.Store, ctx, f, after, limit)
}

func (b *broken) Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
	if b.links == nil {
		return b.Store.Links(ctx, chain, from, limit)
	}
	return b.links(b.Store, ctx, chain, from, limit)
}

func (b *broken) Heads(ctx context.Context) ([]audit.Head, error) {
	if b.heads == nil {
		return b.Store.Heads(ctx)
	}
	return b.heads(b.Store, ctx)
}

func (b *broken) Anchor(ctx context.Context, c audit.Checkpoint) error {
	if b.anchor == nil {
		return b.Store.Anchor(ctx, c)
	}
	return b.anchor(b.Store, ctx, c)
}

func (b *broken) Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]audit.Checkpoint, error) {
	if b.points == nil {
		return b.Store.Checkpoints(ctx, chain, after, limit)
	}
	return b.points(b.Store, ctx, chain, after, limit)
}

// The suite finds a store that breaks a promise: each line breaks the one that it names.
func TestSuiteFindsBrokenStores(t *testing.T) {
	n := 0
	for _, test := range []struct {
		promise string
		store   broken
	}{
		{"chains records", broken{links: func(s audit.Store, ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
			l, err := s.Links(ctx, chain, from, limit)
			if len(l) > 3 {
				l[3].Hash[0]++
			}
			return l, err
		}}},
		{"keeps every field", broken{query: func(s audit.Store, ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
			r, next, err := s.Query(ctx, f, after, limit)
			for i := range r {
				r[i].Ticket = ""
			}
			return r, next, err
		}}},
		{"K26 appends a batch once", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			records = slices.Clone(records)
			for i := range records {
				n++
				records[i].ID += fmt.Sprint(n)
			}
			return s.Append(ctx, chain, records)
		}}},
		{"ST8 appends all or nothing", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			h, err := s.Append(ctx, chain, records)
			if errors.Is(err, audit.ErrInvalid) && len(records) == 100 {
				s.Append(ctx, chain, records[:56])
			}
			return h, err
		}}},
		{"keeps chains apart", broken{heads: func(s audit.Store, ctx context.Context) ([]audit.Head, error) {
			h, err := s.Heads(ctx)
			slices.Reverse(h)
			return h, err
		}}},
		{"refuses names of chains", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			return s.Append(ctx, strings.ReplaceAll(chain, " ", "_"), records)
		}}},
		{"takes an empty batch", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			if len(records) == 0 {
				return audit.Head{Chain: chain}, nil
			}
			return s.Append(ctx, chain, records)
		}}},
		{"answers queries", broken{query: func(s audit.Store, ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
			f.Outcome = ""
			return s.Query(ctx, f, after, limit)
		}}},
		{"pages queries", broken{query: func(s audit.Store, ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
			r, next, err := s.Query(ctx, f, after, limit)
			if limit == 7 {
				next.Sequence++
			}
			return r, next, err
		}}},
		{"follows", broken{query: func(s audit.Store, ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
			r, _, err := s.Query(ctx, f, after, limit)
			return r, after, err
		}}},
		{"pages links", broken{links: func(s audit.Store, ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
			return s.Links(ctx, chain, max(1, from-1), limit)
		}}},
		{"bears many writers", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (h audit.Head, err error) {
			for i := range records {
				h, err = s.Append(ctx, chain, records[len(records)-1-i:][:1])
			}
			return h, err
		}}},
		{"keeps no slices of the caller", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			h, err := s.Append(ctx, chain, records)
			records[0].Sequence = h.Sequence
			return h, err
		}}},
		{"keeps checkpoints", broken{anchor: func(s audit.Store, ctx context.Context, c audit.Checkpoint) error {
			s.Anchor(ctx, c)
			return nil
		}}},
		{"obeys contexts", broken{append: func(s audit.Store, ctx context.Context, chain string, records []audit.Record) (audit.Head, error) {
			return s.Append(context.WithoutCancel(ctx), chain, records)
		}}},
		{"survives", broken{}},
		{"K17 shows tampering", broken{}},
	} {
		suite := Suite{
			Open:   func(t *testing.T) audit.Store { b := test.store; b.Store = kept(t); return &b },
			Reopen: func(t *testing.T, _ audit.Store) audit.Store { return kept(t) },
			Tamper: func(*testing.T, audit.Store, string, uint64, []byte) {},
		}
		i := slices.IndexFunc(promises, func(p promise) bool { return p.name == test.promise })
		var reports []string
		promises[i].check(t, suite, func(args ...any) { reports = append(reports, fmt.Sprint(args...)) })
		if len(reports) != 1 || !strings.HasSuffix(reports[0], promises[i].reason) {
			t.Errorf("%s: reported %q; want what is broken, and why that matters", test.promise, reports)
		}
	}
}

// A store that panics is not taken for one that passes.
func TestSuitePassesPanicsOn(t *testing.T) {
	defer func() {
		if e := recover(); e != "bug" {
			t.Errorf("recovered %v; want the panic of the store", e)
		}
	}()
	suite := Suite{Open: func(*testing.T) audit.Store { panic("bug") }}
	promises[0].check(t, suite, t.Error)
}

func TestRun(t *testing.T) {
	Run(t, func(t *testing.T) audit.Store { return kept(t) })
}

// kept returns a new store that ends with the test.
func kept(t *testing.T) audit.Store {
	t.Helper()
	f, err := audit.OpenFile(t.TempDir(), audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

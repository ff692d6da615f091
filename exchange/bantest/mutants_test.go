package bantest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
)

// model keeps bans in memory, and those that ended lately as well.
type model struct {
	mu   sync.Mutex
	bans []exchange.Ban
}

func (m *model) Load(ctx context.Context) ([]exchange.Ban, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.bans), ctx.Err()
}

func (m *model) Save(_ context.Context, b exchange.Ban) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, old := range m.bans {
		if old.Venue == b.Venue && old.Account == b.Account {
			if time.Since(old.Until) < 24*time.Hour {
				b = exchange.Merge(old, b)
			}
			m.bans[i] = b
			return nil
		}
	}
	m.bans = append(m.bans, b)
	return nil
}

// A mutant is a model with one thing wrong.
type mutant struct {
	model
	load func(m *model, ctx context.Context) ([]exchange.Ban, error)
	save func(m *model, ctx context.Context, b exchange.Ban) error
}

func (m *mutant) Load(ctx context.Context) ([]exchange.Ban, error) {
	if m.load != nil {
		return m.load(&m.model, ctx)
	}
	return m.model.Load(ctx)
}

func (m *mutant) Save(ctx context.Context, b exchange.Ban) error {
	if m.save != nil {
		return m.save(&m.model, ctx, b)
	}
	return m.model.Save(ctx, b)
}

func TestModel(t *testing.T) {
	Run(t, func(*testing.T) (a, b exchange.BanStore) { m := &model{}; return m, m })
}

func TestMutantsAreCaught(t *testing.T) {
	type (
		C = context.Context
		M = *model
		B = exchange.Ban
	)
	for _, test := range []struct {
		promise string // how its name begins
		m       *mutant
	}{
		{"a storage without bans", &mutant{load: func(M, C) ([]B, error) { return nil, errors.New("no file") }}},
		{"a ban is there for other processes", &mutant{save: func(M, C, B) error { return nil }}},
		{"a ban is there for other processes", &mutant{save: func(m M, ctx C, b B) error {
			return errors.Join(m.Save(ctx, b), errors.New("disk full"))
		}}},
		{"the later end counts", &mutant{save: func(m M, ctx C, b B) error {
			if len(m.bans) > 0 {
				return nil
			}
			return m.Save(ctx, b)
		}}},
		{"an earlier end shortens nothing", &mutant{save: func(m M, ctx C, b B) error { m.bans = nil; return m.Save(ctx, b) }}},
		{"venues and accounts", &mutant{save: func(m M, ctx C, b B) error { b.Account = ""; return m.Save(ctx, b) }}},
		{"a ban that ended lately stays", &mutant{load: func(m M, ctx C) ([]B, error) {
			list, err := m.Load(ctx)
			return slices.DeleteFunc(list, func(b B) bool { return b.Until.Before(time.Now()) }), err
		}}},
		{"a ban a day after another", &mutant{save: func(m M, _ C, b B) error {
			if len(m.bans) > 0 {
				b = exchange.Merge(m.bans[0], b)
				b.Count += m.bans[0].Count
			}
			m.bans = []B{b}
			return nil
		}}},
		{"bans of several processes at once", &mutant{save: func(m M, ctx C, b B) error {
			if b.Venue == "h" {
				return nil
			}
			return m.Save(ctx, b)
		}}},
	} {
		t.Run(test.promise, func(t *testing.T) {
			if !caught(t, test.promise, test.m) {
				t.Error("the mutant keeps the promise")
			}
		})
	}
	t.Run("a context that has ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			defer close(free)
			if !caught(t, "a context that has ended", &mutant{load: func(M, C) ([]B, error) { <-free; return nil, nil }}) {
				t.Error("the mutant keeps the promise")
			}
		})
	})
}

// caught says whether a check complains about a store.
func caught(t *testing.T, name string, s exchange.BanStore) bool {
	list, n := promises(), 0
	i := slices.IndexFunc(list, func(p promise) bool { return strings.HasPrefix(p.name, name) })
	list[i].check(&trial{t, func(string, ...any) { n++ }}, s, s)
	return n > 0
}

// Package bantest checks implementations of [exchange.BanStore].
package bantest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
)

// Run checks a store. open returns two handles on one storage, which is empty and each time another one; they stand for
// two processes, so they should share nothing but the storage.
func Run(t *testing.T, open func(t *testing.T) (a, b exchange.BanStore)) {
	for _, p := range promises() {
		t.Run(p.name, func(t *testing.T) {
			a, b := open(t)
			p.check(&trial{t, t.Errorf}, a, b)
		})
	}
}

// A trial is one check of one store.
type trial struct {
	t      *testing.T
	report func(format string, args ...any)
}

// A promise is one that each store makes.
type promise struct {
	name  string // the reason why it matters
	check func(t *trial, a, b exchange.BanStore)
}

func promises() []promise {
	now := time.Now().Truncate(time.Millisecond)
	first := exchange.Ban{
		Venue: "binance", Host: "api.binance.com", Scope: "ip", Until: now.Add(10 * time.Minute), First: now, Count: 1,
		Signal: "HTTP 418 -1003", Reason: "Way too much request weight used",
	}
	return []promise{
		{"a storage without bans is no error: the first process of a machine finds none", func(t *trial, a, b exchange.BanStore) {
			t.want(a)
			t.want(b)
		}},
		{"a ban is there for other processes when Save has returned: they must not probe", func(t *trial, a, b exchange.BanStore) {
			t.save(a, first)
			t.want(b, first)
			t.want(a, first)
		}},
		{"the later end counts: a ban that was prolonged is not over when the first one would be", func(t *trial, a, b exchange.BanStore) {
			longer := first
			longer.Until, longer.Signal, longer.Count, longer.First = first.Until.Add(time.Hour), "HTTP 418", 2, now.Add(time.Second)
			t.save(a, first)
			t.save(b, longer)
			longer.First = first.First
			t.want(a, longer)
		}},
		{"an earlier end shortens nothing, and a higher count stays: answers overtake one another", func(t *trial, a, b exchange.BanStore) {
			shorter := first
			shorter.Until, shorter.Count, shorter.First = first.Until.Add(-time.Minute), 3, now.Add(-time.Hour)
			t.save(a, first)
			t.save(b, shorter)
			merged := first
			merged.Count, merged.First = 3, shorter.First
			t.want(a, merged)
		}},
		{"venues and accounts have bans of their own", func(t *trial, a, b exchange.BanStore) {
			other, key := first, first
			other.Venue = "kraken"
			key.Account = "main"
			t.save(a, first)
			t.save(b, other)
			t.save(a, key)
			t.want(b, first, other, key)
		}},
		{"a ban that ended lately stays: the next one in a day is longer", func(t *trial, a, b exchange.BanStore) {
			ended := first
			ended.Until, ended.First = now.Add(-time.Hour), now.Add(-2*time.Hour)
			t.save(a, ended)
			other := first
			other.Venue = "kraken"
			t.save(b, other)
			t.want(a, ended, other)
		}},
		{"a ban a day after another is the first of its row", func(t *trial, a, b exchange.BanStore) {
			old := first
			old.Until, old.First, old.Count = now.Add(-25*time.Hour), now.Add(-26*time.Hour), 5
			t.save(a, old)
			t.save(b, first)
			t.want(a, first)
		}},
		{"bans of several processes at once are all kept", func(t *trial, a, b exchange.BanStore) {
			var wg sync.WaitGroup
			var all []exchange.Ban
			for i := range 8 {
				ban := first
				ban.Venue = string(rune('a' + i))
				all = append(all, ban)
				wg.Go(func() { t.save([]exchange.BanStore{a, b}[i%2], ban) })
			}
			wg.Wait()
			t.want(a, all...)
			t.want(b, all...)
		}},
		{"a context that has ended does not block", func(t *trial, a, b exchange.BanStore) {
			ctx, cancel := context.WithCancel(t.t.Context())
			cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				a.Load(ctx)
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.report("Load still runs")
			}
		}},
	}
}

func (t *trial) save(s exchange.BanStore, b exchange.Ban) {
	t.t.Helper()
	if err := s.Save(t.t.Context(), b); err != nil {
		t.report("Save(%+v) = %v", b, err)
	}
}

// want compares what a store holds, in any order.
func (t *trial) want(s exchange.BanStore, bans ...exchange.Ban) {
	t.t.Helper()
	got, err := s.Load(t.t.Context())
	if err != nil {
		t.report("Load() = %v", err)
		return
	}
	if len(got) != len(bans) {
		t.report("Load() = %+v; want %d bans", got, len(bans))
		return
	}
	for _, w := range bans {
		found := false
		for _, g := range got {
			found = found || same(g, w)
		}
		if !found {
			t.report("Load() = %+v; want %+v among them", got, w)
		}
	}
}

func same(a, b exchange.Ban) bool {
	near := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }
	times := near(a.Until, b.Until) && near(a.First, b.First)
	a.Until, a.First, b.Until, b.First = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return times && a == b
}

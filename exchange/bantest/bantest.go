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
	now := time.Now().Truncate(time.Millisecond)
	first := exchange.Ban{
		Venue: "binance", Host: "api.binance.com", Scope: "ip", Until: now.Add(10 * time.Minute), First: now, Count: 1,
		Signal: "HTTP 418 -1003", Reason: "Way too much request weight used",
	}
	for _, test := range []struct {
		name string // the reason why it matters
		run  func(t *testing.T, a, b exchange.BanStore)
	}{
		{"a storage without bans is no error: the first process of a machine finds none", func(t *testing.T, a, b exchange.BanStore) {
			want(t, a)
			want(t, b)
		}},
		{"a ban is there for other processes when Save has returned: they must not probe", func(t *testing.T, a, b exchange.BanStore) {
			save(t, a, first)
			want(t, b, first)
			want(t, a, first)
		}},
		{"the later end counts: a ban that was prolonged is not over when the first one would be", func(t *testing.T, a, b exchange.BanStore) {
			longer := first
			longer.Until, longer.Signal, longer.Count, longer.First = first.Until.Add(time.Hour), "HTTP 418", 2, now.Add(time.Second)
			save(t, a, first)
			save(t, b, longer)
			longer.First = first.First
			want(t, a, longer)
		}},
		{"an earlier end shortens nothing, and a higher count stays: answers overtake one another", func(t *testing.T, a, b exchange.BanStore) {
			shorter := first
			shorter.Until, shorter.Count, shorter.First = first.Until.Add(-time.Minute), 3, now.Add(-time.Hour)
			save(t, a, first)
			save(t, b, shorter)
			merged := first
			merged.Count, merged.First = 3, shorter.First
			want(t, a, merged)
		}},
		{"venues and accounts have bans of their own", func(t *testing.T, a, b exchange.BanStore) {
			other, key := first, first
			other.Venue = "kraken"
			key.Account = "main"
			save(t, a, first)
			save(t, b, other)
			save(t, a, key)
			want(t, b, first, other, key)
		}},
		{"a ban that ended lately stays: the next one in a day is longer", func(t *testing.T, a, b exchange.BanStore) {
			ended := first
			ended.Until, ended.First = now.Add(-time.Hour), now.Add(-2*time.Hour)
			save(t, a, ended)
			other := first
			other.Venue = "kraken"
			save(t, b, other)
			want(t, a, ended, other)
		}},
		{"a ban a day after another is the first of its row", func(t *testing.T, a, b exchange.BanStore) {
			old := first
			old.Until, old.First, old.Count = now.Add(-25*time.Hour), now.Add(-26*time.Hour), 5
			save(t, a, old)
			save(t, b, first)
			want(t, a, first)
		}},
		{"bans of several processes at once are all kept", func(t *testing.T, a, b exchange.BanStore) {
			var wg sync.WaitGroup
			var all []exchange.Ban
			for i := range 8 {
				ban := first
				ban.Venue = string(rune('a' + i))
				all = append(all, ban)
				wg.Go(func() { save(t, []exchange.BanStore{a, b}[i%2], ban) })
			}
			wg.Wait()
			want(t, a, all...)
			want(t, b, all...)
		}},
		{"a context that has ended does not block", func(t *testing.T, a, b exchange.BanStore) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			done := make(chan struct{})
			go func() {
				defer close(done)
				a.Load(ctx)
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Error("Load still runs")
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := open(t)
			test.run(t, a, b)
		})
	}
}

func save(t *testing.T, s exchange.BanStore, b exchange.Ban) {
	t.Helper()
	if err := s.Save(t.Context(), b); err != nil {
		t.Errorf("Save(%+v) = %v", b, err)
	}
}

// want compares what a store holds, in any order.
func want(t *testing.T, s exchange.BanStore, bans ...exchange.Ban) {
	t.Helper()
	got, err := s.Load(t.Context())
	if err != nil {
		t.Errorf("Load() = %v", err)
		return
	}
	if len(got) != len(bans) {
		t.Errorf("Load() = %+v; want %d bans", got, len(bans))
		return
	}
	for _, w := range bans {
		found := false
		for _, g := range got {
			found = found || same(g, w)
		}
		if !found {
			t.Errorf("Load() = %+v; want %+v among them", got, w)
		}
	}
}

func same(a, b exchange.Ban) bool {
	near := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }
	times := near(a.Until, b.Until) && near(a.First, b.First)
	a.Until, a.First, b.Until, b.First = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return times && a == b
}

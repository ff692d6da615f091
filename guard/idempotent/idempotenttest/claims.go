package idempotenttest

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

func winsNew(t *trial) {
	t.see("k", idempotent.New)
	b := bid("k", long)
	r := t.claim(b)
	if !r.Won(&b) || r.Key != "k" || r.Fingerprint != b.Fingerprint || r.Fence == 0 || r.Left <= 0 || r.Left > long || len(r.Result) != 0 {
		t.report("Claim = %+v; want the bid's record, running, with a fence and what is left of the lease", r)
	}
	t.see("k", idempotent.Running)
}

func oneWinner(t *trial) {
	won, pending := t.contend(64, func() idempotent.Bid { return bid("k", long) })
	if won != 1 || pending != 63 {
		t.report("64 bids: %d won, %d saw it running; want 1 and 63", won, pending)
	}
}

// contend lets n callers bid at once.
func (t *trial) contend(n int, next func() idempotent.Bid) (won, running int) {
	var group sync.WaitGroup
	var wins, runs atomic.Int32
	for range n {
		group.Go(func() {
			b := next()
			r, err := t.store.Claim(t.t.Context(), b)
			switch {
			case err != nil:
				t.report("Claim = %v; want no error", err)
			case r.Won(&b):
				wins.Add(1)
			case r.Status == idempotent.Running:
				runs.Add(1)
			}
		})
	}
	group.Wait()
	return int(wins.Load()), int(runs.Load())
}

func keepsRunning(t *trial) {
	c := t.win(bid("k", long))
	other := bid("k", long)
	if r := t.lose(other, idempotent.Running); r.Claim() != c || r.Left <= 0 || r.Left > long {
		t.report("a bid for a running key shows %+v; want the claim %+v and what is left of its lease", r, c)
	}
	other.Over = c.Fence
	t.lose(other, idempotent.Running)
	t.win(bid("other", long))
}

func givesResults(t *trial) {
	for key, result := range map[string]string{
		"text": "filled", "nothing": "", "binary": "\x00\xff\xfe'\"\\\x80\r\n\x00", "json": `{"a":[1,2.50]}`,
	} {
		c := t.win(bid(key, long))
		given := []byte(result)
		t.expect("Complete", t.store.Complete(t.t.Context(), c, given), nil)
		for i := range given {
			given[i] = '!'
		}
		r := t.lose(bid(key, long), idempotent.Done)
		if string(r.Result) != result || r.Claim() != c || r.Left <= 0 || r.Left > long {
			t.report("the record of %q is %+v; want the result %q and what is left of the retention", key, r, result)
		}
		for i := range r.Result {
			r.Result[i] = '!'
		}
		t.result(key, result)
	}
}

func keepsFingerprint(t *trial) {
	first := bid("k", t.Lease)
	other := bid("k", t.Lease)
	other.Fingerprint = idempotent.Fingerprinted("another request")
	same := func(r idempotent.Record) {
		if r.Fingerprint != first.Fingerprint {
			t.report("the fingerprint is %v when the key is %v; want that of the first bid", r.Fingerprint, r.Status)
		}
	}
	c := t.win(first)
	same(t.lose(other, idempotent.Running))
	t.pass(t.Lease)
	same(t.lose(other, idempotent.Unknown))
	other.Over = c.Fence
	same(t.lose(other, idempotent.Unknown))
	t.complete(c, "done", nil)
	same(t.lose(other, idempotent.Done))
}

func showsOwner(t *trial) {
	ours, other := bid("k", long), bid("k", long)
	t.win(ours)
	if r := t.see("k", idempotent.Running); !r.Won(&ours) || r.Won(&other) {
		t.report("Get shows owner %v; want %v", r.Owner, ours.Owner)
	}
	if r := t.lose(other, idempotent.Running); r.Owner != ours.Owner {
		t.report("a lost bid shows owner %v; want %v", r.Owner, ours.Owner)
	}
	if r := t.see("k", idempotent.Running); r.Owner != ours.Owner {
		t.report("after a lost bid the owner is %v; want %v", r.Owner, ours.Owner)
	}
}

func comparesKeys(t *trial) {
	keys := []string{"a", "A", "a ", " a", "a\x00", "a\x00b", "ä", "a\u0308", "\xff", "\xff\xfe", "\x00", "'", "%", "_", strings.Repeat("k", idempotent.MaxKey)}
	for _, key := range keys {
		t.complete(t.win(bid(key, long)), key, nil)
	}
	for _, key := range keys {
		t.result(key, key)
	}
}

func refusesKeys(t *trial) {
	ctx := t.t.Context()
	for _, bad := range []struct {
		key  string
		want error
	}{
		{"", idempotent.ErrNoKey},
		{strings.Repeat("k", idempotent.MaxKey+1), idempotent.ErrLongKey},
		{strings.Repeat("k", 1<<20), idempotent.ErrLongKey},
	} {
		c := idempotent.Claim{Key: bad.key, Owner: idempotent.NewNonce(), Fence: 1}
		_, claimed := t.store.Claim(ctx, bid(bad.key, long))
		_, got := t.store.Get(ctx, bad.key)
		for what, err := range map[string]error{
			"Claim": claimed, "Get": got, "Renew": t.store.Renew(ctx, c, long),
			"Complete": t.store.Complete(ctx, c, nil), "Release": t.store.Release(ctx, c),
		} {
			if !errors.Is(err, bad.want) || retry.DefaultClassify(err) != retry.Permanent {
				t.report("%s of a key of %d bytes = %.80v; want %v, permanent", what, len(bad.key), err, bad.want)
			}
		}
	}
}

func bearsSpans(t *trial) {
	b := bid("k", math.MaxInt64)
	b.Retain = math.MaxInt64
	c := t.win(b)
	t.renew(c, math.MaxInt64, nil)
	t.pass(t.Lease)
	t.complete(c, "done", nil)
	t.pass(t.Lease)
	t.result("k", "done")
	t.forget(math.MaxInt64, 10, 0)
	t.release(t.win(b2("released", math.MaxInt64)), nil)
	t.pass(t.Lease)
	t.forget(0, 10, 0)

	t.renew(t.win(bid("gone", long)), math.MinInt64, nil)
	t.see("gone", idempotent.Unknown)
	over := bid("over", math.MinInt64)
	over.Retain = math.MinInt64
	t.claim(over)
	r := t.see("over", idempotent.Unknown)
	t.complete(r.Claim(), "done", nil)
	t.see("over", idempotent.Lapsed)
	t.forget(math.MinInt64, 10, 1)
}

// b2 is a bid with a retention of its own.
func b2(key string, retain time.Duration) idempotent.Bid {
	b := bid(key, long)
	b.Retain = retain
	return b
}

func obeysContexts(t *trial) {
	c := t.win(bid("k", long))
	ctx, cancel := context.WithCancel(t.t.Context())
	cancel()
	_, claimed := t.store.Claim(ctx, bid("other", long))
	_, got := t.store.Get(ctx, "k")
	_, listed := t.store.Unresolved(ctx, "", 1)
	_, forgot := t.store.Forget(ctx, 0, 1)
	for what, err := range map[string]error{
		"Claim": claimed, "Get": got, "Renew": t.store.Renew(ctx, c, 0), "Complete": t.store.Complete(ctx, c, nil),
		"Release": t.store.Release(ctx, c), "Unresolved": listed, "Forget": forgot,
	} {
		if err == nil {
			t.report("%s with a context that had ended returned no error", what)
		}
	}
	t.see("k", idempotent.Running)
	t.see("other", idempotent.New)
}

// races lets two callers at a time use one key through a guard.
func races(t *trial) {
	var effects, done atomic.Int64
	for round := range t.Rounds {
		key := "race " + string(rune('a'+round%26)) + time.Duration(round).String()
		var pair sync.WaitGroup
		for range 2 {
			pair.Go(func() {
				v, err := idempotent.Do(t.t.Context(), t.store, key, func(context.Context) (int64, error) {
					return effects.Add(1), nil
				})
				switch {
				case err == nil && v > 0:
					done.Add(1)
				case !errors.Is(err, idempotent.ErrInProgress):
					t.report("the loser of round %d got %v, %v; want the result or %v", round, v, err, idempotent.ErrInProgress)
				}
			})
		}
		pair.Wait()
	}
	if n := effects.Load(); n != int64(t.Rounds) || done.Load() < n {
		t.report("%d rounds had %d effects and %d results; want one effect each", t.Rounds, n, done.Load())
	}
}

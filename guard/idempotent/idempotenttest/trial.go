package idempotenttest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// long is a lease that does not end during a check.
const long = time.Hour

// A trial is one check of one store.
type trial struct {
	suite
	t     *testing.T
	store idempotent.Store
}

func (t *trial) pass(d time.Duration) { t.Pass(t.t, d) }

// bid returns one for a key, which other bids do not resemble.
func bid(key string, lease time.Duration) idempotent.Bid {
	return idempotent.Bid{
		Key: key, Owner: idempotent.NewNonce(), Fingerprint: idempotent.Fingerprinted(key), Lease: lease, Retain: long,
	}
}

// claim bids, and complains about an error.
func (t *trial) claim(b idempotent.Bid) idempotent.Record {
	r, err := t.store.Claim(t.t.Context(), b)
	if err != nil {
		t.report("Claim(%q) = %v; want no error", b.Key, err)
	}
	return r
}

// win bids for a key that is to be had.
func (t *trial) win(b idempotent.Bid) idempotent.Claim {
	r := t.claim(b)
	if !r.Won(&b) {
		t.report("Claim(%q) = %v of %v; want it won by %v", b.Key, r.Status, r.Owner, b.Owner)
	}
	return r.Claim()
}

// lose bids for a key that is not to be had.
func (t *trial) lose(b idempotent.Bid, want idempotent.Status) idempotent.Record {
	r := t.claim(b)
	if r.Won(&b) || r.Status != want {
		t.report("Claim(%q) = %v, won: %v; want %v, not won", b.Key, r.Status, r.Won(&b), want)
	}
	return r
}

// see gets a record, and compares its status.
func (t *trial) see(key string, want idempotent.Status) idempotent.Record {
	r, err := t.store.Get(t.t.Context(), key)
	if err != nil || r.Status != want || r.Key != key {
		t.report("Get(%q) = %q, %v, %v; want %v", key, r.Key, r.Status, err, want)
	}
	return r
}

// expect complains unless err is want, which may be nil.
func (t *trial) expect(what string, err, want error) {
	if !errors.Is(err, want) {
		t.report("%s = %v; want %v", what, err, want)
	}
}

func (t *trial) complete(c idempotent.Claim, result string, want error) {
	t.expect("Complete", t.store.Complete(t.t.Context(), c, []byte(result)), want)
}

func (t *trial) release(c idempotent.Claim, want error) {
	t.expect("Release", t.store.Release(t.t.Context(), c), want)
}

func (t *trial) renew(c idempotent.Claim, lease time.Duration, want error) {
	t.expect("Renew", t.store.Renew(t.t.Context(), c, lease), want)
}

func (t *trial) forget(ago time.Duration, limit, want int) {
	if n, err := t.store.Forget(t.t.Context(), ago, limit); n != want || err != nil {
		t.report("Forget(%v, %d) = %d, %v; want %d", ago, limit, n, err, want)
	}
}

func (t *trial) unresolved(after string, limit int, want ...string) {
	records, err := t.store.Unresolved(t.t.Context(), after, limit)
	var keys []string
	for _, r := range records {
		keys = append(keys, r.Key)
		if r.Status != idempotent.Unknown || r.Fence == 0 || r.Owner == (idempotent.Nonce{}) || r.Fingerprint != idempotent.Fingerprinted(r.Key) {
			t.report("Unresolved shows %q as %v, fence %d, owner %v; want all of an unknown claim", r.Key, r.Status, r.Fence, r.Owner)
		}
	}
	if err != nil || !slices.Equal(keys, want) {
		t.report("Unresolved(%q, %d) = %q, %v; want %q", after, limit, keys, err, want)
	}
}

func (t *trial) result(key, want string) {
	if r := t.see(key, idempotent.Done); string(r.Result) != want {
		t.report("the result of %q is %q; want %q", key, r.Result, want)
	}
}

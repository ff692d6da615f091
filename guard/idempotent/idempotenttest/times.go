package idempotenttest

import (
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
)

func endsLeases(t *trial) {
	c := t.win(bid("short", t.Lease))
	t.win(bid("long", 100*t.Lease))
	t.pass(t.Lease)
	if r := t.see("short", idempotent.Unknown); r.Claim() != c || r.Left != 0 {
		t.report("a claim whose lease ended shows %+v; want its claim, and nothing left", r)
	}
	if r := t.see("long", idempotent.Running); r.Left > 99*t.Lease {
		t.report("%v are left of a lease of %v when %v have passed; want at most %v", r.Left, 100*t.Lease, t.Lease, 99*t.Lease)
	}
}

func freesNothing(t *trial) {
	c := t.win(bid("k", t.Lease))
	t.pass(3 * t.Lease)
	t.lose(bid("k", long), idempotent.Unknown)
	t.forget(0, 10, 0)
	if r := t.lose(bid("k", long), idempotent.Unknown); r.Claim() != c {
		t.report("the key belongs to %+v; want %+v", r.Claim(), c)
	}
}

func renews(t *trial) {
	c := t.win(bid("k", t.Lease))
	t.renew(c, 100*t.Lease, nil)
	t.pass(2 * t.Lease)
	t.see("k", idempotent.Running)
	t.renew(idempotent.Claim{Key: "k", Owner: idempotent.NewNonce(), Fence: c.Fence}, long, idempotent.ErrClaimLost)
	t.renew(idempotent.Claim{Key: "k", Owner: c.Owner, Fence: c.Fence + 1}, long, idempotent.ErrClaimLost)
	t.renew(idempotent.Claim{Key: "none", Owner: c.Owner, Fence: c.Fence}, long, idempotent.ErrClaimLost)
	t.renew(c, t.Lease, nil)
	t.pass(t.Lease)
	t.renew(c, long, idempotent.ErrClaimLost)
	t.see("k", idempotent.Unknown)
}

func givesUp(t *trial) {
	c := t.win(bid("k", long))
	t.renew(c, 0, nil)
	t.lose(bid("k", long), idempotent.Unknown)
	t.renew(c, long, idempotent.ErrClaimLost)
	again := bid("k", long)
	again.Over = c.Fence
	t.win(again)
}

func takesOver(t *trial) {
	c := t.win(bid("k", t.Lease))
	t.pass(t.Lease)
	late := bid("k", long)
	for _, wrong := range []uint64{0, c.Fence + 1, c.Fence - 1} {
		late.Over = wrong
		t.lose(late, idempotent.Unknown)
	}
	won, running := t.contend(16, func() idempotent.Bid {
		b := bid("k", long)
		b.Over = c.Fence
		return b
	})
	if won != 1 || running != 15 {
		t.report("16 takers: %d won, %d saw it running; want 1 and 15", won, running)
	}
	if r := t.see("k", idempotent.Running); r.Fence <= c.Fence {
		t.report("the fence is %d after %d; want it to rise", r.Fence, c.Fence)
	}
}

// takenOver returns a claim that was lost, and the one that has taken it over.
func (t *trial) takenOver(key string) (old, now idempotent.Claim) {
	old = t.win(bid(key, t.Lease))
	t.pass(t.Lease)
	b := bid(key, long)
	b.Over = old.Fence
	return old, t.win(b)
}

func fences(t *trial) {
	old, now := t.takenOver("k")
	t.complete(old, "too late", idempotent.ErrClaimLost)
	t.release(old, idempotent.ErrClaimLost)
	t.renew(old, long, idempotent.ErrClaimLost)
	t.see("k", idempotent.Running)
	t.complete(now, "in time", nil)
	t.complete(old, "too late", idempotent.ErrClaimLost)
	t.release(old, idempotent.ErrClaimLost)
	t.renew(old, long, idempotent.ErrClaimLost)
	t.result("k", "in time")
}

func completesLate(t *trial) {
	c := t.win(bid("k", t.Lease))
	t.pass(2 * t.Lease)
	t.see("k", idempotent.Unknown)
	t.complete(c, "late", nil)
	t.result("k", "late")
	b := bid("k", long)
	b.Over = c.Fence
	t.lose(b, idempotent.Done)
}

func completesOnce(t *trial) {
	c := t.win(bid("k", long))
	t.complete(idempotent.Claim{Key: "k", Owner: idempotent.NewNonce(), Fence: c.Fence}, "x", idempotent.ErrClaimLost)
	t.complete(idempotent.Claim{Key: "k", Owner: c.Owner, Fence: c.Fence + 1}, "x", idempotent.ErrClaimLost)
	t.complete(idempotent.Claim{Key: "none", Owner: c.Owner, Fence: c.Fence}, "x", idempotent.ErrClaimLost)
	t.complete(idempotent.Claim{Key: "none"}, "x", idempotent.ErrClaimLost)
	t.see("k", idempotent.Running)
	t.see("none", idempotent.New)
	t.complete(c, "first", nil)
	t.complete(c, "second", nil)
	t.result("k", "first")
	t.renew(c, 0, idempotent.ErrClaimLost)
	t.release(c, idempotent.ErrClaimLost)
	t.result("k", "first")
}

func releases(t *trial) {
	c := t.win(bid("k", long))
	t.release(idempotent.Claim{Key: "k", Owner: idempotent.NewNonce(), Fence: c.Fence}, idempotent.ErrClaimLost)
	t.release(idempotent.Claim{Key: "k", Owner: c.Owner, Fence: c.Fence + 1}, idempotent.ErrClaimLost)
	t.release(idempotent.Claim{Key: "none", Owner: c.Owner, Fence: c.Fence}, idempotent.ErrClaimLost)
	t.release(idempotent.Claim{Key: "none"}, idempotent.ErrClaimLost)
	t.see("k", idempotent.Running)
	t.release(c, nil)
	t.release(c, nil)
	t.see("k", idempotent.New)
	t.complete(c, "too late", idempotent.ErrClaimLost)
	t.renew(c, long, idempotent.ErrClaimLost)
	t.see("k", idempotent.New)

	b := bid("k", long)
	b.Fingerprint = idempotent.Fingerprinted("another request")
	r := t.claim(b)
	if !r.Won(&b) || r.Fence <= c.Fence || r.Fingerprint != b.Fingerprint {
		t.report("Claim after Release = %+v; want it won, with the new fingerprint and a fence above %d", r, c.Fence)
	}
	t.release(c, idempotent.ErrClaimLost)
	t.see("k", idempotent.Running)
}

func releasesInTime(t *trial) {
	c := t.win(bid("k", t.Lease))
	t.pass(t.Lease)
	t.release(c, idempotent.ErrClaimLost)
	t.see("k", idempotent.Unknown)
}

func remembers(t *trial) {
	c := t.win(b2("k", t.Lease))
	t.complete(c, "done", nil)
	t.result("k", "done")
	t.pass(t.Lease)
	if r := t.lose(bid("k", long), idempotent.Lapsed); r.Claim() != c || r.Fingerprint != idempotent.Fingerprinted("k") || r.Left != 0 {
		t.report("a key whose retention ended shows %+v; want its claim and fingerprint, and nothing left", r)
	}
	over := bid("k", long)
	over.Over = c.Fence
	t.lose(over, idempotent.Lapsed)
	t.complete(c, "again", nil)
	t.release(c, idempotent.ErrClaimLost)
	t.renew(c, long, idempotent.ErrClaimLost)
	t.see("k", idempotent.Lapsed)
}

func forgets(t *trial) {
	for _, key := range []string{"done1", "done2", "done3"} {
		t.complete(t.win(b2(key, t.Lease)), "done", nil)
	}
	released := t.win(b2("released", t.Lease))
	t.release(released, nil)
	t.complete(t.win(b2("kept", 100*t.Lease)), "kept", nil)
	t.win(b2("running", t.Lease))
	t.renew(t.win(b2("unknown", t.Lease)), 0, nil)
	t.forget(0, 10, 0)
	t.pass(t.Lease)
	t.forget(20*t.Lease, 10, 0)
	t.forget(0, 0, 0)
	t.forget(0, -1, 0)
	t.see("done1", idempotent.Lapsed)
	t.pass(4 * t.Lease)
	t.forget(t.Lease, 3, 3)
	t.forget(t.Lease, 3, 1)
	t.forget(0, 10, 0)
	for _, key := range []string{"done1", "done2", "done3", "released"} {
		t.see(key, idempotent.New)
		t.win(bid(key, long))
	}
	t.see("kept", idempotent.Done)
	t.see("running", idempotent.Running)
	t.see("unknown", idempotent.Unknown)
}

func lists(t *trial) {
	t.unresolved("", 10)
	for _, key := range []string{"b", "a", "\xff", "a\x00", "c"} {
		t.renew(t.win(bid(key, long)), 0, nil)
	}
	t.win(bid("ends", t.Lease))
	t.win(bid("aa running", long))
	t.complete(t.win(bid("ab done", long)), "done", nil)
	t.complete(t.win(b2("ac lapsed", 0)), "done", nil)
	t.release(t.win(bid("ad released", long)), nil)
	t.unresolved("", 10, "a", "a\x00", "b", "c", "\xff")
	t.pass(t.Lease)
	t.unresolved("", 10, "a", "a\x00", "b", "c", "ends", "\xff")
	t.unresolved("", 2, "a", "a\x00")
	t.unresolved("a\x00", 2, "b", "c")
	t.unresolved("bb", 10, "c", "ends", "\xff")
	t.unresolved("\xff", 10)
	t.unresolved("", 0)
	t.unresolved("", -1)
}

func limitsResults(t *trial) {
	size := idempotent.MaxResult
	c := t.win(bid("k", long))
	err := t.store.Complete(t.t.Context(), c, make([]byte, size+1))
	t.expect("Complete of a result beyond the limit", err, idempotent.ErrLongResult)
	if class := retry.DefaultClassify(err); err != nil && class != retry.Permanent {
		t.report("Complete of a result beyond the limit is %v; want permanent", class)
	}
	t.see("k", idempotent.Running)
	t.expect("Complete of a result at the limit", t.store.Complete(t.t.Context(), c, make([]byte, size)), nil)
	if r := t.see("k", idempotent.Done); len(r.Result) != size {
		t.report("the result has %d bytes; want %d", len(r.Result), size)
	}
}

package idempotenttest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// agrees does the same at random to the store and to the model.
func agrees(t *trial) {
	var passed time.Duration
	epoch := time.Now()
	a := agreement{trial: t, random: rand.New(rand.NewPCG(1, 2))}
	a.model.Now = func() time.Time { return epoch.Add(passed) }
	for range 400 {
		if a.random.IntN(12) == 0 {
			t.pass(t.Lease)
			passed += t.Lease
		}
		a.step()
		if a.differ {
			return
		}
	}
}

type agreement struct {
	*trial
	model  Model
	random *rand.Rand
	claims []pair // that were won, old ones too
	differ bool
}

// A pair is one claim, as the store and the model number it.
type pair struct{ store, model idempotent.Claim }

func (a *agreement) step() {
	ctx := a.t.Context()
	key := fmt.Sprint("key", a.random.IntN(3))
	what, stored, modelled := "", error(nil), error(nil)
	switch n := a.random.IntN(10); {
	case n < 4 || len(a.claims) == 0:
		what = "Claim"
		a.bid(key)
	default:
		p := a.claims[len(a.claims)-1-a.random.IntN(min(4, len(a.claims)))]
		key = p.store.Key
		switch a.random.IntN(4) {
		case 0:
			what = "Complete"
			result := []byte{byte(a.random.Uint32())}
			stored, modelled = a.store.Complete(ctx, p.store, result), a.model.Complete(ctx, p.model, result)
		case 1:
			what = "Release"
			stored, modelled = a.store.Release(ctx, p.store), a.model.Release(ctx, p.model)
		case 2:
			what = "Renew"
			lease := settled(a.Lease, a.random.IntN(3))
			stored, modelled = a.store.Renew(ctx, p.store, lease), a.model.Renew(ctx, p.model, lease)
		default:
			what = "Renew to the end"
			stored, modelled = a.store.Renew(ctx, p.store, 0), a.model.Renew(ctx, p.model, 0)
		}
	}
	if (stored == nil) != (modelled == nil) {
		a.differs("%s(%q) = %v; the model says %v", what, key, stored, modelled)
	}
	s, err := a.store.Get(ctx, key)
	m, _ := a.model.Get(ctx, key)
	a.compare(what, s, m, err)
}

// bid bids for a key, now and then over what stands there.
func (a *agreement) bid(key string) {
	ctx := a.t.Context()
	b := bid(key, settled(a.Lease, a.random.IntN(3)))
	b.Retain = settled(a.Lease, a.random.IntN(4))
	if a.random.IntN(5) == 0 {
		b.Fingerprint = idempotent.Fingerprinted("another")
	}
	ofModel := b
	if a.random.IntN(2) == 0 {
		s, _ := a.store.Get(ctx, key)
		m, _ := a.model.Get(ctx, key)
		b.Over, ofModel.Over = s.Fence, m.Fence
	}
	s, err := a.store.Claim(ctx, b)
	m, _ := a.model.Claim(ctx, ofModel)
	a.compare("Claim", s, m, err)
	if m.Won(&ofModel) {
		a.claims = append(a.claims, pair{s.Claim(), m.Claim()})
	}
}

func (a *agreement) compare(what string, s, m idempotent.Record, err error) {
	same := err == nil && s.Key == m.Key && s.Status == m.Status
	if same && s.Status != idempotent.New {
		same = s.Owner == m.Owner && s.Fingerprint == m.Fingerprint && (s.Left > 0) == (m.Left > 0)
	}
	if same && s.Status == idempotent.Done {
		same = bytes.Equal(s.Result, m.Result)
	}
	if !same {
		a.differs("after %s: %+v, %v; the model has %+v", what, s, err, m)
	}
}

func (a *agreement) differs(format string, args ...any) {
	a.differ = true
	a.report(format, args...)
}

// settled is a moment at which no lease or retention of the model check ends.
func settled(unit time.Duration, n int) time.Duration { return unit*time.Duration(n) + unit/2 }

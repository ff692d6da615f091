package sqldb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

func TestDecisions(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		db := open(t)
		log := db.Orders()
		scope := order.Scope{Venue: "v", Account: `a" "b`, Prefix: "A1"}
		first := order.Resolution{ID: "A1x", Actor: "ann", Approver: "bob", Reason: "not there", Ticket: "T1", Seen: time.Now().UTC().Truncate(time.Microsecond)}
		if _, ok, err := log.Decision(t.Context(), scope, "A1x"); ok || err != nil {
			t.Errorf("Decision before any = %v, %v; want none", ok, err)
		}
		second := first
		second.Reason = "looked again"
		for _, want := range []order.Resolution{first, second} {
			if err := log.Decide(t.Context(), scope, want); err != nil {
				t.Fatal(err)
			}
			other := scope
			other.Prefix = "" // decisions are of the account
			if got, ok, err := log.Decision(t.Context(), other, "A1x"); got != want || !ok || err != nil {
				t.Errorf("Decision = %+v, %v, %v; want %+v", got, ok, err, want)
			}
		}
		for _, elsewhere := range []order.Scope{{Venue: "v", Account: "a"}, {Venue: `v" "a`, Account: "b"}, {}} {
			if _, ok, err := log.Decision(t.Context(), elsewhere, "A1x"); ok || err != nil {
				t.Errorf("Decision of %+v = %v, %v; want none", elsewhere, ok, err)
			}
		}
		second.Approver = "Ann"
		if err := log.Decide(t.Context(), scope, second); !errors.Is(err, order.ErrPersons) {
			t.Errorf("Decide by one person = %v; want %v", err, order.ErrPersons)
		}
		first.Seen = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := log.Decide(t.Context(), scope, first); err == nil {
			t.Error("Decide of what JSON cannot hold = nil; want an error")
		}
		if _, err := db.Documents().Put(t.Context(), decisionOf(scope, "A1y"), 0, []byte("{")); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := log.Decision(t.Context(), scope, "A1y"); ok || err == nil || !strings.Contains(err.Error(), "A1y") {
			t.Errorf("Decision that cannot be read = %v, %v; want an error that names it", ok, err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := log.Decide(gone, scope, second); err == nil {
			t.Error("Decide with a context that has ended = nil; want an error")
		}
	})
}

// A machine on a database takes a decision that another program has left there.
func TestMachineTakesADecision(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		b := &bourse{orders: make(map[string][]order.Terms), deaf: true}
		m := process(t, url, "first", b, &mortal{})
		m.Log = reopen(t, url).Orders()
		m.Rules, m.Sweep = order.Rules{Venue: "v", FirstWait: time.Millisecond, Spacing: time.Millisecond, MinTotal: 10 * time.Millisecond}, 100*time.Millisecond
		run(t, m)
		if _, err := m.Submit(t.Context(), resting(1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		o, err := m.WaitDone(ctx, restingID(1))
		if err != nil || o.State != order.Parked {
			t.Fatalf("the order is %v (%s), %v; want it parked", o.State, o.Why, err)
		}
		other := reopen(t, url).Orders() // the program of whoever decides
		entries, err := other.Load(t.Context(), m.Scope, restingID(1))
		if err != nil {
			t.Fatal(err)
		}
		seen, err := order.Replay(entries)
		if err != nil {
			t.Fatal(err)
		}
		r := order.Resolution{ID: restingID(1), Actor: "ann", Approver: "bob", Reason: "not there", Seen: seen.Changed}
		if err := other.Decide(t.Context(), m.Scope, r); err != nil {
			t.Fatal(err)
		}
		for o.State == order.Parked && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			if o, err = m.Get(ctx, restingID(1)); err != nil {
				t.Fatal(err)
			}
		}
		if o.State != order.Abandoned || o.Why != "resolved by ann and bob: not there" {
			t.Errorf("the order is %v (%s); want it resolved", o.State, o.Why)
		}
	})
}

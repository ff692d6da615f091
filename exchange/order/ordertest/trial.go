package ordertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

var scope = order.Scope{Venue: "venue", Account: "main", Prefix: "A1"}

// id returns a client id of the scope.
func id(n int) string { return fmt.Sprintf("%s%016d", scope.Prefix, n) }

// A trial is one check of one log.
type trial struct {
	suite
	t   *testing.T
	log order.Log
}

// acquire takes a lease, and ends the check if it cannot.
func (t *trial) acquire(s order.Scope, owner string) order.Lease {
	t.t.Helper()
	l, err := t.log.Acquire(t.t.Context(), s, owner, t.Lease)
	if err != nil {
		t.report("Acquire(%+v) by %s = %v; want the lease", s, owner, err)
	}
	return l
}

// held complains unless a lease is held by somebody else.
func (t *trial) held(s order.Scope, owner string) {
	t.t.Helper()
	if _, err := t.log.Acquire(t.t.Context(), s, owner, t.Lease); !errors.Is(err, order.ErrHeld) {
		t.report("Acquire(%+v) by %s = %v; want %v", s, owner, err, order.ErrHeld)
	}
}

// append complains unless the entries are taken, or refused with want.
func (t *trial) append(l order.Lease, want error, entries ...order.Entry) {
	t.t.Helper()
	if err := t.log.Append(t.t.Context(), l, entries...); !errors.Is(err, want) {
		t.report("Append(%v) with token %d = %v; want %v", names(entries), l.Token, err, want)
	}
}

// holds complains unless an intent has exactly these entries.
func (t *trial) holds(s order.Scope, id string, want ...order.Entry) {
	t.t.Helper()
	got, err := t.log.Load(t.t.Context(), s, id)
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.report("Load(%s) = %v, %v; want %v", id, names(got), err, names(want))
	}
}

func same(a, b order.Entry) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Key == b.Key && string(a.Data) == string(b.Data) &&
		a.At.Truncate(time.Microsecond).Equal(b.At.Truncate(time.Microsecond))
}

func names(entries []order.Entry) (list []string) {
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%s %s %q %s %d bytes", e.ID, e.Kind, e.Key, e.At.UTC().Format(time.RFC3339Nano), len(e.Data)))
	}
	return list
}

func entry(id string, k order.Kind, key, data string) order.Entry {
	return order.Entry{ID: id, Kind: k, Key: key, At: time.Unix(1_800_000_000, 123_456_000), Data: []byte(data)}
}

// intent and sending are the two that matter most.
func intent(id string) order.Entry         { return entry(id, order.KindIntent, "1", `{}`) }
func sending(id string, n int) order.Entry { return entry(id, order.KindSending, fmt.Sprint(n), `{}`) }

// ended returns a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

package sqldb

import (
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// Whoever asks what there is gets each account once, whatever its prefixes and however many orders it has.
func TestScopes(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		log := open(t).Orders()
		if list, err := log.Scopes(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("Scopes of an empty log = %v, %v", list, err)
		}
		for _, s := range []order.Scope{{Venue: "okx", Account: "b", Prefix: "R1"}, {Venue: "okx", Account: "a", Prefix: "R1"}, {Venue: "binance", Account: "b", Prefix: "R1"}, {Venue: "okx", Account: "b", Prefix: "R2"}} {
			lease, err := log.Acquire(t.Context(), s, "test", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{s.Prefix + "x", s.Prefix + "y"} {
				for _, e := range []order.Entry{{Kind: order.KindIntent, Key: "1"}, {Kind: order.KindMove}} {
					e.ID, e.At, e.Data = id, time.Now(), []byte("{}")
					if err := log.Append(t.Context(), lease, e); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		want := []order.Scope{{Venue: "binance", Account: "b"}, {Venue: "okx", Account: "a"}, {Venue: "okx", Account: "b"}}
		if list, err := log.Scopes(t.Context()); !slices.Equal(list, want) || err != nil {
			t.Errorf("Scopes = %v, %v; want %v", list, err, want)
		}
	})
}

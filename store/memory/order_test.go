package memory_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
	"github.com/relent-go/relent/store/memory"
)

func TestOrders(t *testing.T) {
	ordertest.Run(t, func(*testing.T) order.Log { return &memory.Orders{} }, ordertest.Options{})
}

func TestOrdersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory.Orders{MaxIntents: 2}
		l, err := s.Acquire(t.Context(), order.Scope{Venue: "v", Account: "a"}, "one", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		put := func(id string, kinds ...order.Kind) error {
			var entries []order.Entry
			for _, k := range kinds {
				entries = append(entries, order.Entry{ID: id, Kind: k, Key: "1"})
			}
			return s.Append(t.Context(), l, entries...)
		}
		if err := errors.Join(put("a", order.KindIntent, order.KindClosed), put("b", order.KindIntent)); err != nil {
			t.Fatal(err)
		}
		if err := put("c", order.KindIntent); !errors.Is(err, memory.ErrFull) {
			t.Errorf("Append of a third intent = %v; want %v", err, memory.ErrFull)
		}
		if err := put("b", order.KindSending); err != nil {
			t.Errorf("Append to an intent that is held = %v; want nil", err)
		}
		if got := fmt.Sprint(s); got != "orders in memory, not durable: 2" {
			t.Errorf("String() = %q", got)
		}
		if n := s.Forget(time.Hour, 10); n != 0 {
			t.Errorf("Forget removed %d that closed just now; want none", n)
		}
		time.Sleep(time.Hour)
		if n := s.Forget(time.Hour, 0); n != 0 {
			t.Errorf("Forget removed %d with a limit of 0; want none", n)
		}
		if n := s.Forget(time.Hour, 10); n != 1 {
			t.Errorf("Forget removed %d; want the closed one", n)
		}
		if err := put("c", order.KindIntent, order.KindSending); err != nil {
			t.Errorf("Append after Forget = %v; want nil", err)
		}
	})
}

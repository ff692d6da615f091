package sqldb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

func TestOrders(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		ordertest.Run(t, func(t *testing.T) order.Log { return open(t).Orders() }, ordertest.Options{
			Pass: func(_ *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 300 * time.Millisecond, Rounds: 30,
		})
	})
}

func TestOrderPrefixes(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		log := open(t).Orders()
		ids := []string{"a", "a\x00", "a\xff", "b", "\xff", "\xff\xff1"}
		l, err := log.Acquire(t.Context(), order.Scope{Venue: "v", Account: "a\x00b"}, "me", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if err := log.Append(t.Context(), l, order.Entry{ID: id, Kind: order.KindIntent, Key: "1"}); err != nil {
				t.Fatal(err)
			}
		}
		for prefix, want := range map[string][]string{
			"": ids, "a": ids[:3], "a\xff": {"a\xff"}, "\xff": ids[4:], "\xff\xff": ids[5:], "c": nil,
		} {
			s := l.Scope
			s.Prefix = prefix
			if got, err := log.Open(t.Context(), s, "", 10); err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("Open with prefix %q = %q, %v; want %q", prefix, got, err, want)
			}
		}
	})
}

func TestOrdersAreForgotten(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		log := open(t).Orders()
		scope := order.Scope{Venue: "v", Account: "a"}
		if _, err := log.Acquire(t.Context(), scope, "", time.Minute); err == nil {
			t.Error("nobody was given a lease")
		}
		l, err := log.Acquire(t.Context(), scope, "me", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"closed", "open"} {
			if err := log.Append(t.Context(), l, order.Entry{ID: id, Kind: order.KindIntent, Key: "1"}, order.Entry{ID: id, Kind: order.KindRead}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Append(t.Context(), l, order.Entry{ID: "closed", Kind: order.KindClosed}); err != nil {
			t.Fatal(err)
		}
		forget := func(ago time.Duration, limit, want int) {
			t.Helper()
			if n, err := log.Forget(t.Context(), ago, limit); err != nil || n != want {
				t.Errorf("Forget(%v, %d) = %d, %v; want %d", ago, limit, n, err, want)
			}
		}
		forget(time.Hour, 10, 0)
		forget(0, 0, 0)
		forget(0, 10, 3)
		if got, err := log.Load(t.Context(), scope, "closed"); err != nil || len(got) != 0 {
			t.Errorf("Load of what was forgotten = %v, %v", got, err)
		}
		if got, err := log.Load(t.Context(), scope, "open"); err != nil || len(got) != 2 {
			t.Errorf("Load of what is open = %v, %v", got, err)
		}
		if got := log.String(); len(got) < 20 {
			t.Errorf("String() = %q", got)
		}
	})
}

// Each append is durable when it returns; those of many callers share a sync.
func BenchmarkOrders(b *testing.B) {
	for engine, open := range map[string]func(testing.TB) *DB{"sqlite": file, "postgres": postgres} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprint(engine, "/", callers, " callers"), func(b *testing.B) {
				log := open(b).Orders()
				l, err := log.Acquire(b.Context(), order.Scope{Venue: "v", Account: "a", Prefix: "A1"}, "me", time.Hour)
				if err != nil {
					b.Fatal(err)
				}
				data := make([]byte, 200)
				var next, id atomic.Int64
				b.ResetTimer()
				var group sync.WaitGroup
				for range callers {
					group.Go(func() {
						for next.Add(1) <= int64(b.N) {
							e := order.Entry{ID: fmt.Sprintf("A1%016d", id.Add(1)), Kind: order.KindIntent, Key: "1", At: time.Now(), Data: data}
							if err := log.Append(context.Background(), l, e); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
			})
		}
	}
}

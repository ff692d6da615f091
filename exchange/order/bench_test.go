package order_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/exchange/order/ordertest"
)

// instant is a venue that answers at once, so that what remains is the machine's own work.
type instant struct {
	desk exchange.Desk
	n    int
}

func (v *instant) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	s := sendingOf(o)
	if err := v.desk.Begin(ctx, s); err != nil {
		return order.Report{}, err
	}
	v.desk.End(ctx, s, &exchange.Verdict{Outcome: exchange.Exists})
	v.n++
	return order.Report{
		Wire: o.Wire, VenueID: fmt.Sprint(v.n), Status: order.StatusFilled,
		Fills: []order.Fill{{Key: fmt.Sprint(v.n), Quantity: o.Quantity}},
	}, nil
}

func (v *instant) Query(context.Context, order.Ref) (order.Report, error) {
	return order.Report{}, order.ErrNotFound
}

func (v *instant) Cancel(context.Context, order.Ref, string) error { return nil }

// The machine's own work on an order that fills at once: intent, attempt, answer, fill and end, without a disk.
func BenchmarkSubmit(b *testing.B) {
	v := &instant{}
	m := &order.Machine{
		Scope: order.Scope{Venue: "venue", Account: "main", Prefix: "A1"}, Adapter: v, Log: &ordertest.Model{}, Rules: fenced,
		Clock: &clock{}, Alert: &alarms{}, Owner: "one", Unguarded: true,
	}
	v.desk = m
	go func() { _ = m.Run(context.Background()) }()
	<-m.Ready()
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		i := market(n)
		n++
		if o, err := m.Submit(context.Background(), i); err != nil || o.State != order.Filled {
			b.Fatal(o.State, err)
		}
	}
	_ = m.Close()
}

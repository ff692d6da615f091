package order_test

import (
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

func TestPlain(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		t := r.t
		r.venue.plan = plan(trip{in: 10 * time.Millisecond, after: []event{{after: time.Minute, fill: 50}, {after: 2 * time.Minute, fill: 50}}})
		o := r.submit(limit(1))
		if o.State != order.Acked || o.Intent.Wire != o.Intent.ID || o.VenueID == "" {
			t.Errorf("the order is %+v; want it acked", o)
		}
		if o := r.submit(market(2)); o.State != order.Acked {
			t.Errorf("the order is %+v; want it acked", o)
		}
	})
}

// The answer is lost, and the first reads show nothing, for the replica lags.
func TestLostAnswer(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		t := r.t
		r.venue.plan = plan(trip{lost: true, fill: 100})
		r.venue.lag = func() time.Duration { return 5 * time.Second }
		i := market(1)
		if o := r.submit(i); o.State != order.Unknown {
			t.Errorf("the order is %v; want it unknown", o.State)
		}
		if o, err := r.WaitDone(t.Context(), id(i)); err != nil || o.State != order.Filled || len(o.Fills) != 1 {
			t.Errorf("the order is %+v, %v; want it filled", o, err)
		}
		r.has(id(i), 1)
		if t.Failed() {
			t.Log(entries(r, id(i)))
		}
	})
}

// The request is lost on its way: absence is proven, and the same order sent again.
func TestLostRequest(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		t := r.t
		r.venue.plan = plan(trip{vanish: true}, trip{fill: 100})
		i := old(market(1))
		r.submit(i)
		began := time.Now()
		o, err := r.WaitDone(t.Context(), id(i))
		if err != nil || o.State != order.Filled || o.Spent != 2 {
			t.Errorf("the order is %+v, %v; want it filled by attempt 2", o, err)
		}
		if took := time.Since(began); took < 9*time.Second || took > 15*time.Second {
			t.Errorf("the proof took %v; want about 11 s after an answer missing for 2 s", took)
		}
		r.has(id(i), 1)
		if t.Failed() {
			t.Log(entries(r, id(i)))
		}
	})
}

package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// readBudget is how long the reads of an order in doubt may take, once the venue can accept it no more.
const readBudget = 20 * time.Second

// newMachine makes what carries out orders.
func (r *run) newMachine(log order.Log, prefix string) {
	stop := r.cfg.Control.Stops.Gate(desk, "place_order")
	r.machine = &order.Machine{
		Scope: order.Scope{Venue: desk, Account: account, Prefix: prefix}, Owner: "relent demo " + r.strategy,
		Adapter: r.conn.orders, Log: journal{log, &r.notes}, Rules: r.rules, Clock: r.clock, Alert: r, Risk: r, Book: r,
		Gates: []retry.Gate{stop, known{&r.clean}}, Reduce: []retry.Gate{r.cfg.Control.Stops.Gate(desk, "cancel_order").RiskReducing()},
		Watch: r.changed, Sweep: 20 * time.Second, SendTimeout: 3 * time.Second, MaxRemember: 1 << 17,
	}
	r.conn.transport.Desk = r.machine
}

// Permit is of order.Risk: nothing is sold that the account does not hold. It reads anew before an order is sent again.
func (r *run) Permit(ctx context.Context, i *order.Intent, attempt int) error {
	if i.Side != order.Sell || attempt == 1 {
		return nil
	}
	held, err := r.conn.orders.Holding(ctx, i.Symbol, true)
	if err == nil && held.Cmp(i.Quantity) < 0 {
		err = fmt.Errorf("the account holds %s", held)
	}
	return err
}

// Raise is of order.Alert.
func (r *run) Raise(_ context.Context, a order.Alarm) {
	r.notes.mu.Lock()
	if a.ID != "" {
		r.notes.of(a.ID).alert = a.Text
	}
	r.notes.mu.Unlock()
	r.say("order", "ALARM %s: %s", a.Kind, shorten(a.Text))
}

// lost is told that the answer to an order did not come, or proves nothing.
func (r *run) lost(id string, err error) {
	if r.notes.lost(id, cause(err)) {
		r.settled(1)
		r.say("order", "order %s: answer lost (%s), but the account's stream told of it", id, cause(err))
		return
	}
	r.say("order", "order %s: %s: outcome unknown, so it is not sent again", id, cause(err))
}

// changed is told of each change of an order.
func (r *run) changed(o order.Order) {
	n, parked := r.notes.watch(&o)
	if n > 0 {
		r.settled(n)
		switch o.State {
		case order.Absent:
			r.say("order", "order %s: proven absent: the venue can accept it no more, and does not have it", o.Intent.ID)
		case order.Abandoned:
		default:
			r.say("order", "order %s: reconciled: the venue has it: %v", o.Intent.ID, o.State)
		}
	}
	if parked {
		r.say("order", "order %s: PARKED: %s", o.Intent.ID, shorten(o.Why))
	}
}

// settled books lost answers whose orders' fate is known now.
func (r *run) settled(n int) {
	r.sights.saw(&r.sights.Order)
	r.counter.settled(n)
}

// say tells something, here and on the dashboard.
func (r *run) say(kind, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.tell("%s", text)
	r.cfg.Control.Registry.Note(control.Note{At: time.Now(), Kind: kind, Target: desk, Text: text})
}

var errConnecting = errors.New("not connected yet")

// healthy says whether orders can be placed.
func (r *run) healthy(ctx context.Context) error {
	if !r.up.Load() {
		return errConnecting
	}
	if err := r.conn.bans.Check(ctx, desk, account); err != nil {
		return err
	}
	if s := r.machine.Stats(); s.Breaches > 0 || s.Parked > 0 {
		return fmt.Errorf("%d orders are parked and %d in breach: they need a person", s.Parked, s.Breaches)
	}
	return nil
}

// view is what can be seen of the orders and the streams.
func (r *run) view() control.VenueView {
	if !r.up.Load() {
		return control.VenueView{Name: desk}
	}
	s := r.machine.Stats()
	v := control.VenueView{
		Name: desk, Unknown: s.Unknown, OldestUnknown: s.OldestUnknown, Parked: s.Parked, GuardTrips: s.GuardTrips,
		Reconnects: map[string]uint64{}, Headroom: r.conn.limits.Stats().Headroom(), BannedUntil: r.conn.bans.Until(desk),
	}
	for reason, n := range r.reconnects() {
		v.Reconnects[reason] = n
	}
	return v
}

// reconnects counts links that ended and dials that failed, by reason.
func (r *run) reconnects() map[string]uint64 {
	all := map[string]uint64{}
	for _, s := range []interface {
		ByReason(func(string, uint64))
	}{r.market.Stats(), r.user.Stats()} {
		s.ByReason(func(reason string, n uint64) { all[reason] += n })
	}
	return all
}

// watchStops writes down when new orders were stopped.
func (r *run) watchStops() {
	for r.life.Err() == nil {
		status, err := r.cfg.Control.Stops.Look(halt.At(desk, "place_order"))
		r.notes.halting(err == nil && status.State > halt.NoRetries)
		sleep(r.life, 50*time.Millisecond)
	}
}

package order_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// deciding is a log in which persons leave decisions.
type deciding struct {
	order.Log
	mu   sync.Mutex
	of   map[string]order.Resolution // guarded by mu, as is all below
	err  error
	then func() // called when a decision is read
}

func (d *deciding) Decision(_ context.Context, _ order.Scope, id string) (order.Resolution, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.of[id]
	if ok && d.then != nil {
		d.then()
	}
	return r, ok, d.err
}

func (d *deciding) decide(r order.Resolution) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[r.ID] = r
}

// parks runs a test on a machine with a log of decisions and a parked order.
func parks(t *testing.T, test func(r *rig, d *deciding, parked order.Order)) {
	t.Helper()
	d := &deciding{of: make(map[string]order.Resolution)}
	bubble(t, order.Rules{Venue: "venue"}, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true})
		r.submit(limit(1))
		r.venue.plan = nil
		test(r, d, r.done(id(limit(1)), order.Parked))
	}, func(m *order.Machine) {
		d.Log = m.Log
		m.Log = d
	})
}

func decision(o order.Order) order.Resolution {
	return order.Resolution{ID: o.Intent.ID, Actor: "ann", Approver: "bob", Reason: "not in the venue's history", Seen: o.Changed.Truncate(time.Microsecond)}
}

// What persons leave in the log is taken by the machine that has the prefix, while it runs or when it runs again.
func TestDecisionIsTaken(t *testing.T) {
	for name, restart := range map[string]bool{"by a machine that runs": false, "by the next one": true} {
		t.Run(name, func(t *testing.T) {
			parks(t, func(r *rig, d *deciding, o order.Order) {
				began := time.Now()
				if restart {
					r.close()
					d.decide(decision(o))
					r.make(r.Rules)
					r.start()
				} else {
					d.decide(decision(o))
				}
				for r.now(o.Intent.ID) == order.Parked && time.Since(began) < time.Hour {
					pass(time.Second)
				}
				if took := time.Since(began); took > time.Minute+time.Second {
					r.t.Errorf("it took %v; want a minute at most", took)
				}
				got := r.state(o.Intent.ID, order.Abandoned)
				if got.Why != "resolved by ann and bob: not in the venue's history" || !got.Closed {
					r.t.Errorf("the order is %+v; want it resolved", got)
				}
				if said := entries(r, o.Intent.ID); !strings.Contains(said[len(said)-2], `"resolve":{"id":"`+o.Intent.ID+`","actor":"ann"`) {
					r.t.Errorf("the log ends with %q; want the decision", said[len(said)-2:])
				}
				r.submit(limit(2)) // the symbol is open again
				pass(5 * time.Minute)
				if n := r.alarms.count(order.AlarmResolved); n != 1 {
					r.t.Errorf("%d alarms that it is resolved; want one", n)
				}
			})
		})
	}
}

// now is the state of an order.
func (r *rig) now(id string) order.State {
	o, err := r.Get(r.t.Context(), id)
	if err != nil {
		r.t.Error(err)
	}
	return o.State
}

// A decision that does not fit the order as it is, or that nobody could have made, changes nothing.
func TestDecisionDoesNotFit(t *testing.T) {
	for name, edit := range map[string]func(*order.Resolution, *deciding){
		"the order has changed since": func(x *order.Resolution, _ *deciding) { x.Seen = x.Seen.Add(-time.Second) },
		"nobody says what was seen":   func(x *order.Resolution, _ *deciding) { x.Seen = time.Time{} },
		"one person":                  func(x *order.Resolution, _ *deciding) { x.Approver = "ANN" },
		"no reason":                   func(x *order.Resolution, _ *deciding) { x.Reason = " " },
		"of another order":            func(x *order.Resolution, _ *deciding) { x.ID = "other" },
		"it cannot be read":           func(_ *order.Resolution, d *deciding) { d.err = errTest },
	} {
		t.Run(name, func(t *testing.T) {
			parks(t, func(r *rig, d *deciding, o order.Order) {
				x := decision(o)
				d.mu.Lock()
				edit(&x, d)
				d.of[o.Intent.ID] = x
				d.mu.Unlock()
				pass(5 * time.Minute)
				r.state(o.Intent.ID, order.Parked)
				r.restart()
				pass(time.Minute)
				r.state(o.Intent.ID, order.Parked)
			})
		})
	}
}

// Evidence that comes while a decision is being read wins.
func TestEvidenceBeatsADecision(t *testing.T) {
	parks(t, func(r *rig, d *deciding, o order.Order) {
		d.then = func() {
			d.then = nil
			go func() {
				_ = r.Seen(context.Background(), order.Report{Wire: o.Intent.Wire, VenueID: "7", Status: order.StatusNew})
			}()
			time.Sleep(time.Second)
		}
		d.decide(decision(o))
		pass(2 * time.Minute)
		r.state(o.Intent.ID, order.Acked)
	})
	parks(t, func(r *rig, d *deciding, o order.Order) { // and a command that begins then goes on
		d.then = func() {
			d.then = nil
			go func() {
				_ = r.Seen(context.Background(), order.Report{Wire: o.Intent.Wire, VenueID: "7", Status: order.StatusNew})
				_, _ = r.Cancel(context.Background(), o.Intent.ID)
			}()
			time.Sleep(5 * time.Millisecond)
		}
		d.decide(decision(o))
		pass(2 * time.Minute)
		if n := r.venue.cancels[o.Intent.Wire]; n == 0 {
			r.t.Error("the order was not cancelled")
		}
	})
}

// Of an order in breach a decision says that the venue's orders have been put right.
func TestDecisionAboutABreach(t *testing.T) {
	d := &deciding{of: make(map[string]order.Resolution)}
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(1))
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(1)), VenueID: "other", Status: order.StatusNew}); err != nil {
			r.t.Error(err)
		}
		o := r.state(id(limit(1)), order.Breach)
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrGated)
		}
		d.decide(decision(o))
		pass(2 * time.Minute)
		if o := r.state(id(limit(1)), order.Breach); !o.Closed {
			r.t.Errorf("the order is %+v; want it closed", o)
		}
		r.submit(limit(2))
	}, func(m *order.Machine) { d.Log, m.Log = m.Log, d })
}

func TestResolutionCheck(t *testing.T) {
	err := (&order.Resolution{}).Check()
	lines := strings.Split(err.Error(), "\n")
	if !errors.Is(err, order.ErrPersons) || len(lines) != 3 || !strings.HasPrefix(lines[1], "Approver: ") || !strings.HasPrefix(lines[2], "Reason: ") {
		t.Errorf("Check = %q; want all that is missing", lines)
	}
	if err := (&order.Resolution{Actor: "ann", Approver: "bob", Reason: "x"}).Check(); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
}

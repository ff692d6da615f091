package order_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	rate "github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// stopped is a tree whose venue is stopped.
func stopped(t *testing.T) *halt.Tree {
	t.Helper()
	stops := &halt.Tree{}
	if _, err := stops.Stop(halt.Command{Scope: "venue", Who: "ops", Why: "test"}); err != nil {
		t.Error(err)
	}
	return stops
}

func gated(gates ...retry.Gate) func(*order.Machine) {
	return func(m *order.Machine) { m.Gates = gates }
}

// errLimited is how the transport refuses what would go beyond a limit of the venue. The desk does not hear of it.
var errLimited = &exchange.LimitError{Venue: "venue", Limit: "orders", Reason: exchange.ErrLimited}

// Whoever submits an order that is refused can ask for the reason with errors.Is.
func TestSubmitKeepsTheCause(t *testing.T) {
	once := func(m *order.Machine) { m.MaxIdleSends = 1 }
	for name, test := range map[string]struct {
		change func(*order.Machine)
		play   func(*rig, *adapter)
		want   error
	}{
		"a stop":                     {change: gated(stopped(t).Gate("venue", "place_order")), want: halt.ErrHalted},
		"a stop, at the last moment": {change: gated(&gate{start: &halt.Error{Scope: "venue", State: halt.Stopped}}), want: halt.ErrHalted},
		"a rate":                     {change: gated(&gate{err: &rate.Error{Reason: rate.ErrRate}}), want: rate.ErrRate},
		"a budget":                   {change: gated(&gate{err: budget.ErrSpent}), want: budget.ErrSpent},
		"a circuit":                  {change: gated(&gate{err: breaker.ErrOpen}), want: breaker.ErrOpen},
		"a risk":                     {change: func(m *order.Machine) { m.Risk = &risk{err: errTest} }, want: errTest},
		"a market that is shut":      {change: func(m *order.Machine) { m.Book = &book{shut: errTest} }, want: errTest},
		"a limit of the venue": {change: once, play: func(r *rig, a *adapter) {
			r.submit(limit(9)) // from now on it is known that the transport asks the desk
			a.place = func(context.Context, *order.Intent) (order.Report, error) { return order.Report{}, errLimited }
		}, want: exchange.ErrLimited},
		"a dial that fails": {change: once, play: func(r *rig, _ *adapter) { r.venue.plan = plan(trip{unsent: true}) }, want: errDial},
	} {
		t.Run(name, func(t *testing.T) {
			change := test.change
			if change == nil {
				change = func(*order.Machine) {}
			}
			played(t, fenced, func(r *rig, a *adapter) {
				if test.play != nil {
					test.play(r, a)
				}
				o, err := r.Submit(r.t.Context(), limit(1))
				if !errors.Is(err, order.ErrGuard) || !errors.Is(err, test.want) {
					r.t.Fatalf("Submit = %v, %v; want %v and %v", o.State, err, order.ErrGuard, test.want)
				}
				if n := strings.Count(err.Error(), order.ErrGuard.Error()); n != 1 {
					r.t.Errorf("%q says %d times that a check failed; want once", err, n)
				}
				r.has(id(limit(1)), 0)
			}, change)
		})
	}
}

// A cancel that may not leave says so, stays recorded, and is made when it may.
func TestCancelKeepsTheCause(t *testing.T) {
	stop := &gate{err: &halt.Error{Scope: "venue", State: halt.Stopped}}
	played(t, fenced, func(r *rig, a *adapter) {
		r.submit(limit(1))
		refused := func(what string, err, want error) {
			r.t.Helper()
			if !errors.Is(err, order.ErrUnsent) || !errors.Is(err, want) {
				r.t.Errorf("%s = %v; want %v and %v", what, err, order.ErrUnsent, want)
			}
		}
		o, err := r.Cancel(r.t.Context(), id(limit(1)))
		refused("Cancel", err, halt.ErrHalted)
		if o.State != order.Acked || o.Command == nil {
			r.t.Errorf("the order is %+v; want its cancel recorded", o)
		}
		refused("CancelAll", r.CancelAll(r.t.Context()), halt.ErrHalted)
		_, err = r.Replace(r.t.Context(), id(limit(1)), limit(2))
		refused("Replace", err, halt.ErrHalted)
		r.has(id(limit(2)), 0)
		if n := len(r.venue.cancels); n != 0 {
			r.t.Errorf("%d cancels left; want none", n)
		}
		stop.mu.Lock()
		stop.err = nil
		stop.mu.Unlock()
		r.done(id(limit(1)), order.Canceled)

		r.submit(limit(3))
		a.cancel = func(context.Context, order.Ref) error { return errLimited }
		_, err = r.Cancel(r.t.Context(), id(limit(3)))
		refused("Cancel", err, exchange.ErrLimited)
		a.cancel = nil
		r.done(id(limit(3)), order.Canceled)
	}, func(m *order.Machine) { m.Reduce = []retry.Gate{stop} })
}

// An amend and a replacement that may not leave come to nothing, and say why.
func TestAmendKeepsTheCause(t *testing.T) {
	stop := &gate{}
	played(t, fenced, func(r *rig, a *adapter) {
		r.submit(limit(1))
		stop.err = &halt.Error{Scope: "venue", State: halt.Stopped}
		o, err := r.Amend(r.t.Context(), id(limit(1)), "50", "")
		if !errors.Is(err, order.ErrGuard) || !errors.Is(err, halt.ErrHalted) || o.Command != nil || o.Terms.Quantity != "100" {
			r.t.Errorf("Amend = %+v, %v; want it refused by the stop, and nothing under way", o, err)
		}
		stop.err = nil
		a.amend = func(context.Context, order.Terms) (order.Report, error) { return order.Report{}, errLimited }
		if o, err = r.Amend(r.t.Context(), id(limit(1)), "50", ""); !errors.Is(err, exchange.ErrLimited) || o.Command != nil {
			r.t.Errorf("Amend = %+v, %v; want %v, and nothing under way", o, err, exchange.ErrLimited)
		}
	}, func(m *order.Machine) { m.Gates = []retry.Gate{stop} })

	replace := &replacing{}
	bubble(t, fenced, func(r *rig) {
		replace.venue = r.venue
		r.submit(limit(1))
		stop.err = &halt.Error{Scope: "venue", State: halt.Stopped}
		if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(1)), limit(2)); !errors.Is(err, order.ErrGuard) || !errors.Is(err, halt.ErrHalted) {
			r.t.Errorf("ReplaceAtomic = %v; want it refused by the stop", err)
		}
		r.has(id(limit(2)), 0)
	}, func(m *order.Machine) {
		m.Gates = []retry.Gate{stop}
		replace.venue = m.Adapter.(*venue)
		m.Adapter = replace
	})
}

// What is said of a second amend is no news of the first one, which is in doubt.
func TestAmendInDoubt(t *testing.T) {
	stop := &gate{}
	for name, second := range map[string]exchange.Outcome{"stopped": exchange.Unknown, "refused": exchange.NotPlaced, "not sent": exchange.NotSent} {
		t.Run(name, func(t *testing.T) {
			stop.err = nil
			played(t, fenced, func(r *rig, a *adapter) {
				r.submit(limit(1))
				calls := 0
				r.venue.amendAs = func(want order.Terms) (bool, exchange.Verdict) {
					if calls++; calls > 1 {
						return false, exchange.Verdict{Outcome: second, Status: 400}
					}
					if name == "stopped" {
						stop.err = errTest
					}
					time.AfterFunc(3*time.Second, func() { // the first one is slow, and takes effect when all has been said of the second
						r.venue.mu.Lock()
						defer r.venue.mu.Unlock()
						h := r.venue.orders[0]
						next := *h.now()
						next.at, next.terms = time.Now(), want
						h.changes = append(h.changes, next)
					})
					return false, exchange.Verdict{Outcome: exchange.Unknown}
				}
				if o, err := r.Amend(r.t.Context(), id(limit(1)), "50", ""); err != nil || o.Command == nil {
					r.t.Errorf("Amend = %+v, %v; want it in doubt", o, err)
				}
				pass(time.Minute)
				if o := r.state(id(limit(1)), order.Acked); o.Terms.Quantity != "50" || o.Command != nil {
					r.t.Errorf("the order is %+v; want 50, as amended", o)
				}
			}, func(m *order.Machine) { m.Gates = []retry.Gate{stop} })
		})
	}
}

// An order whose amend is in doubt can be cancelled, and has either terms until its end.
func TestCancelDuringAnAmend(t *testing.T) {
	for name, applied := range map[string]bool{"with the old terms": false, "with the new ones": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.submit(limit(1))
				r.venue.amendAs = func(order.Terms) (bool, exchange.Verdict) {
					return applied, exchange.Verdict{Outcome: exchange.Unknown}
				}
				if o, err := r.Amend(r.t.Context(), id(limit(1)), "200", ""); err != nil || o.Command == nil {
					r.t.Errorf("Amend = %+v, %v; want it in doubt", o, err)
				}
				if _, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil {
					r.t.Errorf("Cancel = %v; want nil", err)
				}
				if _, err := r.Amend(r.t.Context(), id(limit(1)), "300", ""); !errors.Is(err, order.ErrState) {
					r.t.Errorf("Amend of what is cancelled = %v; want %v", err, order.ErrState)
				}
				r.restart()
				r.done(id(limit(1)), order.Canceled)
			})
		})
	}
}

// A cancel that comes while an amend is under way follows its answer.
func TestCancelBehindAnAmend(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		r.submit(limit(1))
		a.amend = func(ctx context.Context, terms order.Terms) (order.Report, error) {
			time.Sleep(time.Second)
			return r.venue.Amend(ctx, order.Ref{Wire: id(limit(1))}, "c", terms)
		}
		go func() { _, _ = r.Amend(r.t.Context(), id(limit(1)), "200", "") }()
		pass(100 * time.Millisecond)
		if _, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil {
			r.t.Errorf("Cancel = %v; want it recorded", err)
		}
		pass(time.Second)
		if o := r.state(id(limit(1)), order.Acked); o.Terms.Quantity != "200" || o.Command == nil || o.Command.Kind != "cancel" {
			r.t.Errorf("the order is %+v; want it amended, and a cancel under way", o)
		}
		r.done(id(limit(1)), order.Canceled)
	})
}

// A restart that finds an amend in doubt waits as long as the request may still arrive.
func TestAmendIsFoundByARestart(t *testing.T) {
	noKeep := fenced
	noKeep.AmendKeepID = false
	bubble(t, noKeep, func(r *rig) {
		r.submit(limit(1))
		r.venue.amendAs = func(order.Terms) (bool, exchange.Verdict) { return false, exchange.Verdict{Outcome: exchange.Unknown} }
		if _, err := r.Amend(r.t.Context(), id(limit(1)), "50", ""); err != nil {
			r.t.Error(err)
		}
		r.restart()
		pass(time.Minute)
		if o := r.state(id(limit(1)), order.Acked); o.Command == nil {
			r.t.Errorf("%s after a minute, in which a request may have been under way", o.Why)
		}
		pass(2 * time.Minute)
		if o := r.state(id(limit(1)), order.Acked); o.Command != nil || o.Why != "the amend did not arrive" {
			r.t.Errorf("the order is %+v; want the amend ended", o)
		}
	})
}

package order_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
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

// done waits for the end of an order, and complains unless it is as it should be.
func (r *rig) done(id string, want order.State) order.Order {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Hour)
	defer cancel()
	o, err := r.WaitDone(ctx, id)
	synctest.Wait() // orders what the machine's goroutines did before what the test does next
	if err != nil || o.State != want {
		r.t.Errorf("order %s is %v (%s), %v; want %v", id, o.State, o.Why, err, want)
	}
	return o
}

func TestR1ArrivesAfterNotFound(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.window = 5 * time.Second
		r.venue.plan = plan(trip{in: 4 * time.Second, lost: true, fill: 100})
		r.submit(old(market(1)))
		o := r.done(id(market(1)), order.Filled)
		r.has(id(market(1)), 1)
		if o.Spent != 1 || r.Stats().Reads < 2 {
			r.t.Errorf("%d attempts and %d reads; want one, and reads before it arrived", o.Spent, r.Stats().Reads)
		}
	})
}

func TestR2DroppedAtTheDeadline(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{in: 20 * time.Second}, trip{fill: 100})
		r.submit(old(market(1)))
		o := r.done(id(market(1)), order.Filled)
		pass(time.Minute)
		r.has(id(market(1)), 1)
		if o.Spent != 2 || r.Stats().Resends != 1 {
			r.t.Errorf("%d attempts; want two", o.Spent)
		}
	})
}

func TestR3SlowEngine(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{in: 990 * time.Millisecond, queue: 9900 * time.Millisecond, fill: 100})
		r.submit(old(market(1)))
		o := r.done(id(market(1)), order.Filled)
		r.has(id(market(1)), 1)
		if o.Spent != 1 {
			r.t.Errorf("%d attempts; want one", o.Spent)
		}
	})
}

func TestR4FilledAndOutOfSight(t *testing.T) {
	blind := fenced
	blind.QueryClosed = false
	for _, hidden := range []string{"", "finished"} {
		bubble(t, blind, func(r *rig) {
			r.venue.blind = true
			r.venue.plan = plan(trip{lost: true, fill: 100})
			r.venue.read = func(what string) error {
				if what == hidden {
					return errNetwork
				}
				return nil
			}
			r.submit(old(market(1)))
			if hidden == "" {
				r.done(id(market(1)), order.Filled)
			} else if o := r.done(id(market(1)), order.Parked); o.Spent != 1 {
				r.t.Errorf("%d attempts; want one", o.Spent)
			}
			r.has(id(market(1)), 1)
		})
	}
}

func TestR5CancelledInParallel(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{lost: true, fill: 30})
		r.submit(old(limit(1)))
		if _, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil {
			r.t.Error(err)
		}
		o := r.done(id(limit(1)), order.Canceled)
		if o.Executed != "30" || len(o.Fills) != 1 {
			r.t.Errorf("executed %s by %d fills; want 30 by one", o.Executed, len(o.Fills))
		}
		r.has(id(limit(1)), 1)
	})
}

func TestR6FillBeforeTheAnswer(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		m := r.Machine
		r.venue.stream = func(rep order.Report) {
			if err := m.Seen(r.t.Context(), rep); err != nil {
				r.t.Error(err)
			}
		}
		r.venue.plan = plan(trip{fill: 100, slow: time.Second})
		if o := r.submit(market(1)); o.State != order.Filled || len(o.Fills) != 1 || !o.Closed {
			r.t.Errorf("the order is %+v; want it filled, by one fill", o)
		}
		r.venue.plan = plan(trip{fill: 100, lost: true})
		if o := r.submit(market(2)); o.State != order.Filled {
			r.t.Errorf("the order is %v (%s); want it filled: the answer is lost, the stream has it", o.State, o.Why)
		}
	})
}

func TestR7StreamGap(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.stream.gaps = true
		hidden := 0
		r.venue.plan = plan(trip{lost: true, fill: 100})
		r.venue.lag = func() time.Duration { // the query's replica is broken, the lists are not
			hidden++
			return time.Hour
		}
		r.venue.read = func(what string) error {
			if what != "query" {
				r.venue.lag = nil
			}
			return nil
		}
		r.submit(old(market(1)))
		r.done(id(market(1)), order.Filled)
		r.has(id(market(1)), 1)
		if hidden < 2 {
			r.t.Errorf("%d reads found nothing; want two, and then the lists", hidden)
		}
	})
}

func TestR8DuplicateWhilePending(t *testing.T) {
	permanent := order.Rules{Venue: "venue", Resend: order.ResendIsQuery, ResendTaking: true, QueryClosed: true, AckIsEngine: true}
	bubble(t, permanent, func(r *rig) {
		r.venue.dedupe, r.venue.window = exchange.DedupeAlways, 0
		r.venue.plan = plan(trip{lost: true, fill: 100})
		r.venue.lag = func() time.Duration { return 5 * time.Second }
		r.submit(old(market(1)))
		o := r.done(id(market(1)), order.Filled)
		if o.Spent != 2 || r.Stats().Probes != 1 {
			r.t.Errorf("%d attempts, %d probes; want the second to be a probe", o.Spent, r.Stats().Probes)
		}
		r.has(id(market(1)), 1)
	})
}

// A stale price forbids the probe, since it may create the order; without a fence the order is parked then.
func TestProbeIsGuarded(t *testing.T) {
	permanent := order.Rules{Venue: "venue", Resend: order.ResendIsQuery, ResendTaking: true, QueryClosed: true, AckIsEngine: true}
	bubble(t, permanent, func(r *rig) {
		r.venue.dedupe, r.venue.window = exchange.DedupeAlways, 0
		r.venue.plan = plan(trip{vanish: true})
		i := old(limit(1))
		i.Decision, i.GuardBPS = "100", 200
		r.submit(i)
		r.book.set(order.Quote{Bid: "110", Ask: "111", Synced: true})
		o := r.done(id(i), order.Parked)
		if r.Stats().Probes != 0 || r.Stats().GuardTrips == 0 || r.alarms.count(order.AlarmParked) != 1 {
			r.t.Errorf("%+v after %s; want no probe", r.Stats(), o.Why)
		}
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) {
			r.t.Errorf("Submit beside a parked order = %v; want %v", err, order.ErrGated)
		}
	})
}

// cut moves the rig to a log that has only the first n entries of an intent, as after a crash.
func (r *rig) cut(id string, n int) {
	es, err := r.log.Load(r.t.Context(), r.Scope, id)
	if err != nil {
		r.t.Fatal(err)
	}
	r.log, r.account = newLog()
	scope := r.Scope
	scope.Account = r.account
	l, err := r.log.Acquire(r.t.Context(), scope, "dead", time.Second)
	if err == nil {
		err = r.log.Append(r.t.Context(), l, es[:n]...)
	}
	if err == nil {
		err = r.log.Release(r.t.Context(), l)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestR9Crash(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries int
		trip    trip
		age     time.Duration
		want    order.State
		spent   int
	}{
		{"before the send", 1, trip{vanish: true}, time.Hour, order.Filled, 1},
		{"before the send, and too old now", 1, trip{vanish: true}, 0, order.Abandoned, 0},
		{"after the send", 2, trip{fill: 100, lost: true}, time.Hour, order.Filled, 1},
		{"after the send of what was lost", 2, trip{vanish: true}, time.Hour, order.Filled, 2},
		{"after the answer", 3, trip{fill: 30, after: []event{{time.Hour, "", 70}}}, time.Hour, order.Acked, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.plan = plan(test.trip)
				i := market(1)
				i.MaxAge = test.age
				r.submit(i)
				r.cut(id(i), test.entries)
				r.close()
				r.venue.plan = func(*order.Intent, int) trip { return trip{fill: 100} }
				r.make(r.Rules)
				r.start()
				if test.want == order.Acked {
					if _, err := r.Submit(r.t.Context(), limit(7)); !errors.Is(err, order.ErrGated) {
						r.t.Errorf("Submit before the symbol is read = %v; want %v", err, order.ErrGated)
					}
				}
				time.Sleep(30 * time.Second)
				if o := r.state(id(i), test.want); o.Spent != test.spent {
					r.t.Errorf("%d attempts; want %d", o.Spent, test.spent)
				}
				if n := len(r.venue.truth(id(i))); n > 1 {
					r.t.Errorf("the venue has %d orders", n)
				}
				r.submit(limit(8))
			})
		})
	}
}

// parted is a log whose leases are out of reach.
type parted struct {
	order.Log
	cut atomic.Bool
}

func (p *parted) Acquire(ctx context.Context, s order.Scope, owner string, d time.Duration) (order.Lease, error) {
	if p.cut.Load() {
		return order.Lease{}, errNetwork
	}
	return p.Log.Acquire(ctx, s, owner, d)
}

func TestR10TwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, fenced)
		log := &parted{Log: r.log}
		r.Log = log
		r.start()
		second := &order.Machine{
			Scope: r.Scope, Adapter: r.venue, Log: r.log, Rules: fenced, Clock: r.clock, Alert: r.alarms, Owner: "two", Unguarded: true,
		}
		if err := second.Run(t.Context()); !errors.Is(err, order.ErrHeld) {
			t.Errorf("Run of a second process = %v; want %v", err, order.ErrHeld)
		}
		log.cut.Store(true)
		pass(time.Minute)
		third := &order.Machine{
			Scope: r.Scope, Adapter: r.venue, Log: r.log, Rules: fenced, Clock: r.clock, Alert: r.alarms, Owner: "three", Unguarded: true,
		}
		ended := make(chan error, 1)
		go func() { ended <- third.Run(t.Context()) }()
		<-third.Ready()
		if _, err := r.Submit(t.Context(), limit(1)); !errors.Is(err, order.ErrFenced) {
			t.Errorf("Submit by the process that lost the lease = %v; want %v", err, order.ErrFenced)
		}
		r.has(id(limit(1)), 0)
		if err := <-r.ended; !errors.Is(err, order.ErrFenced) {
			t.Errorf("Run = %v; want %v", err, order.ErrFenced)
		}
		if _, err := r.Submit(t.Context(), limit(2)); !errors.Is(err, order.ErrFenced) {
			t.Errorf("Submit afterwards = %v; want %v", err, order.ErrFenced)
		}
		third.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	})
}

func TestR11ReadsAreThrottled(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{lost: true, fill: 100})
		asked := []time.Time{}
		r.venue.read = func(string) error {
			if asked = append(asked, time.Now()); len(asked) < 3 {
				return retry.After(errTest, 7*time.Second)
			}
			return nil
		}
		r.submit(market(1))
		r.done(id(market(1)), order.Filled)
		if d := asked[1].Sub(asked[0]); d < 7*time.Second {
			r.t.Errorf("asked again after %v; the venue wanted 7 s", d)
		}
	})
}

func TestR12HaltAfterTheGrant(t *testing.T) {
	stops := &halt.Tree{}
	bubble(t, fenced, func(r *rig) {
		r.venue.grant = func() {
			if _, err := stops.Stop(halt.Command{Scope: "venue", Who: "ops", Why: "test"}); err != nil {
				r.t.Error(err)
			}
		}
		o, err := r.Submit(r.t.Context(), limit(1))
		if !errors.Is(err, order.ErrGuard) || o.State != order.Abandoned {
			r.t.Errorf("Submit = %v, %v; want it refused by the stop", o.State, err)
		}
		r.has(id(limit(1)), 0)
		if n := len(r.venue.sends); n != 0 {
			r.t.Errorf("%d requests were sent; want none", n)
		}
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGuard) {
			r.t.Errorf("Submit = %v; want it refused", err)
		}
	}, func(m *order.Machine) { m.Gates = []retry.Gate{nil, stops.Gate("venue", "place_order")} })
}

// A stop does not end verification, and ends what waits to be sent again.
func TestHaltEndsResends(t *testing.T) {
	stops := &halt.Tree{}
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		if _, err := stops.Stop(halt.Command{Scope: "venue", State: halt.NoRetries, Who: "ops", Why: "test"}); err != nil {
			r.t.Error(err)
		}
		r.done(id(limit(1)), order.Abandoned)
		if n := len(r.venue.sends); n != 1 || r.Stats().GuardTrips != 1 {
			r.t.Errorf("%d requests, %d guard trips; want one of each", n, r.Stats().GuardTrips)
		}
		r.venue.plan = nil
		r.submit(limit(2)) // first attempts pass
	}, func(m *order.Machine) { m.Gates = []retry.Gate{stops.Gate("venue", "place_order")} })
}

func TestR13AmendLostThenFill(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{after: []event{{3 * time.Second, "", 100}}})
		r.venue.amendAs = func(order.Terms) (bool, exchange.Verdict) { return true, exchange.Verdict{Outcome: exchange.Unknown} }
		r.submit(limit(1))
		o, err := r.Amend(r.t.Context(), id(limit(1)), "200", "91")
		if err != nil || o.Command == nil {
			r.t.Errorf("Amend = %+v, %v; want it under way", o, err)
		}
		o = r.done(id(limit(1)), order.Filled)
		if o.Executed != "200" || o.Terms.Quantity != "200" || len(o.Fills) != 1 {
			r.t.Errorf("the order is %+v; want 200 executed", o)
		}
	})
}

// replacing is a venue that replaces in one call.
type replacing struct {
	*venue
	half    bool // the cancel succeeds, the new order is refused
	nothing bool // the answer is lost, and so is the request
}

func (a *replacing) Replace(ctx context.Context, old order.Ref, command string, o *order.Intent) (order.Legs, error) {
	v := a.venue
	s := &exchange.Sending{Kind: exchange.Replace, ClientID: o.Wire, Symbol: o.Symbol, Signed: v.time(), Deadline: v.time().Add(v.window)}
	if err := v.desk.Load().Begin(ctx, s); err != nil {
		return order.Legs{}, err
	}
	var legs order.Legs
	verdict := exchange.Verdict{Outcome: exchange.Exists, Status: 200}
	err := error(nil)
	switch {
	case a.nothing:
		verdict, err = exchange.Verdict{Outcome: exchange.Unknown}, errTimeout
	default:
		v.mu.Lock()
		for _, h := range v.orders {
			if h.wire == old.Wire {
				v.alter(h, event{status: order.StatusCanceled})
				legs.Old = v.show(h, h.now())
			}
		}
		v.mu.Unlock()
		if a.half {
			verdict, legs.NewErr = exchange.Verdict{Outcome: exchange.Partial, Status: 409, Code: "-2021"}, errRefused
		} else {
			legs.New = v.accept(o, trip{}).r
		}
	}
	v.desk.Load().End(ctx, s, &verdict)
	return legs, err
}

func TestR14ReplaceAtomic(t *testing.T) {
	for _, test := range []struct {
		name     string
		a        replacing
		old, new order.State
	}{
		{"whole", replacing{}, order.Canceled, order.Acked},
		{"half", replacing{half: true}, order.Canceled, order.Rejected},
		{"lost", replacing{nothing: true}, order.Canceled, order.Acked},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &test.a
			bubble(t, fenced, func(r *rig) {
				a.venue = r.venue
				r.submit(limit(1))
				if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(1)), old(limit(2))); err != nil {
					r.t.Error(err)
				}
				time.Sleep(time.Minute)
				r.state(id(limit(1)), test.old)
				r.state(id(limit(2)), test.new)
				if n := len(r.venue.truth(id(limit(2)))); n > 1 {
					r.t.Errorf("the venue has %d new orders", n)
				}
			}, func(m *order.Machine) { a.venue = m.Adapter.(*venue); m.Adapter = a })
		})
	}
}

func TestR14Replace(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{fill: 30})
		r.submit(limit(1))
		r.venue.plan = nil
		o, err := r.Replace(r.t.Context(), id(limit(1)), old(limit(2)))
		if err != nil || o.State != order.Acked || o.Terms.Quantity != "70" || o.Intent.Old != id(limit(1)) {
			r.t.Errorf("Replace = %+v, %v; want 70 of 100, as 30 were executed", o, err)
		}
		next := limit(3)
		next.Quantity = "20"
		r.venue.plan = nil
		if o, err := r.Replace(r.t.Context(), id(limit(1)), next); err != nil || o.Intent.ID != id(limit(1)) {
			r.t.Errorf("Replace where nothing is left = %+v, %v; want the old order", o, err)
		}
		r.has(id(next), 0)
		next.Quantity = "x"
		if _, err := r.Replace(r.t.Context(), id(limit(1)), next); !errors.Is(err, order.ErrTerms) {
			r.t.Errorf("Replace = %v; want %v", err, order.ErrTerms)
		}
	})
}

func TestR15IDUsedAgain(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = func(*order.Intent, int) trip { return trip{fill: 100} }
		r.submit(market(1))
		other := market(1)
		other.Quantity = "200"
		for range 2 {
			if o, err := r.Submit(r.t.Context(), market(1)); !errors.Is(err, order.ErrExists) || o.State != order.Filled {
				r.t.Errorf("Submit of the same = %v, %v; want %v", o.State, err, order.ErrExists)
			}
			if _, err := r.Submit(r.t.Context(), other); !errors.Is(err, order.ErrReused) {
				r.t.Errorf("Submit of other terms = %v; want %v", err, order.ErrReused)
			}
			r.restart() // the next process has it in the log only
		}
		r.has(id(market(1)), 1)

		// Somebody else used the id at the venue, an hour ago.
		i := old(limit(9))
		r.venue.mu.Lock()
		terms := i.Terms
		r.venue.orders = append(r.venue.orders, &held{
			wire: id(i), id: "7", created: time.Now().Add(-time.Hour), changes: []change{{at: time.Now().Add(-time.Hour), status: order.StatusNew, terms: terms}},
		})
		r.venue.mu.Unlock()
		r.submit(i)
		if o := r.done(id(i), order.Parked); !strings.Contains(o.Why, "clash") {
			r.t.Errorf("parked because %q; want an id clash", o.Why)
		}
	})
}

func TestR16Maintenance(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(
			trip{refuse: &exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: exchange.Maintenance, Status: 503, After: 5 * time.Second}},
			trip{after: []event{{10 * time.Second, order.StatusCanceled, 0}}},
		)
		if o := r.submit(old(limit(1))); o.State != order.Recorded {
			r.t.Errorf("the order is %v; want it to be sent again", o.State)
		}
		o := r.done(id(limit(1)), order.Canceled) // found by the sweep
		if o.Spent != 2 || r.venue.sends[1].at.Sub(r.venue.sends[0].at) < 5*time.Second {
			r.t.Errorf("%d attempts; want two, 5 s apart", o.Spent)
		}
		r.has(id(limit(1)), 1)
	})
}

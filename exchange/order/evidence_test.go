package order_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// Status and quantity only move forward, and each fill counts once, from wherever it comes.
func TestEvidenceMovesForward(t *testing.T) {
	var shown []order.State
	bubble(t, fenced, func(r *rig) {
		i := limit(1)
		r.submit(i)
		vid := r.venue.truth(id(i))[0].id
		seen := func(s order.Status, executed order.Decimal, fills ...order.Fill) order.Order {
			r.t.Helper()
			if err := r.Seen(r.t.Context(), order.Report{Wire: id(i), VenueID: vid, Status: s, Executed: executed, Fills: fills}); err != nil {
				r.t.Errorf("Seen = %v; want nil", err)
			}
			o, _ := r.Get(r.t.Context(), id(i))
			return o
		}
		fill := func(key string, q order.Decimal) order.Fill {
			return order.Fill{Key: key, Wire: id(i), VenueID: vid, Quantity: q, Price: "1"}
		}
		if o := seen(order.StatusPartial, "30", fill("a", "30")); o.Executed != "30" || o.Filled != "30" || o.Status != order.StatusPartial {
			r.t.Errorf("after a fill: %+v", o)
		}
		before := r.Stats().Stale
		if o := seen(order.StatusNew, ""); o.Executed != "30" || o.Status != order.StatusPartial {
			r.t.Errorf("after an old report: %+v", o)
		}
		if o := seen(order.StatusPartial, "30", fill("a", "30"), fill("a", "30")); len(o.Fills) != 1 {
			r.t.Errorf("%d fills; want one", len(o.Fills))
		}
		if o := seen(order.StatusPartial, "20", fill("b", "10")); o.Executed != "40" || len(o.Fills) != 2 {
			r.t.Errorf("an old report with a new fill: %+v", o)
		}
		if r.Stats().Stale != before+2 {
			r.t.Errorf("%d stale; want 2 more than %d", r.Stats().Stale, before)
		}
		// A fill by the venue's id alone, and one that completes the order.
		if err := r.SeenFill(r.t.Context(), order.Fill{Key: "c", VenueID: vid, Quantity: "10"}); err != nil {
			r.t.Error(err)
		}
		if err := r.SeenFill(r.t.Context(), order.Fill{Key: "c", VenueID: vid, Quantity: "10"}); err != nil {
			r.t.Error(err)
		}
		if err := r.SeenFill(r.t.Context(), order.Fill{Key: "", VenueID: vid, Quantity: "10"}); !errors.Is(err, order.ErrEvidence) {
			r.t.Errorf("SeenFill without a key = %v; want %v", err, order.ErrEvidence)
		}
		if err := r.SeenFill(r.t.Context(), fill("d", "50")); err != nil {
			r.t.Error(err)
		}
		o := r.state(id(i), order.Filled)
		if !o.Closed || o.Executed != "100" || len(o.Fills) != 4 {
			r.t.Errorf("the order is %+v; want it closed with four fills", o)
		}
		if o := seen(order.StatusPartial, "100"); o.State != order.Filled || !o.Closed {
			r.t.Errorf("a late report: %+v", o)
		}
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(i), VenueID: vid, Status: "odd"}); !errors.Is(err, order.ErrEvidence) || r.Stats().Unreadable != 2 {
			r.t.Errorf("Seen = %v, %d unreadable; want %v, 2", err, r.Stats().Unreadable, order.ErrEvidence)
		}
		if err := r.Seen(r.t.Context(), order.Report{Status: order.StatusNew}); err != nil {
			r.t.Errorf("Seen of nobody's order = %v; want nil", err)
		}
		if len(shown) == 0 || shown[len(shown)-1] != order.Filled {
			r.t.Errorf("Watch was told %v", shown)
		}
		// What is seen is not ours, or was never submitted.
		for _, wire := range []string{"web_1", "A1short", order.NewID("A1", "nobody", 1), order.NewID("B2", "x", 1)} {
			if err := r.Seen(r.t.Context(), order.Report{Wire: wire, VenueID: "5", Status: order.StatusNew}); err != nil {
				r.t.Errorf("Seen of %s = %v; want nil", wire, err)
			}
		}
		if r.Stats().Foreign != 5 {
			r.t.Errorf("%d foreign; want 5", r.Stats().Foreign)
		}
	}, func(m *order.Machine) { m.Watch = func(o order.Order) { shown = append(shown, o.State) } })
}

// An order that was given up, and then turns up, closes the account, and is cancelled.
func TestLateEvidence(t *testing.T) {
	for _, restart := range []bool{false, true} {
		bubble(t, fenced, func(r *rig) {
			once := limit(1)
			once.MaxAttempts = 1
			// The engine breaks its promise, and takes the order after a minute.
			r.venue.plan = plan(trip{queue: time.Minute, honours: true, fill: 30})
			r.venue.stream = func(rep order.Report) { _ = r.Seen(r.t.Context(), rep) }
			r.submit(once)
			r.done(id(once), order.Abandoned)
			if restart {
				r.restart() // the closed intent is in the log only
			}
			pass(time.Minute)
			o := r.state(id(once), order.Breach)
			if a := r.alarms.list; len(a) != 1 || a[0].Kind != order.AlarmBreach || !strings.Contains(a[0].Text, "given up") {
				r.t.Errorf("alarms: %+v; want one", a)
			}
			pass(2 * time.Minute)
			if h := r.venue.truth(id(once))[0]; h.now().status != order.StatusCanceled {
				r.t.Errorf("the venue's order is %v; want it cancelled", h.now().status)
			}
			if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) {
				r.t.Errorf("Submit = %v; want %v", err, order.ErrGated)
			}
			r.venue.plan = nil
			reducing := limit(3)
			reducing.ReduceOnly = true
			r.submit(reducing)
			r.restart() // the gate is there again, and so is the alarm
			pass(10 * time.Second)
			if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) || r.alarms.count(order.AlarmBreach) != 2 {
				r.t.Errorf("Submit after a restart = %v, %d alarms; want %v", err, r.alarms.count(order.AlarmBreach), order.ErrGated)
			}
			if _, err := r.Resolve(r.t.Context(), order.Resolution{ID: id(once), Actor: "ann", Approver: "bob", Reason: "cancelled at the venue"}); err != nil {
				r.t.Error(err)
			}
			r.submit(limit(2))
			if o := r.state(id(once), order.Breach); !o.Closed || !strings.Contains(o.Why, "ann and bob") {
				r.t.Errorf("the order is %+v; want it closed", o)
			}
			// What the stream says after that opens nothing again.
			if err := r.Seen(r.t.Context(), order.Report{Wire: id(once), VenueID: o.VenueID, Status: order.StatusExpired, Executed: "40"}); err != nil {
				r.t.Error(err)
			}
			r.submit(limit(4))
		})
	}
}

// A second order of the venue under our id is a breach in any state, and is reported once.
func TestSecondOrder(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(1))
		for range 2 {
			if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(1)), VenueID: "other", Status: order.StatusNew}); err != nil {
				r.t.Error(err)
			}
		}
		o := r.state(id(limit(1)), order.Breach)
		if !strings.Contains(o.Why, "two orders") || r.alarms.count(order.AlarmBreach) != 1 {
			r.t.Errorf("because %q, %d alarms", o.Why, r.alarms.count(order.AlarmBreach))
		}
		pass(time.Hour)
		if n := r.venue.cancels[id(limit(1))]; n != 0 {
			r.t.Errorf("%d cancels; want none: nobody knows which of the two is meant", n)
		}
	})
}

func TestResolve(t *testing.T) {
	never := order.Rules{Venue: "venue"}
	bubble(t, never, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true})
		r.submit(limit(1))
		ask := func(want error, res order.Resolution) order.Order {
			r.t.Helper()
			o, err := r.Resolve(r.t.Context(), res)
			if !errors.Is(err, want) {
				r.t.Errorf("Resolve(%+v) = %v; want %v", res, err, want)
			}
			return o
		}
		good := order.Resolution{ID: id(limit(1)), Actor: "ann", Approver: "bob", Reason: "not in the venue's history", Ticket: "T1"}
		ask(order.ErrState, good)
		r.done(id(limit(1)), order.Parked)
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrGated)
		}
		sell := limit(3)
		sell.Side = order.Sell
		r.submit(sell) // the other side is open
		r.restart()
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) || r.alarms.count(order.AlarmParked) != 2 {
			r.t.Errorf("Submit after a restart = %v; want %v", err, order.ErrGated)
		}
		for _, bad := range []order.Resolution{
			{ID: good.ID, Actor: "ann", Approver: " Ann ", Reason: "x"}, {ID: good.ID, Actor: "ann", Reason: "x"}, {ID: good.ID, Approver: "bob", Reason: "x"},
			{ID: good.ID, Actor: "ann", Approver: "bob"},
		} {
			ask(order.ErrPersons, bad)
		}
		none := good
		none.ID = order.NewID("A1", "none", 1)
		ask(order.ErrNoOrder, none)
		r.model().Break(func([]order.Entry) error { return errTest })
		ask(order.ErrLog, good)
		r.model().Break(nil)
		if o := ask(nil, good); o.State != order.Abandoned || !o.Closed {
			r.t.Errorf("the order is %v; want it abandoned", o.State)
		}
		if n := r.alarms.count(order.AlarmResolved); n != 1 {
			r.t.Errorf("%d alarms about the end; want one", n)
		}
		pass(time.Minute)
		r.venue.plan = nil
		r.submit(limit(2))

		// Parked, and then somebody sees it.
		r.venue.plan = plan(trip{queue: 5 * time.Minute})
		r.submit(limit(5))
		r.done(id(limit(5)), order.Parked)
		if _, err := r.Cancel(r.t.Context(), id(limit(5))); err != nil {
			r.t.Errorf("Cancel of a parked order = %v; want it asked", err)
		}
		pass(5 * time.Minute)
		h := r.venue.truth(id(limit(5)))[0]
		if err := r.Seen(r.t.Context(), order.Report{Wire: h.wire, VenueID: h.id, Status: order.StatusNew}); err != nil {
			r.t.Error(err)
		}
		r.done(id(limit(5)), order.Canceled) // as was wanted
		r.venue.plan = nil
		r.submit(limit(6))
	})
}

// Fills that the answers leave out are read; none is invented.
func TestRepair(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		broken := true
		r.venue.read = func(what string) error {
			if what == "fills" && broken {
				return errNetwork
			}
			return nil
		}
		filled := order.Report{VenueID: "1000", Status: order.StatusFilled}
		r.venue.plan = plan(trip{fill: 100, answer: &filled})
		o := r.submit(market(1))
		if o.State != order.Filled || o.Executed != "100" || len(o.Fills) != 0 || o.Closed {
			r.t.Errorf("the order is %+v; want it filled, without fills", o)
		}
		pass(5 * time.Minute)
		if n := r.alarms.count(order.AlarmFills); n != 1 {
			r.t.Errorf("%d alarms; want one", n)
		}
		broken = false
		if o := r.done(id(market(1)), order.Filled); len(o.Fills) != 1 || !o.Closed {
			r.t.Errorf("the order is %+v; want it whole", o)
		}
		// A partial one that works.
		r.venue.plan = plan(trip{fill: 40, answer: &order.Report{VenueID: "1001", Status: order.StatusPartial, Executed: "40"}})
		r.submit(limit(2))
		pass(time.Minute)
		if o := r.state(id(limit(2)), order.Acked); len(o.Fills) != 1 || o.Filled != "40" {
			r.t.Errorf("the order is %+v; want its fill", o)
		}
	})
}

// What only says that the request was taken is decided by a read, a rejection included.
func TestAcceptedOnly(t *testing.T) {
	rules := fenced
	rules.AckIsEngine = false
	bubble(t, rules, func(r *rig) {
		r.venue.plan = plan(trip{quiet: true, after: []event{{time.Second, order.StatusRejected, 0}}})
		if o := r.submit(limit(1)); o.State != order.Acked || o.Status != order.StatusAccepted {
			r.t.Errorf("the order is %v, %v; want it accepted", o.State, o.Status)
		}
		r.done(id(limit(1)), order.Rejected)
	})
}

// A duplicate that nobody can show parks the order.
func TestDuplicateThatIsNotThere(t *testing.T) {
	dup := &exchange.Verdict{Outcome: exchange.Existed, Meaning: exchange.DuplicateID}
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{refuse: dup})
		r.submit(old(limit(1)))
		if o := r.done(id(limit(1)), order.Parked); !strings.Contains(o.Why, "in use") || len(r.venue.sends) != 1 {
			r.t.Errorf("parked because %q", o.Why)
		}
	})
	// One with other terms, at the first attempt, is somebody else's.
	bubble(t, fenced, func(r *rig) {
		i := old(limit(1))
		other := i.Terms
		other.Quantity = "7"
		r.venue.plan = plan(trip{refuse: dup})
		r.venue.orders = append(r.venue.orders, &held{wire: id(i), id: "7", created: time.Now(), changes: []change{{at: time.Now(), status: order.StatusNew, terms: other}}})
		r.submit(i)
		if o := r.done(id(i), order.Parked); !strings.Contains(o.Why, "clash") {
			r.t.Errorf("parked because %q", o.Why)
		}
	})
}

// An order that has its id in dispute is adopted only if the venue says that it made it since: not by a report that does not say
// when, and not by a fill, which may be of an order from before.
func TestDuplicateOfUnknownAge(t *testing.T) {
	for name, test := range map[string]struct {
		created bool // the query says when
		want    order.State
	}{"nobody says": {false, order.Parked}, "the query says": {true, order.Acked}} {
		t.Run(name, func(t *testing.T) {
			played(t, fenced, func(r *rig, a *adapter) {
				i := old(limit(1))
				r.venue.plan = plan(trip{refuse: &exchange.Verdict{Outcome: exchange.Existed, Meaning: exchange.DuplicateID}})
				bare := order.Report{Wire: id(i), VenueID: "7", Status: order.StatusNew}
				a.query = func(context.Context, order.Ref) (order.Report, error) {
					told := bare
					if test.created {
						told.Created = time.Now()
					}
					return told, nil
				}
				r.submit(i)
				for what, err := range map[string]error{
					"a report": r.Seen(r.t.Context(), bare),
					"a fill":   r.SeenFill(r.t.Context(), order.Fill{Key: "1", Wire: id(i), Quantity: "100"}),
				} {
					if !errors.Is(err, order.ErrEvidence) {
						r.t.Errorf("%s while the id is in dispute: %v; want %v", what, err, order.ErrEvidence)
					}
				}
				o, err := r.Wait(r.t.Context(), id(i))
				if err != nil || o.State != test.want || len(o.Fills) != 0 {
					r.t.Errorf("the order is %v (%s), %v; want %v", o.State, o.Why, err, test.want)
				}
				if err := r.Seen(r.t.Context(), bare); err != nil { // persons have looked
					r.t.Errorf("Seen = %v", err)
				}
				r.state(id(i), order.Acked)
			})
		})
	}
}

// An order is not taken for somebody else's only because the estimate of the venue's clock was poor, and known to be.
func TestMadeBeforeItWasSent(t *testing.T) {
	for _, test := range []struct {
		name        string
		skew, bound time.Duration
		want        order.State
	}{
		{"within what venues accept", 900 * time.Millisecond, 0, order.Acked},
		{"beyond it", 1500 * time.Millisecond, 0, order.Parked},
		{"within the error of the clock", 2900 * time.Millisecond, 2 * time.Second, order.Acked},
		{"beyond both", 3100 * time.Millisecond, 2 * time.Second, order.Parked},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.ahead, r.clock.bound = test.skew, test.bound
				i := old(limit(1))
				r.submit(i)
				if test.want == order.Acked {
					r.state(id(i), test.want)
				} else {
					o := r.done(id(i), test.want)
					seen := r.venue.show(r.venue.truth(id(i))[0], r.venue.truth(id(i))[0].now())
					if err := r.Seen(r.t.Context(), seen); !errors.Is(err, order.ErrEvidence) {
						r.t.Errorf("Seen = %v; want %v (%s)", err, order.ErrEvidence, o.Why)
					}
					seen.Created = time.Time{} // persons looked, and know it for ours
					if err := r.Seen(r.t.Context(), seen); err != nil {
						r.t.Errorf("Seen = %v", err)
					}
					r.state(id(i), order.Acked)
					r.venue.alter(r.venue.truth(id(i))[0], event{fill: 100})
					r.done(id(i), order.Filled) // reads are believed from then on
				}
			})
		})
	}
}

// Evidence wins, too, on an order that as far as this process knows was never sent.
func TestSeenBeforeItWasSent(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.model().Break(func(es []order.Entry) error {
			if es[0].Kind == order.KindSending {
				return errTest
			}
			return nil
		})
		i := old(limit(1))
		r.submit(i)
		r.state(id(i), order.Recorded)
		seen := order.Report{Wire: id(i), VenueID: "7", Status: order.StatusNew, Created: time.Now().Add(-time.Second)}
		if err := r.Seen(r.t.Context(), seen); err != nil {
			r.t.Errorf("Seen = %v", err)
		}
		r.state(id(i), order.Acked)
		pass(time.Minute)
		r.has(id(i), 0) // and it is not sent any more
	})
}

// The log is the truth: what it cannot take is not done, and what it cannot say is found out.
func TestLogFails(t *testing.T) {
	fail := func(r *rig, kinds ...order.Kind) {
		r.model().Break(func(es []order.Entry) error {
			for _, e := range es {
				for _, k := range kinds {
					if e.Kind == k {
						return errTest
					}
				}
			}
			return nil
		})
	}
	bubble(t, fenced, func(r *rig) {
		fail(r, order.KindIntent, order.KindMove)
		if _, err := r.Submit(r.t.Context(), limit(1)); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrLog)
		}
		pass(10 * time.Second)
		r.model().Break(nil)
		if o := r.done(id(limit(1)), order.Abandoned); len(r.venue.sends) != 0 {
			r.t.Errorf("the order is %+v; want nothing sent", o)
		}
		r.restart()

		fail(r, order.KindSending)
		r.submit(old(limit(2)))
		pass(time.Second)
		if len(r.venue.sends) != 0 {
			r.t.Error("it was sent without a record")
		}
		r.model().Break(nil)
		if o, err := r.Wait(r.t.Context(), id(limit(2))); err != nil || o.State != order.Acked {
			r.t.Errorf("the order is %v, %v; want it acked", o.State, err)
		}

		// The answer cannot be written: the order is in doubt, and read later.
		fail(r, order.KindReport)
		r.submit(limit(3))
		r.state(id(limit(3)), order.Unknown)
		pass(10 * time.Second)
		r.model().Break(nil)
		pass(10 * time.Second)
		r.state(id(limit(3)), order.Acked)

		// Nothing can be written after the send.
		fail(r, order.KindReport, order.KindOutcome, order.KindMove, order.KindRead)
		r.venue.plan = plan(trip{refuse: &exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: exchange.Invalid}})
		r.submit(old(limit(4)))
		r.state(id(limit(4)), order.Unknown)
		pass(time.Minute)
		r.state(id(limit(4)), order.Unknown)
		r.model().Break(nil)
		pass(time.Minute)
		r.state(id(limit(4)), order.Acked) // after a proof, it is sent again
	})
	// What is given up, closed, parked or cancelled waits for the log.
	bubble(t, fenced, func(r *rig) {
		fail(r, order.KindClosed)
		r.venue.plan = plan(trip{fill: 100})
		r.submit(market(1))
		r.venue.plan = plan(trip{unsent: true})
		young := limit(2)
		young.MaxAge = time.Millisecond
		r.submit(young)
		pass(time.Minute)
		if o, _ := r.Get(r.t.Context(), id(market(1))); o.Closed {
			r.t.Error("it is closed although the log says otherwise")
		}
		r.model().Break(nil)
		r.done(id(market(1)), order.Filled)
		r.done(id(young), order.Abandoned)

		r.venue.plan = nil
		r.submit(limit(3))
		fail(r, order.KindCommand)
		if _, err := r.Cancel(r.t.Context(), id(limit(3))); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Cancel = %v; want %v", err, order.ErrLog)
		}
		if _, err := r.Amend(r.t.Context(), id(limit(3)), "50", ""); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Amend = %v; want %v", err, order.ErrLog)
		}
		fail(r, order.KindMove)
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(3)), VenueID: "x", Status: order.StatusNew}); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Seen of a breach = %v; want %v", err, order.ErrLog)
		}
		r.model().Break(nil)
	})
	never := order.Rules{Venue: "venue"}
	bubble(t, never, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true})
		r.submit(limit(1))
		pass(5 * time.Second)
		fail(r, order.KindMove)
		pass(time.Minute)
		r.state(id(limit(1)), order.Verifying)
		r.model().Break(nil)
		r.done(id(limit(1)), order.Parked)
	})
}

// A write whose answer got lost is found by reading, and else by the next one.
func TestLogAnswersGetLost(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		lose := 0
		r.close()
		r.make(r.Rules)
		m := r.Machine
		m.Log = &forgetful{Log: r.log, blind: true, lose: func(es []order.Entry) bool {
			lost := lose > 0 && es[0].Kind == order.KindSending
			if lost {
				lose--
			}
			return lost
		}}
		r.start()
		lose = 1
		r.submit(old(limit(1)))
		o, err := r.Wait(r.t.Context(), id(limit(1)))
		if err != nil || o.State != order.Acked || len(o.Attempts) != 2 || o.Spent != 1 {
			r.t.Errorf("the order is %+v, %v; want it sent by attempt 2", o, err)
		}
		r.has(id(limit(1)), 1)
	})
	// The intent itself: the answer says no, the log says yes.
	bubble(t, fenced, func(r *rig) {
		r.close()
		r.make(r.Rules)
		f := &forgetful{Log: r.log, blind: true}
		r.Log = f
		var honest atomic.Bool
		f.lose = func(es []order.Entry) bool { return es[0].Kind == order.KindIntent && !honest.Load() }
		r.start()
		if _, err := r.Submit(r.t.Context(), old(limit(1))); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrLog)
		}
		honest.Store(true)
		pass(5 * time.Second)
		r.restart()
		r.done(id(limit(1)), order.Abandoned)
		if len(r.venue.sends) != 0 {
			r.t.Error("it was sent after the restart")
		}
	})
}

// Whatever answer of the log gets lost, what is known here is what a restart reads.
func TestLogAnswersAreFound(t *testing.T) {
	for _, kind := range []order.Kind{order.KindIntent, order.KindSending, order.KindOutcome, order.KindReport, order.KindFill, order.KindMove, order.KindCommand} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.close()
				r.make(r.Rules)
				r.Log = &forgetful{Log: r.log, lose: func(es []order.Entry) bool { return es[0].Kind == kind }}
				r.start()
				r.venue.plan = plan(trip{lost: true, fill: 30})
				r.submit(old(limit(1)))
				if _, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil {
					r.t.Errorf("Cancel = %v", err)
				}
				o := r.done(id(limit(1)), order.Canceled)
				es, err := r.log.Load(r.t.Context(), r.Scope, id(limit(1)))
				if err != nil {
					r.t.Fatal(err)
				}
				if said, err := order.Replay(es); err != nil || text(said) != text(o) {
					r.t.Errorf("the log says %s, %v; want %s", text(said), err, text(o))
				}
				if n := r.Stats().LogErrors; n != 0 {
					r.t.Errorf("%d errors of the log", n)
				}
				r.has(id(limit(1)), 1)
			})
		})
	}
}

// Evidence that is quicker than a read closes an order for good: what the read logs does not open it again.
func TestReadsDoNotOpenAgain(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{lost: true, quiet: true, fill: 100})
		i := old(limit(1))
		r.venue.read = func(string) error {
			read := r.venue.truth(id(i))
			if err := r.Seen(r.t.Context(), r.venue.show(read[0], read[0].now())); err != nil {
				r.t.Errorf("Seen = %v", err)
			}
			return errNetwork
		}
		r.submit(i)
		if o := r.done(id(i), order.Filled); !o.Closed {
			r.t.Error("it is filled, and not closed")
		}
		pass(time.Minute)
		if o := r.state(id(i), order.Filled); !o.Closed || r.Stats().Open != 0 {
			r.t.Errorf("%d orders are open: %+v", r.Stats().Open, o)
		}
		r.restart()
		if n := r.Stats().Open; n != 0 {
			r.t.Errorf("%d orders are open after a restart", n)
		}
	})
}

// A log in which something follows the end of an order is put right.
func TestOpenedByNothing(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{fill: 100})
		i := limit(1)
		r.submit(i)
		r.done(id(i), order.Filled)
		r.close()
		lease, err := r.log.Acquire(r.t.Context(), r.Scope, "two", time.Second)
		if err == nil {
			err = r.log.Append(r.t.Context(), lease, order.Entry{ID: id(i), Kind: order.KindRead, At: time.Now(), Data: []byte("{}")})
		}
		if err != nil {
			r.t.Fatal(err)
		}
		_ = r.log.Release(r.t.Context(), lease)
		r.make(r.Rules)
		r.start()
		pass(time.Minute)
		if o := r.state(id(i), order.Filled); !o.Closed || r.Stats().Open != 0 {
			r.t.Errorf("%d orders are open: %+v", r.Stats().Open, o)
		}
	})
}

// forgetful is a log whose answers get lost.
type forgetful struct {
	order.Log
	lose  func(es []order.Entry) bool
	blind bool // the read that follows fails, too

	failing atomic.Bool
}

func (f *forgetful) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if f.failing.CompareAndSwap(true, false) {
		return nil, errNetwork
	}
	return f.Log.Load(ctx, s, id)
}

func (f *forgetful) Append(ctx context.Context, l order.Lease, es ...order.Entry) error {
	err := f.Log.Append(ctx, l, es...)
	if err == nil && f.lose != nil && len(es) > 0 && f.lose(es) {
		f.failing.Store(f.blind)
		return errNetwork
	}
	return err
}

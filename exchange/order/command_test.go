package order_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

func TestCancel(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		r.submit(limit(1))
		if o, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil || o.State.Terminal() || o.Command == nil || len(o.Command.ID) != order.IDLen || o.Command.ID == o.Intent.ID {
			r.t.Errorf("Cancel = %+v, %v; want it under way, under an id of its own", o, err)
		}
		o := r.done(id(limit(1)), order.Canceled)
		if again, err := r.Cancel(r.t.Context(), o.Intent.ID); err != nil || again.State != order.Canceled {
			r.t.Errorf("Cancel again = %v, %v; want it to be nothing", again.State, err)
		}
		if _, err := r.Cancel(r.t.Context(), order.NewID("A1", "no", 1)); !errors.Is(err, order.ErrNoOrder) {
			r.t.Errorf("Cancel of nothing = %v; want %v", err, order.ErrNoOrder)
		}
		// The answer "unknown order" is no conclusion.
		r.submit(limit(2))
		calls := 0
		refused := func(ctx context.Context) error {
			s := &exchange.Sending{Kind: exchange.Cancel}
			if err := r.Begin(ctx, s); err != nil {
				return err
			}
			r.End(ctx, s, &exchange.Verdict{Outcome: exchange.Unchanged, Meaning: exchange.AlreadyDone})
			return errRefused
		}
		a.cancel = func(ctx context.Context, ref order.Ref) error {
			calls++
			if calls < 3 {
				return refused(ctx)
			}
			return a.venue.Cancel(ctx, ref, "c")
		}
		if o, err := r.Cancel(r.t.Context(), id(limit(2))); err != nil || o.State != order.Acked {
			r.t.Errorf("Cancel = %v, %v; want it still acked", o.State, err)
		}
		r.done(id(limit(2)), order.Canceled)
		if calls != 3 {
			r.t.Errorf("%d requests; want three", calls)
		}
		// One that cannot be cancelled is told to a person.
		r.submit(limit(3))
		a.cancel = func(ctx context.Context, _ order.Ref) error { calls++; return refused(ctx) }
		calls = 0
		if _, err := r.Cancel(r.t.Context(), id(limit(3))); err != nil {
			r.t.Error(err)
		}
		pass(10 * time.Minute)
		r.state(id(limit(3)), order.Acked)
		if calls < 10 || calls > 40 || r.alarms.count(order.AlarmCancel) != 1 {
			r.t.Errorf("%d requests, %d alarms; want tens, and one", calls, r.alarms.count(order.AlarmCancel))
		}
	})
}

// A cancel while the order is on its way follows the answer, and one before the send is the end.
func TestCancelEarly(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{slow: time.Second})
		go func() { _, _ = r.Submit(r.t.Context(), limit(1)) }()
		pass(100 * time.Millisecond)
		if o, err := r.Cancel(r.t.Context(), id(limit(1))); err != nil || o.State != order.Sending {
			r.t.Errorf("Cancel = %v, %v; want it recorded", o.State, err)
		}
		r.done(id(limit(1)), order.Canceled)
		r.venue.plan = plan(trip{refuse: &exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: exchange.RateLimited, After: 10 * time.Second}})
		r.submit(old(limit(2)))
		if o, err := r.Cancel(r.t.Context(), id(limit(2))); err != nil || o.State != order.Abandoned {
			r.t.Errorf("Cancel before the resend = %v, %v; want it given up", o.State, err)
		}
		// One that waits at the gate is not sent any more.
		r.venue.grant = func() { go func() { _, _ = r.Cancel(r.t.Context(), id(limit(3))) }(); time.Sleep(time.Millisecond) }
		r.venue.plan = nil
		if o, err := r.Submit(r.t.Context(), limit(3)); !errors.Is(err, order.ErrGuard) || o.State != order.Abandoned {
			r.t.Errorf("Submit of what is cancelled meanwhile = %v, %v; want it given up", o.State, err)
		}
		r.has(id(limit(3)), 0)
		// A caller that gave up.
		gone, cancel := context.WithCancel(r.t.Context())
		cancel()
		r.venue.grant = nil
		r.venue.plan = plan(trip{slow: time.Second})
		if o, err := r.Submit(gone, limit(4)); err == nil {
			r.t.Errorf("Submit with a context that has ended = %v, nil; want an error", o.State)
		}
	})
}

func TestCancelAll(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		for n := range uint64(3) {
			r.submit(limit(n))
		}
		r.venue.plan = plan(trip{lost: true})
		r.submit(limit(3))
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(0)), VenueID: "other", Status: order.StatusNew}); err != nil {
			r.t.Error(err)
		}
		if err := r.CancelAll(r.t.Context()); err != nil {
			r.t.Errorf("CancelAll = %v; want nil", err)
		}
		for n := range uint64(3) {
			r.done(id(limit(n+1)), order.Canceled)
		}
		r.state(id(limit(0)), order.Breach)
	})
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(1))
		r.model().Break(func([]order.Entry) error { return errTest })
		if err := r.CancelAll(r.t.Context()); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("CancelAll = %v; want %v", err, order.ErrLog)
		}
		r.model().Break(nil)
	})
}

func TestAmend(t *testing.T) {
	noKeep := fenced
	noKeep.AmendKeepID = false
	unfenced := noKeep
	unfenced.Fence, unfenced.Resend = false, order.ResendNever
	verdict := func(o exchange.Outcome) exchange.Verdict { return exchange.Verdict{Outcome: o, Status: 200} }
	for name, test := range map[string]struct {
		rules  order.Rules
		apply  []bool
		says   []exchange.Outcome
		want   order.Decimal
		calls  int
		alarms int
		open   bool
	}{
		"done":                        {fenced, []bool{true}, []exchange.Outcome{exchange.Exists}, "50", 1, 0, false},
		"refused":                     {fenced, []bool{false}, []exchange.Outcome{exchange.NotPlaced}, "100", 1, 0, false},
		"nothing sent":                {fenced, []bool{false}, []exchange.Outcome{exchange.NotSent}, "100", 1, 0, false},
		"unchanged":                   {fenced, []bool{false}, []exchange.Outcome{exchange.Unchanged}, "100", 1, 0, false},
		"answer lost":                 {fenced, []bool{true}, []exchange.Outcome{exchange.Unknown}, "50", 1, 0, false},
		"lost, then done":             {fenced, []bool{false, true}, []exchange.Outcome{exchange.Unknown, exchange.Exists}, "50", 2, 0, false},
		"lost for good":               {fenced, []bool{false, false, false}, []exchange.Outcome{exchange.Unknown, exchange.Unknown, exchange.Unknown}, "100", 3, 0, false},
		"lost, and the id changes":    {noKeep, []bool{false}, []exchange.Outcome{exchange.Unknown}, "100", 1, 0, false},
		"lost, and there is no fence": {unfenced, []bool{false}, []exchange.Outcome{exchange.Unknown}, "100", 1, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, test.rules, func(r *rig) {
				calls := 0
				r.venue.amendAs = func(order.Terms) (bool, exchange.Verdict) {
					calls++
					return test.apply[calls-1], verdict(test.says[calls-1])
				}
				r.submit(limit(1))
				if _, err := r.Amend(r.t.Context(), id(limit(1)), "50", "91"); (err != nil) != (test.says[0] == exchange.NotSent) {
					r.t.Errorf("Amend = %v", err)
				}
				time.Sleep(5 * time.Minute)
				o := r.state(id(limit(1)), order.Acked)
				if o.Terms.Quantity != test.want || calls != test.calls || (o.Command != nil) != test.open || r.alarms.count(order.AlarmAmend) != test.alarms {
					r.t.Errorf("quantity %s after %d calls, command %+v; want %s after %d", o.Terms.Quantity, calls, o.Command, test.want, test.calls)
				}
			})
		})
	}
	played(t, fenced, func(r *rig, a *adapter) {
		r.venue.plan = plan(trip{fill: 40})
		r.submit(limit(1))
		for _, bad := range []struct {
			quantity, price order.Decimal
			want            error
		}{{"x", "", order.ErrTerms}, {"", "-1", order.ErrTerms}, {"40", "", order.ErrTerms}} {
			if _, err := r.Amend(r.t.Context(), id(limit(1)), bad.quantity, bad.price); !errors.Is(err, bad.want) {
				r.t.Errorf("Amend(%+v) = %v; want %v", bad, err, bad.want)
			}
		}
		r.risk.refuse(errTest)
		if _, err := r.Amend(r.t.Context(), id(limit(1)), "200", ""); !errors.Is(err, order.ErrGuard) {
			r.t.Errorf("Amend = %v; want %v", err, order.ErrGuard)
		}
		r.risk.refuse(nil)
		// Under way, nothing else is done to the order; and evidence ends it.
		a.amend = func(ctx context.Context, terms order.Terms) (order.Report, error) {
			s := &exchange.Sending{Kind: exchange.Amend}
			if err := r.Begin(ctx, s); err != nil {
				r.t.Error(err)
			}
			r.End(ctx, s, &exchange.Verdict{Outcome: exchange.Unknown})
			return order.Report{}, errTimeout
		}
		if _, err := r.Amend(r.t.Context(), id(limit(1)), "200", ""); err != nil {
			r.t.Error(err)
		}
		if _, err := r.Amend(r.t.Context(), id(limit(1)), "300", ""); !errors.Is(err, order.ErrState) {
			r.t.Errorf("Amend during an amend = %v; want %v", err, order.ErrState)
		}
		vid := r.venue.truth(id(limit(1)))[0].id
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(1)), VenueID: vid, Status: order.StatusPartial, Executed: "150", Terms: order.Terms{Quantity: "200"}}); err != nil {
			r.t.Error(err)
		}
		if o := r.state(id(limit(1)), order.Acked); o.Executed != "150" {
			r.t.Errorf("the order is %+v; want 150 of 200", o)
		}
	})
}

// What goes wrong before a replacement leaves the old order's end, and nothing new.
func TestReplaceStops(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		if _, err := r.Replace(r.t.Context(), order.NewID("A1", "no", 1), limit(2)); !errors.Is(err, order.ErrNoOrder) {
			r.t.Errorf("Replace of nothing = %v; want %v", err, order.ErrNoOrder)
		}
		r.submit(limit(1))
		r.venue.answerCancels(&exchange.Verdict{Outcome: exchange.Unknown})
		ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
		defer cancel()
		if _, err := r.Replace(ctx, id(limit(1)), limit(2)); err == nil || !strings.Contains(err.Error(), "is not placed") {
			r.t.Errorf("Replace = %v; want it to give up", err)
		}
		r.venue.answerCancels(nil)
		r.done(id(limit(1)), order.Canceled)
		r.submit(limit(3))
		go func() {
			pass(time.Millisecond)
			_ = r.Seen(r.t.Context(), order.Report{Wire: id(limit(3)), VenueID: "other", Status: order.StatusNew})
		}()
		r.venue.answerCancels(&exchange.Verdict{Outcome: exchange.Unknown})
		if _, err := r.Replace(r.t.Context(), id(limit(3)), limit(4)); !errors.Is(err, order.ErrState) {
			r.t.Errorf("Replace of an order in breach = %v; want %v", err, order.ErrState)
		}
		r.has(id(limit(2)), 0)
		r.has(id(limit(4)), 0)
	})
	a := &replacing{}
	bubble(t, fenced, func(r *rig) {
		if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(1)), limit(2)); !errors.Is(err, order.ErrNoOrder) {
			r.t.Errorf("ReplaceAtomic of nothing = %v; want %v", err, order.ErrNoOrder)
		}
		r.venue.plan = func(*order.Intent, int) trip { return trip{fill: 100} }
		r.submit(market(1))
		if _, err := r.ReplaceAtomic(r.t.Context(), id(market(1)), limit(2)); !errors.Is(err, order.ErrState) {
			r.t.Errorf("ReplaceAtomic of what is done = %v; want %v", err, order.ErrState)
		}
		r.venue.plan = nil
		r.submit(limit(3))
		r.model().Break(func([]order.Entry) error { return errTest })
		if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(3)), limit(4)); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("ReplaceAtomic = %v; want %v", err, order.ErrLog)
		}
		r.model().Break(nil)
		if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(3)), order.Intent{}); !errors.Is(err, order.ErrTerms) {
			r.t.Errorf("ReplaceAtomic by nothing = %v; want %v", err, order.ErrTerms)
		}
	}, func(m *order.Machine) { a.venue = m.Adapter.(*venue); m.Adapter = a })
}

// Bans keep everybody away: reads wait for the end, and so does what may be old by then.
func TestBans(t *testing.T) {
	b := &ban{}
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{lost: true})
		r.submit(old(limit(1)))
		b.set(time.Now().Add(5 * time.Minute))
		pass(4 * time.Minute)
		if n := r.Stats().Reads; n != 0 {
			r.t.Errorf("%d reads inside a ban", n)
		}
		r.state(id(limit(1)), order.Verifying)
		pass(2 * time.Minute)
		r.state(id(limit(1)), order.Acked)

		refuse := &exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: exchange.Banned, Class: retry.Throttled}
		r.venue.plan = plan(trip{refuse: refuse})
		stop := limit(2)
		stop.Type, stop.StopPrice = order.StopLimit, "95"
		r.submit(stop)
		r.submit(limit(3))
		b.set(time.Now().Add(5 * time.Minute))
		pass(6 * time.Minute)
		r.state(id(stop), order.Acked)
		r.state(id(limit(3)), order.Abandoned)
	}, func(m *order.Machine) { m.Ban = b })
}

func TestBounds(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(1))
		r.submit(limit(2))
		if _, err := r.Submit(r.t.Context(), limit(3)); !errors.Is(err, order.ErrFull) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrFull)
		}
		r.cancelled(limit(1))
		r.cancelled(limit(2))
		r.submit(limit(3))
		r.cancelled(limit(3))
		if all := r.Orders(true); len(all) != 1 {
			r.t.Errorf("%d orders in memory; want one remembered", len(all))
		}
		if open := r.Orders(false); len(open) != 0 {
			r.t.Errorf("%d open; want none", len(open))
		}
		if o, err := r.Get(r.t.Context(), id(limit(1))); err != nil || o.State != order.Canceled {
			r.t.Errorf("Get of one forgotten = %v, %v; want it from the log", o.State, err)
		}
		ctx, cancel := context.WithCancel(r.t.Context())
		cancel()
		if _, err := r.Get(ctx, order.NewID("A1", "x", 1)); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Get = %v; want %v", err, order.ErrLog)
		}
		if _, err := r.Wait(r.t.Context(), order.NewID("A1", "x", 1)); !errors.Is(err, order.ErrNoOrder) {
			r.t.Errorf("Wait = %v; want %v", err, order.ErrNoOrder)
		}
	}, func(m *order.Machine) { m.MaxOpen, m.MaxRemember = 2, 1 })
}

package order_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// adapter lets a test play the SDK.
type adapter struct {
	*venue
	place  func(ctx context.Context, o *order.Intent) (order.Report, error)
	query  func(ctx context.Context, r order.Ref) (order.Report, error)
	cancel func(ctx context.Context, r order.Ref) error
	amend  func(ctx context.Context, t order.Terms) (order.Report, error)
	arm    func(time.Duration) error
}

func (a *adapter) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	if a.place != nil {
		return a.place(ctx, o)
	}
	return a.venue.Place(ctx, o)
}

func (a *adapter) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	if a.query != nil {
		return a.query(ctx, r)
	}
	return a.venue.Query(ctx, r)
}

func (a *adapter) Cancel(ctx context.Context, r order.Ref, command string) error {
	if a.cancel != nil {
		return a.cancel(ctx, r)
	}
	return a.venue.Cancel(ctx, r, command)
}

func (a *adapter) Amend(ctx context.Context, r order.Ref, command string, t order.Terms) (order.Report, error) {
	if a.amend != nil {
		return a.amend(ctx, t)
	}
	return a.venue.Amend(ctx, r, command, t)
}

func (a *adapter) Arm(_ context.Context, after time.Duration) error {
	if a.arm != nil {
		return a.arm(after)
	}
	return nil
}

// played is bubble with an adapter.
func played(t *testing.T, rules order.Rules, test func(*rig, *adapter), change ...func(*order.Machine)) {
	t.Helper()
	a := &adapter{}
	bubble(t, rules, func(r *rig) { test(r, a) }, append([]func(*order.Machine){func(m *order.Machine) {
		a.venue = m.Adapter.(*venue)
		m.Adapter = a
	}}, change...)...)
}

func sendingOf(o *order.Intent) *exchange.Sending {
	return &exchange.Sending{Kind: exchange.Order, Symbol: o.Symbol, ClientID: o.Wire, Signed: time.Now(), Deadline: time.Now().Add(time.Second)}
}

// The desk lets go only the one request that the machine waits for.
func TestDeskRefusesStrangers(t *testing.T) {
	for name, change := range map[string]func(*exchange.Sending){
		"client id": func(s *exchange.Sending) { s.ClientID = "x-1" },
		"no id":     func(s *exchange.Sending) { s.ClientID = "" },
		"symbol":    func(s *exchange.Sending) { s.Symbol = "ETH" },
		"kind":      func(s *exchange.Sending) { s.Kind = exchange.Cancel },
	} {
		t.Run(name, func(t *testing.T) {
			played(t, fenced, func(r *rig, a *adapter) {
				a.place = func(ctx context.Context, o *order.Intent) (order.Report, error) {
					s := sendingOf(o)
					change(s)
					err := r.Begin(ctx, s)
					if !errors.Is(err, order.ErrNoAttempt) || retry.DefaultClassify(err) != retry.Permanent {
						r.t.Errorf("Begin = %v; want %v, permanent", err, order.ErrNoAttempt)
					}
					return order.Report{}, err
				}
				i := limit(1)
				i.MaxAge = time.Second
				r.submit(i)
				r.done(id(i), order.Abandoned)
				r.has(id(i), 0)
			})
		})
	}
	played(t, fenced, func(r *rig, a *adapter) {
		s := &exchange.Sending{Kind: exchange.Order, ClientID: "somebody"}
		if err := r.Begin(r.t.Context(), s); !errors.Is(err, order.ErrNoAttempt) || r.Stats().Refused != 1 {
			r.t.Errorf("Begin of a foreign order = %v, %+v; want %v", err, r.Stats(), order.ErrNoAttempt)
		}
		r.End(r.t.Context(), s, &exchange.Verdict{})
		r.submit(limit(1))
		s.ClientID = id(limit(1))
		if err := r.Begin(r.t.Context(), s); !errors.Is(err, order.ErrNoAttempt) {
			r.t.Errorf("Begin after the attempt = %v; want %v", err, order.ErrNoAttempt)
		}
	})
}

// An SDK that sends twice by itself is stopped at the second try, and one without contexts is known by the client id.
func TestDeskKnowsByClientID(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		a.place = func(_ context.Context, o *order.Intent) (order.Report, error) {
			ctx := context.Background()
			s := sendingOf(o)
			if err := r.Begin(ctx, s); err != nil {
				r.t.Errorf("Begin = %v; want nil", err)
			}
			if err := r.Begin(ctx, s); !errors.Is(err, order.ErrNoAttempt) {
				r.t.Errorf("a second Begin = %v; want %v", err, order.ErrNoAttempt)
			}
			r.End(ctx, s, &exchange.Verdict{Outcome: exchange.Exists})
			r.End(ctx, s, &exchange.Verdict{Outcome: exchange.NotPlaced}) // nobody asked
			return order.Report{Wire: o.Wire, VenueID: "1", Status: order.StatusNew}, nil
		}
		if o := r.submit(limit(1)); o.State != order.Acked {
			r.t.Errorf("the order is %v (%s); want it acked", o.State, o.Why)
		}
	})
}

// Without a transport that asks the desk nobody can say that nothing was sent.
func TestBypass(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want order.State
		bad  int
	}{
		"sent":                        {nil, order.Acked, 1},
		"not known whether sent":      {errTimeout, order.Unknown, 1},
		"known that nothing was sent": {retry.Mark(errDial, retry.Transient), order.Recorded, 0},
		"unreadable":                  {nil, order.Unknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			played(t, fenced, func(r *rig, a *adapter) {
				a.place = func(_ context.Context, o *order.Intent) (order.Report, error) {
					if name == "unreadable" {
						return order.Report{}, nil
					}
					return order.Report{Wire: o.Wire, VenueID: "1", Status: order.StatusNew}, test.err
				}
				i := limit(1)
				if o := r.submit(i); o.State != test.want || r.alarms.count(order.AlarmBypass) != test.bad {
					r.t.Errorf("the order is %v (%s), %d alarms; want %v, %d", o.State, o.Why, r.alarms.count(order.AlarmBypass), test.want, test.bad)
				}
				time.Sleep(2 * time.Minute)
				if test.want == order.Unknown { // without a deadline there is no fence
					r.state(id(i), order.Parked)
				}
			})
		})
	}
	probing := order.Rules{Venue: "venue", Resend: order.ResendIsQuery, ResendTaking: true}
	played(t, probing, func(r *rig, a *adapter) {
		a.place = func(context.Context, *order.Intent) (order.Report, error) { return order.Report{}, errTimeout }
		r.submit(old(limit(1)))
		r.done(id(limit(1)), order.Parked)
	})
}

// Once requests have come through the desk, one that did not was not sent.
func TestWiredAndRefusedBelow(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		r.submit(limit(1))
		a.place = func(context.Context, *order.Intent) (order.Report, error) { return order.Report{}, errTest } // a ban, say
		if o := r.submit(limit(2)); o.State != order.Recorded {
			r.t.Errorf("the order is %v (%s); want it to be sent again", o.State, o.Why)
		}
		a.place = nil
		if o, err := r.Wait(r.t.Context(), id(limit(2))); err != nil || o.State != order.Acked || o.Spent != 1 {
			r.t.Errorf("the order is %+v, %v; want it acked", o, err)
		}
		a.place = func(context.Context, *order.Intent) (order.Report, error) { return order.Report{}, errTest }
		r.submit(old(limit(3)))
		r.done(id(limit(3)), order.Abandoned)
	}, func(m *order.Machine) { m.MaxIdleSends = 3 })
}

// An adapter that panics, or does not come back, leaves the order in doubt.
func TestAdapterFails(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		a.place = func(ctx context.Context, o *order.Intent) (order.Report, error) {
			if err := r.Begin(ctx, sendingOf(o)); err != nil {
				r.t.Error(err)
			}
			panic("boom")
		}
		func() {
			defer func() {
				if recover() != "boom" {
					r.t.Error("the panic was swallowed")
				}
			}()
			_, _ = r.Submit(r.t.Context(), limit(1))
		}()
		r.state(id(limit(1)), order.Unknown)

		late := make(chan struct{})
		a.place = func(ctx context.Context, o *order.Intent) (order.Report, error) {
			s := sendingOf(o)
			if err := r.Begin(ctx, s); err != nil {
				r.t.Error(err)
			}
			<-late
			r.End(ctx, s, &exchange.Verdict{Outcome: exchange.Exists})
			return order.Report{Wire: o.Wire, VenueID: "77", Status: order.StatusNew}, nil
		}
		other := limit(2)
		other.Symbol = "ETH"
		go func() { _, _ = r.Submit(r.t.Context(), other) }()
		pass(12 * time.Second)
		if o, _ := r.Get(r.t.Context(), id(other)); o.State != order.Verifying && o.State != order.Unknown {
			r.t.Errorf("the order is %v; want it in doubt", o.State)
		}
		close(late)
		synctest.Wait()
		r.state(id(other), order.Acked) // the late answer is evidence all the same
	})
	// One that hangs before it sends is given up, and may not send any more.
	played(t, fenced, func(r *rig, a *adapter) {
		late := make(chan struct{})
		var second atomic.Bool
		a.place = func(ctx context.Context, o *order.Intent) (order.Report, error) {
			if second.Swap(true) {
				return a.venue.Place(ctx, o)
			}
			<-late
			err := r.Begin(context.WithoutCancel(ctx), sendingOf(o))
			if !errors.Is(err, order.ErrNoAttempt) {
				r.t.Errorf("Begin of an attempt that was given up = %v; want %v", err, order.ErrNoAttempt)
			}
			return order.Report{}, err
		}
		go func() { _, _ = r.Submit(r.t.Context(), old(limit(1))) }()
		pass(20 * time.Second)
		r.state(id(limit(1)), order.Acked)
		close(late)
		synctest.Wait()
		r.has(id(limit(1)), 1)
	})
}

// An answer counts only with our id and terms.
func TestAnswersThatContradict(t *testing.T) {
	ok := &exchange.Verdict{Outcome: exchange.Exists, Status: 200}
	for name, test := range map[string]struct {
		answer  order.Report
		verdict *exchange.Verdict
		want    order.State
	}{
		"another client id":     {order.Report{Wire: "x", VenueID: "1", Status: order.StatusNew}, ok, order.Breach},
		"another echo":          {order.Report{VenueID: "1", Status: order.StatusNew}, &exchange.Verdict{Outcome: exchange.Exists, EchoID: "x"}, order.Breach},
		"another symbol":        {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Symbol: "ETH"}}, ok, order.Breach},
		"another side":          {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Side: order.Sell}}, ok, order.Breach},
		"another type":          {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Type: order.Market}}, ok, order.Breach},
		"another tif":           {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{TIF: order.IOC}}, ok, order.Breach},
		"another quantity":      {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Quantity: "100.01"}}, ok, order.Breach},
		"another price":         {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Price: "90.5"}}, ok, order.Breach},
		"more executed":         {order.Report{VenueID: "1", Status: order.StatusFilled, Executed: "101"}, ok, order.Breach},
		"more filled":           {order.Report{VenueID: "1", Status: order.StatusNew, Fills: []order.Fill{{Key: "a", Quantity: "101"}}}, ok, order.Breach},
		"same in another shape": {order.Report{VenueID: "1", Status: order.StatusNew, Terms: order.Terms{Quantity: "100.00", Price: "090.0"}}, ok, order.Acked},
		"no order id":           {order.Report{Status: order.StatusNew}, ok, order.Unknown},
		"no status":             {order.Report{VenueID: "1"}, ok, order.Unknown},
		"odd status":            {order.Report{VenueID: "1", Status: "held"}, ok, order.Unknown},
		"odd number":            {order.Report{VenueID: "1", Status: order.StatusNew, Executed: "1e2"}, ok, order.Unknown},
		"negative":              {order.Report{VenueID: "1", Status: order.StatusNew, Executed: "-1"}, ok, order.Unknown},
		"fill without key":      {order.Report{VenueID: "1", Status: order.StatusPartial, Fills: []order.Fill{{Quantity: "1"}}}, ok, order.Unknown},
		"fill of nothing":       {order.Report{VenueID: "1", Status: order.StatusPartial, Fills: []order.Fill{{Key: "a", Quantity: "0"}}}, ok, order.Unknown},
		"fill that is odd":      {order.Report{VenueID: "1", Status: order.StatusPartial, Fills: []order.Fill{{Key: "a", Quantity: "one"}}}, ok, order.Unknown},
		"expired":               {order.Report{VenueID: "1", Status: order.StatusExpired}, ok, order.Expired},
		"rejected":              {order.Report{VenueID: "1", Status: order.StatusRejected, Reason: "margin"}, ok, order.Rejected},
		"made long before":      {order.Report{VenueID: "1", Status: order.StatusNew, Created: time.Unix(0, 0)}, ok, order.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.plan = func(*order.Intent, int) trip { return trip{answer: &test.answer, verdict: test.verdict} }
				o, err := r.Submit(r.t.Context(), limit(1))
				if err != nil || o.State != test.want {
					r.t.Errorf("the order is %v (%s), %v; want %v", o.State, o.Why, err, test.want)
				}
				if test.want == order.Breach {
					if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, order.ErrGated) {
						r.t.Errorf("Submit after a breach = %v; want %v", err, order.ErrGated)
					}
					if r.alarms.count(order.AlarmBreach) != 1 || r.Stats().Breaches != 1 {
						r.t.Error("there is no alarm")
					}
				}
			})
		})
	}
}

func TestDeadMan(t *testing.T) {
	var armed []time.Time
	played(t, fenced, func(r *rig, a *adapter) {
		pass(55 * time.Second)
		if len(armed) != 6 || r.alarms.count(order.AlarmSwitch) != 1 {
			r.t.Errorf("armed %d times, %d alarms; want 6, and one alarm", len(armed), r.alarms.count(order.AlarmSwitch))
		}
	}, func(m *order.Machine) {
		m.DeadMan = 30 * time.Second
		m.Adapter.(*adapter).arm = func(d time.Duration) error {
			if armed = append(armed, time.Now()); len(armed) > 3 {
				return errTest
			}
			return nil
		}
	})
}

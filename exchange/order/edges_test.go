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

// faulty is a log whose reads and leases fail.
type faulty struct {
	order.Log
	load    func(id string) ([]order.Entry, error)
	open    error
	acquire func() error
	lost    atomic.Bool // the lease, to another
}

func (f *faulty) Load(ctx context.Context, s order.Scope, id string) ([]order.Entry, error) {
	if f.load != nil {
		return f.load(id)
	}
	return f.Log.Load(ctx, s, id)
}

func (f *faulty) Open(ctx context.Context, s order.Scope, after string, limit int) ([]string, error) {
	if f.open != nil {
		return nil, f.open
	}
	return f.Log.Open(ctx, s, after, limit)
}

func (f *faulty) Acquire(ctx context.Context, s order.Scope, owner string, d time.Duration) (order.Lease, error) {
	if f.lost.Load() {
		return order.Lease{}, order.ErrHeld
	}
	if f.acquire != nil {
		if err := f.acquire(); err != nil {
			return order.Lease{}, err
		}
	}
	return f.Log.Acquire(ctx, s, owner, d)
}

// A restart that cannot read the log sends nothing.
func TestRestoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, fenced)
		l, err := r.log.Acquire(t.Context(), r.Scope, "x", time.Second)
		if err == nil {
			err = r.log.Append(t.Context(), l, order.Entry{ID: id(limit(1)), Kind: order.KindMove, Data: []byte(`{}`)})
		}
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		for name, f := range map[string]*faulty{
			"lease": {acquire: func() error { return errTest }}, "list": {open: errTest},
			"load":       {load: func(string) ([]order.Entry, error) { return nil, errTest }},
			"unreadable": {load: func(string) ([]order.Entry, error) { return []order.Entry{{Data: []byte("{")}}, nil }},
		} {
			f.Log = r.log
			r.make(fenced)
			r.Log = f
			if err := r.Run(t.Context()); err == nil {
				t.Errorf("%s: Run = nil; want an error", name)
			}
		}
		r.make(fenced) // an entry without an intent is closed
		r.start()
		if ids, err := r.log.Open(t.Context(), r.Scope, "", 9); err != nil || len(ids) != 0 {
			t.Errorf("open: %v, %v; want none", ids, err)
		}
		r.close()

		r.make(fenced)
		f := &faulty{Log: r.log}
		r.Log = f
		r.start()
		f.load = func(string) ([]order.Entry, error) { return []order.Entry{{Data: []byte("{")}}, nil }
		if _, err := r.Get(t.Context(), id(limit(7))); err == nil {
			t.Error("Get of what cannot be read = nil; want an error")
		}
		f.lost.Store(true)
		pass(time.Minute)
		if err := <-r.ended; !errors.Is(err, order.ErrFenced) || r.alarms.count(order.AlarmLog) != 1 {
			t.Errorf("Run = %v, %d alarms; want %v, one", err, r.alarms.count(order.AlarmLog), order.ErrFenced)
		}
	})
}

// Whoever waits for an order that is being written gives up with his context; what happened is written all the same.
func TestImpatience(t *testing.T) {
	a := &replacing{}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, fenced, func(m *order.Machine) { a.venue = m.Adapter.(*venue); m.Adapter = a })
		r.start()
		r.submit(limit(1))
		vid := r.venue.truth(id(limit(1)))[0].id
		block := make(chan struct{})
		r.model().Break(func([]order.Entry) error { return nil })
		held := &slow{Log: r.log, until: block}
		r.close()
		r.make(fenced)
		r.Log = held
		r.start()
		pass(10 * time.Second)
		held.on = true
		report := order.Report{Wire: id(limit(1)), VenueID: vid, Status: order.StatusPartial, Executed: "10"}
		go func() { _ = r.Seen(t.Context(), report) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, cancelErr := r.Cancel(ctx, id(limit(1)))
		_, submitErr := r.Submit(ctx, limit(1))
		_, replaceErr := r.ReplaceAtomic(ctx, id(limit(1)), limit(2))
		beginErr := r.Begin(ctx, &exchange.Sending{Kind: exchange.Cancel, ClientID: id(limit(1))})
		for _, err := range []error{cancelErr, submitErr, replaceErr, beginErr, r.Seen(ctx, report)} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v; want %v", err, context.DeadlineExceeded)
			}
		}
		pass(2 * time.Minute) // the sweep waits for the order
		go func() { time.Sleep(time.Second); close(block) }()
		r.close()
	})
}

// slow is a log that blocks.
type slow struct {
	order.Log
	on    bool
	until chan struct{}
}

func (s *slow) Append(ctx context.Context, l order.Lease, es ...order.Entry) error {
	if s.on && len(es) > 0 && es[0].Kind == order.KindReport {
		<-s.until
	}
	return s.Log.Append(ctx, l, es...)
}

func TestEdges(t *testing.T) {
	bubble(t, fenced, func(r *rig) { // too old when the limiter has granted it
		r.venue.grant = func() { time.Sleep(2 * time.Second) }
		if o, err := r.Submit(r.t.Context(), market(1)); !errors.Is(err, order.ErrGuard) || o.State != order.Abandoned || len(o.Attempts) != 1 || o.Spent != 0 {
			r.t.Errorf("Submit = %+v, %v; want it too old", o, err)
		}
		// Evidence while it waits at the gate wins, too.
		r.venue.grant = func() {
			if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(2)), VenueID: "9", Status: order.StatusNew}); err != nil {
				r.t.Error(err)
			}
		}
		if o := r.submit(limit(2)); o.State != order.Acked || len(r.venue.sends) != 0 {
			r.t.Errorf("the order is %v; want it acked by what was seen", o.State)
		}
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(2)), VenueID: "9", Status: order.StatusPartial, At: time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}); !errors.Is(err, order.ErrLog) {
			r.t.Errorf("Seen in the year 20000 = %v; want %v", err, order.ErrLog)
		}
		r.venue.grant = nil
		stop := limit(3)
		stop.Type, stop.StopPrice = order.StopLimit, "95"
		r.submit(stop)
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(stop), Status: order.StatusNew, Terms: order.Terms{StopPrice: "96"}}); err != nil {
			r.t.Error(err)
		}
		r.state(id(stop), order.Breach)
	})
	bubble(t, fenced, func(r *rig) { // sells, and fills before anything else is known
		sell := market(1)
		sell.Side = order.Sell
		r.venue.plan = plan(trip{fill: 100})
		r.submit(sell)
		r.venue.plan = plan(trip{lost: true})
		r.submit(limit(2))
		if err := r.SeenFill(r.t.Context(), order.Fill{Key: "k", Wire: id(limit(2)), VenueID: "1001", Quantity: "10"}); err != nil {
			r.t.Error(err)
		}
		if o := r.state(id(limit(2)), order.Acked); o.VenueID != "1001" || o.Executed != "10" {
			r.t.Errorf("the order is %+v; want what the fill says", o)
		}
	})
	few := order.Rules{Venue: "venue", Reads: 1, MinTotal: time.Second}
	played(t, few, func(r *rig, a *adapter) { // reads that contradict
		r.venue.plan = plan(trip{vanish: true})
		answers := []order.Report{{VenueID: "5", Status: order.StatusNew}, {Wire: id(limit(1)), VenueID: "5", Status: "odd"}}
		a.query = func(context.Context, order.Ref) (order.Report, error) {
			if len(answers) == 0 {
				return order.Report{}, order.ErrNotFound
			}
			next := answers[0]
			answers = answers[1:]
			return next, nil
		}
		r.submit(limit(1))
		r.done(id(limit(1)), order.Parked)
		if r.Stats().Unreadable != 2 {
			r.t.Errorf("%d unreadable; want 2", r.Stats().Unreadable)
		}
	})
	probing := order.Rules{Venue: "venue", Resend: order.ResendIsQuery, ResendTaking: true}
	g := &gate{}
	bubble(t, probing, func(r *rig) { // a gate refuses the probe
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		g.mu.Lock()
		g.err = errTest
		g.mu.Unlock()
		r.done(id(limit(1)), order.Parked)
	}, func(m *order.Machine) { m.Gates = []retry.Gate{g} })
	bubble(t, fenced, func(r *rig) { // the log takes no attempts
		r.model().Break(func(es []order.Entry) error {
			if es[0].Kind == order.KindSending {
				return errTest
			}
			return nil
		})
		r.submit(old(limit(1)))
		r.done(id(limit(1)), order.Abandoned)
		r.model().Break(nil)
	}, func(m *order.Machine) { m.MaxIdleSends = 2 })
	bubble(t, fenced, func(r *rig) { // two callers with one id
		slow := make(chan error, 1)
		pass(0)
		r.risk.refuse(nil)
		other := &order.Intent{}
		*other = limit(1)
		r.Machine.Risk.(*risk).wait = time.Second
		go func() { _, err := r.Submit(r.t.Context(), *other); slow <- err }()
		_, err := r.Submit(r.t.Context(), limit(1))
		if second := <-slow; (err == nil) == (second == nil) {
			r.t.Errorf("Submit = %v and %v; want one of them refused", err, second)
		}
		r.has(id(limit(1)), 1)
	})
}

// listing is a venue without a canary of its own, and nothing but lists and fills.
type listing struct {
	bare
	order.Lister
	order.FillReader
}

func TestCanaries(t *testing.T) {
	change := func(m *order.Machine) {
		v := m.Adapter.(*venue)
		m.Adapter = listing{bare{v}, v, v}
	}
	blind := fenced
	blind.QueryClosed = false
	bubble(t, blind, func(r *rig) { // the only order known is done
		r.submit(limit(9))
		r.cancelled(limit(9))
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		r.done(id(limit(1)), order.Parked)
	}, change)
	bubble(t, fenced, func(r *rig) { // what it holds is not known
		r.submit(limit(9))
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(market(1)))
		r.done(id(market(1)), order.Parked)
	}, change)
	bubble(t, fenced, func(r *rig) { // the holding cannot be read before the send
		r.venue.base = "x"
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(market(1)))
		r.done(id(market(1)), order.Parked)
	})
	bubble(t, fenced, func(r *rig) { // the query and the lists are behind, the fills are not
		r.stream.gaps = true
		r.venue.lag = func() time.Duration { return time.Hour }
		r.venue.read = func(what string) error {
			if what == "fills" {
				r.venue.lag = nil
			}
			return nil
		}
		r.venue.plan = plan(trip{lost: true, fill: 100})
		r.submit(old(market(1)))
		r.done(id(market(1)), order.Filled)
	})
	bubble(t, fenced, func(r *rig) { // reports in lists that cannot be read
		r.stream.gaps = true
		r.venue.lag = func() time.Duration { return time.Hour }
		r.venue.read = func(what string) error {
			if what == "open" {
				r.venue.lag = nil
			}
			return nil
		}
		r.venue.plan = plan(trip{lost: true, after: []event{{time.Second, "odd", 0}}})
		r.submit(old(limit(1)))
		r.done(id(limit(1)), order.Parked)
	})
}

func TestLateWithoutStream(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		once := limit(1)
		once.MaxAttempts = 1
		r.venue.plan = plan(trip{queue: time.Minute})
		r.submit(once)
		r.done(id(once), order.Abandoned)
		pass(time.Minute)
		h := r.venue.truth(id(once))[0]
		if err := r.Seen(r.t.Context(), order.Report{Wire: h.wire, VenueID: h.id, Status: order.StatusNew}); err != nil {
			r.t.Error(err)
		}
		pass(time.Minute)
		if o := r.state(id(once), order.Breach); o.Status != order.StatusCanceled {
			r.t.Errorf("the order is %v; want it cancelled, and known to be", o.Status)
		}
	})
}

func TestAmendNotStated(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		r.venue.amendAs = func(order.Terms) (bool, exchange.Verdict) {
			return true, exchange.Verdict{Outcome: exchange.Unknown}
		}
		r.submit(limit(1))
		vid := r.venue.truth(id(limit(1)))[0].id
		var stated atomic.Bool
		a.query = func(ctx context.Context, ref order.Ref) (order.Report, error) {
			if stated.Load() {
				return a.venue.Query(ctx, ref)
			}
			return order.Report{Wire: id(limit(1)), VenueID: vid, Status: order.StatusNew}, nil
		}
		if _, err := r.Amend(r.t.Context(), id(limit(1)), "50", ""); err != nil {
			r.t.Error(err)
		}
		pass(10 * time.Second)
		if o := r.state(id(limit(1)), order.Acked); o.Command == nil {
			r.t.Error("the amend has ended, although nobody has stated the terms")
		}
		stated.Store(true)
		pass(time.Minute)
		if err := r.Seen(r.t.Context(), order.Report{Wire: id(limit(1)), VenueID: vid, Status: order.StatusNew, Terms: order.Terms{Quantity: "100"}}); err != nil {
			r.t.Error(err)
		}
		if o := r.state(id(limit(1)), order.Acked); o.Terms.Quantity != "50" {
			r.t.Errorf("quantity %s; want the amended one, after an old report", o.Terms.Quantity)
		}
	})
}

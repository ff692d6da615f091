package order_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// stalled is a rig whose log takes no report until it is let.
func stalled(t *testing.T, test func(r *rig, a *adapter, log *slow)) {
	var log *slow
	played(t, fenced, func(r *rig, a *adapter) { test(r, a, log) }, func(m *order.Machine) {
		log = &slow{Log: m.Log, until: make(chan struct{})}
		m.Log = log
	})
}

// A request that waits at the desk while evidence of its order is written does not wait beyond its context; one with more
// patience hears that the order is there.
func TestDeskWaitsForTheOrder(t *testing.T) {
	stalled(t, func(r *rig, a *adapter, log *slow) {
		a.place = func(ctx context.Context, o *order.Intent) (order.Report, error) {
			log.on = true
			go func() { _ = r.Seen(ctx, order.Report{Wire: o.Wire, VenueID: "9", Status: order.StatusNew}) }()
			synctest.Wait()
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			err := r.Begin(short, sendingOf(o))
			if !errors.Is(err, context.DeadlineExceeded) || retry.DefaultClassify(err) != retry.Permanent {
				r.t.Errorf("Begin = %v; want %v, permanent", err, context.DeadlineExceeded)
			}
			time.AfterFunc(time.Second, func() { close(log.until) })
			if err = r.Begin(ctx, sendingOf(o)); !errors.Is(err, order.ErrGuard) {
				r.t.Errorf("Begin of what exists = %v; want %v", err, order.ErrGuard)
			}
			return order.Report{}, err
		}
		if o := r.submit(limit(1)); o.State != order.Acked || o.Spent != 0 {
			r.t.Errorf("the order is %v after %d attempts; want it acked by what was seen", o.State, o.Spent)
		}
	})
}

// Close does not let a read begin that waited for its order.
func TestCloseEndsWaiting(t *testing.T) {
	stalled(t, func(r *rig, a *adapter, log *slow) {
		reads := 0
		a.query = func(context.Context, order.Ref) (order.Report, error) {
			reads++
			return order.Report{}, order.ErrNotFound
		}
		r.venue.plan = plan(trip{lost: true})
		r.submit(limit(1))
		log.on = true
		go func() {
			_ = r.Seen(r.t.Context(), order.Report{Wire: id(limit(1)), VenueID: "9", Status: order.StatusNew})
		}()
		pass(time.Minute) // the read is due
		time.AfterFunc(time.Second, func() { close(log.until) })
		if err := r.Close(); err != nil || reads != 0 {
			r.t.Errorf("Close = %v after %d reads; want none", err, reads)
		}
	})
}

// What an id was used for decides about its second use. If that cannot be read, nobody knows, and nothing is sent.
func TestTwiceAndUnreadable(t *testing.T) {
	for name, load := range map[string]func(string) ([]order.Entry, error){
		"away":   func(string) ([]order.Entry, error) { return nil, errTest },
		"broken": func(string) ([]order.Entry, error) { return []order.Entry{{Data: []byte("{")}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.plan = func(*order.Intent, int) trip { return trip{fill: 100} }
				r.submit(market(1))
				r.restart() // so that only the log knows it
				f := r.Log.(*faulty)
				f.load = load
				other := market(1)
				other.Quantity = "200"
				if o, err := r.Submit(r.t.Context(), other); !errors.Is(err, order.ErrLog) || errors.Is(err, order.ErrExists) || o.Intent.ID != "" {
					r.t.Errorf("Submit = %+v, %v; want %v", o, err, order.ErrLog)
				}
				f.load = nil
				if _, err := r.Submit(r.t.Context(), other); !errors.Is(err, order.ErrReused) {
					r.t.Errorf("Submit = %v; want %v", err, order.ErrReused)
				}
				r.has(id(market(1)), 1)
			}, func(m *order.Machine) { m.Log = &faulty{Log: m.Log} })
		})
	}
}

// mistaken shows another order than the one that was asked for.
type mistaken struct{ listing }

func (m mistaken) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	report, err := m.listing.Query(ctx, r)
	if report.Wire == id(limit(9)) {
		report.Wire, report.VenueID = "x", "x"
	}
	return report, err
}

// A canary counts only if it is the one that was sent out, and is forgotten with its order.
func TestCanariesThatAreNone(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(9))
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		if o := r.done(id(limit(1)), order.Parked); !strings.Contains(o.Why, "showed x") {
			r.t.Errorf("parked because %q; want the wrong canary", o.Why)
		}
	}, func(m *order.Machine) {
		v := m.Adapter.(*venue)
		m.Adapter = mistaken{listing{bare{v}, v, v}}
	})
	bubble(t, fenced, func(r *rig) {
		r.submit(limit(9))
		r.cancelled(limit(9))
		r.venue.plan = func(*order.Intent, int) trip { return trip{fill: 100} }
		r.submit(market(2))
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		if o := r.done(id(limit(1)), order.Parked); !strings.Contains(o.Why, "no other order") {
			r.t.Errorf("parked because %q; want no canary", o.Why)
		}
	}, func(m *order.Machine) {
		v := m.Adapter.(*venue)
		m.Adapter, m.MaxRemember = listing{bare{v}, v, v}, 1
	})
}

// Before Run orders can be looked at, and nothing else.
func TestBeforeRun(t *testing.T) {
	a := &replacing{}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, fenced, func(m *order.Machine) { a.venue = m.Adapter.(*venue); m.Adapter = a })
		r.start()
		r.submit(limit(1))
		r.close()
		r.make(fenced)
		if o, err := r.Get(t.Context(), id(limit(1))); err != nil || o.State != order.Acked {
			t.Errorf("Get = %v, %v; want it acked", o.State, err)
		}
		if _, err := r.ReplaceAtomic(t.Context(), id(limit(1)), limit(2)); !errors.Is(err, order.ErrNotReady) {
			t.Errorf("ReplaceAtomic = %v; want %v", err, order.ErrNotReady)
		}
	})
}

// Two who look the same old order up share it, so that evidence from both of them is judged as one story.
func TestLookUpTogether(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{after: []event{{time.Second, order.StatusCanceled, 0}}})
		r.submit(limit(1))
		r.done(id(limit(1)), order.Canceled)
		vid := r.venue.truth(id(limit(1)))[0].id
		r.restart()
		f := r.Log.(*faulty)
		var loads atomic.Int32
		f.load = func(id string) ([]order.Entry, error) {
			loads.Add(1)
			time.Sleep(time.Second)
			return f.Log.Load(r.t.Context(), r.Scope, id)
		}
		for n := range 2 {
			go func() {
				fill := order.Fill{Key: fmt.Sprint("k", n), Wire: id(limit(1)), VenueID: vid, Quantity: "10"}
				if err := r.SeenFill(r.t.Context(), fill); err != nil {
					r.t.Error(err)
				}
			}()
		}
		pass(2 * time.Second)
		f.load = nil
		if o, err := r.Get(r.t.Context(), id(limit(1))); err != nil || o.Filled != "20" || loads.Load() != 2 {
			r.t.Errorf("filled %s, %v after %d loads; want 20 after 2", o.Filled, err, loads.Load())
		}
	}, func(m *order.Machine) { m.Log = &faulty{Log: m.Log} })
}

// A venue that reads no orders by client id is read by its lists.
func TestQueryUnsupported(t *testing.T) {
	played(t, fenced, func(r *rig, a *adapter) {
		a.query = func(context.Context, order.Ref) (order.Report, error) { return order.Report{}, order.ErrUnsupported }
		r.venue.plan = plan(trip{lost: true})
		r.submit(limit(1))
		if o, err := r.Wait(r.t.Context(), id(limit(1))); err != nil || o.State != order.Acked || o.Spent != 1 {
			r.t.Errorf("the order is %v after %d attempts, %v; want it found in the lists", o.State, o.Spent, err)
		}
	})
}

package order_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

func TestCheck(t *testing.T) {
	m := &order.Machine{Scope: order.Scope{Prefix: "too long"}, Rules: order.Rules{Residual: -1}}
	err := m.Check()
	for _, field := range []string{"Venue", "Account", "Adapter", "Log", "Clock", "Alert", "Owner", "Risk", "Book", "Prefix", "Rules"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+field+": ") {
			t.Errorf("Check = %v; want a complaint about %s", err, field)
		}
	}
	if err := m.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "order machine: Venue: ") {
		t.Errorf("Run = %v; want what Check says", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("Close without Run = %v; want nil", err)
	}
	if _, err := m.Submit(t.Context(), limit(1)); !errors.Is(err, order.ErrNotReady) {
		t.Errorf("Submit without Run = %v; want %v", err, order.ErrNotReady)
	}
	if err := m.Seen(t.Context(), order.Report{}); !errors.Is(err, order.ErrNotReady) {
		t.Errorf("Seen without Run = %v; want %v", err, order.ErrNotReady)
	}
	if _, err := m.Cancel(t.Context(), "x"); !errors.Is(err, order.ErrNotReady) {
		t.Errorf("Cancel without Run = %v; want %v", err, order.ErrNotReady)
	}
	if s := m.Stats(); s != (order.Stats{}) {
		t.Errorf("Stats = %+v; want nothing", s)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, fenced)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		<-r.Ready()
		if err := r.Run(ctx); err == nil {
			t.Error("a second Run = nil; want an error")
		}
		r.venue.plan = plan(trip{lost: true})
		waiting := make(chan error)
		go func() {
			_, err := r.Submit(t.Context(), limit(1))
			waiting <- err
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("Run has returned while an attempt is under way")
		default:
		}
		if err := <-waiting; err != nil {
			t.Errorf("Submit = %v; want its answer awaited", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
		if _, err := r.Wait(t.Context(), id(limit(1))); !errors.Is(err, order.ErrNotReady) {
			t.Errorf("Wait after Run = %v; want %v", err, order.ErrNotReady)
		}
	})
}

// Everything that must hold before a send, one at a time. Nothing is sent, and nothing recorded.
func TestGuards(t *testing.T) {
	guarded := func() order.Intent { i := limit(1); i.Decision, i.GuardBPS = "100", 100; return i }
	for name, test := range map[string]struct {
		break_ func(*rig)
		i      order.Intent
		want   string // empty: it passes
	}{
		"all good":                {func(*rig) {}, guarded(), ""},
		"clock unknown":           {func(r *rig) { r.clock.lose(true) }, limit(1), "the venue's time is not known"},
		"clock too far off":       {func(r *rig) { r.clock.bound = 31 * time.Second }, limit(1), "old; it may be 30s"},
		"market shut":             {func(r *rig) { r.book.shut = errTest }, limit(1), "market of BTC: test"},
		"no quote":                {func(r *rig) { r.book.gone = true }, guarded(), "the book of BTC is not known"},
		"book not synced":         {func(r *rig) { r.book.quote.Synced = false }, market(1), "the book of BTC is not known"},
		"no ask":                  {func(r *rig) { r.book.quote.Ask = "" }, market(1), "the book of BTC is not known"},
		"book too old":            {func(r *rig) { r.book.quote.Age = time.Second }, market(1), "is 1s old"},
		"old book, resting":       {func(r *rig) { r.book.quote.Age = time.Second }, func() order.Intent { i := limit(1); i.PostOnly = true; return i }(), ""},
		"price has moved":         {func(r *rig) { r.book.quote.Ask = "101.01" }, guarded(), "more than 100 bps from 100"},
		"sell looks at the bid":   {func(r *rig) { r.book.quote.Ask = "200" }, func() order.Intent { i := guarded(); i.Side = order.Sell; return i }(), ""},
		"risk":                    {func(r *rig) { r.risk.err = errTest }, limit(1), "risk: test"},
		"risk, reducing":          {func(r *rig) { r.risk.err = errTest }, func() order.Intent { i := limit(1); i.ReduceOnly = true; return i }(), ""},
		"no book, price guard":    {func(r *rig) { r.Book = nil; r.Unguarded = true }, guarded(), "there is no Book"},
		"no book, no guard":       {func(r *rig) { r.Book = nil; r.Risk = nil; r.Unguarded = true }, market(1), ""},
		"banned":                  {func(r *rig) { r.Ban = &ban{until: time.Now().Add(time.Minute)} }, limit(1), "left alone until"},
		"ban is over":             {func(r *rig) { r.Ban = &ban{} }, limit(1), ""},
		"gate refuses":            {func(r *rig) { r.Gates = []retry.Gate{&gate{err: errTest}} }, limit(1), "test"},
		"gate refuses at the end": {func(r *rig) { r.Gates = []retry.Gate{&gate{start: errTest}} }, limit(1), "test"},
		"other gate, reducing":    {func(r *rig) { r.Gates = []retry.Gate{&gate{err: errTest}} }, func() order.Intent { i := market(1); i.ReduceOnly = true; return i }(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, fenced)
				test.break_(r)
				r.start()
				o, err := r.Submit(t.Context(), test.i)
				switch {
				case test.want == "" && (err != nil || o.State != order.Acked):
					t.Errorf("Submit = %v, %v; want it acked", o.State, err)
				case test.want != "" && (!errors.Is(err, order.ErrGuard) || !strings.Contains(err.Error(), test.want)):
					t.Errorf("Submit = %v; want %q", err, test.want)
				case test.want != "" && len(r.venue.sends) > 0:
					t.Error("it was sent")
				}
				r.close()
			})
		})
	}
}

type ban struct {
	mu    sync.Mutex
	until time.Time
}

func (b *ban) Banned() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(b.until) {
		return time.Time{}
	}
	return b.until
}

func (b *ban) set(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = t
}

// gate counts what it is asked, and may refuse.
type gate struct {
	mu       sync.Mutex
	err      error
	start    error
	numbers  []int
	outcomes []retry.Outcome
}

func (g *gate) Admit(_ context.Context, a *retry.Attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.numbers = append(g.numbers, a.Number)
	return g.err
}

func (g *gate) Start(context.Context, *retry.Attempt) error { return g.start }

func (g *gate) Settle(_ *retry.Attempt, o *retry.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.outcomes = append(g.outcomes, *o)
}

// Gates hear how each attempt ended, once, and the number is that of the intent.
func TestGatesAreSettled(t *testing.T) {
	first, last := &gate{}, &gate{}
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{vanish: true}, trip{unsent: true}, trip{refuse: &exchange.Verdict{Outcome: exchange.NotPlaced, Class: retry.Permanent, Meaning: exchange.Invalid}})
		r.submit(old(limit(1)))
		r.done(id(limit(1)), order.Abandoned)
		last.err = errTest
		if _, err := r.Submit(r.t.Context(), limit(2)); !errors.Is(err, errTest) && !errors.Is(err, order.ErrGuard) {
			r.t.Errorf("Submit = %v; want %v", err, order.ErrGuard)
		}
		r.venue.plan, last.err = nil, nil
		r.submit(limit(3))
		var states []retry.State
		var classes []retry.Class
		for _, o := range first.outcomes {
			states, classes = append(states, o.State), append(classes, o.Class)
		}
		want := []retry.State{retry.Failed, retry.Failed, retry.Failed, retry.NotStarted, retry.Succeeded}
		if len(states) != len(want) {
			r.t.Fatalf("settled as %v; want %v", states, want)
		}
		for i := range want {
			if states[i] != want[i] {
				r.t.Errorf("settled as %v; want %v", states, want)
				break
			}
		}
		if classes[0] != retry.Ambiguous || classes[1] != retry.Transient || classes[2] != retry.Permanent {
			r.t.Errorf("classes %v; want ambiguous, transient, permanent", classes)
		}
		if n := first.numbers; len(n) != 5 || n[0] != 1 || n[1] != 2 || n[2] != 3 || n[3] != 1 {
			r.t.Errorf("numbers %v; want 1, 2, 3, 1, 1", n)
		}
	}, func(m *order.Machine) { m.Gates = []retry.Gate{first, last} })
}

// What the venue refuses ends as its class says.
func TestRefusals(t *testing.T) {
	refusal := func(m exchange.Meaning) *exchange.Verdict {
		return &exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: m, Status: 400, Code: "-1", Message: "no"}
	}
	for name, test := range map[string]struct {
		first, second *exchange.Verdict
		want          order.State
		spent, syncs  int
	}{
		"for good":              {refusal(exchange.InsufficientFunds), nil, order.Rejected, 1, 0},
		"rate":                  {refusal(exchange.RateLimited), nil, order.Acked, 2, 0},
		"load":                  {refusal(exchange.Overloaded), nil, order.Acked, 2, 0},
		"clock, once":           {refusal(exchange.ClockOff), nil, order.Acked, 2, 1},
		"clock, twice":          {refusal(exchange.ClockOff), refusal(exchange.ClockOff), order.Rejected, 2, 1},
		"rate, then for good":   {refusal(exchange.RateLimited), refusal(exchange.Invalid), order.Rejected, 2, 0},
		"after doubt, for good": {&exchange.Verdict{Outcome: exchange.Unknown}, refusal(exchange.Invalid), order.Abandoned, 2, 0},
		"after doubt, rate":     {&exchange.Verdict{Outcome: exchange.Unknown}, refusal(exchange.RateLimited), order.Acked, 3, 0},
		"5xx without effect":    {&exchange.Verdict{Outcome: exchange.Unknown, Status: 502}, nil, order.Acked, 2, 0},
		"half, on a plain one":  {&exchange.Verdict{Outcome: exchange.Partial}, nil, order.Acked, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				trips := []trip{{refuse: test.first}}
				if test.second != nil {
					trips = append(trips, trip{refuse: test.second})
				}
				r.venue.plan = plan(trips...)
				r.submit(old(limit(1)))
				time.Sleep(time.Minute)
				o := r.state(id(limit(1)), test.want)
				if o.Spent != test.spent || r.clock.syncs != test.syncs {
					r.t.Errorf("%d attempts, %d looks at the clock; want %d, %d", o.Spent, r.clock.syncs, test.spent, test.syncs)
				}
				if test.want == order.Rejected && !strings.Contains(o.Why, "no") {
					r.t.Errorf("why is %q; want what the venue said", o.Why)
				}
			})
		})
	}
}

// Attempts that sent nothing cost nothing, but not for ever.
func TestNothingSent(t *testing.T) {
	bubble(t, fenced, func(r *rig) {
		r.venue.plan = plan(trip{unsent: true}, trip{unsent: true}, trip{unsent: true}, trip{unsent: true})
		if o := r.submit(old(limit(1))); o.State != order.Recorded || o.Spent != 0 {
			r.t.Errorf("the order is %v after %d attempts; want it to be sent", o.State, o.Spent)
		}
		if o, err := r.Wait(r.t.Context(), id(limit(1))); err != nil || o.State != order.Acked || o.Spent != 1 || len(o.Attempts) != 5 {
			r.t.Errorf("the order is %+v, %v; want it acked", o, err)
		}
		r.venue.plan = func(*order.Intent, int) trip { return trip{unsent: true} }
		r.submit(old(limit(2)))
		if o := r.done(id(limit(2)), order.Abandoned); len(o.Attempts) != 7 || !strings.Contains(o.Why, "7 attempts have sent nothing") {
			r.t.Errorf("given up after %d attempts: %s; want 7", len(o.Attempts), o.Why)
		}
		young := limit(3)
		young.MaxAge = time.Second
		r.submit(young)
		if o := r.done(id(young), order.Abandoned); !strings.Contains(o.Why, "old") {
			r.t.Errorf("given up because %q; want its age", o.Why)
		}
	}, func(m *order.Machine) { m.MaxIdleSends = 7 })
}

// Absence leads to no resend where a check, the rules or the number of attempts forbid it.
func TestNoResend(t *testing.T) {
	never, resting := fenced, fenced
	never.Resend, resting.ResendTaking = order.ResendNever, false
	young := limit(1)
	young.MaxAge = 5 * time.Second
	once := old(limit(1))
	once.MaxAttempts = 1
	for name, test := range map[string]struct {
		rules order.Rules
		i     order.Intent
		after func(*rig)
		want  string
	}{
		"rules":          {never, old(limit(1)), nil, "permit no resend"},
		"rules, taking":  {resting, old(market(1)), nil, "permit no resend"},
		"age":            {fenced, young, nil, "old"},
		"attempts":       {fenced, once, nil, "all 1 attempts are spent"},
		"risk":           {fenced, old(limit(1)), func(r *rig) { r.risk.refuse(errTest) }, "risk: test"},
		"book is gone":   {fenced, old(market(1)), func(r *rig) { r.book.set(order.Quote{}) }, "book of BTC"},
		"no risk to ask": {fenced, old(limit(1)), nil, "without a Risk"},
		"wanted no more": {fenced, old(limit(1)), func(r *rig) { _, _ = r.Cancel(r.t.Context(), id(limit(1))) }, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, test.rules, func(r *rig) {
				r.venue.plan = plan(trip{vanish: true})
				r.submit(test.i)
				if test.after != nil {
					test.after(r)
				}
				o := r.done(id(test.i), order.Abandoned)
				if !strings.Contains(o.Why, test.want) || r.Stats().GuardTrips != 1 || len(r.venue.sends) != 1 {
					r.t.Errorf("given up because %q, %d trips; want %q", o.Why, r.Stats().GuardTrips, test.want)
				}
			}, func(m *order.Machine) {
				if name == "no risk to ask" {
					m.Risk, m.Unguarded = nil, true
				}
			})
		})
	}
}

// Each of the six conditions of absence, broken alone, parks the order instead.
func TestProofNeedsAll(t *testing.T) {
	fails := func(what string) func(*rig) {
		return func(r *rig) {
			r.venue.read = func(w string) error {
				if w == what {
					return errNetwork
				}
				return nil
			}
		}
	}
	gap := func(then func(*rig)) func(*rig) {
		return func(r *rig) { r.stream.gaps = true; then(r) }
	}
	for name, test := range map[string]struct {
		after func(*rig)
		i     order.Intent
		want  string
	}{
		"reads fail":             {fails("query"), old(limit(1)), "connection reset"},
		"the clock is lost":      {func(r *rig) { r.clock.lose(true) }, old(limit(1)), "the venue's time is not known"},
		"fills fail":             {fails("fills"), old(market(1)), "the fills: connection reset"},
		"holding fails":          {fails("holding"), old(market(1)), "the holding: connection reset"},
		"holding has moved":      {func(r *rig) { r.venue.mu.Lock(); r.venue.base = "-5"; r.venue.mu.Unlock() }, old(market(1)), "without the order it would hold 0"},
		"holding is no number":   {func(r *rig) { r.venue.mu.Lock(); r.venue.base = "x.5"; r.venue.mu.Unlock() }, old(market(1)), "the holding: "},
		"gap, and no lists":      {gap(fails("open")), old(limit(1)), "the lists of orders: connection reset"},
		"gap, and half the list": {gap(fails("finished")), old(limit(1)), "the lists of orders: connection reset"},
		"gap, and no fills":      {gap(fails("fills")), old(limit(1)), "the fills: connection reset"},
		"canary":                 {fails("canary"), old(limit(1)), "the canary: connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.plan = plan(trip{vanish: true})
				r.submit(test.i)
				test.after(r)
				o := r.done(id(test.i), order.Parked)
				if !strings.Contains(o.Why, test.want) || len(r.venue.sends) != 1 {
					r.t.Errorf("parked because %q; want %q", o.Why, test.want)
				}
				r.clock.lose(false)
				if r.alarms.count(order.AlarmParked) != 1 {
					r.t.Error("there is no alarm")
				}
				if s := r.Stats(); s.Parked != 1 || s.OldestUnknown.IsZero() || s.EverParked != 1 {
					r.t.Errorf("Stats = %+v; want one parked", s)
				}
			})
		})
	}
}

// bare is a venue that offers only what each must.
type bare struct{ v *venue }

func (b bare) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	return b.v.Place(ctx, o)
}
func (b bare) Query(ctx context.Context, r order.Ref) (order.Report, error) { return b.v.Query(ctx, r) }
func (b bare) Cancel(ctx context.Context, r order.Ref, c string) error      { return b.v.Cancel(ctx, r, c) }

func TestBareVenue(t *testing.T) {
	plain := func(m *order.Machine) { m.Adapter = bare{m.Adapter.(*venue)} }
	bubble(t, fenced, func(r *rig) { // no other order is known to exist
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(limit(1)))
		if o := r.done(id(limit(1)), order.Parked); !strings.Contains(o.Why, "the adapter knows none") {
			r.t.Errorf("parked because %q", o.Why)
		}
	}, plain)
	for name, test := range map[string]struct {
		rules order.Rules
		after func(*rig)
		want  order.State
		why   string
	}{
		"an order of its own is the canary": {fenced, func(*rig) {}, order.Acked, ""},
		"which is done":                     {fenced, func(r *rig) { r.cancelled(limit(9)) }, order.Acked, ""},
		"which the query does not show":     {func() order.Rules { u := fenced; u.QueryClosed = false; return u }(), func(r *rig) {}, order.Parked, "cannot be listed"},
		"which the venue does not find": {fenced, func(r *rig) {
			r.venue.mu.Lock()
			r.venue.orders = nil
			r.venue.mu.Unlock()
		}, order.Parked, "exists: the venue says that it has no such order"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, test.rules, func(r *rig) {
				r.submit(limit(9))
				r.venue.plan = plan(trip{vanish: true})
				r.submit(old(limit(1)))
				test.after(r)
				time.Sleep(3 * time.Minute)
				if o := r.state(id(limit(1)), test.want); !strings.Contains(o.Why, test.why) {
					r.t.Errorf("because %q; want %q", o.Why, test.why)
				}
			}, plain)
		})
	}
	bubble(t, fenced, func(r *rig) { // what could fill needs fills and holdings
		r.submit(limit(9))
		r.venue.plan = plan(trip{vanish: true})
		r.submit(old(market(1)))
		if o := r.done(id(market(1)), order.Parked); !strings.Contains(o.Why, "fills cannot be read") {
			r.t.Errorf("parked because %q", o.Why)
		}
		if _, err := r.Amend(r.t.Context(), id(limit(9)), "200", ""); !errors.Is(err, order.ErrUnsupported) {
			r.t.Errorf("Amend = %v; want %v", err, order.ErrUnsupported)
		}
		if _, err := r.ReplaceAtomic(r.t.Context(), id(limit(9)), limit(10)); !errors.Is(err, order.ErrUnsupported) {
			r.t.Errorf("ReplaceAtomic = %v; want %v", err, order.ErrUnsupported)
		}
	}, plain)
}

// cancelled cancels an order, and waits for its end.
func (r *rig) cancelled(i order.Intent) {
	r.t.Helper()
	if _, err := r.Cancel(r.t.Context(), id(i)); err != nil {
		r.t.Error(err)
	}
	r.done(id(i), order.Canceled)
}

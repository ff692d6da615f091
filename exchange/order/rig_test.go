package order_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// clock is a venue's clock that is off by a known offset.
type clock struct {
	mu    sync.Mutex
	skew  time.Duration
	bound time.Duration
	lost  bool
	syncs int
}

func (c *clock) Venue() (time.Time, time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skew), c.bound, !c.lost
}

func (c *clock) Sync(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.syncs++
	return nil
}

func (c *clock) lose(lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = lost
}

// alarms remembers what was raised.
type alarms struct {
	mu   sync.Mutex
	list []order.Alarm
}

func (a *alarms) Raise(_ context.Context, x order.Alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, x)
}

func (a *alarms) count(k order.AlarmKind) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range a.list {
		if x.Kind == k {
			n++
		}
	}
	return n
}

// book and risk let everything pass, until told otherwise.
type book struct {
	mu    sync.Mutex
	quote order.Quote
	gone  bool
	shut  error
}

func (b *book) Quote(string) (order.Quote, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.quote, !b.gone
}

func (b *book) Open(string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut
}

func (b *book) set(q order.Quote) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quote = q
}

type risk struct {
	mu    sync.Mutex
	err   error
	asked []int
	wait  time.Duration
}

func (r *risk) Permit(_ context.Context, _ *order.Intent, attempt int) error {
	time.Sleep(r.wait)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, attempt)
	return r.err
}

func (r *risk) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// stream is a private stream with or without gaps.
type stream struct{ gaps bool }

func (s *stream) Gapless(time.Time) bool { return !s.gaps }

// A rig is a machine with a venue, for tests.
type rig struct {
	*order.Machine
	t       *testing.T
	venue   *venue
	log     order.Log
	account string
	clock   *clock
	alarms  *alarms
	book    *book
	risk    *risk
	stream  *stream
	ended   chan error
	live    atomic.Pointer[order.Machine]
	before  func(*order.Machine)
}

// fenced are rules like those of Binance with a window of 1 s.
var fenced = order.Rules{
	Venue: "venue", Fence: true, Residual: 10 * time.Second, Resend: order.ResendAfterProof, ResendTaking: true, QueryClosed: true,
	AckIsEngine: true, AmendKeepID: true,
}

func newRig(t *testing.T, rules order.Rules, change ...func(*order.Machine)) *rig {
	r := &rig{
		t: t, clock: &clock{}, alarms: &alarms{}, risk: &risk{}, stream: &stream{},
		book:  &book{quote: order.Quote{Bid: "99", Ask: "101", Synced: true}},
		venue: &venue{window: time.Second, dedupe: exchange.DedupeOpenOnly},
	}
	r.log, r.account = newLog()
	r.before = func(m *order.Machine) {
		for _, c := range change {
			c(m)
		}
	}
	r.make(rules)
	return r
}

func (r *rig) make(rules order.Rules) {
	r.Machine = &order.Machine{
		Scope: order.Scope{Venue: "venue", Account: r.account, Prefix: "A1"}, Adapter: r.venue, Log: r.log, Rules: rules, Clock: r.clock,
		Alert: r.alarms, Owner: "one", Risk: r.risk, Book: r.book, Stream: r.stream,
	}
	r.before(r.Machine)
	r.live.Store(r.Machine)
	r.venue.desk.Store(r.Machine)
}

// start runs the machine, and waits until it takes orders.
func (r *rig) start() *rig {
	r.t.Helper()
	r.ended = make(chan error, 1)
	m := r.Machine
	go func() { r.ended <- m.Run(context.Background()) }()
	select {
	case <-m.Ready():
	case err := <-r.ended:
		r.t.Fatalf("Run = %v; want it to run", err)
	}
	return r
}

// close stops the machine.
func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Errorf("Close = %v; want nil", err)
	}
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run = %v; want nil", err)
	}
	synctest.Wait()
}

// restart stands for a crash, or an orderly restart, and a new process with the same log.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.make(r.Rules)
	r.start()
}

// limit returns an intent to buy that rests.
func limit(n uint64) order.Intent {
	return order.Intent{Strategy: "s", Counter: n, Terms: order.Terms{
		Symbol: "BTC", Side: order.Buy, Type: order.Limit, Quantity: "100", Price: "90",
	}}
}

// market returns an intent that fills at once.
func market(n uint64) order.Intent {
	return order.Intent{Strategy: "s", Counter: n, Terms: order.Terms{
		Symbol: "BTC", Side: order.Buy, Type: order.Market, Quantity: "100",
	}}
}

// old lets an intent be sent for minutes.
func old(i order.Intent) order.Intent { i.MaxAge = 10 * time.Minute; return i }

func id(i order.Intent) string { return order.NewID("A1", i.Strategy, i.Counter) }

func (r *rig) submit(i order.Intent) order.Order {
	r.t.Helper()
	o, err := r.Submit(r.t.Context(), i)
	if err != nil {
		r.t.Errorf("Submit = %v; want nil", err)
	}
	return o
}

// state complains unless the order is as it should be.
func (r *rig) state(id string, want order.State) order.Order {
	r.t.Helper()
	o, err := r.Get(r.t.Context(), id)
	if err != nil || o.State != want {
		r.t.Errorf("order %s is %v (%s), %v; want %v", id, o.State, o.Why, err, want)
	}
	return o
}

// one complains unless the venue has so many orders of an intent.
func (r *rig) has(id string, n int) {
	r.t.Helper()
	if got := len(r.venue.truth(id)); got != n {
		r.t.Errorf("the venue has %d orders of %s; want %d", got, id, n)
	}
}

// bubble runs a test with a rig, in virtual time.
func bubble(t *testing.T, rules order.Rules, test func(*rig), change ...func(*order.Machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rules, change...)
		r.start()
		test(r)
		r.close()
	})
}

// plan gives the nth attempt of any order the nth trip; later ones are plain.
func plan(trips ...trip) func(*order.Intent, int) trip {
	return func(_ *order.Intent, n int) trip {
		if n <= len(trips) {
			return trips[n-1]
		}
		return trip{}
	}
}

var errTest = errors.New("test")

func entries(r *rig, id string) (list []string) {
	es, err := r.log.Load(r.t.Context(), r.Scope, id)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range es {
		list = append(list, fmt.Sprintf("%s %s", e.Kind, e.Data))
	}
	return list
}

// pass lets time pass, and orders what the machine's goroutines did before what the test does next.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

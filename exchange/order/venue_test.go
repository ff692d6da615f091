package order_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/retry"
)

// A trip is what becomes of one request to place an order.
type trip struct {
	unsent  bool          // the dial fails
	in      time.Duration // on the way to the gateway
	queue   time.Duration // from the gateway to the engine
	vanish  bool          // the engine never gets it
	lost    bool          // the answer
	slow    time.Duration // until the answer leaves the venue
	late    bool          // a request behind its deadline gets a clock error rather than silence
	refuse  *exchange.Verdict
	honours bool    // takes a request behind its deadline, against the rule
	fill    int     // percent of the quantity that fills on arrival
	after   []event // what happens to the order later
	quiet   bool    // the answer says only "accepted"
	answer  *order.Report
	verdict *exchange.Verdict
}

// An event is a change of an order at the venue, some time after it was made.
type event struct {
	after  time.Duration
	status order.Status
	fill   int // percent of the quantity, on top
}

// A change is what an order looked like from a moment on.
type change struct {
	at       time.Time
	status   order.Status
	executed order.Decimal
	fills    int
	terms    order.Terms
}

// A held order is one at the venue.
type held struct {
	wire, id string
	intended order.Decimal // as sent
	created  time.Time
	changes  []change
	fills    []order.Fill
}

func (h *held) now() *change { return &h.changes[len(h.changes)-1] }

// at returns what a reader sees whose replica lags; nil if nothing yet.
func (h *held) at(t time.Time) *change {
	for i := range slices.Backward(h.changes) {
		if !h.changes[i].at.After(t) {
			return &h.changes[i]
		}
	}
	return nil
}

func closed(s order.Status) bool {
	return s == order.StatusFilled || s == order.StatusCanceled || s == order.StatusExpired || s == order.StatusRejected
}

// A sending is what the venue's side of the wire saw.
type sending struct {
	wire    string
	at      time.Time
	created time.Time
	maxAge  time.Duration
	known   bool // the machine had been told before that the order exists
}

// venue is a small exchange with its own truth, for tests. It carries requests to the desk as a transport would.
type venue struct {
	desk   atomic.Pointer[order.Machine]
	dedupe exchange.Dedupe
	blind  bool          // the query sees open orders only
	window time.Duration // of requests; 0 sets no deadline
	client time.Duration // timeout of the client
	plan   func(o *order.Intent, n int) trip
	lag    func() time.Duration
	read   func(what string) error // fails a read
	stream func(r order.Report)    // told of each change, in its own goroutine
	skew   time.Duration           // of the venue's clock
	ahead  time.Duration           // of the clock that signs
	base   order.Decimal           // what the account held at first
	bare   bool                    // no desk
	lie    time.Duration           // what the desk is told instead of window
	grant  func()                  // called between the rate limit and the desk
	forget bool                    // loses every second fill from what it shows
	spot   bool                    // symbols are such as BTC/USD, and holdings are balances
	fee    order.Decimal           // of each fill
	feeIn  string                  // asset; empty: it is taken of what is bought, and not told

	mu       sync.Mutex
	index    index           // guarded by mu, as is all below
	orders   []*held         // guarded by mu, as is all below
	sends    []sending       // that the desk let go
	told     map[string]bool // by client id: the machine has been shown the order
	tries    map[string]int  // by client id
	cancels  map[string]int  // by client id
	trades   int
	cancelAs *exchange.Verdict // what cancels are answered with
	amendAs  func(t order.Terms) (apply bool, v exchange.Verdict)
	banned   time.Time
}

func (v *venue) time() time.Time { return time.Now().Add(v.skew) }

// Place is of [order.Venue], as are the methods below.
func (v *venue) Place(ctx context.Context, o *order.Intent) (order.Report, error) {
	return v.carry(ctx, o, exchange.Order)
}

func (v *venue) carry(ctx context.Context, o *order.Intent, k exchange.Kind) (order.Report, error) {
	s := &exchange.Sending{Venue: "venue", Kind: k, Account: "main", Symbol: o.Symbol, ClientID: o.Wire, Signed: v.time().Add(v.ahead), Hash: [32]byte{1}}
	if v.window > 0 {
		s.Deadline = s.Signed.Add(v.window)
	}
	if v.grant != nil {
		v.grant()
	}
	if !v.bare {
		shown := *s
		if v.lie > 0 {
			shown.Deadline = s.Signed.Add(v.lie)
		}
		if err := v.desk.Load().Begin(ctx, &shown); err != nil {
			return order.Report{}, err
		}
	}
	v.mu.Lock()
	if v.tries == nil {
		v.tries, v.told, v.cancels = make(map[string]int), make(map[string]bool), make(map[string]int)
	}
	v.tries[o.Wire]++
	n := v.tries[o.Wire]
	v.sends = append(v.sends, sending{o.Wire, v.time(), o.Created, o.MaxAge, v.told[o.Wire]})
	v.mu.Unlock()
	t := trip{}
	if v.plan != nil {
		t = v.plan(o, n)
	}
	verdict := exchange.Verdict{Kind: k, Outcome: exchange.Unknown, Err: errTimeout}
	var r order.Report
	err := error(errTimeout)
	if t.unsent {
		verdict, err = exchange.Verdict{Kind: k, Outcome: exchange.NotSent, Class: retry.Transient, Err: errDial}, errDial
	} else {
		r, verdict, err = v.wait(ctx, v.dispatch(o, s, t), k)
	}
	if !v.bare {
		v.desk.Load().End(ctx, s, &verdict)
	}
	if err == nil {
		v.tell(o.Wire)
	}
	return r, err
}

var (
	errTimeout = errors.New("client timeout")
	errDial    = errors.New("connection refused")
	errRefused = errors.New("refused")
	errNetwork = errors.New("connection reset")
)

func (v *venue) answerCancels(as *exchange.Verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cancelAs = as
}

func (v *venue) tell(wire string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told == nil {
		v.told = make(map[string]bool)
	}
	v.told[wire] = true
}

type result struct {
	r order.Report
	v exchange.Verdict
}

func (v *venue) wait(ctx context.Context, c <-chan result, k exchange.Kind) (order.Report, exchange.Verdict, error) {
	patience := v.client
	if patience == 0 {
		patience = 2 * time.Second
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-c:
		got.v.Kind = k
		if got.v.Outcome != exchange.Exists {
			return order.Report{}, got.v, errRefused
		}
		return got.r, got.v, nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return order.Report{}, exchange.Verdict{Kind: k, Outcome: exchange.Unknown, Err: errTimeout}, errTimeout
}

// dispatch sends a request on its way, and returns where the answer comes, if it comes.
func (v *venue) dispatch(o *order.Intent, s *exchange.Sending, t trip) <-chan result {
	c := make(chan result, 1)
	reply := func(r result) {
		if !t.lost {
			time.AfterFunc(t.slow, func() { c <- r })
		}
	}
	time.AfterFunc(t.in, func() {
		if !s.Deadline.IsZero() && v.time().After(s.Deadline) && !t.honours {
			if t.late {
				reply(result{v: exchange.Verdict{Outcome: exchange.NotPlaced, Meaning: exchange.ClockOff, Status: 400, Code: "-1021"}})
			}
			return
		}
		if t.refuse != nil {
			reply(result{v: *t.refuse})
			return
		}
		time.AfterFunc(t.queue, func() {
			if t.vanish {
				return
			}
			reply(v.accept(o, t))
		})
	})
	return c
}

// accept is the engine.
func (v *venue) accept(o *order.Intent, t trip) result {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range v.of(o.Wire) {
		open := !closed(h.now().status)
		switch {
		case v.dedupe == exchange.DedupeReturns:
			return result{v.show(h, h.now()), exchange.Verdict{Outcome: exchange.Exists, Status: 200}}
		case v.dedupe == exchange.DedupeAlways, v.dedupe == exchange.DedupeOpenOnly && open:
			return result{v: exchange.Verdict{Outcome: exchange.Existed, Meaning: exchange.DuplicateID, Status: 400, Code: "-2010"}}
		}
	}
	h := &held{wire: o.Wire, id: fmt.Sprint(1000 + len(v.orders)), intended: o.Quantity, created: v.time()}
	h.changes = []change{{time.Now(), order.StatusNew, "", 0, o.Terms}}
	v.orders = append(v.orders, h)
	first := event{fill: t.fill}
	v.alter(h, first)
	for _, e := range t.after {
		time.AfterFunc(e.after, func() {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.alter(h, e)
		})
	}
	r := v.show(h, h.now())
	if t.quiet {
		r = order.Report{Wire: h.wire, VenueID: h.id, Status: order.StatusAccepted}
	}
	if t.answer != nil {
		r = *t.answer
	}
	verdict := exchange.Verdict{Outcome: exchange.Exists, Status: 200, OrderID: h.id, EchoID: h.wire}
	if t.verdict != nil {
		verdict = *t.verdict
	}
	return result{r, verdict}
}

// alter changes an order. It needs mu.
func (v *venue) alter(h *held, e event) {
	last := h.now()
	if closed(last.status) {
		return
	}
	next := *last
	next.at = time.Now()
	if e.fill > 0 {
		q := percent(last.terms.Quantity, e.fill)
		if left := last.terms.Quantity.Sub(last.executed); q.Cmp(left) > 0 {
			q = left
		}
		v.trades++
		h.fills = append(h.fills, order.Fill{
			Key: fmt.Sprint("t", v.trades), Wire: h.wire, VenueID: h.id, Symbol: last.terms.Symbol, Side: last.terms.Side,
			Quantity: q, Price: "100", Fee: v.fee, FeeAsset: v.feeIn, At: v.time(),
		})
		next.fills++
		next.executed = last.executed.Add(q)
		next.status = order.StatusPartial
		if next.executed == last.terms.Quantity {
			next.status = order.StatusFilled
		}
		next.executed = last.executed.Add(q)
	}
	if e.status != "" && next.status != order.StatusFilled {
		next.status = e.status
	}
	h.changes = append(h.changes, next)
	if v.stream != nil {
		r := v.show(h, h.now())
		go v.stream(r)
	}
}

func percent(d order.Decimal, p int) order.Decimal {
	sum := order.Decimal("")
	for range p {
		sum = sum.Add(d)
	}
	if sum == "" {
		return ""
	}
	whole := string(sum) // quantities in tests are whole hundreds
	return order.Decimal(whole[:len(whole)-2])
}

// show says what an order looked like.
func (v *venue) show(h *held, c *change) order.Report {
	return order.Report{
		Wire: h.wire, VenueID: h.id, Status: c.status, Terms: c.terms, Executed: c.executed, Created: h.created, At: c.at,
		Fills: v.dropped(slices.Clone(h.fills[:c.fills])),
	}
}

// dropped loses fills, as a wrong adapter does.
func (v *venue) dropped(list []order.Fill) []order.Fill {
	if v.forget {
		list = slices.DeleteFunc(list, func(f order.Fill) bool { return f.Key[len(f.Key)-1]%2 == 0 })
	}
	return list
}

// look begins a read.
func (v *venue) look(ctx context.Context, what string) (time.Time, error) {
	time.Sleep(10 * time.Millisecond)
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	if v.read != nil {
		if err := v.read(what); err != nil {
			return time.Time{}, err
		}
	}
	seen := time.Now()
	if v.lag != nil {
		seen = seen.Add(-v.lag())
	}
	return seen, nil
}

func (v *venue) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	seen, err := v.look(ctx, "query")
	if err != nil {
		return order.Report{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range slices.Backward(v.of(r.Wire)) {
		if c := h.at(seen); c != nil && !(v.blind && closed(c.status)) {
			if v.told == nil {
				v.told = make(map[string]bool)
			}
			v.told[r.Wire] = true
			shown := v.show(h, c)
			shown.Fills = nil
			return shown, nil
		}
	}
	return order.Report{}, order.ErrNotFound
}

func (v *venue) list(ctx context.Context, what, symbol string, want func(*held, *change) bool) ([]order.Report, error) {
	seen, err := v.look(ctx, what)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []order.Report
	for _, h := range v.in(symbol) {
		if c := h.at(seen); c != nil && want(h, c) {
			r := v.show(h, c)
			r.Fills = nil
			list = append(list, r)
		}
	}
	return list, nil
}

func (v *venue) Open(ctx context.Context, symbol string) ([]order.Report, error) {
	return v.list(ctx, "open", symbol, func(_ *held, c *change) bool { return !closed(c.status) })
}

func (v *venue) Finished(ctx context.Context, symbol string, since time.Time) ([]order.Report, error) {
	return v.list(ctx, "finished", symbol, func(_ *held, c *change) bool { return closed(c.status) && !c.at.Add(v.skew).Before(since) })
}

func (v *venue) Fills(ctx context.Context, symbol string, since time.Time) ([]order.Fill, error) {
	seen, err := v.look(ctx, "fills")
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []order.Fill
	for _, h := range v.in(symbol) {
		for _, f := range h.fills {
			if !f.At.Before(since) && !f.At.Add(-v.skew).After(seen) {
				list = append(list, f)
			}
		}
	}
	return v.dropped(list), nil
}

func (v *venue) Holding(ctx context.Context, symbol string, fresh bool) (order.Decimal, error) {
	if fresh {
		if _, err := v.look(ctx, "holding"); err != nil {
			return "", err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := v.base
	base, _ := v.pair(symbol)
	orders := v.orders
	if !v.spot {
		orders = v.in(symbol)
	}
	for _, h := range orders {
		for _, f := range h.fills {
			of, quote := v.pair(f.Symbol)
			q, paid := f.Quantity, f.Quantity+"00" // at a price of 100; quantities in tests are whole
			if f.Side == order.Sell {
				q, paid = order.Decimal("").Sub(q), order.Decimal("").Sub(paid)
			}
			switch {
			case !v.spot, base == of:
				sum = sum.Add(q)
			case base == quote:
				sum = sum.Sub(paid)
			}
			if v.spot && (base == f.FeeAsset || f.FeeAsset == "" && base == of) {
				sum = sum.Sub(f.Fee)
			}
		}
	}
	return sum, nil
}

// pair splits a symbol of a spot market.
func (v *venue) pair(symbol string) (base, quote string) {
	base, quote, _ = strings.Cut(symbol, "/")
	return base, quote
}

// Assets is of [order.Custodian].
func (v *venue) Assets(_ context.Context, symbol string) (base, quote string, err error) {
	if !v.spot {
		return "", "", nil
	}
	base, quote = v.pair(symbol)
	return base, quote, nil
}

func (v *venue) Canary(ctx context.Context, _ string) error {
	_, err := v.look(ctx, "canary")
	return err
}

func (v *venue) Cancel(ctx context.Context, r order.Ref, command string) error {
	s := &exchange.Sending{Kind: exchange.Cancel, ClientID: command, Symbol: r.Symbol}
	if err := v.desk.Load().Begin(ctx, s); err != nil {
		return err
	}
	time.Sleep(10 * time.Millisecond)
	verdict := exchange.Verdict{Outcome: exchange.Unchanged, Meaning: exchange.AlreadyDone}
	err := errRefused
	v.mu.Lock()
	if v.cancels == nil {
		v.cancels = make(map[string]int)
	}
	v.cancels[r.Wire]++
	if v.cancelAs != nil {
		verdict = *v.cancelAs
	} else {
		for _, h := range v.of(r.Wire) {
			if !closed(h.now().status) {
				v.alter(h, event{status: order.StatusCanceled})
				verdict, err = exchange.Verdict{Outcome: exchange.NoOrder}, nil
			}
		}
	}
	v.mu.Unlock()
	v.desk.Load().End(ctx, s, &verdict)
	return err
}

func (v *venue) Amend(ctx context.Context, r order.Ref, command string, t order.Terms) (order.Report, error) {
	s := &exchange.Sending{Kind: exchange.Amend, ClientID: command, Symbol: r.Symbol}
	if v.window > 0 {
		s.Deadline = v.time().Add(v.window)
	}
	if err := v.desk.Load().Begin(ctx, s); err != nil {
		return order.Report{}, err
	}
	apply, verdict := true, exchange.Verdict{Outcome: exchange.Exists, Status: 200}
	if v.amendAs != nil {
		apply, verdict = v.amendAs(t)
	}
	var report order.Report
	err := errRefused
	v.mu.Lock()
	for _, h := range v.of(r.Wire) {
		if apply && !closed(h.now().status) {
			next := *h.now()
			next.at, next.terms = time.Now(), t
			h.changes = append(h.changes, next)
			report = v.show(h, h.now())
		}
	}
	v.mu.Unlock()
	v.desk.Load().End(ctx, s, &verdict)
	if verdict.Outcome == exchange.Exists {
		err = nil
	}
	return report, err
}

// truth returns what the venue has under a client id.
func (v *venue) truth(wire string) []*held {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.of(wire))
}

// An index finds orders, so that the cost of one does not grow with those before it.
type index struct {
	done             int // orders that are in it
	byWire, bySymbol map[string][]*held
}

// indexed brings the index up to date. It needs mu.
func (v *venue) indexed() *index {
	x := &v.index
	if x.byWire == nil || x.done > len(v.orders) {
		*x = index{byWire: make(map[string][]*held), bySymbol: make(map[string][]*held)}
	}
	for _, h := range v.orders[x.done:] {
		symbol := h.now().terms.Symbol
		x.byWire[h.wire], x.bySymbol[symbol] = append(x.byWire[h.wire], h), append(x.bySymbol[symbol], h)
	}
	x.done = len(v.orders)
	return x
}

func (v *venue) of(wire string) []*held   { return v.indexed().byWire[wire] }
func (v *venue) in(symbol string) []*held { return v.indexed().bySymbol[symbol] }

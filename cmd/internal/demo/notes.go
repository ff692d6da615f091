package demo

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/exchange/order"
)

// notes are what the demo writes down of itself while it trades, by this machine's clock, for the oracle to compare with the
// venue's own log.
type notes struct {
	mu       sync.Mutex
	by       map[string]*note // by intent; guarded by mu, as is all below
	attempts []venue.AttemptReport
	halts    []venue.HaltReport
	halted   bool // the last of halts goes on
	books    []venue.BookReport
}

// A note is about one intent.
type note struct {
	created  time.Time // just before it went to the log
	evidence time.Time // when it was first known that the venue has it
	settled  time.Time
	doubted  time.Time // when its answer was lost
	lost     int       // answers
	why      string    // the last one was lost
	absent   []time.Time
	alert    string // what a person was told
	refused  string // why it was never sent
	state    order.State
}

// of needs mu.
func (n *notes) of(id string) *note {
	x := n.by[id]
	if x == nil {
		if n.by == nil {
			n.by = map[string]*note{}
		}
		x = &note{}
		n.by[id] = x
	}
	return x
}

// A journal is the log of orders; it notes what became durable.
type journal struct {
	order.Log
	notes *notes
}

// Append is of order.Log.
func (j journal) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	began := time.Now()
	err := j.Log.Append(ctx, l, entries...)
	if err != nil {
		return err
	}
	j.notes.mu.Lock()
	defer j.notes.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case order.KindIntent:
			j.notes.of(e.ID).created = began
		case order.KindSending:
			j.notes.attempts = append(j.notes.attempts, venue.AttemptReport{ClientID: e.ID, At: time.Now()})
		}
	}
	return nil
}

// watch notes a change of an order. It returns how many of its lost answers are settled by it, and whether it is parked now.
func (n *notes) watch(o *order.Order) (settled int, parked bool) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.of(o.Intent.ID)
	if o.VenueID != "" && x.evidence.IsZero() {
		x.evidence = now
	}
	known := o.State == order.Acked || o.State.Terminal()
	if (known || o.State == order.Parked || o.State == order.Breach) && x.settled.IsZero() {
		x.settled = now
	}
	if o.State != x.state {
		parked = o.State == order.Parked
		if o.State == order.Absent {
			x.absent = append(x.absent, now)
		}
	}
	if known || o.State == order.Absent {
		settled, x.lost = x.lost, 0
	}
	x.state = o.State
	return settled, parked
}

// lost notes that the answer to an attempt is lost. It says whether its fate is known all the same: the account's stream may
// have been quicker.
func (n *notes) lost(id, why string) (known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.of(id)
	x.why = why
	if x.state == order.Acked || x.state.Terminal() {
		return true
	}
	x.lost++
	if x.doubted.IsZero() {
		x.doubted = time.Now()
	}
	return false
}

// halting notes whether new orders are stopped now.
func (n *notes) halting(is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	switch {
	case is && !n.halted:
		n.halts = append(n.halts, venue.HaltReport{From: now, To: now})
	case is:
		n.halts[len(n.halts)-1].To = now // they were stopped until now, at least
	}
	n.halted = is
}

// most books that the oracle compares: the latest ones.
const mostBooks = 400

func (n *notes) book(v *market.View) {
	b := venue.BookReport{Symbol: v.Symbol, Sequence: v.Sequence, Bids: pairs(v.Bids), Asks: pairs(v.Asks)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.books = append(n.books, b); len(n.books) > mostBooks {
		n.books = slices.Delete(n.books, 0, len(n.books)-mostBooks)
	}
}

func pairs(levels []market.Level) [][2]string {
	list := make([][2]string, len(levels))
	for i, l := range levels {
		list[i] = [2]string{l.Price.String(), l.Quantity.String()}
	}
	return list
}

// report makes the oracle's report of the orders as they are at the end.
func (n *notes) report(orders []order.Order, rules *order.Rules, within time.Duration) venue.Report {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := venue.Report{Attempts: n.attempts, Halts: n.halts, Books: n.books, Slack: slack}
	for _, o := range orders {
		x := n.by[o.Intent.ID]
		if x == nil || x.created.IsZero() {
			continue
		}
		i := venue.IntentReport{
			ClientID: o.Intent.Wire, State: strings.ToUpper(o.State.String()), Created: x.created, Settled: x.settled,
			Alert: x.alert != "", Evidence: x.evidence, Absent: x.absent,
		}
		if x.settled.IsZero() {
			i.Settled = x.created
		}
		if age := rules.MaxAges.Of(&o.Intent); age > 0 {
			i.MaxAge, i.Within = age+clockError, age+within
		}
		for _, f := range o.Fills {
			_, text, _ := strings.Cut(f.Key, "/")
			id, _ := strconv.ParseInt(text, 10, 64)
			quantity, _ := decimal.NewFromString(f.Quantity.String())
			i.Fills = append(i.Fills, venue.FillReport{TradeID: id, Quantity: quantity})
		}
		r.Intents = append(r.Intents, i)
	}
	return r
}

const (
	slack      = time.Second     // a request may be so long on its way through a loaded machine
	clockError = 5 * time.Second // ages count by the venue's clock, which the weather may move by 4 s
)

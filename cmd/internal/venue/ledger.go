package venue

import (
	"fmt"
	"time"
)

// keepEvents is how many requests that broke a rule are kept as evidence; all are counted.
const keepEvents = 100

// A ledger gathers the facts the oracle reports. Unlike the log it forgets nothing: Config.MaxOrders bounds it by
// refusing orders. Venue.mu guards it.
type ledger struct {
	orders      map[string]*facts
	sends       map[string][]Send
	kept        int // of them
	most        int
	totals      Totals
	refusedFull int
	insideBans  []BadRequest
	overLimit   []BadRequest

	overConnects []BadRequest
}

type facts struct {
	OrderFacts

	latest int64 // order id that Status is of
	acks   int
}

func newLedger(limits Limits, most int) *ledger {
	return &ledger{orders: map[string]*facts{}, sends: map[string][]Send{}, most: 4 * most, totals: Totals{WeightLimit: limits.WeightPerMinute}}
}

// factsKey is the client id; "n/" before it sets the ids of account n > 1 apart.
func factsKey(account int, client string) string {
	if account == 1 {
		return client
	}
	return fmt.Sprintf("%d/%s", account, client)
}

func (l *ledger) placed(o *order) {
	key := factsKey(o.account.number, o.client)
	f := l.orders[key]
	if f == nil {
		f = &facts{OrderFacts: OrderFacts{
			Account: o.account.number, Symbol: o.market.symbol, Side: string(o.side), Type: string(o.typ),
			Intended: o.qty, IntendedQuote: o.quoteQty, Placed: o.created,
		}}
		l.orders[key] = f
	}
	o.facts = f
	f.VenueOrders++
	f.OrderIDs = append(f.OrderIDs, o.id)
	l.totals.Orders++
	f.status(o)
}

func (f *facts) status(o *order) {
	if o.id >= f.latest {
		f.latest, f.Status = o.id, o.status
	}
}

// sent notes a request to place an order.
func (l *ledger) sent(account int, c *call) {
	switch {
	case c.client == "":
		l.totals.UnnamedSends++
	case l.kept >= l.most:
		l.totals.LostSends++
	default:
		l.kept++
		key := factsKey(account, clip(c.client))
		l.sends[key] = append(l.sends[key], Send{c.seq, c.arrived})
	}
}

func (l *ledger) filled(o *order, t ownTrade) {
	o.facts.Executed = o.facts.Executed.Add(t.qty)
	o.facts.ExecutedQuote = o.facts.ExecutedQuote.Add(t.quoteQty)
	o.facts.Fills = append(o.facts.Fills, Fill{o.id, t.id, t.price, t.qty, t.at})
	o.facts.status(o)
	l.totals.Fills++
}

func (l *ledger) insideBan(c *call, until time.Time) {
	l.totals.InsideBans++
	if len(l.insideBans) < keepEvents {
		l.insideBans = append(l.insideBans, c.bad(until))
	}
}

func (l *ledger) weight(c *call, used, limit int) {
	l.totals.PeakWeight = max(l.totals.PeakWeight, used)
	if limit == Unlimited || used <= limit {
		return
	}
	l.totals.OverLimit++
	if len(l.overLimit) < keepEvents {
		l.overLimit = append(l.overLimit, c.bad(time.Time{}))
	}
}

func (l *ledger) connected(c *call, used, limit int) {
	l.totals.PeakConnects = max(l.totals.PeakConnects, used)
	if limit == Unlimited || used <= limit {
		return
	}
	l.totals.OverConnects++
	if len(l.overConnects) < keepEvents {
		l.overConnects = append(l.overConnects, c.bad(time.Time{}))
	}
}

func (c *call) bad(until time.Time) BadRequest {
	return BadRequest{Seq: c.seq, At: c.arrived, Address: c.remote, Method: c.method, Path: c.path, ClientID: c.client, Weight: c.weight, BannedUntil: until}
}

func (l *ledger) oracle(seed uint64) Oracle {
	o := Oracle{
		Seed: seed, Orders: make(map[string]OrderFacts, len(l.orders)), Totals: l.totals,
		Sequences: map[string]int64{}, Sends: make(map[string][]Send, len(l.sends)), OverConnects: append([]BadRequest{}, l.overConnects...),
		InsideBans: append([]BadRequest{}, l.insideBans...), OverLimit: append([]BadRequest{}, l.overLimit...),
	}
	o.Totals.RefusedFull = l.refusedFull
	for key, sends := range l.sends {
		o.Sends[key] = append([]Send{}, sends...)
	}
	for key, f := range l.orders {
		of := f.OrderFacts
		of.OrderIDs = append([]int64{}, f.OrderIDs...)
		of.Fills = append([]Fill{}, f.Fills...)
		of.Acknowledged = f.acks > 0
		o.Orders[key] = of
		if of.Acknowledged {
			o.Totals.Acknowledged++
		} else {
			o.Totals.Unheard++
		}
		if !of.once() {
			o.Totals.Duplicates++
		}
	}
	return o
}

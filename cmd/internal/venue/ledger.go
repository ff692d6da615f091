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
	totals      Totals
	refusedFull int
	insideBans  []BadRequest
	overLimit   []BadRequest
}

type facts struct {
	OrderFacts

	latest int64 // order id that Status is of
	acks   int
}

func newLedger(limits Limits) *ledger {
	return &ledger{orders: map[string]*facts{}, totals: Totals{WeightLimit: limits.WeightPerMinute}}
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
			Intended: o.qty, IntendedQuote: o.quoteQty,
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

func (l *ledger) filled(o *order, t trade) {
	o.facts.Executed = o.facts.Executed.Add(t.qty)
	o.facts.ExecutedQuote = o.facts.ExecutedQuote.Add(t.quoteQty)
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

func (c *call) bad(until time.Time) BadRequest {
	return BadRequest{Seq: c.seq, At: c.arrived, Address: c.remote, Method: c.method, Path: c.path, ClientID: c.client, Weight: c.weight, BannedUntil: until}
}

func (l *ledger) oracle(seed uint64) Oracle {
	o := Oracle{
		Seed: seed, Orders: make(map[string]OrderFacts, len(l.orders)), Totals: l.totals,
		InsideBans: append([]BadRequest{}, l.insideBans...), OverLimit: append([]BadRequest{}, l.overLimit...),
	}
	o.Totals.RefusedFull = l.refusedFull
	for key, f := range l.orders {
		of := f.OrderFacts
		of.OrderIDs = append([]int64{}, f.OrderIDs...)
		of.Acknowledged = f.acks > 0
		o.Orders[key] = of
		if of.Acknowledged {
			o.Totals.Acknowledged++
		}
		if !of.once() {
			o.Totals.Duplicates++
		}
	}
	return o
}

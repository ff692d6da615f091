package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

// An aggregate is the trades of one taking order at one price. Ids of a market have no gaps.
type aggregate struct {
	id          int64
	price, qty  decimal.Decimal
	first, last int64 // trades
	buyerMaker  bool
	at          time.Time
	taker       *order
}

// join adds a trade to the present aggregate or begins the next one.
func (m *marketState) join(t trade, taker *order) {
	if n := len(m.aggregated); n > 0 {
		if a := &m.aggregated[n-1]; a.taker == taker && a.price.Equal(t.price) && a.last == t.id-1 && a.id > m.aggregateTold {
			a.qty, a.last = a.qty.Add(t.qty), t.id
			return
		}
	}
	m.aggregates++
	if len(m.aggregated) == 2*keepTrades {
		m.aggregated = append(m.aggregated[:0], m.aggregated[keepTrades:]...)
	}
	m.aggregated = append(m.aggregated, aggregate{m.aggregates, t.price, t.qty, t.id, t.id, t.buyerMaker, t.at, taker})
}

// aggregatesAfter returns those kept with ids above id.
func (m *marketState) aggregatesAfter(id int64) []aggregate {
	first := m.aggregates - int64(len(m.aggregated)) + 1
	return m.aggregated[min(max(id+1-first, 0), int64(len(m.aggregated))):]
}

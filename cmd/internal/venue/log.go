package venue

import "time"

// Kinds of log entries.
const (
	EntryRequest = "request" // an answer was decided; written before the answer is
	EntryOrder   = "order"   // a client's order was placed or is done
	EntryTrade   = "trade"   // a trade with at least one client in it
	EntryLost    = "lost"    // the answer of an earlier request could not be written
	EntryLink    = "link"    // a stream's connection opened or ended
	EntryFrame   = "frame"   // a frame was decided; an answer to a client's message is none
)

// An Entry is one event of the venue's log. One of Request, Order, Trade, Link and Frame is set, as Kind says.
type Entry struct {
	N       uint64        `json:"n"`             // from 1, without gaps
	Seq     uint64        `json:"seq,omitempty"` // number of the request in which it happened
	Time    time.Time     `json:"time"`
	Kind    string        `json:"kind"`
	Request *RequestEntry `json:"request,omitempty"`
	Order   *OrderEntry   `json:"order,omitempty"`
	Trade   *TradeEntry   `json:"trade,omitempty"`
	Link    *LinkEntry    `json:"link,omitempty"`
	Frame   *FrameEntry   `json:"frame,omitempty"`
}

// A LinkEntry is a stream's connection when it opened or ended.
type LinkEntry struct {
	Link    uint64 `json:"link"`
	Event   string `json:"event"` // open or closed
	Path    string `json:"path"`
	Address string `json:"address"`
	Reason  string `json:"reason,omitempty"`
	Fault   string `json:"fault,omitempty"`
}

// A FrameEntry is what a stream was to say.
type FrameEntry struct {
	Link   uint64 `json:"link"`
	Stream string `json:"stream"` // its name, or executionReport and the like
	Bytes  int    `json:"bytes"`
	First  int64  `json:"U,omitempty"` // update ids of depth
	Last   int64  `json:"u,omitempty"`
	Fault  string `json:"fault,omitempty"` // name of the rule that hit
}

// A RequestEntry is what the venue saw and did.
type RequestEntry struct {
	Arrival   time.Time `json:"arrival"`
	Forwarded time.Time `json:"forwarded,omitzero"` // to the engine
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Symbol    string    `json:"symbol,omitempty"`
	ClientID  string    `json:"clientId,omitempty"`
	Decision  string    `json:"decision"`        // banned, limited, refused, accepted, lost; faulted if a fault answered without the engine; unconnected if there was no connection
	Fault     string    `json:"fault,omitempty"` // name of the rule that hit
	Status    int       `json:"status,omitempty"`
	Bytes     int       `json:"bytes,omitempty"` // of the body
	Delivery  Delivery  `json:"delivery"`
}

// An OrderEntry is an order when it was placed or done.
type OrderEntry struct {
	Event    string `json:"event"` // placed or done
	ID       int64  `json:"orderId"`
	Account  int    `json:"account"`
	ClientID string `json:"clientId"`
	Symbol   string `json:"symbol"`
	Side     string `json:"side"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	Price    string `json:"price"`
	Quantity string `json:"origQty"`
	Executed string `json:"executedQty"`
}

// A TradeEntry is a trade; an order id of 0 is the background flow.
type TradeEntry struct {
	ID       int64  `json:"tradeId"`
	Symbol   string `json:"symbol"`
	Price    string `json:"price"`
	Quantity string `json:"qty"`
	Maker    int64  `json:"makerOrderId"`
	Taker    int64  `json:"takerOrderId"`
}

// A journal keeps the latest entries in a ring. Venue.mu guards it.
type journal struct {
	keep int
	n    uint64
	seq  uint64 // request whose work is being logged
	ring []Entry
}

func (j *journal) add(e Entry) {
	j.n++
	e.N, e.Seq, e.Time = j.n, j.seq, time.Now()
	if len(j.ring) < j.keep {
		j.ring = append(j.ring, e)
		return
	}
	j.ring[(j.n-1)%uint64(j.keep)] = e
}

func (j *journal) order(o *order, event string) {
	j.add(Entry{Kind: EntryOrder, Order: &OrderEntry{
		Event: event, ID: o.id, Account: o.account.number, ClientID: o.client, Symbol: o.market.symbol,
		Side: string(o.side), Type: string(o.typ), Status: o.status,
		Price: text(o.price), Quantity: text(o.qty), Executed: text(o.executed),
	}})
}

func (j *journal) trade(t trade, maker, taker *order) {
	j.add(Entry{Kind: EntryTrade, Trade: &TradeEntry{
		ID: t.id, Symbol: taker.market.symbol, Price: text(t.price), Quantity: text(t.qty), Maker: maker.id, Taker: taker.id,
	}})
}

// since returns the kept entries with N above n, the oldest first.
func (j *journal) since(n uint64) []Entry {
	first := j.n - uint64(len(j.ring)) + 1
	var out []Entry
	for i := max(n+1, first); i <= j.n && i > n; i++ {
		out = append(out, j.ring[(i-1)%uint64(j.keep)])
	}
	return out
}

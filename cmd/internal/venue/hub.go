package venue

import (
	"slices"
	"time"
)

// A hub is the links of a world and what they listen to. Venue.mu guards it.
type hub struct {
	engine *engine
	faults *Faults
	log    *journal
	ledger *ledger

	latest  uint64             // number of the latest link
	frames  uint64             // number of the latest frame
	links   []*link            // ascending numbers
	streams map[string][]*link // by stream name, ascending numbers
	users   map[int][]*link    // by number of the account
	pulses  uint64
	pulsing bool
}

func newHub(faults *Faults, log *journal, ledger *ledger) *hub {
	return &hub{faults: faults, log: log, ledger: ledger, streams: map[string][]*link{}, users: map[int][]*link{}}
}

func byNumber(a, b *link) int { return int(a.n) - int(b.n) }

// insert keeps a list of links in the order of their numbers; nobody is in it twice.
func insert(list []*link, l *link) []*link {
	i, ok := slices.BinarySearchFunc(list, l, byNumber)
	if ok {
		return list
	}
	return slices.Insert(list, i, l)
}

func without(list []*link, l *link) []*link {
	if i, ok := slices.BinarySearchFunc(list, l, byNumber); ok {
		list = slices.Delete(list, i, i+1)
	}
	return list
}

// subscribe makes a link hear a stream. Streams of no market are accepted and stay silent, as on the venue.
func (h *hub) subscribe(l *link, name string) {
	if _, ok := l.streams[name]; ok {
		return
	}
	at := int64(0)
	if s, ok := parseStream(name); ok && h.engine.markets[s.symbol] != nil {
		at = h.engine.markets[s.symbol].updates
	}
	l.streams[name] = at
	h.streams[name] = insert(h.streams[name], l)
}

func (h *hub) unsubscribe(l *link, name string) {
	delete(l.streams, name)
	if h.streams[name] = without(h.streams[name], l); len(h.streams[name]) == 0 {
		delete(h.streams, name)
	}
}

// leave forgets a link.
func (h *hub) leave(l *link) {
	for name := range l.streams {
		h.unsubscribe(l, name)
	}
	for number := range h.users {
		if h.users[number] = without(h.users[number], l); len(h.users[number]) == 0 {
			delete(h.users, number)
		}
	}
	h.links = without(h.links, l)
}

// publish sends one event to all that listen to a stream.
func (h *hub) publish(name, symbol string, event func() any, now time.Time) {
	list := h.streams[name]
	if len(list) == 0 {
		return
	}
	data := encode(event())
	for _, l := range list {
		h.send(l, frame{stream: name, symbol: symbol, data: data}, now)
	}
}

func (h *hub) traded(m *marketState, t trade) {
	h.publish(m.lower+"@trade", m.symbol, func() any {
		return tradeEvent{"trade", t.at.UnixMilli(), m.symbol, t.id, text(t.price), text(t.qty), t.at.UnixMilli(), t.buyerMaker, true}
	}, t.at)
}

// aggregate tells of the aggregates that are complete because their order was matched.
func (h *hub) aggregate(m *marketState) {
	for _, a := range m.aggregatesAfter(m.aggregateTold) {
		h.publish(m.lower+"@aggTrade", m.symbol, func() any {
			return aggEvent{"aggTrade", a.at.UnixMilli(), m.symbol, a.id, text(a.price), text(a.qty), a.first, a.last, a.at.UnixMilli(), a.buyerMaker, true}
		}, a.at)
	}
	m.aggregateTold = m.aggregates
}

// reported tells the links of an account of an event.
func (h *hub) reported(a *account, r report) {
	list := h.users[a.number]
	if len(list) == 0 {
		return
	}
	data := encode(r.view())
	position := encode(a.position(r.order.market, r.at))
	for _, l := range list {
		if l.updates != nil {
			h.send(l, frame{stream: "trade_updates", symbol: r.order.market.symbol, client: r.order.client, data: l.updates(r)}, r.at)
			continue
		}
		h.send(l, frame{stream: "executionReport", symbol: r.order.market.symbol, client: r.order.client, data: l.asUser(a.number, data)}, r.at)
		h.send(l, frame{stream: "outboundAccountPosition", data: l.asUser(a.number, position)}, r.at)
	}
}

// pulse is the regular part: depth at each pulse or each tenth, tickers at each, candles at each tenth.
func (h *hub) pulse(now time.Time) {
	h.pulses++
	for _, symbol := range h.engine.symbols {
		m := h.engine.markets[symbol]
		h.engine.flowDue(m, now)
		if len(h.streams) == 0 {
			continue // who is connected hears of its own orders only
		}
		h.depth(m, m.lower+"@depth@100ms", now)
		h.ticker(m, now)
		if h.pulses%10 == 0 {
			h.depth(m, m.lower+"@depth", now)
			h.candles(m, now)
		}
	}
}

// depth sends each listener what changed since it was last told. Those that were told at the same time share the work.
func (h *hub) depth(m *marketState, name string, now time.Time) {
	encoded := map[int64][]byte{}
	for _, l := range slices.Clone(h.streams[name]) {
		told := l.streams[name]
		if told == m.updates {
			continue
		}
		data, ok := encoded[told]
		if !ok {
			bids, asks, kept := m.since(told)
			if !kept { // more happened than is remembered: the stream cannot go on without a gap
				h.cut(l, "too slow", now)
				continue
			}
			data = encode(depthEvent{"depthUpdate", now.UnixMilli(), m.symbol, told + 1, m.updates, pairs(bids), pairs(asks)})
			encoded[told] = data
		}
		l.streams[name] = m.updates
		h.send(l, frame{stream: name, symbol: m.symbol, first: told + 1, last: m.updates, data: data}, now)
	}
}

func (h *hub) ticker(m *marketState, now time.Time) {
	bid, ask := m.bids.top(1), m.asks.top(1)
	if len(bid) == 0 || len(ask) == 0 || m.ticked == [2][2]string{bid[0], ask[0]} {
		return
	}
	m.ticked = [2][2]string{bid[0], ask[0]}
	h.publish(m.lower+"@bookTicker", m.symbol, func() any {
		return tickerEvent{m.updates, m.symbol, bid[0][0], bid[0][1], ask[0][0], ask[0][1]}
	}, now)
}

// candles sends the present candle, and the one before it once as final.
func (h *hub) candles(m *marketState, now time.Time) {
	for _, interval := range intervalNames {
		name := m.lower + "@kline_" + interval
		if len(h.streams[name]) == 0 {
			continue
		}
		list := m.klines(intervals[interval], now)
		for i := max(0, len(list)-2); i < len(list); i++ {
			k, final := list[i], i < len(list)-1
			if final && !m.closed[interval].Before(k.open) {
				continue
			}
			if final {
				m.closed[interval] = k.open
			}
			_, end := bounds(intervals[interval], k.open)
			h.publish(name, m.symbol, func() any {
				return klineEvent{"kline", now.UnixMilli(), m.symbol, klineBody{
					k.open.UnixMilli(), end.UnixMilli() - 1, m.symbol, interval, k.firstTrade, k.lastTrade,
					text(k.first), text(k.last), text(k.high), text(k.low), text(k.volume), k.trades, final,
					text(k.quote), text(k.takerBase), text(k.takerQuote), "0",
				}}
			}, now)
		}
	}
}

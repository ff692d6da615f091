package market

import (
	"strconv"
	"strings"
	"time"
)

// A channel is what a number on a Bitfinex connection stands for.
type channel struct {
	kind     string // book, trades, candles
	symbol   string
	interval time.Duration
}

// mostChannels of a connection; Bitfinex allows 30.
const mostChannels = 1000

// bitfinex reads book (P0 to P4), trades and candles channels of a connection that is configured with
// SEQ_ALL and OB_CHECKSUM, and without TIMESTAMP: the last element of a message is its number.
func bitfinex(d *Decoder, s *scanner, f *Frame) {
	if s.peek() == '{' {
		bitfinexEvent(d, s)
		return
	}
	s.open('[')
	if !s.more(']') {
		s.fail("an empty message")
		return
	}
	number := s.integer()
	if number == 0 {
		s.fail("a private message: %.80q", s.b) // its numbers are others
		return
	}
	c, ok := d.channels[number]
	if !ok {
		s.fail("a channel %d that was not subscribed", number)
		return
	}
	kind := "" // of the message
	if s.more(']') && s.peek() == '"' {
		kind = string(s.text())
		s.more(']')
	}
	before := s.i
	if kind != "hb" { // a heartbeat has no body
		s.skip()
		s.more(']')
	}
	f.Sequence, f.Counted = s.integer(), true
	if s.more(']') {
		s.fail("more than a number after the body: %.80q", s.b)
	}
	if s.err != nil || kind == "hb" {
		return
	}
	s.i = before
	switch {
	case kind == "cs" && c.kind == "book":
		f.delta(s, Delta{Symbol: c.symbol, Last: f.Sequence, Sum: sum(s.integer()), Summed: true}, false)
	case c.kind == "book" && kind == "":
		bitfinexBook(s, f, Delta{Symbol: c.symbol, Last: f.Sequence})
	case c.kind == "trades" && (kind == "" || kind == "te"):
		s.either(func() { bitfinexTrade(s, f, c.symbol) })
	case c.kind == "trades" && kind == "tu": // the same trade once more
	case c.kind == "candles" && kind == "":
		s.either(func() { bitfinexCandle(s, f, c) })
	default:
		s.fail("a message %q of channel %q", kind, c.kind)
	}
}

// bitfinexEvent learns the numbers of the channels.
func bitfinexEvent(d *Decoder, s *scanner) {
	event := string(s.word("event"))
	switch event {
	case "info", "conf", "pong", "auth":
		return
	case "unsubscribed":
		delete(d.channels, s.numeral("chanId"))
		return
	case "subscribed":
	default:
		s.fail("an event %q: %.80q", event, s.b)
		return
	}
	c := channel{kind: string(s.word("channel")), symbol: string(s.word("symbol"))}
	number := s.numeral("chanId")
	switch {
	case c.kind == "candles": // trade:1m:tBTCUSD
		if parts := strings.SplitN(string(s.word("key")), ":", 3); len(parts) == 3 {
			c.interval, c.symbol = interval(parts[1]), parts[2]
		}
	case c.kind == "book" && strings.HasPrefix(string(s.word("prec")), "R"):
		s.fail("a raw book of %s: subscribe to P0", c.symbol)
	}
	switch {
	case number <= 0:
		s.fail("a channel %d", number)
	case len(d.channels) >= mostChannels:
		s.fail("more than %d channels", mostChannels)
	}
	if s.err == nil {
		d.channels[number] = c
	}
}

// either reads one array, or each of an array of arrays.
func (s *scanner) either(read func()) {
	start := s.i
	s.open('[')
	if s.peek() != '[' {
		if s.peek() != ']' {
			s.i = start
			read()
		}
		return
	}
	for s.more(']') {
		read()
	}
}

func bitfinexBook(s *scanner, f *Frame, d Delta) {
	start := s.i
	s.open('[')
	d.Replace = s.peek() == '[' || s.peek() == ']'
	s.i = start
	n := len(f.levels)
	var bids, asks []Level
	s.either(func() {
		l, ask := bitfinexLevel(s)
		if ask {
			asks = append(asks, l)
		} else {
			f.levels = append(f.levels, l)
		}
	})
	bids = f.since(n)
	n = len(f.levels)
	f.levels = append(f.levels, asks...)
	d.Bids, d.Asks = bids, f.since(n)
	f.delta(s, d, false)
}

// bitfinexLevel takes [price, count, amount]: the amount of an ask is negative, and a count of 0 takes
// the level away.
func bitfinexLevel(s *scanner) (l Level, ask bool) {
	n, orders := 0, int64(0)
	for s.open('['); s.more(']'); n++ {
		switch n {
		case 0:
			l.Price = s.number()
		case 1:
			orders = s.integer()
		case 2:
			l.Quantity, ask = s.signed()
		default:
			s.skip()
		}
	}
	if n != 3 || orders < 0 || l.Quantity.Zero() {
		s.fail("a level that is not a price, a count and an amount")
	}
	if orders == 0 {
		l.Quantity = Number{}
	}
	return l, ask
}

// bitfinexTrade takes [id, time, amount, price]: the amount of a sale is negative.
func bitfinexTrade(s *scanner, f *Frame, symbol string) {
	t := Trade{Symbol: symbol, Buy: true}
	n := 0
	for s.open('['); s.more(']'); n++ {
		switch n {
		case 0:
			t.Key = strconv.FormatInt(s.integer(), 10)
		case 1:
			t.At = s.millis()
		case 2:
			sale := false
			t.Quantity, sale = s.signed()
			t.Buy = !sale
		case 3:
			t.Price = s.number()
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

// bitfinexCandle takes [start, open, close, high, low, volume].
func bitfinexCandle(s *scanner, f *Frame, ch channel) {
	c := Candle{Symbol: ch.symbol, Interval: ch.interval}
	n := 0
	for s.open('['); s.more(']'); n++ {
		switch {
		case n == 0:
			c.Start = s.millis()
		case n <= 5:
			*[]*Number{&c.Open, &c.Close, &c.High, &c.Low, &c.Volume}[n-1] = s.number()
		default:
			s.skip()
		}
	}
	if n < 6 {
		s.fail("a candle of %d numbers", n)
	}
	f.candle(s, c)
}

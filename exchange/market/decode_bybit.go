package market

import (
	"strings"
	"time"
)

// bybitFrame reads orderbook, publicTrade and kline topics of the v5 streams.
func bybitFrame(d *Decoder, s *scanner, f *Frame) {
	topic := string(s.word("topic"))
	kind, _, _ := strings.Cut(topic, ".")
	switch kind {
	case "orderbook":
		bybitBook(d, s, f, topic[strings.LastIndexByte(topic, '.')+1:])
	case "publicTrade":
		s.enter("data")
		for s.open('['); s.more(']'); {
			bybitTrade(d, s, f)
		}
	case "kline":
		symbol := topic[strings.LastIndexByte(topic, '.')+1:]
		s.enter("data")
		for s.open('['); s.more(']'); {
			bybitCandle(d.name([]byte(symbol)), s, f)
		}
	case "tickers", "liquidation", "allLiquidation":
	case "":
		if string(s.word("op")) == "" || s.has("success") && !s.flag("success") {
			s.fail("an answer that is not a success: %.80q", s.b)
		}
	default:
		s.fail("a topic %q", topic)
	}
}

func bybitBook(d *Decoder, s *scanner, f *Frame, symbol string) {
	f.about = d.name([]byte(symbol))
	delta := Delta{}
	switch kind := string(s.word("type")); kind {
	case "snapshot":
		delta.Replace = true
	case "delta":
	default:
		s.fail("a book of type %q", kind)
	}
	if s.has("cts") { // of the matching engine
		delta.At = unix(s.numeral("cts"), time.Millisecond)
	}
	s.enter("data")
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "s":
			delta.Symbol = d.symbol(s)
		case "u":
			delta.Last = s.integer()
		case "b":
			delta.Bids = f.readLevels(s)
		case "a":
			delta.Asks = f.readLevels(s)
		default:
			s.skip()
		}
	}
	f.delta(s, delta, true)
}

func bybitTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "s":
			t.Symbol = d.symbol(s)
		case "i":
			t.Key = string(s.text())
		case "p":
			t.Price = s.number()
		case "v":
			t.Quantity = s.number()
		case "T":
			t.At = s.millis()
		case "S":
			t.Buy = string(s.text()) == "Buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

func bybitCandle(symbol string, s *scanner, f *Frame) {
	c := Candle{Symbol: symbol}
	for s.open('{'); s.more('}'); {
		switch key := s.key(); string(key) {
		case "start":
			c.Start = s.millis()
		case "interval":
			c.Interval = interval(string(s.text()))
		case "confirm":
			c.Closed = s.truth()
		default:
			s.priceOf(key, &c)
		}
	}
	f.candle(s, c)
}

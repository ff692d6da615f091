package market

import (
	"strings"
	"time"
)

// deribit reads book, trades and chart.trades channels.
func deribit(d *Decoder, s *scanner, f *Frame) {
	switch method := string(s.word("method")); method {
	case "subscription":
	case "heartbeat":
		return
	case "":
		if !s.has("result") {
			s.fail("an answer without a result: %.80q", s.b)
		}
		return
	default:
		s.fail("a method %q", method)
		return
	}
	s.enter("params")
	channel := string(s.word("channel"))
	kind, _, _ := strings.Cut(channel, ".")
	parts := strings.Split(channel, ".")
	s.enter("data")
	switch {
	case kind == "book" && len(parts) > 1:
		f.about = d.name([]byte(parts[1]))
		deribitBook(d, s, f)
	case kind == "trades":
		for s.open('['); s.more(']'); {
			deribitTrade(d, s, f)
		}
	case kind == "chart" && len(parts) == 4:
		deribitCandle(s, f, Candle{Symbol: d.name([]byte(parts[2])), Interval: interval(parts[3])})
	case kind == "ticker", kind == "quote", kind == "platform_state":
	default:
		s.fail("a channel %q", channel)
	}
}

func deribitBook(d *Decoder, s *scanner, f *Frame) {
	delta := Delta{Replace: string(s.word("type")) == "snapshot"}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "instrument_name":
			delta.Symbol = d.symbol(s)
		case "timestamp":
			delta.At = s.millis()
		case "change_id":
			delta.Last = s.integer()
		case "prev_change_id":
			delta.Prev = s.integer()
		case "bids":
			delta.Bids = deribitLevels(s, f)
		case "asks":
			delta.Asks = deribitLevels(s, f)
		default:
			s.skip()
		}
	}
	f.delta(s, delta, true)
}

// deribitLevels takes [["new", price, amount], …], and ["delete", price, 0].
func deribitLevels(s *scanner, f *Frame) []Level {
	start := len(f.levels)
	for s.open('['); s.more(']'); {
		var l Level
		gone := false
		n := 0
		for s.open('['); s.more(']'); n++ {
			switch n {
			case 0:
				action := string(s.text())
				if gone = action == "delete"; !gone && action != "new" && action != "change" {
					s.fail("an action %q", action)
				}
			case 1:
				l.Price = s.number()
			case 2:
				l.Quantity = s.number()
			default:
				s.skip()
			}
		}
		if n < 3 || gone != l.Quantity.Zero() {
			s.fail("a level that is not an action, a price and a fitting amount")
		}
		f.levels = append(f.levels, l)
	}
	return f.since(start)
}

func deribitTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "instrument_name":
			t.Symbol = d.symbol(s)
		case "trade_seq":
			t.ID = s.integer()
		case "trade_id":
			t.Key = string(s.text())
		case "price":
			t.Price = s.number()
		case "amount":
			t.Quantity = s.number()
		case "timestamp":
			t.At = s.millis()
		case "direction":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

func deribitCandle(s *scanner, f *Frame, c Candle) {
	for s.open('{'); s.more('}'); {
		switch key := s.key(); string(key) {
		case "tick":
			c.Start = unix(s.integer(), time.Millisecond)
		default:
			s.priceOf(key, &c)
		}
	}
	f.candle(s, c)
}

package market

import "strings"

// bitget reads books, trade and candle channels, by the names of the v2 streams and of the unified ones.
func bitget(d *Decoder, s *scanner, f *Frame) {
	switch event := string(s.word("event")); event {
	case "":
	case "subscribe", "unsubscribe", "login":
		return
	default:
		s.fail("an event %q: %.80q", event, s.b)
		return
	}
	start := s.i
	s.enter("arg")
	channel, symbol := string(s.word("channel")), d.name(s.word("instId"))
	if channel == "" {
		channel, symbol = string(s.word("topic")), d.name(s.word("symbol"))
	}
	s.i = start
	f.about = symbol
	whole := string(s.word("action")) == "snapshot"
	s.enter("data")
	switch channel {
	case "books", "books1", "books5", "books15", "books50":
		for s.open('['); s.more(']'); {
			bitgetBook(s, f, symbol, whole || channel != "books")
		}
	case "trade", "publicTrade":
		for s.open('['); s.more(']'); {
			bitgetTrade(s, f, symbol)
		}
	case "ticker":
	default:
		name, ok := strings.CutPrefix(channel, "candle")
		if !ok {
			s.fail("a channel %q", channel)
		}
		for s.open('['); s.more(']'); {
			row(s, f, Candle{Symbol: symbol, Interval: interval(name)}, 0)
		}
	}
}

func bitgetBook(s *scanner, f *Frame, symbol string, whole bool) {
	delta := Delta{Symbol: symbol, Replace: whole}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "ts":
			delta.At = s.millis()
		case "seq":
			delta.Last = s.integer()
		case "pseq":
			delta.Prev = s.integer()
		case "checksum":
			delta.Sum, delta.Summed = sum(s.integer()), !whole // only updates are summed up
		case "bids", "b":
			delta.Bids = f.readLevels(s)
		case "asks", "a":
			delta.Asks = f.readLevels(s)
		default:
			s.skip()
		}
	}
	f.delta(s, delta, true)
}

func bitgetTrade(s *scanner, f *Frame, symbol string) {
	t := Trade{Symbol: symbol}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "tradeId", "i":
			t.Key = string(s.text())
		case "price", "p":
			t.Price = s.number()
		case "size", "v":
			t.Quantity = s.number()
		case "ts", "T":
			t.At = s.millis()
		case "side", "S":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

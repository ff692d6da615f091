package market

import "time"

// kraken reads book, trade and ohlc channels of the v2 streams.
func kraken(d *Decoder, s *scanner, f *Frame) {
	switch channel := string(s.word("channel")); channel {
	case "book":
		kind := string(s.word("type"))
		if kind != "snapshot" && kind != "update" {
			s.fail("a book of type %q", kind)
		}
		s.enter("data")
		for s.open('['); s.more(']'); {
			krakenBook(d, s, f, kind == "snapshot")
		}
	case "trade":
		s.enter("data")
		for s.open('['); s.more(']'); {
			krakenTrade(d, s, f)
		}
	case "ohlc":
		s.enter("data")
		for s.open('['); s.more(']'); {
			krakenCandle(d, s, f)
		}
	case "heartbeat", "status", "ticker", "instrument":
	case "":
		if !s.has("method") || s.has("success") && !s.flag("success") {
			s.fail("an answer that is not a success: %.80q", s.b)
		}
	default:
		s.fail("a channel %q", channel)
	}
}

func krakenBook(d *Decoder, s *scanner, f *Frame, whole bool) {
	delta := Delta{Replace: whole}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "symbol":
			delta.Symbol = d.symbol(s)
		case "timestamp":
			delta.At = s.clock()
		case "checksum":
			delta.Sum, delta.Summed = sum(s.integer()), true
		case "bids":
			delta.Bids = f.readPairs(s, "price", "qty")
		case "asks":
			delta.Asks = f.readPairs(s, "price", "qty")
		default:
			s.skip()
		}
	}
	f.delta(s, delta, false)
}

// sum returns a checksum that is written with or without a sign.
func sum(n int64) uint32 { return uint32(n) }

// readPairs takes [{"price": …, "quantity": …}, …], by their names.
func (f *Frame) readPairs(s *scanner, price, quantity string) []Level {
	start := len(f.levels)
	for s.open('['); s.more(']'); {
		var l Level
		n := 0
		for s.open('{'); s.more('}'); {
			switch string(s.key()) {
			case price:
				l.Price = s.number()
				n++
			case quantity:
				l.Quantity = s.number()
				n++
			default:
				s.skip()
			}
		}
		if n != 2 {
			s.fail("a level without %s or %s", price, quantity)
		}
		f.levels = append(f.levels, l)
	}
	return f.since(start)
}

func krakenTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "symbol":
			t.Symbol = d.symbol(s)
		case "trade_id":
			t.ID = s.integer()
		case "price":
			t.Price = s.number()
		case "qty":
			t.Quantity = s.number()
		case "timestamp":
			t.At = s.clock()
		case "side":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

func krakenCandle(d *Decoder, s *scanner, f *Frame) {
	var c Candle
	for s.open('{'); s.more('}'); {
		switch key := s.key(); string(key) {
		case "symbol":
			c.Symbol = d.symbol(s)
		case "interval_begin":
			c.Start = s.clock()
		case "interval":
			c.Interval = time.Duration(min(s.integer(), 1<<20)) * time.Minute
		default:
			s.priceOf(key, &c)
		}
	}
	f.candle(s, c)
}

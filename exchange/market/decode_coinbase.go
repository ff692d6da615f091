package market

import (
	"cmp"
	"slices"
	"time"
)

// coinbase reads l2_data, market_trades and candles (of five minutes) of Advanced Trade. Every message
// has the next number of its connection.
func coinbase(d *Decoder, s *scanner, f *Frame) {
	channel := string(s.word("channel"))
	if !s.has("sequence_num") {
		s.fail("a message without sequence_num: %.80q", s.b)
		return
	}
	f.Sequence, f.Counted = s.numeral("sequence_num"), true
	var read func(*Decoder, *scanner, *Frame)
	switch channel {
	case "l2_data":
		read = coinbaseBook
	case "market_trades":
		read = coinbaseTrades
	case "candles":
		read = coinbaseCandles
	case "heartbeats", "subscriptions", "ticker", "ticker_batch", "status":
		return
	default:
		s.fail("a channel %q", channel)
	}
	s.enter("events")
	for s.open('['); s.more(']'); {
		read(d, s, f)
	}
	slices.SortStableFunc(f.Trades, func(a, b Trade) int { return cmp.Compare(a.ID, b.ID) }) // they come newest first
}

func coinbaseBook(d *Decoder, s *scanner, f *Frame) {
	delta := Delta{Last: f.Sequence}
	switch kind := string(s.word("type")); kind {
	case "snapshot":
		delta.Replace = true
	case "update":
	default:
		s.fail("a book of type %q", kind)
	}
	var bids, asks []Level // each level says whose it is
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "product_id":
			delta.Symbol = d.symbol(s)
		case "updates":
			start := len(f.levels)
			var mine []bool
			for s.open('['); s.more(']'); {
				l, bid, at := coinbaseLevel(s)
				f.levels, mine = append(f.levels, l), append(mine, bid)
				if at.After(delta.At) {
					delta.At = at
				}
			}
			for i, l := range f.since(start) {
				if mine[i] {
					bids = append(bids, l)
				} else {
					asks = append(asks, l)
				}
			}
		default:
			s.skip()
		}
	}
	delta.Bids, delta.Asks = bids, asks
	f.delta(s, delta, false)
}

func coinbaseLevel(s *scanner) (l Level, bid bool, at time.Time) {
	n := 0
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "side":
			side := string(s.text())
			if bid = side == "bid"; !bid && side != "offer" && side != "ask" {
				s.fail("a side %q", side)
			}
			n |= 1
		case "price_level":
			l.Price = s.number()
			n |= 2
		case "new_quantity":
			l.Quantity = s.number()
			n |= 4
		case "event_time":
			at = s.clock()
		default:
			s.skip()
		}
	}
	if n != 7 {
		s.fail("a level without side, price or quantity")
	}
	return l, bid, at
}

func coinbaseTrades(d *Decoder, s *scanner, f *Frame) {
	s.enter("trades")
	for s.open('['); s.more(']'); {
		var t Trade
		for s.open('{'); s.more('}'); {
			switch string(s.key()) {
			case "product_id":
				t.Symbol = d.symbol(s)
			case "trade_id":
				t.ID = s.integer()
			case "price":
				t.Price = s.number()
			case "size":
				t.Quantity = s.number()
			case "time":
				t.At = s.clock()
			case "side": // of the maker
				t.Buy = string(s.text()) == "SELL"
			default:
				s.skip()
			}
		}
		f.trade(s, t)
	}
	for s.more('}') { // what is left of the event
		s.key()
		s.skip()
	}
}

func coinbaseCandles(d *Decoder, s *scanner, f *Frame) {
	s.enter("candles")
	for s.open('['); s.more(']'); {
		c := Candle{Interval: 5 * time.Minute}
		for s.open('{'); s.more('}'); {
			switch key := s.key(); string(key) {
			case "product_id":
				c.Symbol = d.symbol(s)
			case "start":
				c.Start = unix(s.integer(), time.Second)
			default:
				s.priceOf(key, &c)
			}
		}
		f.candle(s, c)
	}
	for s.more('}') {
		s.key()
		s.skip()
	}
}

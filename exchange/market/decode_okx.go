package market

import "strings"

// okx reads books, trades-all and candle channels. The channel "trades" merges trades under the last
// number, which looks like a gap: it is refused.
func okx(d *Decoder, s *scanner, f *Frame) {
	switch event := string(s.word("event")); event {
	case "":
	case "subscribe", "unsubscribe", "login", "notice", "channel-conn-count":
		return
	default:
		s.fail("an event %q: %.80q", event, s.b)
		return
	}
	start := s.i
	s.enter("arg")
	channel, symbol := string(s.word("channel")), d.name(s.word("instId"))
	s.i = start
	f.about = symbol
	action := string(s.word("action"))
	switch channel {
	case "books", "books5", "books-l2-tbt", "books50-l2-tbt", "bbo-tbt":
		s.enter("data")
		for s.open('['); s.more(']'); {
			okxBook(s, f, symbol, action == "snapshot" || channel == "books5" || channel == "bbo-tbt")
		}
	case "trades-all":
		s.enter("data")
		for s.open('['); s.more(']'); {
			okxTrade(s, f, symbol)
		}
	case "tickers", "mark-price", "funding-rate", "index-tickers":
	default:
		name, ok := strings.CutPrefix(channel, "candle")
		if !ok {
			s.fail("a channel %q", channel)
		}
		s.enter("data")
		for s.open('['); s.more(']'); {
			row(s, f, Candle{Symbol: symbol, Interval: interval(name)}, 8)
		}
	}
}

func okxBook(s *scanner, f *Frame, symbol string, whole bool) {
	delta := Delta{Symbol: symbol, Replace: whole}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "ts":
			delta.At = s.millis()
		case "seqId":
			delta.Last = s.integer()
		case "prevSeqId":
			delta.Prev = s.integer()
		case "bids":
			delta.Bids = f.readLevels(s)
		case "asks":
			delta.Asks = f.readLevels(s)
		default: // the checksum is not filled any more
			s.skip()
		}
	}
	f.delta(s, delta, true)
}

func okxTrade(s *scanner, f *Frame, symbol string) {
	t := Trade{Symbol: symbol}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "tradeId":
			t.ID = s.integer()
		case "px":
			t.Price = s.number()
		case "sz":
			t.Quantity = s.number()
		case "ts":
			t.At = s.millis()
		case "side":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

// row reads a candle that is an array: start in ms, open, high, low, close, volume; and whether it is
// closed, "1", at a place; 0 if it does not say.
func row(s *scanner, f *Frame, c Candle, closed int) {
	n := 0
	for s.open('['); s.more(']'); n++ {
		switch {
		case n == 0:
			c.Start = s.millis()
		case n <= 5:
			*[]*Number{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume}[n-1] = s.number()
		case n == closed:
			c.Closed = string(s.text()) == "1"
		default:
			s.skip()
		}
	}
	if n < 6 {
		s.fail("a candle of %d numbers", n)
	}
	f.candle(s, c)
}

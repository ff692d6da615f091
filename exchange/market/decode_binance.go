package market

import "time"

// binance reads depth, trade, aggTrade and kline streams of spot and USD-M futures, single or combined.
// The number of an aggregated trade is its own: subscribe to one kind of trades only.
func binance(d *Decoder, s *scanner, f *Frame) {
	if s.peek() == '{' && s.has("stream") {
		s.enter("data")
	}
	switch kind := s.word("e"); string(kind) {
	case "depthUpdate":
		binanceDepth(d, s, f)
	case "trade":
		binanceTrade(d, s, f, "t")
	case "aggTrade":
		binanceTrade(d, s, f, "a")
	case "kline":
		binanceKline(d, s, f)
	case "24hrTicker", "24hrMiniTicker", "bookTicker", "markPriceUpdate", "forceOrder", "serverShutdown":
	case "":
		if !s.has("result") && !(s.has("B") && s.has("A")) && !s.has("id") || s.has("error") || s.has("code") {
			s.fail("an answer or event of an unknown kind: %.80q", s.b)
		}
	default:
		s.fail("an event %q", kind)
	}
}

func binanceDepth(d *Decoder, s *scanner, f *Frame) {
	var delta Delta
	var at time.Time
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "s":
			delta.Symbol = d.symbol(s)
			f.about = delta.Symbol
		case "E":
			delta.At = s.millis()
		case "t": // Gate, whose E is in seconds
			at = s.millis()
		case "U":
			delta.First = s.integer()
		case "u":
			delta.Last = s.integer()
		case "pu":
			delta.Prev = s.integer()
		case "b":
			delta.Bids = f.readLevels(s)
		case "a":
			delta.Asks = f.readLevels(s)
		default:
			s.skip()
		}
	}
	if !at.IsZero() {
		delta.At = at
	}
	if delta.First <= 0 || delta.First > delta.Last {
		s.fail("updates %d to %d", delta.First, delta.Last)
	}
	f.delta(s, delta, true)
}

func binanceTrade(d *Decoder, s *scanner, f *Frame, number string) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "s":
			t.Symbol = d.symbol(s)
		case number:
			t.ID = s.integer()
		case "p":
			t.Price = s.number()
		case "q":
			t.Quantity = s.number()
		case "T":
			t.At = s.millis()
		case "m":
			t.Buy = !s.truth()
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

func binanceKline(d *Decoder, s *scanner, f *Frame) {
	var c Candle
	c.Symbol = d.name(s.word("s"))
	s.enter("k")
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "t":
			c.Start = s.millis()
		case "i":
			c.Interval = interval(string(s.text()))
		case "o":
			c.Open = s.number()
		case "h":
			c.High = s.number()
		case "l":
			c.Low = s.number()
		case "c":
			c.Close = s.number()
		case "v":
			c.Volume = s.number()
		case "x":
			c.Closed = s.truth()
		default:
			s.skip()
		}
	}
	f.candle(s, c)
}

// BinanceSnapshot reads the answer of GET /api/v3/depth and /fapi/v1/depth.
func BinanceSnapshot(symbol string, body []byte) (*Snapshot, error) {
	return snapshot(symbol, body, "lastUpdateId", "E", "")
}

package market

import (
	"strings"
	"time"
)

// kucoin reads /market/level2, /market/match and /market/candles.
func kucoin(d *Decoder, s *scanner, f *Frame) {
	switch kind := string(s.word("type")); kind {
	case "message":
	case "welcome", "ack", "pong", "notice":
		return
	default:
		s.fail("a message of type %q: %.80q", kind, s.b)
		return
	}
	topic := string(s.word("topic"))
	channel, name, _ := strings.Cut(topic, ":")
	s.enter("data")
	switch channel {
	case "/market/level2":
		kucoinBook(d, s, f)
	case "/market/match":
		kucoinTrade(d, s, f)
	case "/market/candles":
		symbol, period, _ := strings.Cut(name, "_")
		kucoinCandle(s, f, Candle{Symbol: d.name([]byte(symbol)), Interval: interval(period)})
	case "/market/ticker", "/market/snapshot":
	default:
		s.fail("a topic %q", topic)
	}
}

func kucoinBook(d *Decoder, s *scanner, f *Frame) {
	var delta Delta
	f.about = d.name(s.word("symbol"))
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "symbol":
			delta.Symbol = d.symbol(s)
		case "time":
			delta.At = s.millis()
		case "sequenceStart":
			delta.First = s.integer()
		case "sequenceEnd":
			delta.Last = s.integer()
		case "changes":
			for s.open('{'); s.more('}'); {
				switch string(s.key()) {
				case "bids":
					delta.Bids = f.readLevels(s)
				case "asks":
					delta.Asks = f.readLevels(s)
				default:
					s.skip()
				}
			}
		default:
			s.skip()
		}
	}
	if delta.First <= 0 || delta.First > delta.Last {
		s.fail("updates %d to %d", delta.First, delta.Last)
	}
	f.delta(s, delta, true)
}

func kucoinTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "symbol":
			t.Symbol = d.symbol(s)
		case "sequence":
			t.ID = s.integer()
		case "tradeId":
			t.Key = string(s.text())
		case "price":
			t.Price = s.number()
		case "size":
			t.Quantity = s.number()
		case "time":
			t.At = unix(s.integer(), time.Nanosecond)
		case "side":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

// kucoinCandle reads [start in s, open, close, high, low, volume, turnover].
func kucoinCandle(s *scanner, f *Frame, c Candle) {
	s.enter("candles")
	n := 0
	for s.open('['); s.more(']'); n++ {
		switch {
		case n == 0:
			c.Start = unix(s.integer(), time.Second)
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

package market

import "time"

// alpaca reads quotes, trades and bars of one minute. A quote is the whole top of the book.
func alpaca(d *Decoder, s *scanner, f *Frame) {
	for s.open('['); s.more(']'); {
		switch kind := string(s.word("T")); kind {
		case "q":
			alpacaQuote(d, s, f)
		case "t":
			alpacaTrade(d, s, f)
		case "b", "u": // u: a bar that was final, once more
			alpacaBar(d, s, f)
		case "success", "subscription", "d", "s", "l", "c", "x", "o", "i":
			s.skip()
		default:
			s.fail("a message of type %q: %.80q", kind, s.b)
		}
	}
}

func alpacaQuote(d *Decoder, s *scanner, f *Frame) {
	delta := Delta{Replace: true}
	var bid, ask Level
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "S":
			delta.Symbol = d.symbol(s)
		case "t":
			delta.At = s.clock()
		case "bp":
			bid.Price = s.number()
		case "bs":
			bid.Quantity = s.number()
		case "ap":
			ask.Price = s.number()
		case "as":
			ask.Quantity = s.number()
		default:
			s.skip()
		}
	}
	n := len(f.levels)
	if !bid.Price.Zero() { // a side without a price is empty
		f.levels = append(f.levels, bid)
	}
	delta.Bids = f.since(n)
	n = len(f.levels)
	if !ask.Price.Zero() {
		f.levels = append(f.levels, ask)
	}
	delta.Asks = f.since(n)
	f.delta(s, delta, false)
}

func alpacaTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	var exchange, number string // the number is the exchange's
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "S":
			t.Symbol = d.symbol(s)
		case "i":
			number = string(s.text())
		case "x":
			exchange = string(s.text())
		case "p":
			t.Price = s.number()
		case "s":
			t.Quantity = s.number()
		case "t":
			t.At = s.clock()
		case "tks":
			t.Buy = string(s.text()) == "B"
		default:
			s.skip()
		}
	}
	if number != "" {
		t.Key = exchange + number
	}
	f.trade(s, t)
}

func alpacaBar(d *Decoder, s *scanner, f *Frame) {
	c := Candle{Interval: time.Minute, Closed: true}
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "S":
			c.Symbol = d.symbol(s)
		case "t":
			c.Start = s.clock()
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
		default:
			s.skip()
		}
	}
	f.candle(s, c)
}

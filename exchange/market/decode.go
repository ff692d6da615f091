package market

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Frame is what one message of a venue's stream holds. Its slices are used again by the next Decode.
type Frame struct {
	Sequence int64 // of the message on its connection, if Counted
	Counted  bool
	Deltas   []Delta
	Trades   []Trade
	Candles  []Candle

	about  string  // the only symbol the message can be about, if that is known
	levels []Level // memory of the deltas
}

func (f *Frame) reset() {
	*f = Frame{Deltas: f.Deltas[:0], Trades: f.Trades[:0], Candles: f.Candles[:0], levels: f.levels[:0]}
}

// A Decoder reads the messages of one connection: books, trades, candles and what is known to be none of
// them. Anything else is an error, [ErrFrame]: what is not understood is not applied. It is not
// safe for concurrent use. Make one with [NewDecoder] for each connection.
type Decoder struct {
	read     func(*Decoder, *scanner, *Frame)
	scanner  scanner
	names    map[string]string
	channels map[int64]channel // of Bitfinex, by number
}

var decoders = map[string]func(*Decoder, *scanner, *Frame){
	"alpaca": alpaca, "binance": binance, "binance-usdm": binance, "bitfinex": bitfinex, "bitget": bitget,
	"bybit": bybitFrame, "coinbase": coinbase, "deribit": deribit, "gate": gate, "kraken": kraken,
	"kucoin": kucoin, "okx": okx,
}

// NewDecoder returns a decoder for a venue that the fact tables know.
func NewDecoder(venue string) (*Decoder, error) {
	read := decoders[venue]
	if read == nil {
		return nil, fmt.Errorf("market: frames of %q are not known, but of %s",
			venue, strings.Join(slices.Sorted(maps.Keys(decoders)), ", "))
	}
	return &Decoder{read: read, names: make(map[string]string), channels: make(map[int64]channel)}, nil
}

// Decode reads a message into f. After an error f is empty.
func (d *Decoder) Decode(message []byte, f *Frame) error {
	f.reset()
	if string(message) == "pong" { // OKX and Bitget answer so
		return nil
	}
	s := &d.scanner
	if *s = scan(message); s.err == nil {
		d.read(d, s, f)
	}
	s.b = nil
	if s.err != nil {
		about := f.about
		f.reset()
		f.about = about
	}
	return s.err
}

// most names that a decoder remembers; far more than a connection carries.
const mostNames = 10_000

// name returns text as a string, without allocating when it is one that came before.
func (d *Decoder) name(text []byte) string {
	if name, ok := d.names[string(text)]; ok {
		return name
	}
	if len(d.names) >= mostNames {
		clear(d.names)
	}
	name := string(text)
	d.names[name] = name
	return name
}

// symbol takes a symbol, which is not empty.
func (d *Decoder) symbol(s *scanner) string {
	name := d.name(s.text())
	if name == "" {
		s.fail("a symbol without a name")
	}
	return name
}

// levels takes [[price, quantity, …], …].
func (f *Frame) readLevels(s *scanner) []Level {
	start := len(f.levels)
	for s.open('['); s.more(']'); {
		var l Level
		n := 0
		for s.open('['); s.more(']'); n++ {
			switch n {
			case 0:
				l.Price = s.number()
			case 1:
				l.Quantity = s.number()
			default:
				s.skip()
			}
		}
		if n < 2 {
			s.fail("a level without price and quantity")
		}
		f.levels = append(f.levels, l)
	}
	return f.since(start)
}

// since returns the levels that were read since there were n.
func (f *Frame) since(n int) []Level { return f.levels[n:len(f.levels):len(f.levels)] }

// delta adds a delta, whose symbol and sequence are there or the frame is odd.
func (f *Frame) delta(s *scanner, d Delta, numbered bool) {
	switch {
	case d.Symbol == "":
		s.fail("a book without a symbol")
	case numbered && d.Last <= 0:
		s.fail("a book of %s without a number", d.Symbol)
	}
	f.Deltas = append(f.Deltas, d)
}

// trade adds a trade, which has all that a trade has, or the frame is odd.
func (f *Frame) trade(s *scanner, t Trade) {
	if t.Symbol == "" || t.ID <= 0 && t.Key == "" || t.Price.Zero() || t.At.IsZero() {
		s.fail("a trade without symbol, number, price or time")
	}
	f.Trades = append(f.Trades, t)
}

// candle adds a candle, which has all that a candle has, or the frame is odd.
func (f *Frame) candle(s *scanner, c Candle) {
	if c.Symbol == "" || c.Start.IsZero() || c.Interval <= 0 {
		s.fail("a candle without symbol, time or interval")
	}
	f.Candles = append(f.Candles, c)
}

// priceOf takes a price of a candle, or its volume, by the name that most venues give it, and skips what else there is.
func (s *scanner) priceOf(key []byte, c *Candle) {
	switch string(key) {
	case "open":
		c.Open = s.number()
	case "high":
		c.High = s.number()
	case "low":
		c.Low = s.number()
	case "close":
		c.Close = s.number()
	case "volume":
		c.Volume = s.number()
	default:
		s.skip()
	}
}

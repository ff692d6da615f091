package market

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// gate reads spot.order_book_update, spot.trades and spot.candlesticks.
func gate(d *Decoder, s *scanner, f *Frame) {
	channel, event := string(s.word("channel")), string(s.word("event"))
	switch {
	case s.has("error"):
		s.fail("an error: %.80q", s.b)
		return
	case event == "subscribe", event == "unsubscribe", channel == "spot.pong":
		return
	}
	s.enter("result")
	switch channel {
	case "spot.order_book_update":
		binanceDepth(d, s, f) // the same fields, but for the time
	case "spot.trades":
		gateTrade(d, s, f)
	case "spot.candlesticks":
		gateCandle(d, s, f)
	case "spot.tickers", "spot.book_ticker":
	default:
		s.fail("a channel %q", channel)
	}
}

func gateTrade(d *Decoder, s *scanner, f *Frame) {
	var t Trade
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "currency_pair":
			t.Symbol = d.symbol(s)
		case "id":
			t.ID = s.integer()
		case "price":
			t.Price = s.number()
		case "amount":
			t.Quantity = s.number()
		case "create_time_ms": // with decimals
			text, _, _ := bytes.Cut(s.text(), []byte("."))
			n, err := strconv.ParseInt(string(text), 10, 64)
			if err != nil {
				s.fail("%.40q where a time was expected", text)
			}
			t.At = unix(n, time.Millisecond)
		case "side":
			t.Buy = string(s.text()) == "buy"
		default:
			s.skip()
		}
	}
	f.trade(s, t)
}

func gateCandle(d *Decoder, s *scanner, f *Frame) {
	var c Candle
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "n": // 1m_BTC_USDT
			name, symbol, _ := strings.Cut(string(s.text()), "_")
			c.Symbol, c.Interval = d.name([]byte(symbol)), interval(name)
		case "t":
			c.Start = unix(s.integer(), time.Second)
		case "o":
			c.Open = s.number()
		case "h":
			c.High = s.number()
		case "l":
			c.Low = s.number()
		case "c":
			c.Close = s.number()
		case "a": // of the base currency; v is of the quote
			c.Volume = s.number()
		case "w":
			c.Closed = s.truth()
		default:
			s.skip()
		}
	}
	f.candle(s, c)
}

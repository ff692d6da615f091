package market

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func candle(minute int, closePrice string, closed bool) Candle {
	return Candle{Symbol: "X", Interval: time.Minute, Start: t0.Add(time.Duration(minute) * time.Minute), Close: num(closePrice), Closed: closed}
}

func TestCandles(t *testing.T) {
	live, final := false, true
	for _, test := range []struct {
		what    string
		repeats bool
		rows    int
		pages   [][]Candle
		err     error
		stream  []Candle
		resume  bool
		want    string
		fills   uint64
	}{
		{what: "in order", stream: []Candle{candle(0, "1", live), candle(0, "2", live), candle(0, "3", final), candle(1, "4", live)},
			want: "live 0s=1, live 0s=2, closed 0s=3, live 1m0s=4"},
		{what: "final twice, and once different", stream: []Candle{candle(0, "3", final), candle(0, "3.0", final), candle(0, "4", final), candle(0, "5", live)},
			want: "closed 0s=3, correction 0s=4"},
		{what: "missing ones are read again, from the last final one", pages: [][]Candle{{candle(0, "3.5", live), candle(1, "4", live), candle(2, "5", live), candle(3, "6", live)}},
			stream: []Candle{candle(0, "3", final), candle(3, "6", final), candle(4, "7", live)},
			want:   "closed 0s=3, correction 0s=3.5, closed 1m0s=4, closed 2m0s=5, closed 3m0s=6, live 4m0s=7", fills: 1},
		{what: "a venue that never says closed", pages: [][]Candle{{candle(0, "2", live), candle(1, "3", live)}},
			stream: []Candle{candle(0, "1", live), candle(1, "3", live)},
			want:   "live 0s=1, closed 0s=2, live 1m0s=3", fills: 1},
		{what: "minutes without trades are left out", pages: [][]Candle{{candle(0, "3", live)}},
			stream: []Candle{candle(0, "3", final), candle(3, "6", final)}, want: "closed 0s=3, closed 3m0s=6", fills: 1},
		{what: "minutes without trades have candles: a hole", repeats: true, pages: [][]Candle{{candle(0, "3", live), candle(2, "4", live)}},
			stream: []Candle{candle(0, "3", final), candle(4, "6", final)}, want: "closed 0s=3, hole 1m0s-1m0s, closed 2m0s=4, hole 3m0s-3m0s, closed 4m0s=6", fills: 1},
		{what: "the venue fails", err: errors.New("no"),
			stream: []Candle{candle(0, "3", final), candle(3, "6", final)}, want: "closed 0s=3, hole 1m0s-2m0s, closed 3m0s=6", fills: 1},
		{what: "another gap behind the first", pages: [][]Candle{{candle(1, "4", live)}, {candle(3, "6", live)}},
			stream: []Candle{candle(0, "3", final), candle(2, "5", final), candle(4, "7", final), candle(5, "8", live)},
			want:   "closed 0s=3, closed 1m0s=4, closed 2m0s=5, closed 3m0s=6, closed 4m0s=7, live 5m0s=8", fills: 2},
		{what: "in pages", rows: 2, pages: [][]Candle{{candle(0, "3", live), candle(1, "4", live)}, {candle(2, "5", live), candle(3, "6", live)}},
			stream: []Candle{candle(0, "3", final), candle(4, "7", live)},
			want:   "closed 0s=3, closed 1m0s=4, closed 2m0s=5, closed 3m0s=6, live 4m0s=7", fills: 1},
		{what: "too many pages", rows: 1, pages: [][]Candle{{candle(0, "3", live)}, {candle(1, "4", live)}, {candle(2, "5", live)}},
			stream: []Candle{candle(0, "3", final), candle(5, "7", live)},
			want:   "closed 0s=3, closed 1m0s=4, closed 2m0s=5, hole 3m0s-4m0s, live 5m0s=7", fills: 1},
		{what: "of another clock", stream: []Candle{candle(0, "3", final), {Symbol: "X", Interval: time.Minute, Start: t0.Add(90 * time.Second)}},
			want: "closed 0s=3"},
		{what: "nothing to resume", resume: true},
		{what: "resumed: the newest read need not be over", resume: true, pages: [][]Candle{{candle(0, "3", live), candle(1, "4", live), candle(2, "5", live)}},
			stream: []Candle{candle(0, "3", final)}, want: "closed 0s=3, closed 1m0s=4", fills: 1},
		{what: "resumed: nothing new", resume: true, pages: [][]Candle{{candle(0, "3", live)}},
			stream: []Candle{candle(0, "3", final)}, want: "closed 0s=3", fills: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			c := &Candles{Pages: 3, Page: func(_ context.Context, p CandlePage) ([]Candle, error) {
				time.Sleep(time.Second)
				if n++; test.err != nil || n > len(test.pages) {
					return nil, test.err
				}
				return test.pages[n-1], nil
			}}
			c.Rules.Candles = CandleRules{Repeats: test.repeats, Rows: max(test.rows, 10*(1-min(test.rows, 1)))}
			c.Add("X", time.Minute)
			c.Add("X", time.Minute)
			c.Add("X", 0)
			start(t, c.Run)
			f := c.Watch(0, time.Minute, "X", "unknown")
			c.Receive(test.stream...)
			if test.resume {
				c.Resumed("X", time.Minute)
				c.Resumed("unknown", time.Minute)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := drain(f); got != test.want {
				t.Errorf("%s: %s; want %s", test.what, got, test.want)
			}
			if s := c.Stats(); s.Fills != test.fills {
				t.Errorf("%s: %+v; want %d fills", test.what, s, test.fills)
			}
			f.Close()
			c.entry("X", time.Minute).fill(t.Context())
			c.Remove("X", time.Minute)
			c.Remove("X", time.Minute)
		})
	}
	if err := new(Candles).Run(t.Context()); err == nil {
		t.Error("no Page is accepted")
	}
}

func TestSeriesBounds(t *testing.T) {
	var got []string
	s := &series{symbol: "X", interval: time.Minute, emit: func(e Event) { got = append(got, short(e)) }}
	for i := range candlesKept + 10 {
		s.add(candle(i, "1", true))
	}
	if len(s.delivered) != candlesKept {
		t.Errorf("%d candles kept; want %d", len(s.delivered), candlesKept)
	}
	if s.add(candle(0, "2", true)); len(got) != candlesKept+10 {
		t.Errorf("%s; want nothing about a candle of long ago", got[len(got)-1])
	}
	got = nil
	for i := range candlesWait + 1 { // a fill that does not end, and gaps between those that wait
		s.add(candle(100+2*i, "1", true))
	}
	if s.filling || s.stats.Holes == 0 || len(got) < candlesWait || len(s.pending) != 0 {
		t.Errorf("filling %t, %d events, %+v; want the fill given up", s.filling, len(got), s.stats)
	}
	if !s.interrupted() || s.interrupted() {
		t.Error("interrupted begins a fill, once")
	}
}

func ExampleCandles() {
	c := &Candles{Page: func(context.Context, CandlePage) ([]Candle, error) { return nil, nil }}
	c.Add("BTCUSDT", time.Minute)
	feed := c.Watch(0, time.Minute, "BTCUSDT")
	d, _ := NewDecoder("binance")
	var f Frame
	d.Decode([]byte(`{"e":"kline","s":"BTCUSDT","k":{"t":1672515780000,"i":"1m","o":"1","c":"2","h":"2","l":"1","v":"9","x":true}}`), &f)
	c.Receive(f.Candles...)
	e, _ := feed.Next(context.Background())
	fmt.Println(e.Kind, e.Candle.Close)
	// Output: closed 2
}

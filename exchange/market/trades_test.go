package market

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func tradeAt(id int64) Trade {
	return Trade{Symbol: "X", ID: id, At: t0.Add(time.Duration(id) * time.Second), Price: num("1"), Quantity: num("1")}
}

func keyed(key string, second int) Trade {
	return Trade{Symbol: "X", Key: key, At: t0.Add(time.Duration(second) * time.Second), Price: num("1"), Quantity: num("1")}
}

func short(e Event) string {
	at := func(t time.Time) string { return fmt.Sprint(t.Sub(t0)) }
	switch {
	case e.Kind == Missing && e.Hole.First > 0:
		return fmt.Sprintf("hole %d-%d", e.Hole.First, e.Hole.Last)
	case e.Kind == Missing:
		return fmt.Sprintf("hole %s-%s", at(e.Hole.From), at(e.Hole.To))
	case e.Kind != Traded:
		return fmt.Sprintf("%v %s=%v", e.Kind, at(e.Candle.Start), e.Candle.Close)
	}
	s := key(&e.Trade)
	if e.Trade.Filled {
		s += "f"
	}
	if e.BestEffort {
		s += "?"
	}
	return s
}

// drain returns what a feed has to tell now.
func drain(f *Feed) string {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var all []string
	for {
		e, err := f.Next(ctx)
		if err != nil {
			return strings.Join(all, ", ")
		}
		all = append(all, short(e))
	}
}

func start(t *testing.T, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

// archive is a venue that still has the trades of some numbers, and hands out rows of them, from one end.
type archive struct {
	has     func(id int64) bool
	rows    int
	newest  bool // first
	err     error
	asked   []string
	latency time.Duration
}

func (k *archive) page(_ context.Context, p TradePage) (page []Trade, err error) {
	time.Sleep(k.latency)
	k.asked = append(k.asked, fmt.Sprint(p.First, "-", p.Last))
	if k.err != nil {
		return nil, k.err
	}
	for i := range p.Last - p.First + 1 {
		id := p.First + i
		if k.newest {
			id = p.Last - i
		}
		if k.has == nil || k.has(id) {
			if page = append(page, tradeAt(id)); len(page) == k.rows {
				break
			}
		}
	}
	return append(page, tradeAt(p.Last+1000)), nil // what was not asked for is not looked at
}

func TestTradesNumbered(t *testing.T) {
	for _, test := range []struct {
		what  string
		venue archive
		live  []int64
		want  string
		asked string
	}{
		{"in order", archive{}, []int64{5, 6, 7}, "5, 6, 7", "[]"},
		{"twice", archive{}, []int64{5, 6, 6, 5, 7}, "5, 6, 7", "[]"},
		{"a jump is filled", archive{rows: 10}, []int64{5, 9}, "5, 6f, 7f, 8f, 9", "[6-8]"},
		{"in pages", archive{rows: 2}, []int64{5, 11}, "5, 6f, 7f, 8f, 9f, 10f, 11", "[6-10 8-10 10-10]"},
		{"in pages from behind", archive{rows: 2, newest: true}, []int64{5, 11}, "5, 6f, 7f, 8f, 9f, 10f, 11", "[6-10 6-8 6-6]"},
		{"live ones wait, in order, each once", archive{rows: 9}, []int64{5, 8, 10, 9, 9, 8, 5}, "5, 6f, 7f, 8, 9, 10", "[6-7]"},
		{"a latecomer fills", archive{rows: 9, has: func(int64) bool { return false }}, []int64{5, 8, 6}, "5, 6, hole 7-7, 8", "[6-7]"},
		{"another gap behind the first", archive{rows: 9}, []int64{5, 7, 9, 10}, "5, 6f, 7, 8f, 9, 10", "[6-6 8-8]"},
		{"what is not kept is a hole at its place", archive{rows: 9, has: func(id int64) bool { return id == 8 }}, []int64{5, 11}, "5, hole 6-7, 8f, hole 9-10, 11", "[6-10 6-10]"},
		{"nothing is kept", archive{has: func(int64) bool { return false }}, []int64{5, 11}, "5, hole 6-10, 11", "[6-10]"},
		{"the venue fails", archive{err: errors.New("no")}, []int64{5, 7}, "5, hole 6-6, 7", "[6-6]"},
		{"too many pages", archive{rows: 1}, []int64{5, 10}, "5, 6f, 7f, 8f, hole 9-9, 10", "[6-9 7-9 8-9]"},
		{"a latecomer is no restart", archive{}, []int64{5, 6, 4}, "5, 6", "[]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			test.venue.latency = time.Second
			tr := &Trades{Rules: rules("okx"), Page: test.venue.page, Pages: 3}
			tr.Add("X", 1)
			tr.Add("X", 2)
			start(t, tr.Run)
			f := tr.Watch(0, "X", "unknown")
			for _, id := range test.live {
				tr.Receive(tradeAt(id))
				synctest.Wait()
			}
			tr.Receive(Trade{Symbol: "unknown"})
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := drain(f); got != test.want {
				t.Errorf("%s: %s; want %s", test.what, got, test.want)
			}
			if got := fmt.Sprint(test.venue.asked); got != test.asked {
				t.Errorf("%s: asked %s; want %s", test.what, got, test.asked)
			}
			if s := tr.Stats(); s.Holes != uint64(strings.Count(test.want, "hole")) {
				t.Errorf("%s: %+v; want every hole counted", test.what, s)
			}
			tr.Remove("X")
			tr.Remove("X")
		})
	}
}

// Where only the latest trades can be had, one page is all.
func TestTradesLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := archive{has: func(id int64) bool { return id > 150 }, rows: 1000}
		tr := &Trades{Rules: rules("kucoin"), Page: k.page}
		tr.Add("X", 1)
		start(t, tr.Run)
		f := tr.Watch(0, "X")
		tr.Receive(tradeAt(1), tradeAt(153))
		synctest.Wait()
		if got, want := drain(f), "1, hole 2-150, 151f, 152f, 153"; got != want || len(k.asked) != 1 {
			t.Errorf("%s, %v; want %s, and one page", got, k.asked, want)
		}
	})
}

func TestTradesRestart(t *testing.T) {
	var got []string
	tp := &tape{symbol: "X", rules: TradeRules{Numbered: true}, emit: func(e Event) { got = append(got, short(e)) }}
	later := tradeAt(1)
	later.At = t0.Add(time.Hour)
	for _, tr := range []Trade{tradeAt(500), later, {ID: 2, At: later.At}} {
		tp.add(tr)
	}
	if want := "[500 hole 8m20s-1h0m0s 1 2]"; fmt.Sprint(got) != want {
		t.Errorf("%v; want %v", got, want)
	}
}

// More live trades than may wait: the fill is given up, and its answer comes too late.
func TestTradesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := archive{latency: time.Minute, rows: 10}
		tr := &Trades{Rules: rules("okx"), Page: k.page, Pending: 3}
		tr.Add("X", 1)
		start(t, tr.Run)
		f := tr.Watch(0, "X")
		for _, id := range []int64{5, 8, 9, 12, 14} {
			tr.Receive(tradeAt(id))
			synctest.Wait()
		}
		if got, want := drain(f), "5, hole 6-7, 8, 9, hole 10-11, 12, hole 13-13, 14"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := drain(f); got != "" {
			t.Errorf("%s; want nothing from an answer that came too late", got)
		}
		tr.entry("X").fill(t.Context()) // there is nothing to fill
		if len(k.asked) != 1 {
			t.Errorf("asked %v", k.asked)
		}
	})
}

// Without numbers: by time, an overlap of 1 s, each once, marked as best effort.
func TestTradesByTime(t *testing.T) {
	for _, test := range []struct {
		what  string
		pages [][]Trade
		err   error
		live  []Trade
		want  string
	}{
		{"nothing was missed", [][]Trade{{keyed("b", 2)}}, nil, []Trade{keyed("d", 9)}, "a, b, d"},
		{"filled, the newest first", [][]Trade{{keyed("d", 9), keyed("c", 5), keyed("b", 2)}}, nil, []Trade{keyed("d", 9), keyed("e", 10), keyed("e", 10)}, "a, b, cf?, df?, e"},
		{"the venue keeps less", [][]Trade{{keyed("c", 5)}}, nil, []Trade{keyed("d", 9)}, "a, b, hole 2s-5s, cf?, d"},
		{"the venue keeps nothing", [][]Trade{{}}, nil, []Trade{keyed("d", 9)}, "a, b, hole 2s-9s, d"},
		{"the venue fails", nil, errors.New("no"), []Trade{keyed("d", 9)}, "a, b, hole 2s-9s, d"},
		{"in pages", [][]Trade{{keyed("b", 2), keyed("c", 5)}, {keyed("c", 5), keyed("c2", 6)}, {keyed("c2", 6), keyed("d", 9)}}, nil, []Trade{keyed("d", 9)}, "a, b, cf?, c2f?, df?"},
		{"too many pages", [][]Trade{{keyed("b", 2), keyed("c", 3)}, {keyed("c", 3), keyed("c1", 4)}, {keyed("c1", 4), keyed("c2", 5)}}, nil, []Trade{keyed("d", 9)}, "a, b, cf?, c1f?, c2f?, hole 5s-9s, d"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := rules("bitget")
			r.Trades.Rows = 2
			n := 0
			var first TradePage
			tr := &Trades{Rules: r, Pages: 3, Page: func(_ context.Context, p TradePage) ([]Trade, error) {
				time.Sleep(time.Second)
				if n == 0 {
					first = p
				}
				if n++; test.err != nil {
					return nil, test.err
				}
				return test.pages[n-1], nil
			}}
			tr.Add("X", 1)
			start(t, tr.Run)
			f := tr.Watch(0, "X")
			tr.Receive(keyed("a", 1), keyed("b", 2), keyed("b", 2))
			tr.Interrupted("X", "unknown")
			for _, l := range test.live {
				tr.Receive(l)
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := drain(f); got != test.want {
				t.Errorf("%s: %s; want %s", test.what, got, test.want)
			}
			if want := fmt.Sprint("trades of X from ", t0.Add(time.Second).Format(time.RFC3339), " to ", t0.Add(9*time.Second).Format(time.RFC3339)); first.String() != want {
				t.Errorf("%s: asked for %v; want %v", test.what, first, want)
			}
		})
	}
}

// Keys are forgotten at last, and too many trades that wait are no trouble.
func TestTapeBounds(t *testing.T) {
	n, holes := 0, 0
	tp := &tape{symbol: "X", most: 100, emit: func(e Event) {
		if n++; e.Kind == Missing {
			holes++
		}
	}}
	for i := range keysKept * 2 {
		tp.add(keyed(fmt.Sprint(i), i))
	}
	if len(tp.recent) != keysKept || len(tp.ring) != keysKept {
		t.Errorf("%d keys kept; want %d", len(tp.recent), keysKept)
	}
	tp.broken = true
	for i := range 101 {
		tp.add(keyed(fmt.Sprint("x", i), keysKept*2+i))
	}
	if n != keysKept*2+102 || holes != 1 || tp.filling {
		t.Errorf("%d events, %d holes; want all, and one", n, holes)
	}
}

func TestFeedOverflow(t *testing.T) {
	f := newFeed(3)
	f.push(Event{Symbol: "X", Trade: tradeAt(1)})
	f.push(Event{Symbol: "Y", Trade: tradeAt(1)})
	f.push(Event{Symbol: "X", Trade: tradeAt(2)})
	f.push(Event{Symbol: "X", Trade: tradeAt(3)})                                // full
	f.push(Event{Symbol: "X", Kind: Missing, Hole: Hole{First: 4, Last: 9}})     // and what was missing anyway
	f.push(Event{Symbol: "X", Kind: Live, Candle: Candle{Start: t0}})            // leaves nothing
	f.push(Event{Symbol: "Z", Kind: Closed, Candle: Candle{Start: t0.Add(60)}})  // of another
	f.push(Event{Symbol: "Z", Kind: Correction, Candle: Candle{Start: t0}})      // earlier
	f.push(Event{Symbol: "Z", Kind: Closed, Candle: Candle{Start: t0.Add(120)}}) // later
	ctx := t.Context()
	take := func() Event {
		e, err := f.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	take()
	f.push(Event{Symbol: "X", Trade: tradeAt(10)}) // room for one, but two are needed
	take()
	f.push(Event{Symbol: "X", Trade: tradeAt(11)})
	var got []string
	for range 4 {
		e := take()
		got = append(got, e.Symbol+" "+short(e))
		if e.Kind == Missing && e.Hole.Why != ErrOverflow {
			t.Errorf("why = %v", e.Hole.Why)
		}
	}
	if want := "[X 2 X hole 3-10 X 11 Z hole 0s-120ns]"; fmt.Sprint(got) != want {
		t.Errorf("%v; want %v", got, want)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(1)
		go func() {
			time.Sleep(time.Second)
			f.push(Event{Symbol: "X", Trade: tradeAt(1)})
			time.Sleep(time.Second)
			f.Close()
			f.Close()
			f.push(Event{Symbol: "X", Trade: tradeAt(2)})
		}()
		if e, err := f.Next(t.Context()); err != nil || e.Trade.ID != 1 {
			t.Errorf("Next = %v, %v", e, err)
		}
		if _, err := f.Next(t.Context()); err != ErrClosed {
			t.Errorf("Next = %v; want %v", err, ErrClosed)
		}
	})
}

func TestFeedLeaves(t *testing.T) {
	tr := &Trades{Rules: rules("okx")}
	tr.Add("X", 1)
	f := tr.Watch(0, "X")
	other := tr.Watch(0, "X")
	f.Close()
	tr.Receive(tradeAt(1))
	if got := drain(other); got != "1" || len(tr.entry("X").feeds) != 1 {
		t.Errorf("%s, %d feeds", got, len(tr.entry("X").feeds))
	}
	if err := tr.Run(t.Context()); err == nil {
		t.Error("no Page is accepted")
	}
	tr.Rules = Rules{}
	if err := tr.Run(t.Context()); err == nil {
		t.Error("no rules are accepted")
	}
}

package market

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// A rest answers requests for snapshots of Binance books, and remembers them.
type rest struct {
	mu      sync.Mutex
	took    time.Duration
	answer  func(symbol string, n int) (*Snapshot, error) // n counts from 1; nil means snapshot 100
	asked   map[string][]time.Time
	order   []string
	running int
	most    int
}

func (r *rest) source(ctx context.Context, symbol string) (*Snapshot, error) {
	r.mu.Lock()
	if r.asked == nil {
		r.asked = map[string][]time.Time{}
	}
	r.asked[symbol] = append(r.asked[symbol], time.Now())
	r.order = append(r.order, symbol)
	n := len(r.asked[symbol])
	r.running++
	r.most = max(r.most, r.running)
	r.mu.Unlock()
	time.Sleep(r.took)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.answer != nil {
		return r.answer(symbol, n)
	}
	return snapshotAt(100), nil
}

func (r *rest) count(symbol string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked[symbol])
}

func snapshotAt(id int64) *Snapshot {
	return &Snapshot{ID: id, Bids: levels("10 1"), Asks: levels("11 1")}
}

// depth is a message of Binance.
func depth(symbol string, first, last int64) []byte {
	return fmt.Appendf(nil, `{"e":"depthUpdate","E":%d,"s":%q,"U":%d,"u":%d,"b":[["10","%d"]],"a":[]}`, time.Now().UnixMilli(), symbol, first, last, last)
}

// begin runs books until the test ends, and returns a link that is subscribed to the symbols.
func begin(t *testing.T, b *Books, symbols ...string) *Link {
	ctx, cancel := context.WithCancelCause(context.Background()) // that of the test ends before the clean-up
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	over := errors.New("over")
	t.Cleanup(func() {
		cancel(over)
		if err := <-done; !errors.Is(err, over) {
			t.Errorf("Run = %v; want %v", err, over)
		}
	})
	for i, symbol := range symbols {
		b.Add(symbol, float64(len(symbols)-i))
	}
	d, err := NewDecoder(b.Rules.Venue)
	if err != nil {
		t.Fatal(err)
	}
	l := b.Link(d)
	l.Subscribed(symbols...)
	synctest.Wait()
	return l
}

func rules(venue string) Rules {
	r, ok := VenueRules(venue)
	if !ok {
		panic(venue)
	}
	return r
}

func half() float64 { return 0.5 }

func state(b *Books, symbol string) string {
	top := b.Top(symbol)
	return fmt.Sprint(top.State, " ", top.Sequence)
}

func expect(t *testing.T, what string, b *Books, symbol, want string) {
	t.Helper()
	if got := state(b, symbol); got != want {
		t.Errorf("%s: %s is %s; want %s", what, symbol, got, want)
	}
}

// Vector 10: gap, duplicate and reordering. STALE in the same call, SYNCED after.
func TestGapIsStaleAtOnce(t *testing.T) {
	for what, messages := range map[string][][2]int64{
		"gap":       {{103, 104}},
		"reordered": {{103, 103}, {102, 102}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &rest{}
			b := &Books{Rules: rules("binance"), Source: r.source, Rand: half}
			l := begin(t, b, "X")
			expect(t, what, b, "X", "SYNCED 100")
			for range 2 { // the second is a duplicate
				if _, err := l.Receive(depth("X", 101, 101)); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			expect(t, what, b, "X", "SYNCED 101")
			_, err := l.Receive(depth("X", messages[0][0], messages[0][1]))
			if !errors.Is(err, ErrGap) {
				t.Errorf("%s: Receive = %v; want %v", what, err, ErrGap)
			}
			expect(t, what, b, "X", "STALE 101")
			for _, m := range messages[1:] {
				l.Receive(depth("X", m[0], m[1]))
			}
			r.answer = func(string, int) (*Snapshot, error) { return snapshotAt(200), nil }
			time.Sleep(499 * time.Millisecond)
			synctest.Wait()
			expect(t, what, b, "X", "STALE 101")
			time.Sleep(time.Millisecond) // half of 1 s: full jitter
			synctest.Wait()
			expect(t, what, b, "X", "SYNCED 200")
			if s := b.Stats(); s.Stale != 1 || s.Snapshots != 2 || s.Failed != 0 {
				t.Errorf("%s: %+v", what, s)
			}
		})
	}
}

// Vector 11: the snapshot is older than the buffer three times, then good.
func TestOldSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{took: 100 * time.Millisecond}
		r.answer = func(_ string, n int) (*Snapshot, error) {
			if n <= 3 {
				return snapshotAt(90), nil
			}
			return snapshotAt(101), nil
		}
		b := &Books{Rules: rules("binance"), Source: r.source, Rand: half}
		l := begin(t, b, "X")
		l.Receive(depth("X", 100, 101))
		l.Receive(depth("X", 102, 103))
		time.Sleep(3*time.Second + 600*time.Millisecond)
		expect(t, "third", b, "X", "BUFFERING 0")
		time.Sleep(800 * time.Millisecond) // 0.5, 1 and 2 s between, 0.1 s each
		synctest.Wait()
		expect(t, "fourth", b, "X", "SYNCED 103")
		if n := r.count("X"); n != 4 {
			t.Errorf("%d snapshots asked for; want 4", n)
		}
	})
}

// Vector 12: the endpoint answers 429. The hint is honoured, the waits grow, others go on.
func TestSnapshotRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := retry.After(errors.New("429"), 7*time.Second)
		r := &rest{answer: func(symbol string, n int) (*Snapshot, error) {
			switch {
			case symbol == "Y":
				return snapshotAt(100), nil
			case n == 1:
				return nil, busy
			}
			return nil, nil // odd: neither
		}}
		b := &Books{Rules: rules("binance"), Source: r.source, Rand: half, Concurrency: 1}
		l := begin(t, b, "X", "Y")
		expect(t, "other", b, "Y", "SYNCED 100")
		time.Sleep(7*time.Second - 1)
		synctest.Wait()
		if n := r.count("X"); n != 1 {
			t.Errorf("%d asked in the time of the hint; want 1", n)
		}
		for range 60 {
			time.Sleep(10 * time.Second)
			l.Receive(depth("Y", b.Top("Y").Sequence+1, b.Top("Y").Sequence+1))
		}
		synctest.Wait()
		// 7 s, then half of 2, 4, 8, 16, 32 and 60 s from there on.
		if n := r.count("X"); n < 20 || n > 27 {
			t.Errorf("%d asked in 10 min; want about 24", n)
		}
		expect(t, "other", b, "Y", "SYNCED 160")
	})
}

// Vector 13: a checksum mismatch is one resync, and none where checksums are switched off.
func TestChecksumMismatch(t *testing.T) {
	for _, ignore := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := &rest{answer: func(string, int) (*Snapshot, error) { return nil, nil }}
			b := &Books{Rules: rules("kraken"), Source: r.source, Rand: half}
			b.Rules.IgnoreChecksum = ignore
			l := begin(t, b, "X")
			whole := []byte(`{"channel":"book","type":"snapshot","data":[{"symbol":"X","bids":[{"price":10,"qty":1}],"asks":[],"checksum":0}]}`)
			update := []byte(`{"channel":"book","type":"update","data":[{"symbol":"X","bids":[{"price":9,"qty":1}],"asks":[],"checksum":1}]}`)
			if _, err := l.Receive(whole); !ignore && !errors.Is(err, ErrChecksum) {
				t.Errorf("a snapshot with a wrong checksum: %v", err)
			}
			whole = []byte(`{"channel":"book","type":"snapshot","data":[{"symbol":"X","bids":[{"price":10,"qty":1}],"asks":[]}]}`)
			l.Receive(whole)
			expect(t, "snapshot", b, "X", "SYNCED 0")
			before := r.count("X")
			for range 50 {
				l.Receive(update)
			}
			want := "STALE 0"
			if ignore {
				want = "SYNCED 0"
			}
			expect(t, "mismatch", b, "X", want)
			time.Sleep(8 * time.Second) // the second failure in a row: half of 2 s
			for range 50 {
				l.Receive(update)
			}
			if !ignore {
				expect(t, "before the snapshot", b, "X", "BUFFERING 0")
			}
			l.Receive(whole)
			expect(t, "after it", b, "X", "SYNCED 0")
			time.Sleep(time.Hour)
			synctest.Wait()
			if got, want := r.count("X")-before, map[bool]int{false: 1}[ignore]; got != want {
				t.Errorf("ignore %t: %d resyncs; want %d", ignore, got, want)
			}
		})
	}
}

// Vector 16: 200 symbols go STALE at once. A few snapshots at a time, the most traded first.
func TestManyStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{took: 100 * time.Millisecond}
		b := &Books{Rules: rules("binance"), Source: r.source}
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		b.Rand = func() float64 { mu.Lock(); defer mu.Unlock(); return random.Float64() }
		var symbols []string
		for i := range 200 {
			symbols = append(symbols, fmt.Sprint("S", i))
		}
		l := begin(t, b, symbols...)
		time.Sleep(time.Minute)
		synctest.Wait()
		r.order, r.most = nil, 0
		start := time.Now()
		r.asked = nil
		if _, err := l.Receive([]byte(`{"e":`)); !errors.Is(err, ErrFrame) {
			t.Errorf("a cut frame: %v", err)
		}
		for _, s := range symbols {
			expect(t, "cut frame", b, s, "STALE 100")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if len(r.order) != 200 || r.most != 4 {
			t.Errorf("%d snapshots, %d at a time; want 200, 4", len(r.order), r.most)
		}
		for i, s := range r.order {
			if s != symbols[i] {
				t.Fatalf("snapshot %d is of %s; want the most traded first: %s", i, s, symbols[i])
			}
		}
		if first := r.asked["S0"][0].Sub(start); first <= 0 {
			t.Errorf("the first snapshot came at once: no jitter")
		}
		for _, s := range symbols {
			expect(t, "after all", b, s, "SYNCED 100")
		}
	})
}

// The waits between resyncs grow while the book does not last, and begin anew after 60 s of SYNCED.
func TestBackoffResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{}
		b := &Books{Rules: rules("binance"), Source: r.source, Rand: func() float64 { return 0.999999 }}
		l := begin(t, b, "X")
		spoil := func() time.Duration {
			l.Receive(depth("X", 500, 500))
			stale, n := time.Now(), r.count("X")
			for r.count("X") == n {
				time.Sleep(10 * time.Millisecond)
			}
			return r.asked["X"][n].Sub(stale).Round(100 * time.Millisecond)
		}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			if got := spoil(); got != want*time.Second {
				t.Errorf("waited %v; want %v", got, want*time.Second)
			}
		}
		time.Sleep(59 * time.Second)
		if got := spoil(); got != time.Minute {
			t.Errorf("waited %v after 59 s of SYNCED; want 1m", got)
		}
		time.Sleep(61 * time.Second)
		if got := spoil(); got != time.Second {
			t.Errorf("waited %v after 61 s of SYNCED; want 1s", got)
		}
	})
}

// A limiter makes a snapshot wait for longer than the buffer lasts: it begins again, and the snapshot fits.
func TestSlowSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{took: 30 * time.Second}
		r.answer = func(string, int) (*Snapshot, error) { return snapshotAt(128), nil }
		b := &Books{Rules: rules("binance"), Source: r.source}
		l := begin(t, b, "X")
		for i := range int64(31) {
			l.Receive(depth("X", 101+i, 101+i))
			time.Sleep(time.Second)
		}
		expect(t, "late", b, "X", "SYNCED 131")
		if s := b.Stats(); s.Overflows != 2 || s.Snapshots != 1 || s.Received != 31 {
			t.Errorf("%+v; want 2 overflows, 1 snapshot, 31 received", s)
		}
	})
}

func TestLinkLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{}
		b := &Books{Rules: rules("binance"), Source: r.source}
		l := begin(t, b, "X", "Y", "Z")
		l.Subscribed("unknown")
		l.Receive(depth("unknown", 1, 1))
		l.Unsubscribed("Z", "unknown")
		expect(t, "unsubscribed", b, "Z", "STALE 100")
		l.Receive(depth("Z", 101, 101))
		expect(t, "delta without subscription", b, "Z", "STALE 100")
		eof := errors.New("EOF")
		l.Lost(eof)
		expect(t, "lost", b, "X", "STALE 100")
		var v View
		if !b.View("X", 1, &v) || !errors.Is(v.Reason, ErrLinkLost) || !errors.Is(v.Reason, eof) || len(v.Bids) != 1 {
			t.Errorf("View = %+v; want the last book, and why it is stale", v)
		}
		l.Receive(depth("X", 101, 101))
		l.Subscribed("X") // too late: the connection has ended
		b.Invalidate("X", eof)
		time.Sleep(time.Hour)
		synctest.Wait()
		expect(t, "nobody carries it", b, "X", "STALE 100")
		if n := r.count("X"); n != 1 {
			t.Errorf("%d snapshots; want none without a link", n-1)
		}
		d, _ := NewDecoder("binance")
		l = b.Link(d)
		l.Subscribed("X", "Y", "Z")
		synctest.Wait()
		expect(t, "new link", b, "X", "SYNCED 100")

		// Make before break: the numbers go on, so nothing is read again.
		next := b.Link(d)
		next.Subscribed("X")
		expect(t, "turnover", b, "X", "SYNCED 100")
		l.Receive(depth("X", 101, 101)) // from the old link: ignored
		expect(t, "turnover", b, "X", "SYNCED 100")
		l.Lost(eof)
		next.Receive(depth("X", 100, 101))
		expect(t, "turnover", b, "X", "SYNCED 101")
		expect(t, "turnover", b, "Y", "STALE 100")
		b.Remove("X")
		b.Remove("X")
		expect(t, "removed", b, "X", "EMPTY 0")
		if b.View("X", 0, &v) {
			t.Error("View of a symbol that was removed")
		}
	})
}

// Odd input makes one book stale where it is known whose it was, and all books otherwise.
func TestOddFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{}
		b := &Books{Rules: rules("binance"), Source: r.source}
		l := begin(t, b, "X", "Y")
		for _, test := range []struct{ message, x, y string }{
			{`{"e":"depthUpdate","s":"X","U":"101","u":"101","b":[["10","5"]],"a":[]}`, "SYNCED 101", "SYNCED 100"},
			{`{"e":"depthUpdate","s":"X","U":102,"u":102,"b":[["10","-5"]],"a":[]}`, "STALE 101", "SYNCED 100"},
			{`{"e":"depthUpdate","s":"X","U":102,"u":102,"b":[["10","-5"]],"a":[]}`, "STALE 101", "SYNCED 100"},
			{`{"e":"depthUpdate","s":"Y","U":101,"u":101,"b":[["12","5"]],"a":[]}`, "STALE 101", "STALE 100"},
		} {
			l.Receive([]byte(test.message))
			expect(t, test.message, b, "X", test.x)
			expect(t, test.message, b, "Y", test.y)
		}
		time.Sleep(time.Minute)
		expect(t, "after a while", b, "Y", "SYNCED 100")
		b.Invalidate("Y", errors.New("silent"))
		b.Invalidate("unknown", errors.New("silent"))
		expect(t, "Invalidate", b, "Y", "STALE 100")
	})
}

// Coinbase counts the messages of a connection: one that is missing may be anybody's.
func TestConnectionNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{answer: func(string, int) (*Snapshot, error) { return nil, nil }}
		b := &Books{Rules: rules("coinbase"), Source: r.source, Rand: half}
		l := begin(t, b, "X", "Y")
		book := func(n int, kind, symbol string) ([]byte, *Frame, error) {
			m := fmt.Appendf(nil, `{"channel":"l2_data","sequence_num":%d,"events":[{"type":%q,"product_id":%q,"updates":[{"side":"bid","price_level":"10","new_quantity":"%d"}]}]}`, n, kind, symbol, n+1)
			f, err := l.Receive(m)
			return m, f, err
		}
		book(0, "snapshot", "X")
		book(1, "snapshot", "Y")
		l.Receive([]byte(`{"channel":"heartbeats","sequence_num":2}`))
		book(3, "update", "X")
		expect(t, "in order", b, "X", "SYNCED 3")
		expect(t, "in order", b, "Y", "SYNCED 1")
		if _, f, err := book(3, "update", "X"); err != nil || len(f.Deltas) != 0 {
			t.Errorf("again: %v, %v", f.text(), err)
		}
		if _, _, err := book(5, "snapshot", "Y"); !errors.Is(err, ErrGap) {
			t.Errorf("a gap: %v", err)
		}
		expect(t, "gap", b, "X", "STALE 3")
		expect(t, "gap, but a whole book", b, "Y", "SYNCED 5")
		book(6, "update", "X")
		expect(t, "before the snapshot", b, "X", "STALE 3")
		time.Sleep(time.Second)
		expect(t, "asked again", b, "X", "BUFFERING 3")
		time.Sleep(29 * time.Second) // the snapshot does not come: asked again
		synctest.Wait()
		if n := r.count("X"); n != 3 {
			t.Errorf("%d resubscriptions; want 3: at 0.5, 10.5 and 20.5 s", n)
		}
		book(7, "snapshot", "X")
		expect(t, "snapshot", b, "X", "SYNCED 7")
		time.Sleep(time.Hour)
		if n := r.count("X"); n != 3 {
			t.Errorf("%d resubscriptions; want no more", n)
		}
		// The numbers of another connection say nothing: the book begins anew.
		d, _ := NewDecoder("coinbase")
		b.Link(d).Subscribed("X")
		expect(t, "another connection", b, "X", "BUFFERING 7")
	})
}

// An answer that comes when it is no longer wanted changes nothing.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{took: time.Second}
		b := &Books{Rules: rules("binance"), Source: r.source}
		l := begin(t, b, "X")
		l.Lost(errors.New("EOF"))
		time.Sleep(2 * time.Second)
		expect(t, "late answer", b, "X", "STALE 0")
		b.entry("X").repair(t.Context()) // nobody carries it
		if n := r.count("X"); n != 1 {
			t.Errorf("%d asked; want 1", n)
		}
		d, _ := NewDecoder("binance")
		l = b.Link(d)
		l.Subscribed("X")
		time.Sleep(500 * time.Millisecond)
		l.Lost(errors.New("EOF"))
		b.Link(d).Subscribed("X")
		time.Sleep(600 * time.Millisecond) // the answer to the question before the loss is there
		expect(t, "answer for the link before", b, "X", "BUFFERING 0")
		time.Sleep(500 * time.Millisecond)
		expect(t, "answer", b, "X", "SYNCED 100")
	})
}

func TestBooksCheck(t *testing.T) {
	b := &Books{Rules: Rules{Venue: "x", Sequence: "?", Checksum: "?", Depth: -1, Trades: TradeRules{By: "?"}}}
	want := "market: rules of x: Sequence: no rule is named \"?\"\nChecksum: none is named \"?\"\nDepth: negative\nTrades.By: no key is named \"?\""
	if err := b.Run(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Run = %v; want %s", err, want)
	}
	b.Rules = rules("okx")
	b.Rules.Trades.Numbered = false
	if err := b.Run(t.Context()); err == nil {
		t.Error("a fill by number without numbers is accepted")
	}
	b.Rules = rules("okx")
	if err := b.Run(t.Context()); err == nil {
		t.Error("no Source is accepted")
	}
	for _, r := range venues {
		if err := r.Check(); err != nil {
			t.Errorf("%s: %v", r.Venue, err)
		}
	}
	if _, ok := VenueRules("nowhere"); ok {
		t.Error("there are rules for nowhere")
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rest{}
		b := &Books{Rules: rules("binance"), Source: r.source}
		l := begin(t, b, "X", "Y")
		w := b.Watch(1, "X", "unknown", "Y")
		var v View
		next := func() string {
			if err := w.Next(t.Context(), &v); err != nil {
				return err.Error()
			}
			return fmt.Sprint(v.Symbol, " ", v.State, " ", v.Sequence, " ", len(v.Bids), " missed ", v.Missed)
		}
		for _, want := range []string{"X SYNCED 100 1 missed 0", "Y SYNCED 100 1 missed 0"} {
			if got := next(); got != want {
				t.Errorf("Next = %s; want %s", got, want)
			}
		}
		for i := range int64(1000) { // nobody reads, and nobody waits
			l.Receive(depth("X", 101+i, 101+i))
		}
		l.Receive(depth("Y", 100, 100)) // late: nothing to be seen
		if got, want := next(), "X SYNCED 1100 1 missed 999"; got != want {
			t.Errorf("Next = %s; want %s", got, want)
		}
		go func() {
			time.Sleep(time.Second)
			l.Receive(depth("Y", 500, 500))
		}()
		if got, want := next(), "Y STALE 100 1 missed 0"; got != want {
			t.Errorf("Next = %s; want %s", got, want)
		}
		if time.Since(v.Since) != 0 || !errors.Is(v.Reason, ErrGap) {
			t.Errorf("stale since %v, %v; want now, and why", v.Since, v.Reason)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		if err := w.Next(ctx, &v); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v", err)
		}
		if w.Close(); next() != ErrClosed.Error() {
			t.Error("Next of a closed Watch goes on")
		}
		w.Close()
		l.Receive(depth("X", 1101, 1101))
		if n := len(b.entry("X").watchers); n != 0 {
			t.Errorf("%d watchers left", n)
		}
		late := &seat{watch: w, entry: b.entry("X")}
		late.changed()
		if late.queued {
			t.Error("a closed Watch still queues")
		}
	})
}

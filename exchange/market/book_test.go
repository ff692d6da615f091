package market

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	t0    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	plain = &Rules{Venue: "binance", Sequence: BinanceRange, Fetched: true}
)

// show prints a view as bids|asks.
func show(b *Book) string {
	var v View
	b.View(&v, 0)
	var s strings.Builder
	fmt.Fprintf(&s, "%v %d", v.State, v.Sequence)
	for i, side := range [][]Level{v.Bids, v.Asks} {
		s.WriteString([]string{" ", "|"}[i])
		for j, l := range side {
			if j > 0 {
				s.WriteByte(' ')
			}
			fmt.Fprintf(&s, "%v@%v", l.Quantity, l.Price)
		}
	}
	return s.String()
}

func synced(t *testing.T, r *Rules) *Book {
	t.Helper()
	b := NewBook("X", r)
	b.Begin(t0)
	var err error
	if r.Fetched {
		err = b.Load(&Snapshot{ID: 100, Bids: levels("10 1 9 2"), Asks: levels("11 3 12 4")}, t0, t0)
	} else {
		err = b.Apply(&Delta{Replace: true, Last: 100, Bids: levels("10 1 9 2"), Asks: levels("11 3 12 4")}, t0)
	}
	if err != nil || b.State() != Synced {
		t.Fatalf("%v, %v; want SYNCED", b.State(), err)
	}
	return b
}

func delta(first, last int64, bids, asks string) *Delta {
	return &Delta{First: first, Last: last, Bids: levels(bids), Asks: levels(asks)}
}

func TestBookFollows(t *testing.T) {
	b := synced(t, plain)
	if got, want := show(b), "SYNCED 100 1@10 2@9|3@11 4@12"; got != want {
		t.Errorf("book = %s; want %s", got, want)
	}
	if err := b.Apply(delta(101, 103, "10.00 5 9 0 8 7", "11 0 99 0"), t0); err != nil {
		t.Error(err)
	}
	if got, want := show(b), "SYNCED 103 5@10.00 7@8|4@12"; got != want {
		t.Errorf("book = %s; want %s", got, want)
	}
	bid, ask := b.Top()
	if bid.Price.Cmp(num("10")) != 0 || ask.Price.Cmp(num("12")) != 0 {
		t.Errorf("Top() = %v, %v", bid, ask)
	}
	var v View
	if b.View(&v, 1); len(v.Bids) != 1 || len(v.Asks) != 1 || v.Age(t0.Add(time.Second)) != time.Second {
		t.Errorf("View(1) = %+v", v)
	}
	if err := b.Apply(delta(99, 102, "10 9", ""), t0); err != nil || b.Sequence() != 103 {
		t.Errorf("a late delta: %v, %d", err, b.Sequence())
	}
}

// Whatever is wrong with a delta, the book is STALE in the same call, and what it shows is as it was.
func TestBookRefuses(t *testing.T) {
	for what, test := range map[string]struct {
		delta Delta
		want  error
	}{
		"gap":             {*delta(102, 103, "10 5", ""), ErrGap},
		"crossed":         {*delta(101, 101, "11.5 5 9 0", "12 9"), ErrCrossed},
		"locked":          {*delta(101, 101, "", "10 9"), ErrCrossed},
		"price 0":         {*delta(101, 101, "9 0 0 5", ""), ErrLevels},
		"price 0 of asks": {*delta(101, 101, "9 0", "0 5"), ErrLevels},
		"checksum":        {Delta{First: 101, Last: 101, Bids: levels("10 0 9 7 8 8"), Sum: 1, Summed: true}, ErrChecksum},
		"a snapshot":      {Delta{Replace: true, Last: 101}, ErrGap},
	} {
		r := *plain
		r.Checksum = KrakenTop10
		b := synced(t, &r)
		err := b.Apply(&test.delta, t0.Add(time.Second))
		if !errors.Is(err, test.want) || b.Reason() != err {
			t.Errorf("%s: Apply = %v; want %v", what, err, test.want)
		}
		if got, want := show(b), "STALE 100 1@10 2@9|3@11 4@12"; got != want {
			t.Errorf("%s: book = %s; want %s", what, got, want)
		}
		if err := b.Apply(delta(101, 101, "10 7", ""), t0); err != nil || b.State() != Stale {
			t.Errorf("%s: a delta after it: %v, %v", what, err, b.State())
		}
		b.Begin(t0.Add(2 * time.Second))
		if got, want := show(b), "BUFFERING 100 |"; got != want {
			t.Errorf("%s: book = %s; want %s", what, got, want)
		}
		var v View
		if b.View(&v, 0); !v.Since.Equal(t0.Add(time.Second)) {
			t.Errorf("%s: stale since %v; want the moment it was seen", what, v.Since)
		}
	}
}

func TestBookPlaysWhatItKept(t *testing.T) {
	b := NewBook("X", plain)
	if b.Apply(delta(1, 1, "1 1", ""), t0); b.State() != Empty {
		t.Error("a delta woke an empty book")
	}
	if b.Invalidate(ErrLinkLost, t0); b.State() != Empty {
		t.Error("an empty book became STALE")
	}
	b.Begin(t0)
	kept := delta(99, 101, "10 5", "")
	b.Apply(kept, t0)
	kept.Bids[0].Quantity = num("77") // the memory of the decoder is used again
	b.Apply(delta(102, 103, "9 6", ""), t0.Add(time.Second))
	asked := t0.Add(500 * time.Millisecond)
	old := &Snapshot{ID: 97, Bids: levels("10 1")}
	if err := b.Load(old, asked, t0); !errors.Is(err, ErrOldSnapshot) || b.State() != Buffering {
		t.Errorf("old snapshot: %v, %v", err, b.State())
	}
	if err := b.Load(&Snapshot{ID: 100, Bids: levels("10 1")}, asked, t0.Add(2*time.Second)); err != nil {
		t.Error(err)
	}
	if got, want := show(b), "SYNCED 103 5@10 6@9|"; got != want {
		t.Errorf("book = %s; want %s", got, want)
	}
	if err := b.Load(old, asked, t0); err != nil || b.Sequence() != 103 {
		t.Errorf("a snapshot that nobody waits for: %v, %d", err, b.Sequence())
	}

	b.Begin(t0)
	b.Apply(delta(101, 101, "10 5", ""), t0)
	b.Apply(delta(103, 103, "10 6", ""), t0)
	if err := b.Load(&Snapshot{ID: 100}, t0, t0); !errors.Is(err, ErrGap) || b.State() != Stale {
		t.Errorf("a gap among the kept: %v, %v", err, b.State())
	}
	b.Begin(t0)
	if err := b.Load(&Snapshot{ID: 100, Bids: levels("9 1"), Asks: levels("8 1")}, t0, t0); !errors.Is(err, ErrCrossed) || b.State() != Stale {
		t.Errorf("a crossed snapshot: %v, %v", err, b.State())
	}
	b.Clear(t0)
	if got, want := show(b), "EMPTY 0 |"; got != want {
		t.Errorf("book = %s; want %s", got, want)
	}
}

// The data is as old as its snapshot's question, not its answer.
func TestBookAge(t *testing.T) {
	b := NewBook("X", plain)
	b.Begin(t0)
	b.Load(&Snapshot{ID: 1}, t0, t0.Add(3*time.Second))
	var v View
	if b.View(&v, 0); v.Age(t0.Add(4*time.Second)) != 4*time.Second || v.Age(t0.Add(-time.Hour)) != 0 {
		t.Errorf("Age = %v", v.Age(t0.Add(4*time.Second)))
	}
}

func TestBookKeepsLittle(t *testing.T) {
	b := NewBook("X", plain)
	b.Begin(t0)
	for i := range int64(keepDeltas) {
		b.Apply(delta(i+1, i+1, "", ""), t0)
	}
	if len(b.buffer) != keepDeltas || b.overflow != 0 {
		t.Errorf("%d kept, %d overflows", len(b.buffer), b.overflow)
	}
	b.Apply(delta(keepDeltas+1, keepDeltas+1, "", ""), t0)
	if len(b.buffer) != 1 || b.overflow != 1 {
		t.Errorf("%d kept, %d overflows; want to begin again", len(b.buffer), b.overflow)
	}
	b.Apply(delta(keepDeltas+2, keepDeltas+2, "", ""), t0.Add(keepFor))
	b.Apply(delta(keepDeltas+3, keepDeltas+3, "", ""), t0.Add(keepFor+1))
	if len(b.buffer) != 1 || b.overflow != 2 {
		t.Errorf("%d kept, %d overflows; want to begin again after 10 s", len(b.buffer), b.overflow)
	}
}

func TestBookInBand(t *testing.T) {
	r := &Rules{Sequence: BybitCounter}
	b := synced(t, r)
	if err := b.Apply(&Delta{Last: 101, Bids: levels("10 9")}, t0); err != nil {
		t.Error(err)
	}
	if err := b.Apply(&Delta{Last: 1, Bids: levels("5 5")}, t0); err != nil || show(b) != "SYNCED 1 5@5|" {
		t.Errorf("restart: %v, %s", err, show(b))
	}
	if err := b.Apply(&Delta{Replace: true, Last: 9, Bids: levels("5 5 5.0 6")}, t0); !errors.Is(err, ErrLevels) || show(b) != "STALE 1 5@5|" {
		t.Errorf("a price twice: %v, %s", err, show(b))
	}
	if err := b.Apply(&Delta{Last: 2, Bids: levels("5 6")}, t0); err != nil || b.State() != Stale {
		t.Errorf("a delta before the snapshot: %v, %v", err, b.State())
	}
	b.Begin(t0)
	b.Apply(&Delta{Last: 2, Bids: levels("5 6")}, t0)
	if err := b.Load(&Snapshot{ID: 7}, t0, t0); err != nil || b.State() != Buffering || len(b.buffer) != 0 {
		t.Errorf("%v, %v; want to wait for a snapshot in band", err, b.State())
	}
	for _, odd := range []*Delta{
		{Replace: true, Last: 9, Bids: levels("0 5")},
		{Replace: true, Last: 9, Asks: levels("3 5 0 5")},
	} {
		if err := b.Apply(odd, t0); !errors.Is(err, ErrLevels) || b.State() != Stale {
			t.Errorf("price 0: %v, %v", err, b.State())
		}
	}
	if err := b.Apply(&Delta{Replace: true, Last: 9, Bids: levels("4 1 5 5 3 0"), Asks: levels("9 1 7 1")}, t0); err != nil || show(b) != "SYNCED 9 5@5 1@4|1@7 1@9" {
		t.Errorf("an unsorted snapshot: %v, %s", err, show(b))
	}
}

// Late data is shown as STALE, but the sequence goes on, and so does the book when the link has caught up.
func TestBookLag(t *testing.T) {
	for _, limit := range []time.Duration{0, 3 * time.Second, -1} {
		r := *plain
		r.MaxLag = limit
		r.Offset = func() time.Duration { return time.Second } // the venue's clock is ahead
		b := synced(t, &r)
		want := max(limit, 0)
		if limit == 0 {
			want = 5 * time.Second
		}
		d := delta(101, 101, "10 5", "")
		d.At = t0
		b.Apply(d, t0.Add(want-time.Second))
		if b.State() != Synced {
			t.Errorf("limit %v: %v at the limit", limit, b.Reason())
		}
		d.First, d.Last = 102, 102
		err := b.Apply(d, t0.Add(want-time.Second+1))
		if limit < 0 {
			if b.State() != Synced {
				t.Errorf("no limit: %v", b.Reason())
			}
			continue
		}
		if err != nil || b.State() != Stale || !errors.Is(b.Reason(), ErrLag) {
			t.Errorf("limit %v: %v, %v, %v; want STALE", limit, err, b.State(), b.Reason())
		}
		d.First, d.Last, d.At = 103, 103, t0.Add(time.Minute)
		if err := b.Apply(d, t0.Add(time.Minute)); err != nil || b.State() != Synced || b.Reason() != nil {
			t.Errorf("limit %v: %v, %v; want SYNCED again", limit, err, b.State())
		}
	}
}

func TestBookDepth(t *testing.T) {
	r := &Rules{Sequence: KrakenChecksum, Checksum: KrakenTop10, Depth: 2}
	b := synced(t, r)
	if err := b.Apply(&Delta{Bids: levels("9.5 1"), Asks: levels("11.5 1")}, t0); err != nil || show(b) != "SYNCED 0 1@10 1@9.5|3@11 1@11.5" {
		t.Errorf("%v, %s; want the best 2", err, show(b))
	}
	if err := b.Apply(&Delta{Bids: levels("9.7 1 9.8 1"), Sum: 1, Summed: true}, t0); !errors.Is(err, ErrChecksum) || show(b) != "STALE 0 1@10 1@9.5|3@11 1@11.5" {
		t.Errorf("%v, %s; want it as it was", err, show(b))
	}
	b.Apply(&Delta{Replace: true, Bids: levels("10 1 9 1 8 1")}, t0)
	if got, want := show(b), "SYNCED 0 1@10 1@9|"; got != want {
		t.Errorf("book = %s; want %s", got, want)
	}
	r.IgnoreChecksum = true
	if err := b.Apply(&Delta{Sum: 1, Summed: true}, t0); err != nil {
		t.Errorf("with checksums ignored: %v", err)
	}
	r.IgnoreChecksum = false
	if err := b.Apply(&Delta{Sum: crc32.ChecksumIEEE([]byte("10191")), Summed: true}, t0); err != nil {
		t.Errorf("a right checksum: %v", err)
	}
}

func TestBookTooDeep(t *testing.T) {
	b := synced(t, plain)
	d := &Delta{First: 101, Last: 101}
	for i := range uint64(maxLevels + 1) {
		d.Asks = append(d.Asks, Level{Number{whole: 1000 + i}, num("1")})
	}
	slices.Reverse(d.Asks)
	if err := b.Apply(d, t0); !errors.Is(err, ErrLevels) || len(b.asks.levels) != 2 {
		t.Errorf("Apply = %v, %d levels; want %v", err, len(b.asks.levels), ErrLevels)
	}
}

func TestKuCoinIgnoresPriceZero(t *testing.T) {
	b := synced(t, &Rules{Sequence: KuCoinRange, Fetched: true})
	if err := b.Apply(delta(101, 101, "0 0", "0 5"), t0); err != nil || show(b) != "SYNCED 101 1@10 2@9|3@11 4@12" {
		t.Errorf("%v, %s", err, show(b))
	}
}

func TestSide(t *testing.T) {
	for _, asks := range []bool{false, true} {
		s := new(newSide(asks))
		if _, ok := s.best(); ok {
			t.Error("an empty side has a best level")
		}
		for i := range 200 { // any order, deeper than the part that is searched one by one
			s.set(Level{Number{whole: uint64(i*77%200 + 1)}, num("1")})
		}
		for i := range 200 {
			want := uint64(200 - i)
			if asks {
				want = uint64(i + 1)
			}
			if got := s.at(i).Price.whole; got != want {
				t.Fatalf("asks %t: level %d = %d; want %d", asks, i, got, want)
			}
		}
		for i := range 200 {
			p := Number{whole: uint64(i*77%200 + 1)}
			if old := s.set(Level{Price: p}); old.Quantity != num("1") || len(s.levels) != 199-i {
				t.Fatalf("asks %t: set(%v, 0) = %v, %d left", asks, p, old, len(s.levels))
			}
		}
	}
}

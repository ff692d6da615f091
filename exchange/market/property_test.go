package market

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// A world is a venue with one true book: it numbers its changes by the rule, remembers the book at every
// number, and sends what happened over a line that loses, repeats and reorders.
type world struct {
	rules *Rules
	r     *rand.Rand
	truth map[bool]map[uint64]Number           // by ask, by price
	at    map[int64]map[bool]map[uint64]Number // the truth by number
	last  int64                                // number of the last change
	told  int64                                // number at the end of the delta sent last
	dirty map[bool]map[uint64]bool             // prices changed since then
}

func newWorld(rules *Rules, seed uint64) *world {
	w := &world{rules: rules, r: rand.New(rand.NewPCG(seed, 1)), at: map[int64]map[bool]map[uint64]Number{}, last: 100, told: 100}
	w.truth = map[bool]map[uint64]Number{false: {}, true: {}}
	w.dirty = map[bool]map[uint64]bool{false: {}, true: {}}
	for range 20 {
		w.move()
	}
	w.flush()
	return w
}

// move changes one level of the truth. Bids are below 50 and asks above: five levels of each, so that
// even a checksum of the top ten sees all.
func (w *world) move() {
	ask := w.r.IntN(2) == 0
	price := uint64(45 + w.r.IntN(5))
	if ask {
		price += 6
	}
	w.last++
	if w.r.IntN(3) == 0 {
		delete(w.truth[ask], price)
	} else {
		w.truth[ask][price] = Number{whole: uint64(w.last)} // never the same twice
	}
	w.dirty[ask][price] = true
	w.note()
}

func (w *world) note() {
	w.at[w.last] = map[bool]map[uint64]Number{false: maps.Clone(w.truth[false]), true: maps.Clone(w.truth[true])}
}

func (w *world) levels(ask bool) (all []Level) {
	for price, q := range w.truth[ask] {
		all = append(all, Level{Number{whole: price}, q})
	}
	return all
}

// flush is the delta of all that changed since the last one.
func (w *world) flush() Delta {
	d := Delta{First: w.told + 1, Last: w.last, Prev: w.told}
	for ask, prices := range w.dirty {
		for price := range prices {
			l := Level{Number{whole: price}, w.truth[ask][price]}
			if ask {
				d.Asks = append(d.Asks, l)
			} else {
				d.Bids = append(d.Bids, l)
			}
		}
		clear(prices)
	}
	w.sum(&d)
	w.told = w.last
	return d
}

func (w *world) sum(d *Delta) {
	if w.rules.Checksum != NoChecksum {
		bids, asks := new(newSide(false)), new(newSide(true))
		bids.load(w.levels(false))
		asks.load(w.levels(true))
		_, text := w.rules.Checksum.holds(1, bids, asks, nil)
		d.Sum, d.Summed = crc32.ChecksumIEEE(text), true
	}
}

// whole is the book in band.
func (w *world) whole() Delta {
	d := Delta{Replace: true, Last: w.last, Bids: w.levels(false), Asks: w.levels(true)}
	w.sum(&d)
	return d
}

// check compares what consumers see with the truth.
func (w *world) check(b *Book) error {
	var v View
	b.View(&v, 0)
	if v.State != Synced {
		return nil
	}
	truth, ok := w.at[v.Sequence]
	if !ok {
		return fmt.Errorf("SYNCED at %d, which never was", v.Sequence)
	}
	for i, levels := range [][]Level{v.Bids, v.Asks} {
		want := truth[i == 1]
		if len(levels) != len(want) {
			return fmt.Errorf("SYNCED at %d with %d levels (ask %t); want %d", v.Sequence, len(levels), i == 1, len(want))
		}
		for _, l := range levels {
			if q, ok := want[l.Price.whole]; !ok || q.Cmp(l.Quantity) != 0 {
				return fmt.Errorf("SYNCED at %d with %v at %v; want %v", v.Sequence, l.Quantity, l.Price, q)
			}
		}
	}
	return nil
}

// run plays one history, and returns what was wrong, and for how many deltas the book was SYNCED.
func run(rules *Rules, seed uint64) (err error, good int) {
	w := newWorld(rules, seed)
	b := NewBook("X", rules)
	now := t0
	b.Begin(now)
	var line []Delta
	var old []Snapshot
	numbered := int64(0) // of the connection
	expect := int64(-1)
	send := func(d Delta) {
		numbered++
		if rules.Sequence.ofConnection() {
			w.at[numbered+1_000_000] = w.at[w.last]
			d.Last = numbered + 1_000_000
		}
		line = append(line, d)
	}
	deliver := func(d Delta) error {
		if rules.Sequence.ofConnection() { // as the Link does
			j := apply
			if expect >= 0 {
				j = count(expect, d.Last)
			}
			if j == late {
				return nil
			}
			if j == gap {
				b.Invalidate(ErrGap, now)
			}
			expect = d.Last
		}
		was, before := b.State(), b.Sequence()
		err := b.Apply(&d, now)
		if was != Synced && !d.Replace && d.Prev != -1 && (b.State() == Synced || b.Sequence() != before) {
			return fmt.Errorf("a delta was applied to a book that was %v", was)
		}
		if err != nil && b.State() == Synced {
			return fmt.Errorf("still SYNCED after %w", err)
		}
		return w.check(b)
	}
	for range 400 {
		now = now.Add(10 * time.Millisecond)
		for range 1 + w.r.IntN(3) {
			w.move()
		}
		send(w.flush())
		if w.r.IntN(10) == 0 && rules.Fetched {
			old = append(old, Snapshot{ID: w.last, Bids: w.levels(false), Asks: w.levels(true)})
		}
		for len(line) > w.r.IntN(3) {
			i := 0
			switch w.r.IntN(60) {
			case 0: // lost
				line = line[1:]
				continue
			case 1: // twice
				if err := deliver(line[0].clone()); err != nil {
					return err, good
				}
			case 2: // reordered
				i = len(line) - 1
			case 3: // the checksum is off, or was computed over another book
				if line[0].Summed && !line[0].Replace {
					line[0].Sum++
				}
			}
			d := line[i]
			line = append(line[:i:i], line[i+1:]...)
			if err := deliver(d); err != nil {
				return err, good
			}
			if b.State() == Synced {
				good++
			}
		}
		switch {
		case b.State() == Stale && w.r.IntN(3) == 0:
			b.Begin(now)
		case b.State() == Buffering && rules.Fetched && w.r.IntN(3) == 0:
			s := Snapshot{ID: w.last, Bids: w.levels(false), Asks: w.levels(true)}
			if len(old) > 0 && w.r.IntN(3) == 0 { // stale
				s = old[w.r.IntN(len(old))]
			}
			if err := b.Load(&s, now, now); err != nil && b.State() == Synced {
				return errors.Join(errors.New("SYNCED in spite of"), err), good
			}
			if err := w.check(b); err != nil {
				return fmt.Errorf("after a snapshot: %w", err), good
			}
		case b.State() == Buffering && !rules.Fetched && w.r.IntN(3) == 0:
			send(w.whole())
		}
	}
	return nil, good
}

// Invariant I11: a book that is SYNCED equals the truth at its sequence, whatever the line does.
func TestSyncedBooksAreTrue(t *testing.T) {
	for _, rules := range propertyRules() {
		t.Run(string(rules.Sequence), func(t *testing.T) {
			good := 0
			for seed := range uint64(60) {
				err, n := run(&rules, seed)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				good += n
			}
			if good < 3000 {
				t.Errorf("SYNCED for %d deltas only: the test shows little", good)
			}
		})
	}
}

// propertyRules are those of all venues but the one that has nothing to follow. Kraken has no numbers: the
// rule does not look at those of the test.
func propertyRules() (all []Rules) {
	for _, r := range venues {
		if r.Sequence != TopOfBook {
			all = append(all, r)
		}
	}
	return append(all, Rules{Sequence: BitgetLink})
}

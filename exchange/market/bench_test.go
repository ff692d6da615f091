package market

import (
	"fmt"
	"testing"
)

// thousand is a book of 1,000 levels a side, and deltas of n levels near its top that follow one another.
func thousand(n int) (*Book, []Delta) {
	b := NewBook("X", plain)
	b.Begin(t0)
	s := &Snapshot{ID: 1}
	for i := range uint64(1000) {
		s.Bids = append(s.Bids, Level{Number{whole: 27000 - i}, num("1.5")})
		s.Asks = append(s.Asks, Level{Number{whole: 27001 + i}, num("1.5")})
	}
	b.Load(s, t0, t0)
	deltas := make([]Delta, 2)
	for k := range deltas {
		for i := range uint64(n / 2) {
			q := num([]string{"0.25", "0"}[(k+int(i))%2]) // levels come and go
			deltas[k].Bids = append(deltas[k].Bids, Level{Number{whole: 27000 - 3*i}, q})
			deltas[k].Asks = append(deltas[k].Asks, Level{Number{whole: 27001 + 3*i}, q})
		}
	}
	return b, deltas
}

func step(b *Book, deltas []Delta, k int) {
	d := &deltas[k%2]
	d.First = b.mark.last + 1
	d.Last = d.First
	if err := b.Apply(d, t0); err != nil {
		panic(err)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{2, 20, 100} {
		b.Run(fmt.Sprint(n, "_levels"), func(b *testing.B) {
			book, deltas := thousand(n)
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				step(book, deltas, k)
			}
		})
	}
}

// benchBooks are Books with one symbol that is SYNCED.
func benchBooks() (*Books, *Link) {
	b := &Books{Rules: *plain}
	b.Add("BTCUSDT", 1)
	d, _ := NewDecoder("binance")
	l := b.Link(d)
	l.Subscribed("BTCUSDT")
	e := b.entry("BTCUSDT")
	book, _ := thousand(2)
	e.book, book.symbol = book, "BTCUSDT"
	e.tell()
	return b, l
}

// A whole message: decode, find the book, judge, apply, tell.
func BenchmarkReceive(b *testing.B) {
	books, l := benchBooks()
	message := func(n int64) []byte {
		return fmt.Appendf(nil, `{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":%d,"u":%d,"b":[["26999.00000000","1.25000000"],["26998.00000000","0.00000000"],["26997.00000000","3.10000000"],["26990.00000000","4.00000000"],["26980.00000000","5.00000000"]],"a":[["27001.00000000","1.25000000"],["27002.00000000","2.00000000"],["27003.00000000","3.10000000"],["27010.00000000","4.00000000"],["27020.00000000","5.00000000"]]}`, n, n)
	}
	books.Rules.MaxLag = -1
	const begin = 100_000_000_000 // as many digits for long
	books.entry("BTCUSDT").book.mark.last = begin
	m := message(begin + 1)
	first, last := 0, 0 // where the numbers are written
	for i := range m[:len(m)-12] {
		if string(m[i:i+12]) == "100000000001" {
			if first == 0 {
				first = i
			} else if last == 0 {
				last = i
			}
		}
	}
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	for n := int64(begin + 1); b.Loop(); n++ {
		for i, v := 11, n; i >= 0; i, v = i-1, v/10 {
			m[first+i], m[last+i] = byte('0'+v%10), byte('0'+v%10)
		}
		if _, err := l.Receive(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTop(b *testing.B) {
	books, _ := benchBooks()
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if books.Top("BTCUSDT").State != Synced {
				b.Fatal("not SYNCED")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				books.Top("BTCUSDT")
			}
		})
	})
}

func BenchmarkView(b *testing.B) {
	books, _ := benchBooks()
	var v View
	b.ReportAllocs()
	for b.Loop() {
		books.View("BTCUSDT", 20, &v)
	}
}

func BenchmarkChecksum(b *testing.B) {
	book, _ := thousand(2)
	b.ReportAllocs()
	for b.Loop() {
		_, book.text = KrakenTop10.holds(1, &book.bids, &book.asks, book.text)
	}
}

func BenchmarkParseNumber(b *testing.B) {
	text := []byte("27000.12000000")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseNumber(text); err != nil {
			b.Fatal(err)
		}
	}
}

// The hot paths allocate nothing.
func TestAllocs(t *testing.T) {
	if racing {
		t.Skip("the race detector drops what is pooled")
	}
	book, deltas := thousand(20)
	k := 0
	for range 2 {
		step(book, deltas, k)
		k++
	}
	books, l := benchBooks()
	books.Rules.MaxLag = -1
	message := []byte(`{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":1,"u":1,"b":[["26999.00","1.25"]],"a":[["27002.00","1.25"]]}`)
	l.Receive(message)
	var v View
	for what, fn := range map[string]func(){
		"Apply":   func() { step(book, deltas, k); k++ },
		"Top":     func() { books.Top("BTCUSDT") },
		"View":    func() { books.View("BTCUSDT", 20, &v) },
		"Receive": func() { l.Receive(message) },
	} {
		fn()
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

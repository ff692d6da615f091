package order

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Narrow numbers give what math/big gives.
func TestNarrowAgreesWithBig(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	digits := func(most int) string {
		b := make([]byte, rnd.IntN(most+1))
		for i := range b {
			b[i] = "0012345678999"[rnd.IntN(13)]
		}
		return string(b)
	}
	number := func() Decimal {
		d := digits(12)
		if rnd.IntN(3) > 0 {
			d += "." + digits(12)
		}
		if rnd.IntN(3) == 0 {
			d = "-" + d
		}
		if n, err := ParseDecimal(d); err == nil && rnd.IntN(8) > 0 {
			return n
		}
		return Decimal(d) // also text that is none
	}
	fast := 0
	for range 20_000 {
		d, e := number(), number()
		x, y, scale := aligned(d, e)
		if _, _, _, ok := abreast(d, e); ok {
			fast++
		}
		if d == e {
			continue
		}
		if got, want := d.Cmp(e), x.Cmp(y); got != want {
			t.Errorf("%q.Cmp(%q) = %d; want %d", d, e, got, want)
		}
		sum, difference := d.Add(e), d.Sub(e)
		if want := shaped(x.Add(x, y), scale); sum != want {
			t.Errorf("%q.Add(%q) = %q; want %q", d, e, sum, want)
		}
		x, y, scale = aligned(d, e)
		if want := shaped(x.Sub(x, y), scale); difference != want {
			t.Errorf("%q.Sub(%q) = %q; want %q", d, e, difference, want)
		}
	}
	if fast < 5000 {
		t.Errorf("%d of 20,000 pairs were narrow; the test tests little", fast)
	}
}

func TestNarrowEdges(t *testing.T) {
	nines := Decimal(strings.Repeat("9", mostNarrow))
	for _, test := range []struct{ d, e, sum Decimal }{
		{nines, nines, "1999999999999999998"}, {"-" + nines[1:], "-" + nines[1:], "-199999999999999998"},
		{nines, "1", "1" + Decimal(strings.Repeat("0", mostNarrow))}, {nines, "0.1", nines + ".1"},
		{"0.0015", "-0.0005", "0.001"}, {"-0.05", "", "-0.05"}, {"x", "1", "1"}, {"", "", ""}, {"1.5", "1.5", "3"},
	} {
		if got := test.d.Add(test.e); got != test.sum {
			t.Errorf("%s + %s = %q; want %q", test.d, test.e, got, test.sum)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = Decimal("0.0015").Cmp("12.5") }); n != 0 {
		t.Errorf("Cmp allocates %v times; want none", n)
	}
}

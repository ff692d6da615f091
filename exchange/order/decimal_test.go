package order

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestParseDecimal(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "1": "1", "01.50": "1.5", "-1.50": "-1.5", "100": "100", "0.00000001": "0.00000001",
		strings.Repeat("9", 40): strings.Repeat("9", 40),
	} {
		if got, err := ParseDecimal(in); err != nil || got.String() != want {
			t.Errorf("ParseDecimal(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1.", ".5", "+1", "1e3", " 1", "1,5", "0x1", "--1", "1.2.3", "NaN", "Inf", "1/3", "١", strings.Repeat("9", 41)} {
		if got, err := ParseDecimal(in); err == nil {
			t.Errorf("ParseDecimal(%q) = %v; want an error", in, got)
		}
	}
	if d := Decimal("x"); d.Sign() != 0 || d.Add("1") != "1" {
		t.Errorf("text that is no number counts as %v; want 0", d.Add("1"))
	}
	if Decimal("-1").Sign() != -1 || Decimal("0.1").Sign() != 1 {
		t.Error("Sign is wrong")
	}
	for _, test := range []struct {
		d, base Decimal
		bps     int
		want    bool
	}{
		{"100", "100", 0, true}, {"101", "100", 100, true}, {"101.01", "100", 100, false}, {"98.99", "100", 100, false},
		{"0.0099", "0.01", 100, true}, {"1", "", 10000, false},
	} {
		if got := test.d.Within(test.base, test.bps); got != test.want {
			t.Errorf("%v.Within(%v, %d) = %v; want %v", test.d, test.base, test.bps, got, test.want)
		}
	}
}

// Arithmetic agrees with exact fractions, and results are in shape.
func TestDecimalArithmetic(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	number := func() Decimal {
		s := big.NewInt(rnd.Int64N(2_000_000) - 1_000_000).String()
		if n := rnd.IntN(4); n > 0 {
			s += "." + strings.Repeat("0", n-1) + string(rune('0'+rnd.IntN(10)))
		}
		d, err := ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rat := func(d Decimal) *big.Rat { r, _ := new(big.Rat).SetString(d.String()); return r }
	for range 5000 {
		a, b := number(), number()
		sum, diff := a.Add(b), a.Sub(b)
		if rat(sum).Cmp(new(big.Rat).Add(rat(a), rat(b))) != 0 || rat(diff).Cmp(new(big.Rat).Sub(rat(a), rat(b))) != 0 {
			t.Fatalf("%v + %v = %v, %v - %v = %v", a, b, sum, a, b, diff)
		}
		if a.Cmp(b) != rat(a).Cmp(rat(b)) {
			t.Fatalf("%v.Cmp(%v) = %d", a, b, a.Cmp(b))
		}
		if again, err := ParseDecimal(sum.String()); err != nil || again != sum {
			t.Fatalf("the sum %q is not in shape: %q, %v", sum, again, err)
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"1.50", "-0", "1e9", ".", "00012.3400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			return
		}
		if again, err := ParseDecimal(d.String()); err != nil || again != d {
			t.Errorf("%q becomes %q, and that %q, %v", s, d, again, err)
		}
		if d.Sub(d) != "" || d.Add("") != d || d.Cmp(d) != 0 {
			t.Errorf("arithmetic with %q is wrong", d)
		}
	})
}

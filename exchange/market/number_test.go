package market

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

func TestParseNumber(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"0", "0"}, {"0.0", "0.0"}, {"27000.10", "27000.10"}, {"007", "7"}, {"1.50", "1.50"},
		{"18446744073709551615", "18446744073709551615"},
		{"0.00000000000000001", "0.00000000000000001"},
		{"0.12345678901234567000", "0.12345678901234567"},
		{"1e-7", "0.0000001"}, {"1.5E-7", "0.00000015"}, {"1.5e3", "1500"}, {"12.345e1", "123.45"}, {"2e0", "2"},
	} {
		n, err := ParseNumber(test.in)
		if err != nil || n.String() != test.want {
			t.Errorf("ParseNumber(%q) = %v, %v; want %s", test.in, n, err, test.want)
		}
		if b, err := ParseNumber([]byte(test.in)); err != nil || b != n {
			t.Errorf("ParseNumber of bytes %q = %v, %v; want %v", test.in, b, err, n)
		}
	}
	for _, in := range []string{
		"", "-1", "+1", ".5", "5.", "1,5", "1.5x", "0x1", "NaN", "Infinity", "1e", "1e99", "1e-99", "1e-17e", " 1",
		"18446744073709551616", "99999999999999999999", "0.000000000000000001", "9e19",
	} {
		if n, err := ParseNumber(in); !errors.Is(err, ErrNumber) {
			t.Errorf("ParseNumber(%q) = %v, %v; want an error", in, n, err)
		}
	}
}

func TestNumberOrder(t *testing.T) {
	sorted := []string{"0", "0.00000000000000001", "0.5", "0.51", "1", "1.00000001", "2", "10", "10.5", "18446744073709551615"}
	for i, a := range sorted {
		for j, b := range sorted {
			x, y := num(a), num(b+map[bool]string{true: "000", false: ".000"}[strings.Contains(b, ".")])
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := x.Cmp(y); got != want {
				t.Errorf("%v.Cmp(%v) = %d; want %d", x, y, got, want)
			}
		}
	}
	if !num("0.00").Zero() || num("0.01").Zero() || num("10").Zero() {
		t.Error("Zero is wrong")
	}
}

func TestNumberJSON(t *testing.T) {
	data, err := json.Marshal(Level{num("1.50"), num("3")})
	if want := `{"Price":"1.50","Quantity":"3"}`; err != nil || string(data) != want {
		t.Errorf("Marshal = %s, %v; want %s", data, err, want)
	}
	var l Level
	if err := json.Unmarshal(data, &l); err != nil || l != (Level{num("1.50"), num("3")}) {
		t.Errorf("Unmarshal = %v, %v", l, err)
	}
	if err := json.Unmarshal([]byte(`{"Price":"-1"}`), &l); !errors.Is(err, ErrNumber) || l.Price != num("1.50") {
		t.Errorf("Unmarshal of -1 = %v, %v; want an error, and the level as it was", l, err)
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "1.50", "1e-7", "12.345e1", "18446744073709551615.9", "-3", "0.000000000000000010"} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := ParseNumber(a)
		if err != nil {
			return
		}
		p, ok := new(big.Rat).SetString(a)
		if !ok {
			t.Fatalf("ParseNumber(%q) = %v, but that is no number", a, x)
		}
		if q, _ := new(big.Rat).SetString(x.String()); q.Cmp(p) != 0 {
			t.Fatalf("ParseNumber(%q) = %v", a, x)
		}
		y, err := ParseNumber(b)
		if err != nil {
			return
		}
		if q, _ := new(big.Rat).SetString(b); x.Cmp(y) != p.Cmp(q) {
			t.Fatalf("%q.Cmp(%q) = %d; want %d", a, b, x.Cmp(y), p.Cmp(q))
		}
	})
}

// num reads a number that is right.
func num(s string) Number {
	n, err := ParseNumber(s)
	if err != nil {
		panic(err)
	}
	return n
}

// levels reads "price quantity price quantity …".
func levels(s string) []Level {
	var all []Level
	words := strings.Fields(s)
	for i := 0; i+1 < len(words); i += 2 {
		all = append(all, Level{num(words[i]), num(words[i+1])})
	}
	return all
}

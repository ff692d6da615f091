package order

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"
)

// A Decimal is an exact decimal number in its shortest text form, such as "0.0015". The zero value is 0. Numbers that
// come from outside go through [ParseDecimal]; text that is none counts as 0 in arithmetic, so check it first.
type Decimal string

// MaxDigits is how many digits a number may have.
const MaxDigits = 40

// ParseDecimal reads a plain decimal number: an optional minus sign, digits, at most one point. There are no
// exponents, no signs in front of positive numbers, and no blanks. The empty text is an error, not 0.
func ParseDecimal(s string) (Decimal, error) {
	digits, minus := strings.CutPrefix(s, "-")
	whole, part, point := strings.Cut(digits, ".")
	if len(whole)+len(part) > MaxDigits {
		return "", fmt.Errorf("number %.60q has more than %d digits", s, MaxDigits)
	}
	if whole == "" || point && part == "" || !allDigits(whole) || !allDigits(part) {
		return "", fmt.Errorf("%.60q is not a plain decimal number", s)
	}
	whole, part = strings.TrimLeft(whole, "0"), strings.TrimRight(part, "0")
	switch {
	case whole == "" && part == "":
		return "", nil
	case whole == "":
		whole = "0"
	}
	if part != "" {
		whole += "." + part
	}
	if minus {
		whole = "-" + whole
	}
	return Decimal(whole), nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// String returns the number, "0" for the zero value.
func (d Decimal) String() string {
	if d == "" {
		return "0"
	}
	return string(d)
}

// Sign returns -1, 0 or 1.
func (d Decimal) Sign() int { return d.Cmp("") }

// Cmp returns -1 if d is less than e, 0 if they are equal, and 1 if it is greater.
func (d Decimal) Cmp(e Decimal) int {
	if d == e {
		return 0
	}
	if x, y, _, ok := abreast(d, e); ok {
		return cmp.Compare(x, y)
	}
	x, y, _ := aligned(d, e)
	return x.Cmp(y)
}

// Add returns d + e.
func (d Decimal) Add(e Decimal) Decimal {
	if x, y, scale, ok := abreast(d, e); ok {
		return shortest(x+y, scale)
	}
	x, y, scale := aligned(d, e)
	return shaped(x.Add(x, y), scale)
}

// Sub returns d - e.
func (d Decimal) Sub(e Decimal) Decimal {
	if x, y, scale, ok := abreast(d, e); ok {
		return shortest(x-y, scale)
	}
	x, y, scale := aligned(d, e)
	return shaped(x.Sub(x, y), scale)
}

// Within says whether d differs from the base by at most bps hundredths of a percent of it.
func (d Decimal) Within(base Decimal, bps int) bool {
	x, y, _ := aligned(d, base)
	off := new(big.Int).Sub(x, y)
	off.Abs(off).Mul(off, big.NewInt(10_000))
	y.Abs(y).Mul(y, big.NewInt(int64(bps)))
	return off.Cmp(y) <= 0
}

// aligned returns both numbers as integers of one scale.
func aligned(d, e Decimal) (x, y *big.Int, scale int) {
	x, sx := d.unscaled()
	y, sy := e.unscaled()
	scale = max(sx, sy)
	return shift(x, scale-sx), shift(y, scale-sy), scale
}

func (d Decimal) unscaled() (x *big.Int, scale int) {
	whole, part, _ := strings.Cut(string(d), ".")
	x, ok := new(big.Int).SetString(whole+part, 10)
	if !ok {
		return new(big.Int), 0
	}
	return x, len(part)
}

func shift(x *big.Int, places int) *big.Int {
	if places == 0 {
		return x
	}
	return x.Mul(x, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
}

func shaped(x *big.Int, scale int) Decimal {
	sign := ""
	if x.Sign() < 0 {
		sign = "-"
	}
	digits := x.Abs(x).String()
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	whole, part := digits[:len(digits)-scale], strings.TrimRight(digits[len(digits)-scale:], "0")
	switch {
	case part != "":
		return Decimal(sign + whole + "." + part)
	case whole == "0":
		return ""
	}
	return Decimal(sign + whole)
}

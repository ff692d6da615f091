package market

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A Number is a price or quantity: a decimal that is not negative, held exactly. The zero value is 0.
//
// It is the whole part and the fraction in units of 10^-17, so that two comparisons of integers
// order any two numbers however many decimals they were written with, and nothing is ever
// multiplied, rounded or allocated. It remembers how many decimals it was written with, because
// checksums are taken over the digits that the venue sent; comparisons ignore that.
type Number struct {
	whole uint64
	part  uint64 // fraction << decimalBits | decimals written
}

const (
	maxDecimals = 17
	decimalBits = 5
)

var pow10 = [maxDecimals + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
}

// ErrNumber is what an error of [ParseNumber] unwraps to.
var ErrNumber = errors.New("not a decimal number")

// ParseNumber reads a decimal such as "27000.10", "3" or "1.5e-7". It refuses signs, more than 17
// decimals (unless zeros follow), a whole part beyond 64 bits, and anything else.
func ParseNumber[S string | []byte](s S) (Number, error) {
	var n Number
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		d := uint64(s[i] - '0')
		if n.whole > (1<<64-1-d)/10 {
			return Number{}, badNumber(s, "too large")
		}
		n.whole = n.whole*10 + d
	}
	if i == 0 {
		return Number{}, badNumber(s, "no digits")
	}
	decimals := 0
	if i < len(s) && s[i] == '.' {
		i++
		start := i
		var fraction uint64
		for ; i < len(s) && isDigit(s[i]); i++ {
			if i-start < maxDecimals {
				fraction = fraction*10 + uint64(s[i]-'0')
			} else if s[i] != '0' {
				return Number{}, badNumber(s, "more than 17 decimals")
			}
		}
		if i == start {
			return Number{}, badNumber(s, "no digit after the point")
		}
		decimals = min(i-start, maxDecimals)
		n.part = fraction * pow10[maxDecimals-decimals] << decimalBits
	}
	if i == len(s) {
		n.part |= uint64(decimals)
		return n, nil
	}
	if s[i] == 'e' || s[i] == 'E' {
		return scientific(s, i)
	}
	return Number{}, badNumber(s, "unexpected character")
}

// scientific reads a number whose exponent begins at i by moving its point.
func scientific[S string | []byte](s S, i int) (Number, error) {
	exponent, err := strconv.Atoi(string(s[i+1:]))
	if err != nil || exponent < -maxDecimals-20 || exponent > 20 {
		return Number{}, badNumber(s, "exponent out of range")
	}
	whole, fraction, _ := bytes.Cut([]byte(s[:i]), []byte("."))
	digits := append(bytes.Clone(whole), fraction...)
	point := len(whole) + exponent
	if point <= 0 {
		digits = append(bytes.Repeat([]byte("0"), 1-point), digits...)
		point = 1
	}
	if point >= len(digits) {
		return ParseNumber(append(digits, bytes.Repeat([]byte("0"), point-len(digits))...))
	}
	return ParseNumber(append(append(bytes.Clone(digits[:point]), '.'), digits[point:]...))
}

func badNumber[S string | []byte](s S, why string) error {
	return fmt.Errorf("%w: %.40q: %s", ErrNumber, s, why)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Cmp returns -1, 0 or +1 as a is less than, equal to or greater than b, whatever decimals they
// were written with.
func (a Number) Cmp(b Number) int {
	switch {
	case a.whole < b.whole:
		return -1
	case a.whole > b.whole:
		return 1
	}
	x, y := a.part>>decimalBits, b.part>>decimalBits
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// Zero says whether the number is 0.
func (a Number) Zero() bool { return a.whole == 0 && a.part>>decimalBits == 0 }

// Decimals returns with how many decimals the number was written, 17 at the most.
func (a Number) Decimals() int { return int(a.part & (1<<decimalBits - 1)) }

// String returns the number as it was written, without leading zeros or an exponent.
func (a Number) String() string { return string(a.Append(nil)) }

// Append appends what String returns to b.
func (a Number) Append(b []byte) []byte {
	b = strconv.AppendUint(b, a.whole, 10)
	decimals := a.Decimals()
	if decimals == 0 {
		return b
	}
	b = append(b, '.')
	fraction := a.part >> decimalBits / pow10[maxDecimals-decimals]
	for i := decimals - 1; i >= 0; i-- {
		b = append(b, byte('0'+fraction/pow10[i]%10))
	}
	return b
}

// MarshalText implements encoding.TextMarshaler: in JSON a Number is a string.
func (a Number) MarshalText() ([]byte, error) { return a.Append(nil), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Number) UnmarshalText(text []byte) error {
	n, err := ParseNumber(text)
	if err == nil {
		*a = n
	}
	return err
}

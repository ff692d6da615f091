package venue

import "github.com/shopspring/decimal"

// digits is the number of decimal places of every amount on the wire.
const digits = 8

var maxPrice = decimal.New(1_000_000, 0)

// text writes an amount as the venue does, with all eight digits.
func text(d decimal.Decimal) string { return d.StringFixed(digits) }

// floorTo rounds a non-negative d down to a multiple of unit.
func floorTo(d, unit decimal.Decimal) decimal.Decimal { return d.Sub(d.Mod(unit)) }

// parseAmount accepts what the venue's pattern ^([0-9]{1,20})(\.[0-9]{1,20})?$ accepts; exponents and signs are not.
func parseAmount(s string) (decimal.Decimal, bool) {
	whole, frac, point := s, "", false
	for i := range len(s) {
		switch {
		case s[i] == '.' && !point:
			whole, frac, point = s[:i], s[i+1:], true
		case s[i] < '0' || s[i] > '9':
			return decimal.Decimal{}, false
		}
	}
	if len(whole) < 1 || len(whole) > 20 || len(frac) > 20 || point && frac == "" {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	return d, err == nil
}

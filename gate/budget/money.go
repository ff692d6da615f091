package budget

import (
	"errors"
	"fmt"
	"math"
)

// ErrCurrency is a mistake in amounts that should be added or compared: nothing is converted.
var ErrCurrency = errors.New("amounts of different currencies")

// An Amount is money: an integer number of millionths of a currency's unit.
type Amount struct {
	Micro    int64  // 1 000 000 is one unit; negative is a mistake wherever a cost is meant
	Currency string // such as USD, compared as it is; empty means the currency of whoever takes the amount
}

// String returns the amount in units, such as "0.25 USD".
func (m Amount) String() string {
	if m.Currency == "" {
		return micro(m.Micro)
	}
	return micro(m.Micro) + " " + m.Currency
}

// same says whether the amount can be added to others of that currency.
func (m Amount) same(currency string) error {
	if m.Currency != "" && m.Currency != currency {
		return fmt.Errorf("%w: %s and %s", ErrCurrency, m.Currency, currency)
	}
	return nil
}

// plus adds two amounts that are not negative; what is too much for an int64 is the most.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

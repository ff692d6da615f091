package budget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNoBill is the error of [Charge] outside a call with a bill.
var ErrNoBill = errors.New("the context has no bill: use budget.WithBill")

// A bill is where the attempts of one call say what they cost.
type bill struct {
	estimate Amount

	mu       sync.Mutex
	currency string // once it is known
	total    int64  // charged so far
	charges  int
}

type billKey struct{}

// WithBill returns a context for one call, to which [Spend] allots the estimate for each attempt. Its function
// says with [Charge] what an attempt really cost. A zero estimate stands for the one that Spend has for the operation.
//
// The attempts of one call share the bill. Where they overlap, as with hedges, each may be booked with what the others cost, too.
func WithBill(ctx context.Context, estimate Amount) context.Context {
	return context.WithValue(ctx, billKey{}, &bill{estimate: estimate})
}

func billOf(ctx context.Context) *bill {
	b, _ := ctx.Value(billKey{}).(*bill)
	return b
}

// Charge adds to what the present attempt cost. When it ends, that replaces the estimate; an attempt that was never
// charged costs its estimate. The error is [ErrNoBill], [ErrCurrency] or, for a negative cost, one that
// says so: nothing is charged then.
func Charge(ctx context.Context, cost Amount) error {
	b := billOf(ctx)
	switch {
	case b == nil:
		return ErrNoBill
	case cost.Micro < 0:
		return fmt.Errorf("a cost of %v is negative", cost)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := cost.same(b.adopt(cost.Currency)); err != nil {
		return err
	}
	b.total = plus(b.total, cost.Micro)
	b.charges++
	return nil
}

// adopt returns the currency of the bill: that of its estimate, or the first that anybody names. The caller holds mu.
func (b *bill) adopt(currency string) string {
	b.currency = cmp.Or(b.currency, b.estimate.Currency, currency)
	return b.currency
}

// open begins an attempt that counts in currency. It returns what was charged before it, and how often.
func (b *bill) open(currency string) (total int64, charges int, err error) {
	if b == nil {
		return 0, 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total, b.charges, Amount{Currency: b.adopt(currency)}.same(currency)
}

// read returns what was charged, and how often.
func (b *bill) read() (total int64, charges int) {
	if b == nil {
		return 0, 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total, b.charges
}

package batch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What zero fields mean.
const (
	DefaultConcurrency = 8
	DefaultSize        = 100
	DefaultLinger      = 5 * time.Millisecond
)

// Options are for a batch of items of type T with results of type V. The zero value, and nil, are ready.
type Options[T, V any] struct {
	Key         string        // of the batch, equal whenever the same items are sent again; "" means a random one
	Concurrency int           // calls of the function at one time; not positive means 8
	Size        int           // of [Bulk]: most items in one call; not positive means 100
	Linger      time.Duration // of [Bulk]: how long an item whose wait is over waits for others to be sent with; 0 means 5 ms, negative means not at all

	// ItemKey makes the idempotency key of an item; nil means the batch's, a slash and the index. It is what [Key] returns.
	ItemKey func(index int, item T) string

	// Order names what an item belongs to, such as an account. Items with the same name keep their order; those with none ("")
	// have none. Nil means that none has.
	Order func(item T) string

	// Strict holds back the items of an order after one that did not succeed, and not only after one that is Unknown.
	Strict bool

	// Reconcile finds out what became of an item whose outcome is not known. It returns [Applied] and the value, [Absent]
	// only if it is certain that nothing happened nor will, and else [Undecided]. An error means Undecided and is kept.
	Reconcile func(ctx context.Context, item Item[T], err error) (V, Finding, error)

	// Progress is told whenever an item has ended, by one caller at a time. It must be quick.
	Progress func(Progress)
}

// Check returns all mistakes in o, joined, each beginning with its field's name, or nil. A batch with mistakes uses the defaults.
func (o *Options[T, V]) Check() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
		means int
	}{{"Concurrency", o.Concurrency, DefaultConcurrency}, {"Size", o.Size, DefaultSize}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is negative and means %d", f.name, f.value, f.means))
		}
	}
	return errors.Join(errs...)
}

// An Item is one of a batch.
type Item[T any] struct {
	Index int
	Key   string // for idempotency
	Value T
}

// A Finding says what became of an item.
type Finding uint8

// The findings.
const (
	Undecided Finding = iota
	Applied           // it happened
	Absent            // it did not, and will not
)

// Progress is how far a batch has come.
type Progress struct {
	Total     int
	Ended     int // of all, the sum of those below
	Succeeded int
	Failed    int
	Unknown   int
	NotSent   int
}

type keyContext struct{}

// Key returns the idempotency key of the item that ctx belongs to; "" outside of one. [Bulk]'s function finds the keys in its items.
func Key(ctx context.Context) string {
	key, _ := ctx.Value(keyContext{}).(string)
	return key
}

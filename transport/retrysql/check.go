package retrysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// A Check says what is wrong with a result, or returns nil. An error marked Transient or Throttled says
// that another attempt may bring a good one, as when the data was cut short; any other is Permanent.
type Check[T any] func(T) error

// An InvalidError is how an attempt ends whose result a check did not pass. Nothing was wrong with the way there.
type InvalidError struct{ Err error }

// Error says what is wrong.
func (e *InvalidError) Error() string { return "invalid result: " + e.Err.Error() }

// Unwrap returns what the check returned.
func (e *InvalidError) Unwrap() error { return e.Err }

// Count checks the number of rows. Fewer are worth another attempt, more are not.
func Count[E any](want int) Check[[]E] {
	return func(rows []E) error {
		err := fmt.Errorf("%d rows; want %d", len(rows), want)
		switch {
		case len(rows) == want:
			return nil
		case len(rows) < want:
			return retry.Mark(err, retry.Transient)
		}
		return err
	}
}

// Affected checks the number of rows that a statement changed. Another number is Permanent.
func Affected(want int64) Check[int64] {
	return func(n int64) error {
		if n != want {
			return fmt.Errorf("%d rows affected; want %d", n, want)
		}
		return nil
	}
}

// Checksum compares what sum makes of a result. If it differs, the result may have been cut short: Transient.
func Checksum[T any, S comparable](want S, sum func(T) S) Check[T] {
	return func(v T) error {
		if got := sum(v); got != want {
			return retry.Mark(fmt.Errorf("checksum %v; want %v", got, want), retry.Transient)
		}
		return nil
	}
}

// Holds checks what the caller says. It is Permanent if it does not hold.
func Holds[T any](what string, ok func(T) bool) Check[T] {
	return func(v T) error {
		if !ok(v) {
			return errors.New("does not hold: " + what)
		}
		return nil
	}
}

// Checked returns fn with checks of its result. They are made inside the transaction, so what does not pass is
// rolled back.
func Checked[T any](fn func(context.Context, *Tx) (T, error), checks ...Check[T]) func(context.Context, *Tx) (T, error) {
	return func(ctx context.Context, tx *Tx) (T, error) {
		v, err := fn(ctx, tx)
		if err == nil {
			err = verify(v, checks)
		}
		return v, err
	}
}

// verify returns the first objection, with its class.
func verify[T any](v T, checks []Check[T]) error {
	for _, check := range checks {
		if check == nil {
			continue
		}
		if err := check(v); err != nil {
			class := retry.DefaultClassify(err)
			if class == retry.Ambiguous {
				class = retry.Permanent
			}
			return retry.Mark(&InvalidError{err}, class)
		}
	}
	return nil
}

package batch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/relent-go/relent/retry"
)

// A State is how an item ended.
type State uint8

// The states.
const (
	NotSent   State = iota // it was never tried
	Failed                 // it had no effect
	Unknown                // it may have had its effect: find out before doing it again
	Succeeded              // it had its effect
)

// String returns the name in lower case.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

var states = [...]string{"not sent", "failed", "unknown", "succeeded"}

// An Outcome is what became of one item.
type Outcome[V any] struct {
	Index      int
	Key        string // for idempotency
	State      State
	Value      V           // if Succeeded; else of the last attempt
	Err        error       // nil if Succeeded
	Class      retry.Class // of Err
	Attempts   int
	Reconciled bool // Options.Reconcile decided
}

// A Report is what became of a batch.
type Report[V any] struct {
	Key      string       // of the batch
	Outcomes []Outcome[V] // in the order of the items
}

// Count returns how many items ended in a state.
func (r *Report[V]) Count(s State) (n int) {
	for i := range r.Outcomes {
		if r.Outcomes[i].State == s {
			n++
		}
	}
	return n
}

// Indexes returns the items that ended in a state, in order.
func (r *Report[V]) Indexes(s State) (list []int) {
	for i := range r.Outcomes {
		if r.Outcomes[i].State == s {
			list = append(list, i)
		}
	}
	return list
}

// Err returns nil if all items succeeded, else an [*Error].
func (r *Report[V]) Err() error {
	e := &Error{Total: len(r.Outcomes), Succeeded: r.Count(Succeeded), Failed: r.Count(Failed), Unknown: r.Count(Unknown), NotSent: r.Count(NotSent)}
	if e.Succeeded == e.Total {
		return nil
	}
	for i := range r.Outcomes {
		if err := r.Outcomes[i].Err; err != nil {
			e.errs = append(e.errs, err)
		}
	}
	return e
}

// An Error says that items of a batch did not succeed. It unwraps to the errors of all of them.
type Error struct {
	Total, Succeeded, Failed, Unknown, NotSent int

	errs []error // in the order of the items
}

// Error counts, and quotes the first error.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d items succeeded", e.Succeeded, e.Total)
	for _, f := range []struct {
		n    int
		what string
	}{{e.Failed, "failed"}, {e.Unknown, "with an unknown outcome"}, {e.NotSent, "not sent"}} {
		if f.n > 0 {
			fmt.Fprintf(&b, ", %d %s", f.n, f.what)
		}
	}
	if len(e.errs) > 0 {
		fmt.Fprintf(&b, ": %v", e.errs[0])
	}
	return b.String()
}

// Unwrap returns the errors of the items.
func (e *Error) Unwrap() []error { return e.errs }

// Class says what the batch as a whole means to a caller that might repeat it: Ambiguous if something was or may have been done, so
// that all of it again would do it twice; else the class of the most cautious item.
func (e *Error) Class() retry.Class {
	if e.Succeeded > 0 || e.Unknown > 0 {
		return retry.Ambiguous
	}
	return retry.DefaultClassify(errors.Join(e.errs...))
}

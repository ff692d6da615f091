package retry

import (
	"fmt"
	"math"
	"reflect"
	"time"
)

// A Class says what an error means for a retry. The zero value is [Ambiguous]: an error that
// nobody classified may have had its effect.
type Class uint8

// The classes. What decides is what the other side did, not how the error looks.
const (
	Ambiguous Class = iota // it may or may not have acted: retried only if the policy is Idempotent
	Transient              // it did nothing, and may work later: retried
	Throttled              // it did nothing and asks to slow down: retried, not before the time it named
	Permanent              // it will never succeed as it stands: never retried
)

// String returns the name in lower case.
func (c Class) String() string {
	switch c {
	case Ambiguous:
		return "ambiguous"
	case Transient:
		return "transient"
	case Throttled:
		return "throttled"
	case Permanent:
		return "permanent"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Mark returns err with its class, for [DefaultClassify] to find through any number of %w. It is
// for adapters, at the point where they know whether the other side may have acted. The outermost
// mark wins. Mark(nil, c) is nil.
func Mark(err error, c Class) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, class: c}
}

// After returns err marked as Throttled, with the hint that the other side gave: the next attempt
// starts no sooner than d from now. A negative d counts as 0. After(nil, d) is nil.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, class: Throttled, hint: max(0, d)}
}

// MarkAfter is [Mark] with a hint as of [After], for errors that are not Throttled but still name
// a time.
func MarkAfter(err error, c Class, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &marked{err: err, class: c, hint: max(0, d)}
}

type marked struct {
	err   error
	class Class
	hint  time.Duration // 0 for none
}

func (m *marked) Error() string             { return m.err.Error() }
func (m *marked) Unwrap() error             { return m.err }
func (m *marked) RetryAfter() time.Duration { return m.hint }

// Hint returns how long the other side asked to be left alone: the longest found in err's tree
// among errors made by [After] and errors with a method RetryAfter() time.Duration. It returns 0 for none.
func Hint(err error) time.Duration {
	var f judgement
	f.learn(err)
	return f.hint
}

// isNil tells a nil pointer inside an interface, whose methods may not be callable.
func isNil(err error) bool {
	v := reflect.ValueOf(err)
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Interface, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// sum adds two durations that are not negative without overflow.
func sum(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

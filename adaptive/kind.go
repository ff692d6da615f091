package adaptive

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/relent-go/relent/retry"
)

// A Kind tells failures of one operation apart where retries fare differently. There are at most eight.
type Kind uint8

// The kinds that [DefaultKind] knows. Others may be used as one likes, up to 7; higher ones count as 7.
const (
	Unavailable Kind = iota
	Reset
	Throttled
	Internal
	TimedOut
	kinds Kind = 8
)

// String returns the name in lower case.
func (k Kind) String() string {
	switch k {
	case Unavailable:
		return "unavailable"
	case Reset:
		return "reset"
	case Throttled:
		return "throttled"
	case Internal:
		return "internal"
	case TimedOut:
		return "timeout"
	}
	return "other"
}

// DefaultKind tells kinds apart by class and by the errors of the standard library.
func DefaultKind(err error, c retry.Class) Kind {
	switch {
	case c == retry.Throttled:
		return Throttled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, retry.ErrAttemptTimeout), timeout(err):
		return TimedOut
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Reset
	case c == retry.Transient:
		return Unavailable
	}
	return Internal
}

func timeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// A group is what shares one belief: throttling says little about whether the operation is up, and the other way round.
type group uint8

const (
	available group = iota
	throttle
	groups
)

func groupOf(c retry.Class) group {
	if c == retry.Throttled {
		return throttle
	}
	return available
}

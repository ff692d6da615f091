package profile

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/relent-go/relent/retry"
)

// Rules that refuse, in a [Refusal].
const (
	ruleBalance  = "balance"
	ruleCeiling  = "ceiling"
	ruleRatio    = "ratio"
	ruleRate     = "rate"
	ruleThrottle = "throttle"
	ruleAnswer   = "no answer"
	ruleBody     = "body"
)

// retryable says whether a failure of this class asks for a retry under the policy of a. Without a
// policy it does, because failures cost.
func retryable(a *retry.Attempt, class retry.Class) bool {
	return class != retry.Permanent && (class != retry.Ambiguous || a.Policy == nil || a.Policy.Idempotent)
}

// end is the latest time that is known of an attempt.
func end(a *retry.Attempt, o *retry.Outcome) time.Time {
	switch {
	case !o.End.IsZero():
		return o.End
	case !o.Start.IsZero():
		return o.Start
	}
	return a.At
}

// timedOut says whether an attempt ended by a timeout.
func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, retry.ErrAttemptTimeout) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// answered says whether an error came from an answer of the peer: it did unless the network or the clock
// ended the attempt.
func answered(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return false
	}
	return !timedOut(err) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// A Call is what a gate cannot see of the call it judges. See [WithCall].
type Call struct {
	Body     int64 // bytes of the request's body; negative means unknown, which counts as too long
	LongPoll bool  // the call waits at the other side for something to happen, such as SQS ReceiveMessage
}

type callKey struct{}

// WithCall tells the profiles about the calls made with the context. Linkerd looks at the Body, AWS2026 at
// LongPoll, and both only when a retry is asked for.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

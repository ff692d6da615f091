package retrygrpc

import (
	"errors"
	"math"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/retry"
)

// Pushback is the metadata by which a server says after how many milliseconds to come again, or, with a negative number, never.
const Pushback = "grpc-retry-pushback-ms"

// ErrApplied is found in the error of a call that was answered ALREADY_EXISTS after an earlier attempt of it may have acted: what exists is most
// likely what that attempt made. There is no reply. Look it up, and compare.
var ErrApplied = errors.New("exists already, most likely by an earlier attempt of this call")

// facts are what is known of a failed attempt besides its status.
type facts struct {
	sent      bool        // something may have left the client
	trailer   metadata.MD // of the response
	committed bool        // the caller has seen a part of the response, or messages are not kept any more
}

// answered says that the server itself ended the call, with nothing but a status: a response of trailers only, whose trailers are its headers, too.
func (f facts) answered() bool { return len(f.trailer["content-type"]) > 0 }

// A failed attempt. It is wrapped in a mark with its class.
type attemptError struct {
	err     error // as gRPC returned it
	code    codes.Code
	final   bool // no further attempt, whatever the class
	applied bool
	ask     func(error) bool
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

// Is finds ErrApplied.
func (e *attemptError) Is(target error) bool { return e.applied && target == ErrApplied }

// ErrorType is what telemetry calls the error: its code, as the specification of gRPC spells it.
func (e *attemptError) ErrorType() string { return spelled(e.code) }

// allowed is the RetryIf of every call.
func allowed(err error) bool {
	e, ok := errors.AsType[*attemptError](err)
	if !ok {
		return true
	}
	return !e.final && (e.ask == nil || e.ask(err))
}

// judge says what the error of an attempt means.
func (x *call) judge(err error, f facts) error {
	e := &attemptError{err: err, final: f.committed, ask: x.source.RetryIf, code: codes.Unknown}
	st, ok := status.FromError(err)
	if !ok { // an interceptor's below
		x.unknown = x.unknown || retry.DefaultClassify(err) == retry.Ambiguous
		return e
	}
	e.code = st.Code()
	if x.serviceConfig() {
		e.final, f.sent = true, true // what an attempt of the channel's own did, nobody says
	}
	wait, told, never := pushback(f.trailer)
	info, informed := retryInfo(st)
	class := classify(e.code, f)
	switch {
	case e.code == codes.ResourceExhausted && (told || informed):
		class = retry.Throttled
	case e.code == codes.Aborted:
		e.final = true // what is to be made again is the transaction
	case e.code == codes.AlreadyExists:
		e.applied = x.unknown
	}
	x.unknown = x.unknown || class == retry.Ambiguous
	switch {
	case never && class != retry.Ambiguous:
		return retry.Mark(e, retry.Permanent)
	case never:
		e.final = true // and nobody knows what it did
	case told:
		x.pushed = true
		return retry.MarkAfter(e, class, wait)
	case informed:
		return retry.MarkAfter(e, class, info)
	}
	return retry.Mark(e, class)
}

// classify is the table of the package comment.
func classify(code codes.Code, f facts) retry.Class {
	switch code {
	case codes.Unavailable:
		if !f.sent || f.answered() && !f.committed {
			return retry.Transient
		}
		return retry.Ambiguous // it broke off
	case codes.DeadlineExceeded:
		if !f.sent {
			return retry.Transient
		}
		return retry.Ambiguous
	case codes.Aborted:
		return retry.Transient
	case codes.Canceled, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.ResourceExhausted, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented, codes.DataLoss:
		return retry.Permanent
	}
	return retry.Ambiguous // INTERNAL, UNKNOWN, and what nobody knows
}

// pushback reads the server's pushback (gRFC A6): a signed number of 32 bits in ASCII. What is negative, doubled or no such number
// means never.
func pushback(trailer metadata.MD) (wait time.Duration, told, never bool) {
	values := trailer[Pushback]
	if len(values) == 0 {
		return 0, false, false
	}
	ms, err := strconv.ParseInt(values[0], 10, 32)
	if len(values) > 1 || err != nil || ms < 0 {
		return 0, false, true
	}
	return time.Duration(ms) * time.Millisecond, true, false
}

// retryInfo reads google.rpc.RetryInfo from the details of a status. What is negative or out of range says nothing.
func retryInfo(st *status.Status) (wait time.Duration, ok bool) {
	for _, d := range st.Details() {
		info, is := d.(*errdetails.RetryInfo)
		if !is {
			continue
		}
		delay := info.GetRetryDelay()
		if delay.CheckValid() != nil || delay.GetSeconds() < 0 || delay.GetNanos() < 0 {
			continue
		}
		if delay.GetSeconds() >= math.MaxInt64/int64(time.Second) {
			return math.MaxInt64, true
		}
		wait, ok = max(wait, delay.AsDuration()), true
	}
	return wait, ok
}

// spellings are the codes as the specification of gRPC has them.
var spellings = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func spelled(c codes.Code) string {
	if int(c) < len(spellings) {
		return spellings[c]
	}
	return "CODE_" + strconv.Itoa(int(c))
}

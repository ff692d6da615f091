package retrygrpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// A callError is what a caller gets: the *retry.Error of the call, and a status for those who ask for one.
type callError struct {
	call   *retry.Error
	status *status.Status
}

// Error is that of the [retry.Error].
func (e *callError) Error() string { return e.call.Error() }

// Unwrap returns the [retry.Error].
func (e *callError) Unwrap() error { return e.call }

// GRPCStatus is what status.FromError and status.Code find.
func (e *callError) GRPCStatus() *status.Status { return e.status }

// failure gives the error of a call its status: that of the end of ctx, else that of the last attempt, else one that says why there was none.
func failure(ctx context.Context, err error) error {
	e := err.(*retry.Error) // as the error of every call is
	return &callError{e, statusOf(ctx, e)}
}

func statusOf(ctx context.Context, e *retry.Error) *status.Status {
	if ctx != nil && ctx.Err() != nil {
		return status.New(status.FromContextError(ctx.Err()).Code(), e.Error())
	}
	if a, ok := errors.AsType[*attemptError](e.Last); ok {
		if st, ok := status.FromError(a.err); ok {
			return st
		}
	}
	if e.Last != nil {
		return status.New(codes.Unknown, e.Error())
	}
	if code, refused := overload(e); refused {
		return status.New(code, e.Error())
	}
	if errors.Is(e.Reason, retry.ErrElapsed) {
		return status.New(codes.DeadlineExceeded, e.Error())
	}
	return status.New(codes.Unavailable, e.Error())
}

// refusals are what the parts say when they refuse, and the codes for it.
var refusals = []struct {
	err  error
	code codes.Code
}{
	{halt.ErrHalted, codes.Unavailable},
	{halt.ErrDraining, codes.Unavailable},
	{breaker.ErrOpen, codes.Unavailable},
	{control.ErrDown, codes.Unavailable},
	{budget.ErrSpent, codes.ResourceExhausted},
	{limit.ErrBusy, codes.ResourceExhausted},
	{limit.ErrRate, codes.ResourceExhausted},
	{limit.ErrCrowded, codes.ResourceExhausted},
	{retry.ErrSaturated, codes.ResourceExhausted},
}

// overload says that a part of this process refused, and with which code to pass that on.
func overload(err error) (codes.Code, bool) {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code, true
		}
	}
	return codes.OK, false
}

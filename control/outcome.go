package control

import (
	"context"
	"errors"
	"slices"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// An Outcome is what the caller of a call got. The list is closed: see [Outcomes].
type Outcome uint8

// The outcomes.
const (
	SuccessFirstTry   Outcome = iota
	SuccessAfterRetry         // of a later attempt
	Exhausted                 // no attempt was left, here or because a call above retries
	NotRetryable              // the error, the policy or a validation said so
	DeadlineExceeded          // no time was left
	BudgetDenied              // a budget, a limit or a full pool refused
	BreakerDenied             // a breaker refused, or a HealthGate
	Stopped                   // an emergency stop, or an audit log that cannot be written
	Canceled                  // the caller gave up
	UnknownOutcome            // it may have had its effect, and is not Idempotent: whatever else ended the call
	numOutcomes
)

// A Reason says why an attempt was not followed by another. The list is closed: see [Reasons].
type Reason uint8

// The reasons. NoReason is that of calls that succeeded, that used all their attempts, or whose caller gave up.
const (
	NoReason Reason = iota
	ByBudget
	ByBreaker
	ByDeadline
	ByClass
	ByStop
	ByUnknown
	ByLimit
	ByValidation
	ByNesting
	numReasons
)

var (
	outcomeNames = [numOutcomes]string{
		"success_first_try", "success_after_retry", "exhausted", "not_retryable", "deadline_exceeded",
		"budget_denied", "breaker_denied", "stopped", "cancelled", "unknown_outcome",
	}
	reasonNames = [numReasons]string{
		"", "budget", "breaker", "deadline", "not_retryable", "stopped", "unknown_outcome", "limit", "validate", "nested",
	}
	classes = [...]retry.Class{retry.Transient, retry.Throttled, retry.Ambiguous, retry.Permanent}
)

// String returns the name that metrics and the API use.
func (o Outcome) String() string { return name(outcomeNames[:], int(o)) }

// String returns the name that metrics and the API use; empty for NoReason.
func (r Reason) String() string { return name(reasonNames[:], int(r)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "invalid"
}

// Outcomes returns the names of all outcomes.
func Outcomes() []string { return slices.Clone(outcomeNames[:]) }

// Reasons returns the names of all reasons.
func Reasons() []string { return slices.Clone(reasonNames[1:]) }

// Classes returns the names of all classes of errors.
func Classes() []string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = c.String()
	}
	return names
}

// whys says what the reasons of the engine and of the parts amount to. The first that an error matches counts.
var whys = []struct {
	err     error
	outcome Outcome
	reason  Reason
}{
	{halt.ErrHalted, Stopped, ByStop},
	{halt.ErrDraining, Stopped, ByStop},
	{audit.ErrUnrecorded, Stopped, ByStop},
	{budget.ErrSpent, BudgetDenied, ByBudget},
	{breaker.ErrOpen, BreakerDenied, ByBreaker},
	{ErrDown, BreakerDenied, ByBreaker},
	{limit.ErrBusy, BudgetDenied, ByLimit},
	{limit.ErrRate, BudgetDenied, ByLimit},
	{limit.ErrCrowded, BudgetDenied, ByLimit},
	{retry.ErrSaturated, BudgetDenied, ByLimit},
	{retry.ErrExhausted, Exhausted, NoReason},
	{retry.ErrPermanent, NotRetryable, ByClass},
	{retry.ErrDeclined, NotRetryable, ByClass},
	{retry.ErrAmbiguous, UnknownOutcome, ByUnknown},
	{retry.ErrInvalid, NotRetryable, ByValidation},
	{retry.ErrNested, Exhausted, ByNesting},
	{retry.ErrLimited, Exhausted, ByLimit},
	{retry.ErrDeadline, DeadlineExceeded, ByDeadline},
	{retry.ErrElapsed, DeadlineExceeded, ByDeadline},
	{retry.ErrHint, DeadlineExceeded, ByDeadline},
	{retry.ErrUnreported, NotRetryable, ByClass},
	{retry.ErrPanicked, NotRetryable, ByClass},
	{retry.ErrLeft, Canceled, NoReason},
	{context.Canceled, Canceled, NoReason},
	{context.DeadlineExceeded, DeadlineExceeded, ByDeadline},
}

// Explain says what an event of the kind Finished means: what the caller got, and why there was no further attempt. ctx is
// what the observer was told with it, the context of the caller. The refusal of a gate that this package does not know
// counts as one of a limit.
//
// A call that may have had its effect, and whose policy is not Idempotent, is an UnknownOutcome whatever ended it:
// somebody has to find out. The reason still says what ended it.
func Explain(ctx context.Context, e retry.Event) (Outcome, Reason) {
	if e.Succeeded() {
		if e.Attempts == 1 {
			return SuccessFirstTry, NoReason
		}
		return SuccessAfterRetry, NoReason
	}
	o, r := why(ctx, e)
	if e.Attempts == 0 {
		r = NoReason // no retry was suppressed where there was no attempt
	}
	if e.Unknown && !e.Policy.Idempotent {
		o = UnknownOutcome
	}
	return o, r
}

func why(ctx context.Context, e retry.Event) (Outcome, Reason) {
	if err := ctx.Err(); err != nil && errors.Is(e.Reason, context.Cause(ctx)) {
		if errors.Is(err, context.DeadlineExceeded) {
			return DeadlineExceeded, ByDeadline
		}
		return Canceled, NoReason // whatever the cause is, it is the caller's
	}
	for _, w := range whys {
		if errors.Is(e.Reason, w.err) {
			return w.outcome, w.reason
		}
	}
	if e.Attempts == 0 && (errors.Is(e.Reason, retry.ErrNilFunc) || errors.Is(e.Reason, retry.ErrNilContext)) {
		return NotRetryable, NoReason
	}
	return BudgetDenied, ByLimit
}

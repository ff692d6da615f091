package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// The closed lists, as the specification of the telemetry has them. Dashboards and alerts are written against these.
func TestClosedLists(t *testing.T) {
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"outcome", control.Outcomes(), []string{"success_first_try", "success_after_retry", "exhausted", "not_retryable",
			"deadline_exceeded", "budget_denied", "breaker_denied", "stopped", "cancelled", "unknown_outcome"}},
		{"class", control.Classes(), []string{"transient", "throttled", "ambiguous", "permanent"}},
		{"reason", control.Reasons(), []string{"budget", "breaker", "deadline", "not_retryable", "stopped", "unknown_outcome", "limit",
			"validate", "nested"}},
		{"state of a circuit", sortedStrings(control.CircuitStates()), sortedStrings([]string{"closed", "suspect", "throttling", "half_open", "open", "isolated"})},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: %q; want %q", test.name, test.got, test.want)
		}
	}
	if got := fmt.Sprint(control.Exhausted, control.ByNesting, control.NoReason, control.Outcome(99), control.Reason(99)); got != "exhausted nested  invalid invalid" {
		t.Errorf("names %q", got)
	}
	control.Outcomes()[0] = "changed"
	if control.Outcomes()[0] != "success_first_try" {
		t.Error("the list can be changed from outside")
	}
}

func sortedStrings(s []string) []string { slices.Sort(s); return s }

func TestBuckets(t *testing.T) {
	want := []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5}
	if got := control.DurationBounds(); !slices.Equal(got, want) {
		t.Errorf("durations %v; want %v", got, want)
	}
	if got, want := control.AttemptBounds(), []float64{1, 2, 3, 4, 5, 8, 13}; !slices.Equal(got, want) {
		t.Errorf("attempts %v; want %v", got, want)
	}
}

func TestExplain(t *testing.T) {
	busy := errors.New("busy")
	order, read := &retry.Policy{}, &retry.Policy{Idempotent: true}
	failed := func(reason error) retry.Event {
		return retry.Event{Kind: retry.Finished, Policy: read, Attempts: 2, State: retry.Failed, Err: busy, Reason: reason}
	}
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(busy)
	late, cancelLate := context.WithDeadlineCause(t.Context(), time.Unix(1, 0), busy)
	defer cancelLate()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		e       retry.Event
		outcome control.Outcome
		reason  control.Reason
	}{
		{"first try", nil, retry.Event{Kind: retry.Finished, Policy: read, Attempts: 1, State: retry.Succeeded}, control.SuccessFirstTry, control.NoReason},
		{"recovered", nil, retry.Event{Kind: retry.Finished, Policy: order, Attempts: 2, State: retry.Succeeded, Unknown: true}, control.SuccessAfterRetry, control.NoReason},
		{"exhausted", nil, failed(retry.ErrExhausted), control.Exhausted, control.NoReason},
		{"permanent", nil, failed(retry.ErrPermanent), control.NotRetryable, control.ByClass},
		{"declined", nil, failed(retry.ErrDeclined), control.NotRetryable, control.ByClass},
		{"ambiguous", nil, failed(retry.ErrAmbiguous), control.UnknownOutcome, control.ByUnknown},
		{"invalid", nil, failed(fmt.Errorf("%w: stale", retry.ErrInvalid)), control.NotRetryable, control.ByValidation},
		{"nested", nil, failed(retry.ErrNested), control.Exhausted, control.ByNesting},
		{"limited", nil, failed(retry.ErrLimited), control.Exhausted, control.ByLimit},
		{"deadline", nil, failed(retry.ErrDeadline), control.DeadlineExceeded, control.ByDeadline},
		{"elapsed", nil, failed(retry.ErrElapsed), control.DeadlineExceeded, control.ByDeadline},
		{"hint", nil, failed(retry.ErrHint), control.DeadlineExceeded, control.ByDeadline},
		{"unreported", nil, failed(retry.ErrUnreported), control.NotRetryable, control.ByClass},
		{"panicked", nil, failed(retry.ErrPanicked), control.NotRetryable, control.ByClass},
		{"left", nil, failed(retry.ErrLeft), control.Canceled, control.NoReason},
		{"budget", nil, failed(&budget.Error{}), control.BudgetDenied, control.ByBudget},
		{"breaker", nil, failed(&breaker.Error{}), control.BreakerDenied, control.ByBreaker},
		{"down", nil, failed(&control.DownError{}), control.BreakerDenied, control.ByBreaker},
		{"slots", nil, failed(&limit.Error{Reason: limit.ErrBusy}), control.BudgetDenied, control.ByLimit},
		{"rate", nil, failed(&limit.Error{Reason: limit.ErrRate}), control.BudgetDenied, control.ByLimit},
		{"crowd", nil, failed(&limit.Error{Reason: limit.ErrCrowded}), control.BudgetDenied, control.ByLimit},
		{"pool", nil, failed(retry.ErrSaturated), control.BudgetDenied, control.ByLimit},
		{"halted", nil, failed(fmt.Errorf("desk: %w", halt.ErrHalted)), control.Stopped, control.ByStop},
		{"draining", nil, failed(halt.ErrDraining), control.Stopped, control.ByStop},
		{"no record", nil, failed(audit.ErrUnrecorded), control.Stopped, control.ByStop},
		{"a gate of somebody else", nil, failed(busy), control.BudgetDenied, control.ByLimit},
		{"canceled", nil, failed(context.Canceled), control.Canceled, control.NoReason},
		{"late", nil, failed(context.DeadlineExceeded), control.DeadlineExceeded, control.ByDeadline},
		{"the caller's own cause", canceled, failed(busy), control.Canceled, control.NoReason},
		{"the caller's own cause of a deadline", late, failed(busy), control.DeadlineExceeded, control.ByDeadline},
		{"a caller that gives up after the end", canceled, failed(retry.ErrExhausted), control.Exhausted, control.NoReason},
		{"refused at once", nil, retry.Event{Kind: retry.Finished, Policy: read, Reason: halt.ErrHalted}, control.Stopped, control.NoReason},
		{"no function", nil, retry.Event{Kind: retry.Finished, Policy: read, Reason: retry.ErrNilFunc}, control.NotRetryable, control.NoReason},
		{"no context", nil, retry.Event{Kind: retry.Finished, Policy: read, Reason: retry.ErrNilContext}, control.NotRetryable, control.NoReason},
		{"an order that may exist", nil, retry.Event{Kind: retry.Finished, Policy: order, Attempts: 2, Unknown: true, State: retry.Failed, Reason: halt.ErrHalted},
			control.UnknownOutcome, control.ByStop},
		{"a read that may have been done", nil, retry.Event{Kind: retry.Finished, Policy: read, Attempts: 3, Unknown: true, State: retry.Failed, Reason: retry.ErrExhausted},
			control.Exhausted, control.NoReason},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if o, r := control.Explain(ctx, test.e); o != test.outcome || r != test.reason {
				t.Errorf("Explain = %v, %v; want %v, %v", o, r, test.outcome, test.reason)
			}
		})
	}
}

// Each error that the engine gives as a reason is known here.
func TestExplainKnowsTheEngine(t *testing.T) {
	for _, err := range []error{
		retry.ErrExhausted, retry.ErrPermanent, retry.ErrAmbiguous, retry.ErrDeclined, retry.ErrInvalid, retry.ErrDeadline, retry.ErrElapsed,
		retry.ErrHint, retry.ErrNested, retry.ErrUnreported, retry.ErrLeft, retry.ErrPanicked,
	} {
		e := retry.Event{Kind: retry.Finished, Policy: &retry.Policy{Idempotent: true}, Attempts: 1, State: retry.Failed, Reason: err}
		if o, _ := control.Explain(t.Context(), e); o == control.BudgetDenied {
			t.Errorf("%v counts as the refusal of a gate", err)
		}
	}
}

package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// A Handler says how jobs of one kind are done.
type Handler struct {
	// Steps are done in order, each once it is known that those before it are. What was deployed may be
	// appended to, but not reordered: a job that waits has a number of steps behind it.
	Steps []Step

	// Policy says how often an attempt may be made, and how long after the one before; nil means the zero policy.
	// An attempt goes from the last checkpoint as far as it comes. MaxAttempts, MaxElapsed, AttemptTimeout (of one step),
	// Backoff, MaxHint, Cost, Priority, Classify, RetryIf, Validate, Gates and Observer are used as in a call.
	// Idempotent is not: steps say so themselves. The gates are asked before each step, the first one of an
	// attempt being a retry if the attempt before got no further; a refusal is no attempt, and the job comes back later.
	// When Validate refuses, the job is Abandoned.
	Policy retry.Source
}

// A Step is a part of a job that is done as a whole or again.
type Step struct {
	Name   string // in events and keys; "" means its number, from 1
	Effect Effect // what happens when it runs twice; zero means that it must not

	// Do does it. The context ends when the runner stops, when the lease is lost, and at AttemptTimeout.
	Do func(ctx context.Context, t *Task) error

	// Reconcile finds out what became of an Unsafe step that may have had its effect, in an attempt that is over.
	// Nil, an error and Undecided leave it to a person.
	Reconcile func(ctx context.Context, t *Task) (Resolution, error)
}

// An Effect says what happens when a step runs twice.
type Effect uint8

// The effects. The zero value is the one that is repeated least.
const (
	Unsafe     Effect = iota // it happens twice: never repeated unless it is known not to have happened
	Idempotent               // it happens once, for the step itself sees to it, or the other side does by [Task.Key]
	Safe                     // there is none, or none outside of the checkpoint: it reads, it computes
)

// String returns the name in lower case.
func (e Effect) String() string {
	switch e {
	case Idempotent:
		return "idempotent"
	case Safe:
		return "safe"
	}
	return "unsafe"
}

// unsafe says that e must not run twice. What is no effect is taken for the worst.
func (e Effect) unsafe() bool { return e != Idempotent && e != Safe }

// Check returns all mistakes in h, joined, each beginning with its field's name, or nil.
func (h *Handler) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(h.Steps) == 0 {
		mistake("Steps: none, so these jobs are left to others")
	}
	names := map[string]int{}
	for i, s := range h.Steps {
		if s.Do == nil {
			mistake("Steps[%d].Do: missing", i)
		}
		if s.Effect > Safe {
			mistake("Steps[%d].Effect: %d counts as unsafe", i, s.Effect)
		}
		if s.Reconcile != nil && !s.Effect.unsafe() {
			mistake("Steps[%d].Reconcile: never asked, for the step is %v", i, s.Effect)
		}
		name := h.name(i)
		if first, ok := names[name]; ok {
			mistake("Steps[%d].Name: %q is that of Steps[%d], so that both have one key", i, name, first)
			continue
		}
		names[name] = i
	}
	if err := h.policy().Check(); err != nil {
		mistake("Policy: %w", err)
	}
	return errors.Join(errs...)
}

// name returns the name of a step, if there is one at i.
func (h *Handler) name(i int) string {
	if i < len(h.Steps) && h.Steps[i].Name != "" {
		return h.Steps[i].Name
	}
	return fmt.Sprint(i + 1)
}

// policy returns the one in force.
func (h *Handler) policy() *retry.Policy {
	if h.Policy != nil {
		if p := h.Policy.Current(); p != nil {
			return p
		}
	}
	return &retry.Policy{}
}

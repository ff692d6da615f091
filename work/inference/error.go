package inference

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/relent-go/relent/retry"
)

// Why a model was not asked, or its answer not taken; test with errors.Is. Those that may pass by themselves are marked Transient.
var (
	ErrNoModel   = retry.Mark(errors.New("the ladder has no model"), retry.Permanent)
	ErrDegraded  = retry.Mark(errors.New("left out after failures until probes succeed"), retry.Transient)
	ErrHeld      = retry.Mark(errors.New("held back by an operator"), retry.Transient)
	ErrNoTime    = retry.Mark(errors.New("too little time left for it"), retry.Transient)
	ErrShare     = retry.Mark(errors.New("its share of the time is over"), retry.Transient)
	ErrNotFinite = errors.New("the value has a number that is NaN or infinite")
	ErrMissing   = retry.Mark(errors.New("missing features"), retry.Transient)
	ErrOld       = retry.Mark(errors.New("older than MaxAge"), retry.Transient)
	ErrFuture    = retry.Mark(errors.New("dated in the future: compare the clocks"), retry.Transient)
	ErrSkew      = retry.Mark(errors.New("features are too far apart in time"), retry.Transient)
	ErrLate      = retry.Mark(errors.New("not there when Timeout was over"), retry.Transient)
	ErrClosed    = retry.Mark(errors.New("closed"), retry.Permanent)
	ErrNoName    = errors.New("there is none of that name")
)

// An Error says which models did not answer, and why: as the error of a call, that none did, and that there was nothing to answer
// with instead; as an answer's Why, that the better ones did not. It unwraps to each model's last error, so that the most
// cautious class among them is its own.
type Error struct {
	Ladder string
	Models []ModelError // best first
}

// A ModelError says why one model did not answer. It unwraps to Err.
type ModelError struct {
	Model string
	Err   error
}

// Error names the model, and its error.
func (e *ModelError) Error() string { return fmt.Sprintf("%s: %v", e.Model, e.Err) }

// Unwrap returns the model's error.
func (e *ModelError) Unwrap() error { return e.Err }

// Error names all models.
func (e *Error) Error() string {
	name := e.Ladder
	if name == "" {
		name = "inference"
	}
	texts := make([]string, len(e.Models))
	for i := range e.Models {
		texts[i] = e.Models[i].Error()
	}
	return fmt.Sprintf("%s: not answered by %s", name, strings.Join(texts, "; "))
}

// Unwrap returns the errors of all models.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Models))
	for i := range e.Models {
		errs[i] = &e.Models[i]
	}
	return errs
}

// A MissingError names the features that are not there. It unwraps to [ErrMissing].
type MissingError struct{ Names []string }

// Error names them all.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%v: %s", ErrMissing, strings.Join(e.Names, ", "))
}

// Unwrap returns [ErrMissing].
func (e *MissingError) Unwrap() error { return ErrMissing }

// A Panic is what a function of the caller's panicked with in a goroutine of this package. It rises again in all callers that
// wait for it. Where none waits, it is the error of a probe, of a model's [Status], or of a late feature.
type Panic struct {
	Value any    // nil if the function ended its goroutine
	Stack []byte // of the function
}

// Error describes it with the stack, for it is printed when the program dies of it.
func (p *Panic) Error() string { return p.short() + "\n\n" + string(p.Stack) }

func (p *Panic) short() string {
	if p.Value == nil {
		return "ended its goroutine"
	}
	return fmt.Sprintf("panicked: %v", p.Value)
}

func fell(value any) *Panic { return &Panic{Value: value, Stack: debug.Stack()} }

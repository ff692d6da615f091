package profile

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// None, in a field that may be zero, means zero: a plain 0 means the default. So does any negative number, but
// Check then says so.
const None = -1 << 31

// A Profile is a budget of somebody else's making, as a gate. All profiles of this package are
// pointers to structs whose zero value has the published defaults; they are safe for concurrent use, and
// their fields are not modified while in use.
type Profile interface {
	retry.Gate

	// Check returns all mistakes in the fields, joined, each beginning with its field's name, or
	// nil. A profile with mistakes still works, with fewer attempts than were meant.
	Check() error

	// Policy returns a new policy that has the profile as its gate, together with the attempts and
	// the backoff that are published with it; what is not published has relent's defaults. The policy
	// does not say Idempotent: the caller must, where that is true.
	Policy() *retry.Policy

	// Funding returns what [budget.Load.Check] takes: the retries that requests earn whether they
	// succeed or not, and the retries per second that nobody need earn. Budgets that only successes
	// fund return 0, 0.
	Funding() (ratio, floorPerSecond float64)

	fields() []field
}

// profiles are all profiles by name, in the order of the documentation.
var profiles = []struct {
	name string
	new  func() Profile
}{
	{"relent", func() Profile { return &Relent{} }},
	{"finagle", func() Profile { return &Finagle{} }},
	{"tower", func() Profile { return &Tower{} }},
	{"linkerd", func() Profile { return &Linkerd{} }},
	{"envoy", func() Profile { return &Envoy{} }},
	{"grpc", func() Profile { return &GRPC{} }},
	{"aws-2025", func() Profile { return &AWS2025{} }},
	{"aws-2026", func() Profile { return &AWS2026{} }},
	{"aws-adaptive", func() Profile { return &AWSAdaptive{} }},
	{"sre", func() Profile { return &SRE{} }},
	{"failsafe", func() Profile { return &Failsafe{} }},
}

// Names returns the names that [New] knows, in the order of the documentation.
func Names() []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.name
	}
	return names
}

// New returns a new profile by its name. Each setting is a field and its value, such as "percent=0.1", "ttl=30s" or
// "min=0": field names in any case, durations as in [time.ParseDuration], and zero means zero.
// The error is an [*UnknownError] if there is no such profile; otherwise it holds all the mistakes
// in the settings, each beginning with its field's name.
func New(name string, settings ...string) (Profile, error) {
	for _, known := range profiles {
		if known.name != name {
			continue
		}
		p := known.new()
		if err := errors.Join(set(p.fields(), settings), p.Check()); err != nil {
			return nil, err
		}
		return p, nil
	}
	return nil, &UnknownError{Name: name}
}

// An UnknownError says that [New] knows no profile of that name.
type UnknownError struct{ Name string }

// Error names the profiles that there are.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("unknown budget profile %q: want one of %s", e.Name, strings.Join(Names(), ", "))
}

// A field is one option of a profile, for Check and New.
type field struct {
	name      string
	at        any     // *int, *float64, *time.Duration or *bool
	low, high float64 // range; durations in nanoseconds
	none      bool    // zero is in the range, too
	spelled   int     // how it is spelled; 0 means None
}

// check says what is wrong with the values of fields; zero is never wrong.
func check(fields []field) error {
	var errs []error
	for _, f := range fields {
		var v float64
		shown := ""
		switch at := f.at.(type) {
		case *int:
			v, shown = float64(*at), fmt.Sprint(*at)
		case *float64:
			v, shown = *at, fmt.Sprint(*at)
		case *time.Duration:
			v, shown = float64(*at), at.String()
		}
		if v != 0 && !(f.none && v == None) && !(v >= f.low && v <= f.high) {
			errs = append(errs, f.mistake(shown))
		}
	}
	return errors.Join(errs...)
}

func (f field) mistake(shown string) error {
	low, high := any(f.low), any(f.high)
	if _, ok := f.at.(*time.Duration); ok {
		low, high = time.Duration(f.low), time.Duration(f.high)
	}
	return fmt.Errorf("%s: %s is not within %v to %v", f.name, shown, low, high)
}

// pick returns the meaning of v: zero for 0, low for None, negative and NaN, and never more than high.
func pick[T int | float64 | time.Duration](v, zero, low, high T) T {
	switch {
	case v == 0:
		return zero
	case !(v >= low):
		return low
	}
	return min(v, high)
}

package inference

import (
	"context"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Model answers with an Out for an In. It is plain data.
type Model[In, Out any] struct {
	Name    string // in answers, errors and changes, and in the key of the cache
	Version string // in answers, and in the key of the cache: a new one makes what older ones said unreachable
	Quality string // in answers: what the user may expect of it, such as "full" or "rule of thumb"

	// Predict asks the model. It must obey its context and leave In as it is. An error of the class Permanent says that the input is bad.
	Predict func(context.Context, In) (Out, error)

	// Policy says how it may be asked, and holds its gates, such as its breaker; nil means the zero policy. Say Idempotent: true
	// where a repeated call does no harm, as with most models. An AttemptTimeout lets the breaker learn of a model that hangs.
	Policy retry.Source

	Needs []string // features without which it is not asked; see Featured

	P50 time.Duration // expected of half the calls: with less time left it is not asked; not positive means 0
	P95 time.Duration // expected of nearly all calls: what better models leave to this one of the time; not positive means 50 ms, or a quarter of what is left if that is less

	AllowNotFinite bool // answers with NaN and infinite numbers are taken, too
}

// DefaultP95 is what better models leave to one whose P95 is zero.
const DefaultP95 = 50 * time.Millisecond

// Featured is an In that knows which features it lacks, such as a [*Vector] or a struct that embeds one.
type Featured interface {
	// Missing names all features that are not there, in a fixed order.
	Missing() []string

	// Lacks returns those of the names that are not there, be they missing or unknown.
	Lacks(names []string) []string
}

// A Source says where an answer comes from.
type Source uint8

// The sources, best first.
const (
	Live    Source = iota // a model gave it to this call
	Cached                // a model gave it within the last TTL
	Stale                 // a model gave it earlier, within StaleFor, and could not be asked again
	Default               // no model gave it
)

var sources = [...]string{"live", "cached", "stale", "default"}

// String returns the name in lower case.
func (s Source) String() string { return name(sources[:], s, "source") }

// MarshalText implements [encoding.TextMarshaler].
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An Answer is a value, and all that one must know before using it.
type Answer[Out any] struct {
	Value    Out    // not to be modified: it may be in the cache
	Model    string // that gave it; "" if Source is Default
	Version  string // of the model
	Quality  string // of the model; "default" if Source is Default
	Source   Source
	Age      time.Duration // since the attempt began that gave it; 0 if Live or Default, never negative
	Degraded bool          // not from the best model, or Stale
	Why      error         // why it is Degraded: each better model's error; else nil
	Attempts int           // made for this answer, of all models; 0 if nobody was asked
	Missing  []string      // features that the input lacks, if it is Featured
}

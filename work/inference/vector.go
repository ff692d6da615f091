package inference

import (
	"slices"
	"time"
)

// A Freshness says what is known of a feature.
type Freshness uint8

// The grades.
const (
	Missing   Freshness = iota // there is no value
	Defaulted                  // the value is the feature's Default
	Old                        // the fetch failed, and the value is the last one known, not older than MaxAge
	Fresh                      // the value was fetched for this call
)

var grades = [...]string{"missing", "default", "stale", "fresh"}

// String returns the name in lower case.
func (f Freshness) String() string { return name(grades[:], f, "freshness") }

// MarshalText implements [encoding.TextMarshaler].
func (f Freshness) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// A Value is one feature of a vector.
type Value[V any] struct {
	Name  string
	Value V // the zero value if Missing: ask Get
	Is    Freshness
	Age   time.Duration // since the data's own time; 0 if Missing or Defaulted, never negative
	Err   error         // why it is not Fresh; nil if it is
}

// A Vector is what a fetch of features came to, in their order. It is a [Featured] input for a [Ladder], by itself or embedded in a struct.
type Vector[V any] struct{ Values []Value[V] }

var _ Featured = (*Vector[float64])(nil)

// Get returns the value of a feature, and false if it is missing or unknown.
func (v *Vector[V]) Get(name string) (value V, ok bool) {
	if v == nil {
		return value, false
	}
	for i := range v.Values {
		if f := &v.Values[i]; f.Name == name && f.Is != Missing {
			return f.Value, true
		}
	}
	return value, false
}

// Missing names the features that are missing, in order.
func (v *Vector[V]) Missing() []string { return v.that(Missing) }

// Stale names the features that are stale, in order.
func (v *Vector[V]) Stale() []string { return v.that(Old) }

func (v *Vector[V]) that(is Freshness) (names []string) {
	if v == nil {
		return nil
	}
	for i := range v.Values {
		if v.Values[i].Is == is {
			names = append(names, v.Values[i].Name)
		}
	}
	return names
}

// Lacks returns those of the names that are missing or unknown.
func (v *Vector[V]) Lacks(names []string) (lacking []string) {
	for _, name := range names {
		if _, ok := v.Get(name); !ok && !slices.Contains(lacking, name) {
			lacking = append(lacking, name)
		}
	}
	return lacking
}

// Need returns a [*MissingError] that has all of the names that are missing or unknown, or nil.
func (v *Vector[V]) Need(names ...string) error {
	if lacking := v.Lacks(names); lacking != nil {
		return &MissingError{lacking}
	}
	return nil
}

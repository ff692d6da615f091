package inference

import (
	"errors"
	"fmt"
	"time"
)

// What zero fields of [Rules] mean.
const (
	DefaultFailures     = 3
	DefaultProbes       = 3
	DefaultProbeAfter   = 5 * time.Second
	DefaultProbeMax     = time.Minute
	DefaultProbeTimeout = 10 * time.Second
	DefaultSpan         = 10 * time.Second
	DefaultMaxSpan      = 5 * time.Minute
	DefaultStep         = 10 * time.Second
)

const (
	relapse = time.Minute      // a model that fails so soon after its return must prove itself for longer
	forget  = 10 * time.Minute // of Normal, after which it need not
	longest = 1000 * time.Hour // of any of the times, so that none overflows
)

var ramp = [...]int{10, 50, 100} // percent of the keys

// Rules say when a model is left out, and how it comes back. The zero value is the default; what is not positive counts
// as zero, and times beyond 1,000 h as that.
type Rules struct {
	Failures     int           // failed calls in a row that leave a model out; 0 means 3
	Probes       int           // good probes in a row that begin its return; 0 means 3
	ProbeAfter   time.Duration // before a probe, ±25 %, doubled after each bad one; 0 means 5 s
	ProbeMax     time.Duration // the longest such wait; 0 means 1 min, or ProbeAfter if that is longer
	ProbeTimeout time.Duration // of a probe; 0 means 10 s
	Span         time.Duration // over which the good probes must be spread, doubled after each relapse; 0 means 10 s
	MaxSpan      time.Duration // the longest such span; 0 means 5 min, or Span if that is longer
	Step         time.Duration // of each share of the ramp, 10, 50 and 100 % of the keys; 0 means 10 s
}

// Check returns all mistakes in r, joined, each beginning with its field's name, or nil.
func (r Rules) Check() error {
	var errs []error
	for _, f := range []struct {
		field string
		value int64
		text  any
	}{
		{"Failures", int64(r.Failures), r.Failures}, {"Probes", int64(r.Probes), r.Probes}, {"ProbeAfter", int64(r.ProbeAfter), r.ProbeAfter},
		{"ProbeMax", int64(r.ProbeMax), r.ProbeMax}, {"ProbeTimeout", int64(r.ProbeTimeout), r.ProbeTimeout},
		{"Span", int64(r.Span), r.Span}, {"MaxSpan", int64(r.MaxSpan), r.MaxSpan}, {"Step", int64(r.Step), r.Step},
	} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("%s: %v is negative and means the default", f.field, f.text))
		}
		if d, ok := f.text.(time.Duration); ok && d > longest {
			errs = append(errs, fmt.Errorf("%s: %v counts as %v", f.field, f.text, longest))
		}
	}
	if r.ProbeMax > 0 && r.ProbeMax < r.full().ProbeAfter {
		errs = append(errs, fmt.Errorf("ProbeMax: %v is shorter than ProbeAfter, %v", r.ProbeMax, r.full().ProbeAfter))
	}
	if r.MaxSpan > 0 && r.MaxSpan < r.full().Span {
		errs = append(errs, fmt.Errorf("MaxSpan: %v is shorter than Span, %v", r.MaxSpan, r.full().Span))
	}
	return errors.Join(errs...)
}

// full returns rules with nothing left out.
func (r Rules) full() Rules {
	r.Failures = or(r.Failures, DefaultFailures)
	r.Probes = or(r.Probes, DefaultProbes)
	r.ProbeAfter = min(or(r.ProbeAfter, DefaultProbeAfter), longest)
	r.ProbeMax = max(min(or(r.ProbeMax, DefaultProbeMax), longest), r.ProbeAfter)
	r.ProbeTimeout = min(or(r.ProbeTimeout, DefaultProbeTimeout), longest)
	r.Span = min(or(r.Span, DefaultSpan), longest)
	r.MaxSpan = max(min(or(r.MaxSpan, DefaultMaxSpan), longest), r.Span)
	r.Step = min(or(r.Step, DefaultStep), longest)
	return r
}

// or returns x, or what stands for zero and less.
func or[T ~int | ~int64](x, zero T) T {
	if x <= 0 {
		return zero
	}
	return x
}

package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A World is what several operations meet for an hour: failures that come alone, outages, quotas, overload. It is plain data, from
// which [Trial] makes one timeline for each seed. All times are in seconds.
type World struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty"`

	Operations []Errand  `json:"operations,omitempty"` // none means Errands()
	Noise      []float64 `json:"noise,omitempty"`      // share of attempts that fail outside of outages, by operation; the last one goes on
	NoiseKind  []Failure `json:"noise_kind,omitempty"` // likewise, how they fail; none means reset
	Dead       []float64 `json:"dead,omitempty"`       // likewise, share of calls that never succeed: they fail as internal
	Outages    []Outage  `json:"outages,omitempty"`    // an attempt meets all that are under way
	Quota      Quota     `json:"quota,omitzero"`
	Surge      Surge     `json:"surge,omitzero"`
	Capacity   Capacity  `json:"capacity,omitzero"`
	Windows    []Window  `json:"windows,omitempty"` // declared incidents, met by all operations
}

// An Errand is an operation of a world: what callers want, how often, and what it is worth to them.
type Errand struct {
	Name        string  `json:"name"`
	Rate        float64 `json:"rate"`         // calls per second
	Deadline    float64 `json:"deadline"`     // of a call
	DelayCost   float64 `json:"delay_cost"`   // of a second until the result, in successes
	MaxAttempts int     `json:"max_attempts"` // in all
}

// Errands returns the operations of the reference: an order that is worth little late, a balance, and a settlement that can wait.
func Errands() []Errand {
	return []Errand{
		{Name: "order", Rate: 3, Deadline: 10, DelayCost: .05, MaxAttempts: 8},
		{Name: "balance", Rate: 2, Deadline: 60, DelayCost: .008, MaxAttempts: 12},
		{Name: "settle", Rate: 1, Deadline: 600, DelayCost: .0008, MaxAttempts: 25},
	}
}

// An Outage is trouble that comes again and again.
type Outage struct {
	Each   bool    `json:"each,omitempty"` // operations have it at different times
	Length Length  `json:"length"`
	Gap    float64 `json:"gap,omitempty"`   // mean of the exponential time from the end of one to the beginning of the next
	Every  float64 `json:"every,omitempty"` // instead of Gap: from one beginning to the next, with a random phase
	P      float64 `json:"p"`               // share of attempts that fail
	Kind   Failure `json:"kind,omitempty"`
	From   float64 `json:"from,omitempty"`  // part of the run from which it may begin, 0 to 1
	Until  float64 `json:"until,omitempty"` // part of the run from which it may not; 0 means 1
}

// A Length is how long something lasts: B 0 and Sigma 0 mean A exactly; Mean adds an exponential time to A; B makes it uniform
// from A to B; Sigma makes it lognormal with the median A. Quantiles count instead of all these.
type Length struct {
	A     float64 `json:"a,omitempty"`
	B     float64 `json:"b,omitempty"`
	Mean  float64 `json:"mean,omitempty"`
	Sigma float64 `json:"sigma,omitempty"`

	Quantiles []float64 `json:"quantiles,omitempty"` // ascending, at least two: from one to the next is as likely as any other such step
}

// A Quota lets so many attempts of all operations pass in each window of the clock, and answers others with 429.
type Quota struct {
	Attempts int     `json:"attempts,omitempty"` // 0 means no quota
	Window   float64 `json:"window,omitempty"`
	Hint     bool    `json:"hint,omitempty"` // it says when the window ends
}

// A Surge multiplies the arrivals for a while.
type Surge struct {
	Factor float64 `json:"factor,omitempty"` // 0 means none
	Length Length  `json:"length,omitzero"`
	Gap    float64 `json:"gap,omitempty"`
}

// A Capacity is how many attempts of all operations per second can be done. Above it, fewer succeed, later, and the others time out.
type Capacity struct {
	PerSecond float64 `json:"per_second,omitempty"` // 0 means no limit
	Dip       Length  `json:"dip,omitzero"`         // time from one halving of it to the next
	DipFor    float64 `json:"dip_for,omitempty"`
}

// A Window is a declared incident.
type Window struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	P    float64 `json:"p"` // share of attempts that fail
}

// The most that a world may ask for.
const (
	mostRate     = 1000.
	mostErrands  = 16
	mostOutages  = 16
	mostSeconds  = 1e9
	leastSeconds = 1e-3
)

// Check returns all mistakes in w, joined, each beginning with its field's name, or nil. A world with mistakes is not played.
func (w *World) Check() error {
	var errs []error
	mistake := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	mistake(w.Name == "", "Name: a world needs one")
	mistake(len(w.Operations) > mostErrands, "Operations: %d are more than %d", len(w.Operations), mostErrands)
	for i, o := range w.Operations {
		mistake(o.Name == "", "Operations[%d]: Name: an operation needs one", i)
		mistake(slices.IndexFunc(w.Operations, func(p Errand) bool { return p.Name == o.Name }) < i, "Operations[%d]: Name: %q is there before", i, o.Name)
		mistake(!(o.Rate > 0 && o.Rate <= mostRate), "Operations[%d]: Rate: %v is not over 0 and up to %v per second", i, o.Rate, mostRate)
		mistake(!(o.Deadline >= leastSeconds && o.Deadline <= 3600), "Operations[%d]: Deadline: %v is not from %v to 3600 s", i, o.Deadline, leastSeconds)
		mistake(!(o.DelayCost >= 0 && o.DelayCost <= 1e6), "Operations[%d]: DelayCost: %v is no cost", i, o.DelayCost)
		mistake(o.MaxAttempts < 1 || o.MaxAttempts > 1000, "Operations[%d]: MaxAttempts: %d is not from 1 to 1000", i, o.MaxAttempts)
	}
	odd := func(p float64) bool { return !share(p) }
	mistake(slices.ContainsFunc(w.Noise, odd), "Noise: %v are not all from 0 to 1", w.Noise)
	mistake(slices.ContainsFunc(w.Dead, odd), "Dead: %v are not all from 0 to 1", w.Dead)
	mistake(slices.ContainsFunc(w.NoiseKind, func(f Failure) bool { return f >= failures }), "NoiseKind: there is no such failure")
	mistake(len(w.Outages) > mostOutages, "Outages: %d are more than %d", len(w.Outages), mostOutages)
	for i, o := range w.Outages {
		mistake(!o.Length.sound(), "Outages[%d]: Length: %+v is no time from %v to %v s", i, o.Length, leastSeconds, mostSeconds)
		mistake(!(o.Gap >= leastSeconds || o.Every >= leastSeconds) || o.Gap > mostSeconds || o.Every > mostSeconds, "Outages[%d]: Gap, Every: one must be from %v to %v s", i, leastSeconds, mostSeconds)
		mistake(!share(o.P) || o.Kind >= failures, "Outages[%d]: P, Kind: %v, %d is no failure", i, o.P, o.Kind)
		mistake(!share(o.From) || !share(o.Until), "Outages[%d]: From, Until: %v, %v are not from 0 to 1", i, o.From, o.Until)
	}
	mistake(w.Quota.Attempts < 0 || w.Quota.Attempts > 0 && !(w.Quota.Window >= leastSeconds && w.Quota.Window <= mostSeconds), "Quota: %+v is none", w.Quota)
	mistake(w.Surge.Factor != 0 && !(w.Surge.Factor >= 1 && w.Surge.Factor <= 100 && w.Surge.Length.sound() && w.Surge.Gap >= leastSeconds), "Surge: %+v is none", w.Surge)
	mistake(w.Capacity.PerSecond != 0 && !(w.Capacity.PerSecond > 0 && w.Capacity.Dip.sound() && w.Capacity.DipFor >= 0), "Capacity: %+v is none", w.Capacity)
	for i, d := range w.Windows {
		mistake(!(d.From <= d.To) || !share(d.P), "Windows[%d]: %+v is none", i, d)
	}
	return errors.Join(errs...)
}

func share(p float64) bool { return p >= 0 && p <= 1 }

// sound says that l yields times that a run can bear.
func (l Length) sound() bool {
	if q := l.Quantiles; q != nil {
		return len(q) >= 2 && slices.IsSorted(q) && q[0] >= 0 && q[len(q)-1] >= leastSeconds && q[len(q)-1] <= mostSeconds
	}
	return l.A >= 0 && l.B >= 0 && l.Mean >= 0 && l.A+l.B+l.Mean >= leastSeconds && l.A+l.B+l.Mean <= mostSeconds && l.Sigma >= 0 && l.Sigma <= 5
}

// A Failure is how a simulated attempt fails.
type Failure uint8

// The failures. Throttled comes from a quota only.
const (
	Reset Failure = iota
	Unavailable
	Throttled
	Internal
	TimedOut
	failures
)

var failureNames = [failures]string{"reset", "unavailable", "throttled", "internal", "timeout"}

// String returns the name in lower case.
func (f Failure) String() string { return failureNames[min(f, failures-1)] }

// MarshalText implements encoding.TextMarshaler.
func (f Failure) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Failure) UnmarshalText(text []byte) error {
	i := slices.Index(failureNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is no failure: want one of %v", text, failureNames)
	}
	*f = Failure(i)
	return nil
}

// Stretched returns w with all its times multiplied, but for those of the operations.
func (w World) Stretched(by float64) World {
	w.Outages = slices.Clone(w.Outages)
	for i := range w.Outages {
		o := &w.Outages[i]
		o.Length, o.Gap, o.Every = o.Length.times(by), o.Gap*by, o.Every*by
	}
	w.Quota.Window *= by
	w.Quota.Attempts = int(math.Round(float64(w.Quota.Attempts) * by))
	w.Surge.Length, w.Surge.Gap = w.Surge.Length.times(by), w.Surge.Gap*by
	w.Capacity.Dip, w.Capacity.DipFor = w.Capacity.Dip.times(by), w.Capacity.DipFor*by
	w.Windows = slices.Clone(w.Windows)
	for i := range w.Windows {
		w.Windows[i].From, w.Windows[i].To = w.Windows[i].From*by, w.Windows[i].To*by
	}
	return w
}

func (l Length) times(x float64) Length {
	l.A, l.B, l.Mean = l.A*x, l.B*x, l.Mean*x
	l.Quantiles = slices.Clone(l.Quantiles)
	for i := range l.Quantiles {
		l.Quantiles[i] *= x
	}
	return l
}

// Busier returns w with all rates multiplied, and what the quota and the capacity allow.
func (w World) Busier(by float64) World {
	w.Operations = slices.Clone(w.errands())
	for i := range w.Operations {
		w.Operations[i].Rate *= by
	}
	if w.Quota.Attempts > 0 {
		w.Quota.Attempts = max(1, int(math.Round(float64(w.Quota.Attempts)*by)))
	}
	w.Capacity.PerSecond *= by
	return w
}

func (w *World) errands() []Errand {
	if len(w.Operations) == 0 {
		return Errands()
	}
	return w.Operations
}

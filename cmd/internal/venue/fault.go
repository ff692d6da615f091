package venue

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Fault is a rule: which requests suffer and how.
type Fault struct {
	Name  string // in the log; default: the kind and the number of the rule
	Match Match
	Kind  Kind

	Delay, DelayMax time.Duration // how long, for kinds that wait; with DelayMax drawn evenly from Delay to DelayMax; at most 10 min
	Shift           time.Duration // of ClockShift; negative is behind; at most 1 h either way
	Grace           time.Duration // of ServerShutdown; 0 means 10 s
	Steps           []float64     // shares of an order's quantity, above 0 and together at most 1
	Code            int           // negative; the venue's code in place of the usual one, for kinds that answer by themselves
	Status          int           // 4xx or 5xx in place of the usual one, for kinds that answer by themselves
	RetryAfter      time.Duration // of TooManyRequests, in whole seconds rounded up; 0 means 1 s, negative sends none
	HTML            bool          // Unavailable answers with HTML in place of JSON
	Reset           bool          // Drop and AcceptDropAnswer: the connection is reset in place of closed
	Reached         bool          // Unavailable and BadGateway: the request reaches the engine, its answer is lost
	IgnoreWindow    bool          // Delay and Hold: forwarded although too late, against the venue's rule
	Count           int           // most hits; 0 means no end

	// Func replaces Kind. It may call forward, which takes the request through the remaining checks and the engine and
	// returns the answer, nil if the venue was closed or reset; each call sends the request once more. What Func returns
	// is sent to the client; nil cuts the connection. It runs in the request's goroutine.
	Func func(c Call, forward func() *Answer) *Answer `json:"-"`
}

// A Match selects requests. Zero fields match everything.
type Match struct {
	Method      string        // of a frame FRAME
	Path        string        // exact, or a prefix that ends in *; of a frame its stream, or executionReport and the like
	ClientID    string        // newClientOrderId of a POST, else origClientOrderId; of an executionReport the order's
	Symbol      string        //
	Nth         int           // of the requests the fields above match, from 1: this one
	Every       int           // each so-many-th of them; with Nth beginning there
	Probability float64       // 0 and 1 mean always
	After       time.Duration // from then on, counted from when the rule was added
	Until       time.Duration // before then; 0 means no end
}

// A Call is a request as Fault.Func sees it.
type Call struct {
	Seq      uint64
	Method   string
	Path     string
	Params   url.Values // of query and body
	ClientID string
	Engine   Engine
}

// An Answer is an HTTP response. Content-Type is JSON unless Header says otherwise.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// longestDelay keeps a mistyped unit from holding a connection for days.
const longestDelay = 10 * time.Minute

// Validate returns all mistakes of f, joined; each begins with the field's name.
func (f Fault) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if f.Func == nil {
		_, known := stages[f.Kind]
		check(known, "kind: %q is none of %v", f.Kind, slices.Sorted(maps.Keys(stages)))
	} else {
		check(f.Kind == "", "kind: %q beside a function", f.Kind)
	}
	check(f.Delay >= 0 && f.Delay <= longestDelay, "delay: %v is outside 0 to %v", f.Delay, longestDelay)
	check(f.DelayMax == 0 || f.DelayMax >= f.Delay && f.DelayMax <= longestDelay, "delayMax: %v is outside delay to %v", f.DelayMax, longestDelay)
	check(f.Shift >= -time.Hour && f.Shift <= time.Hour, "shift: %v is outside -1h to 1h", f.Shift)
	check(f.Grace >= 0 && f.Grace <= longestDelay, "grace: %v is outside 0 to %v", f.Grace, longestDelay)
	check(f.Code <= 0, "code: %d is positive", f.Code)
	sum := 0.0
	for i, s := range f.Steps {
		sum += s
		check(s > 0, "steps[%d]: %v is not positive", i, s)
	}
	check(sum <= 1+1e-9, "steps: together %v, more than 1", sum)
	check(f.Kind != PartialFills || len(f.Steps) > 0 && len(f.Steps) <= 100, "steps: %d of them", len(f.Steps))
	check(f.Status == 0 || f.Status >= 400 && f.Status <= 599, "status: %d is outside 400 to 599", f.Status)
	check(f.Count >= 0, "count: %d is negative", f.Count)
	m := f.Match
	check(m.Nth >= 0, "match.nth: %d is negative", m.Nth)
	check(m.Every >= 0, "match.every: %d is negative", m.Every)
	check(m.Probability >= 0 && m.Probability <= 1 && !math.IsNaN(m.Probability), "match.probability: %v is outside 0 to 1", m.Probability)
	check(m.After >= 0, "match.after: %v is negative", m.After)
	check(m.Until == 0 || m.Until > m.After, "match.until: %v is not later than after", m.Until)
	return errors.Join(errs...)
}

func validate(faults []Fault) error {
	var errs []error
	for i, f := range faults {
		if err := f.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("fault %d %s: %s", i+1, f.Name, strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
	return errors.Join(errs...)
}

// grace is how long a link lives after serverShutdown was announced.
func (f *Fault) grace() time.Duration {
	if f.Grace == 0 {
		return 10 * time.Second
	}
	return f.Grace
}

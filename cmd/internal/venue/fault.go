package venue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Kind is a way to fail.
type Kind string

// The kinds. Those whose name begins with Accept, and CutBody and LateAnswer, let the engine do its work first.
const (
	Drop              Kind = "drop"               // lost before the engine: the connection closes without an answer, after Delay
	Delay             Kind = "delay"              // comes late: Delay passes before the window is first checked
	Hold              Kind = "hold"               // held for Delay between the checks of the window, then forwarded
	AcceptDropAnswer  Kind = "accept_drop_answer" // done, then the connection closes without an answer, after Delay
	AcceptUnavailable Kind = "accept_unavailable" // done, then 503 with -1007 in place of a 2xx answer
	Unavailable       Kind = "unavailable"        // 503 without a code
	BadGateway        Kind = "bad_gateway"        // 502 with HTML
	CutBody           Kind = "cut_body"           // done; status and Content-Length arrive, half the body does
	LateAnswer        Kind = "late_answer"        // done, then the answer waits for Delay
	TooManyRequests   Kind = "too_many_requests"  // 429 with -1003 and RetryAfter
	ClockSkew         Kind = "clock_skew"         // -1021 for a signed request
	Overloaded        Kind = "overloaded"         // 503 with -1008: not placed
	StaleRead         Kind = "stale_read"         // an order read, answered as things stood Delay ago; at most 10 s
	Refuse            Kind = "refuse"             // no connection: by Transport a refused dial, over a socket a close without an answer
)

var kinds = []Kind{
	Drop, Delay, Hold, AcceptDropAnswer, AcceptUnavailable, Unavailable, BadGateway, CutBody, LateAnswer,
	TooManyRequests, ClockSkew, Overloaded, StaleRead, Refuse,
}

// A Fault is a rule: which requests suffer and how.
type Fault struct {
	Name  string // in the log; default: the kind and the number of the rule
	Match Match
	Kind  Kind

	Delay, DelayMax time.Duration // how long, for kinds that wait; with DelayMax drawn evenly from Delay to DelayMax; at most 10 min
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
	Method      string
	Path        string        // exact, or a prefix that ends in *
	ClientID    string        // newClientOrderId of a POST, else origClientOrderId
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
		check(slices.Contains(kinds, f.Kind), "kind: %q is none of %v", f.Kind, kinds)
	} else {
		check(f.Kind == "", "kind: %q beside a function", f.Kind)
	}
	check(f.Delay >= 0 && f.Delay <= longestDelay, "delay: %v is outside 0 to %v", f.Delay, longestDelay)
	check(f.DelayMax == 0 || f.DelayMax >= f.Delay && f.DelayMax <= longestDelay, "delayMax: %v is outside delay to %v", f.DelayMax, longestDelay)
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

// A span is a time.Duration that is written like "1.5s".
type span time.Duration

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

type faultJSON struct {
	Name         string    `json:"name,omitempty"`
	Match        matchJSON `json:"match,omitzero"`
	Kind         Kind      `json:"kind,omitempty"`
	Delay        span      `json:"delay,omitzero"`
	DelayMax     span      `json:"delayMax,omitzero"`
	Status       int       `json:"status,omitempty"`
	RetryAfter   span      `json:"retryAfter,omitzero"`
	HTML         bool      `json:"html,omitempty"`
	Reset        bool      `json:"reset,omitempty"`
	Reached      bool      `json:"reached,omitempty"`
	IgnoreWindow bool      `json:"ignoreWindow,omitempty"`
	Count        int       `json:"count,omitempty"`
}

type matchJSON struct {
	Method      string  `json:"method,omitempty"`
	Path        string  `json:"path,omitempty"`
	ClientID    string  `json:"clientId,omitempty"`
	Symbol      string  `json:"symbol,omitempty"`
	Nth         int     `json:"nth,omitempty"`
	Every       int     `json:"every,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	After       span    `json:"after,omitzero"`
	Until       span    `json:"until,omitzero"`
}

// MarshalJSON writes the JSON form: the fields in camel case, durations like "1.5s". A Func cannot be written and is
// left out.
func (f Fault) MarshalJSON() ([]byte, error) {
	m := f.Match
	return json.Marshal(faultJSON{
		f.Name, matchJSON{m.Method, m.Path, m.ClientID, m.Symbol, m.Nth, m.Every, m.Probability, span(m.After), span(m.Until)},
		f.Kind, span(f.Delay), span(f.DelayMax), f.Status, span(f.RetryAfter), f.HTML, f.Reset, f.Reached, f.IgnoreWindow, f.Count,
	})
}

// UnmarshalJSON reads the JSON form and refuses unknown fields.
func (f *Fault) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var j faultJSON
	if err := d.Decode(&j); err != nil {
		return err
	}
	m := j.Match
	*f = Fault{
		Name:  j.Name,
		Match: Match{m.Method, m.Path, m.ClientID, m.Symbol, m.Nth, m.Every, m.Probability, time.Duration(m.After), time.Duration(m.Until)},
		Kind:  j.Kind, Delay: time.Duration(j.Delay), DelayMax: time.Duration(j.DelayMax), Status: j.Status,
		RetryAfter: time.Duration(j.RetryAfter), HTML: j.HTML, Reset: j.Reset, Reached: j.Reached, IgnoreWindow: j.IgnoreWindow, Count: j.Count,
	}
	return nil
}

// DecodeFaults reads a JSON array of rules, the form of POST /sim/faults, and validates them. Unknown fields, unknown
// kinds and anything after the array are errors. It reads at most 1 MiB.
func DecodeFaults(r io.Reader) ([]Fault, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20+1))
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if len(b) > 1<<20 {
		return nil, errors.New("faults: more than 1 MiB")
	}
	var faults []Fault
	if err := json.Unmarshal(b, &faults); err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	if faults == nil {
		return nil, errors.New("faults: null in place of an array")
	}
	return faults, validate(faults)
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

package venue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

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
	Shift        span      `json:"shift,omitzero"`
	Grace        span      `json:"grace,omitzero"`
	Steps        []float64 `json:"steps,omitempty"`
	Code         int       `json:"code,omitempty"`
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
		f.Kind, span(f.Delay), span(f.DelayMax), span(f.Shift), span(f.Grace), f.Steps, f.Code, f.Status, span(f.RetryAfter), f.HTML, f.Reset, f.Reached, f.IgnoreWindow, f.Count,
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
		Kind:  j.Kind, Delay: time.Duration(j.Delay), DelayMax: time.Duration(j.DelayMax), Shift: time.Duration(j.Shift),
		Grace: time.Duration(j.Grace), Steps: j.Steps, Code: j.Code, Status: j.Status,
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

package analytics

import (
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Kind is a pattern. The list is closed.
type Kind string

// The kinds.
const (
	ErrorShift        Kind = "error_shift"        // the failure rate jumped
	RetryStorm        Kind = "retry_storm"        // retries multiply the load
	CorrelatedFailure Kind = "correlated_failure" // operations that share a dependency fail together
	HiddenDependency  Kind = "hidden_dependency"  // operations fail together though nobody said that they share something
	Periodic          Kind = "periodic"           // failures come at the same phase of a period
	Flapping          Kind = "flapping"           // good and bad in turn
	Brownout          Kind = "brownout"           // calls became slow little by little
	ClassShift        Kind = "class_shift"        // failures changed their nature
	NewError          Kind = "new_error"          // an error that was not seen for a day
	BadShard          Kind = "bad_shard"          // one shard carries the failures
	Herd              Kind = "herd"               // a crowd arrived after a recovery
	Synchronised      Kind = "synchronised"       // retries come at one moment of a period
	PaperingOver      Kind = "papering_over"      // retries hide what should be fixed
	Ineffective       Kind = "ineffective"        // retries that do not pay
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{
		ErrorShift, RetryStorm, CorrelatedFailure, HiddenDependency, Periodic, Flapping, Brownout, ClassShift, NewError, BadShard, Herd, Synchronised,
		PaperingOver, Ineffective,
	}
}

// A Severity says how urgent a finding is.
type Severity uint8

// The severities.
const (
	Info   Severity = iota // worth knowing
	Ticket                 // somebody should look within days
	Page                   // somebody should look now
)

// String returns the name in lower case.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Ticket:
		return "ticket"
	}
	return "page"
}

// ParseSeverity returns the severity of a name; a page for one that there is not, so that nothing is overlooked.
func ParseSeverity(name string) Severity {
	for s := Info; s < Page; s++ {
		if s.String() == name {
			return s
		}
	}
	return Page
}

// A SubjectKind says what a subject is.
type SubjectKind string

// The kinds of subject.
const (
	OfPolicy     SubjectKind = "policy"
	OfShard      SubjectKind = "shard" // of a policy: a venue's host, a partition
	OfDependency SubjectKind = "dependency"
	OfPair       SubjectKind = "pair" // of policies
)

// A Subject is what a finding is about.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	Name string      `json:"name"`
	Part string      `json:"part,omitempty"` // the shard, or the other policy of a pair
}

// String returns name, or name/part, or name+part of a pair.
func (s Subject) String() string {
	if s.Part == "" {
		return s.Name
	}
	if s.Kind == OfPair {
		return s.Name + "+" + s.Part
	}
	return s.Name + "/" + s.Part
}

// Subject returns the subject of a finding of this kind from its text, the inverse of String.
func (k Kind) Subject(text string) Subject {
	switch k {
	case CorrelatedFailure:
		return Subject{Kind: OfDependency, Name: text}
	case BadShard:
		name, part, _ := strings.Cut(text, "/")
		return Subject{OfShard, name, part}
	case HiddenDependency:
		name, part, _ := strings.Cut(text, "+")
		return Subject{OfPair, name, part}
	}
	return Subject{Kind: OfPolicy, Name: text}
}

// An ActionKind is something that a person may do. The list is closed; nothing does it by itself.
type ActionKind string

// The actions.
const (
	LookAtErrors      ActionKind = "look_at_errors"
	LowerAttempts     ActionKind = "lower_attempts" // to Count
	FixDependency     ActionKind = "fix_dependency" // Name
	ShiftSchedule     ActionKind = "shift_schedule" // away from Period
	LengthenOpen      ActionKind = "lengthen_open"  // of the circuit
	Reclassify        ActionKind = "reclassify"     // Name, as permanent
	IsolateShard      ActionKind = "isolate_shard"  // Name
	AddJitter         ActionKind = "add_jitter"
	DeclareDependency ActionKind = "declare_dependency" // of Name
)

// An Action is what to tune and to what.
type Action struct {
	Kind   ActionKind    `json:"kind,omitempty"`
	Name   string        `json:"name,omitempty"`
	Count  int           `json:"count,omitempty"`
	Period time.Duration `json:"period,omitempty"`
	Text   string        `json:"text,omitempty"` // instead of the others, where only a sentence is known
}

// String says the action in a sentence.
func (a Action) String() string {
	if a.Text != "" {
		return a.Text
	}
	switch a.Kind {
	case LowerAttempts:
		return fmt.Sprintf("Lower MaxAttempts to %d, or stop retries for the scope.", a.Count)
	case FixDependency:
		return fmt.Sprintf("Look at %s: retries cannot mend it.", a.Name)
	case ShiftSchedule:
		return fmt.Sprintf("Look at what runs every %v; move own schedules away from it, or give the policy a maintenance window.", a.Period)
	case LengthenOpen:
		return "Keep the circuit open for longer with more probes, and look for a replica that is half broken."
	case Reclassify:
		return fmt.Sprintf("Classify %s as Permanent: retrying it does not help.", a.Name)
	case AddJitter:
		return "Use full jitter, smaller budgets, and a ramp after a recovery: calls that wait together arrive together."
	case DeclareDependency:
		return fmt.Sprintf("Look for what %s share, and declare it as their dependency.", a.Name)
	case IsolateShard:
		return fmt.Sprintf("Isolate the breaker of %s, and route calls away from it.", a.Name)
	}
	return "Look at the errors in the evidence, and at the other side's status."
}

// Evidence is what a finding rests on. Zero fields do not apply.
type Evidence struct {
	Statistic    string        `json:"statistic"` // the name of the test
	Value        float64       `json:"value"`
	Threshold    float64       `json:"threshold"`
	P            float64       `json:"p,omitempty"`      // chance of such a value when nothing is wrong; 0 means none
	Effect       float64       `json:"effect,omitempty"` // what matters to people: a ratio or a share, see Text
	N            uint64        `json:"n,omitempty"`      // calls, failures, votes or bins that were looked at
	Window       time.Duration `json:"window,omitempty"`
	Baseline     float64       `json:"baseline,omitempty"`
	Period       time.Duration `json:"period,omitempty"`
	Phase        time.Duration `json:"phase,omitempty"`
	Samples      []uint64      `json:"samples,omitempty"`      // at most 60: failures or attempts per second, oldest first
	Fingerprints []string      `json:"fingerprints,omitempty"` // at most 3: class and code of the most frequent errors
}

// Map returns the fields that apply, for a view. All values are finite.
func (e Evidence) Map() map[string]any {
	m := map[string]any{"statistic": e.Statistic, "value": e.Value, "threshold": e.Threshold}
	for name, v := range map[string]float64{"p": e.P, "effect": e.Effect, "baseline": e.Baseline} {
		if v != 0 {
			m[name] = v
		}
	}
	for name, d := range map[string]time.Duration{"window": e.Window, "period": e.Period, "phase": e.Phase} {
		if d != 0 {
			m[name] = d.String()
		}
	}
	if e.N != 0 {
		m["n"] = e.N
	}
	if len(e.Samples) > 0 {
		m["samples"] = e.Samples
	}
	if len(e.Fingerprints) > 0 {
		m["errors"] = e.Fingerprints
	}
	return m
}

// EvidenceOf returns the evidence that Map made, also after it was JSON. What it does not know is left out.
func EvidenceOf(m map[string]any) (e Evidence) {
	for name, v := range map[string]*float64{
		"value": &e.Value, "threshold": &e.Threshold, "p": &e.P, "effect": &e.Effect, "baseline": &e.Baseline,
	} {
		*v, _ = m[name].(float64)
	}
	for name, d := range map[string]*time.Duration{"window": &e.Window, "period": &e.Period, "phase": &e.Phase} {
		text, _ := m[name].(string)
		*d, _ = time.ParseDuration(text)
	}
	e.Statistic, _ = m["statistic"].(string)
	e.N = whole(m["n"])
	switch list := m["samples"].(type) {
	case []uint64:
		e.Samples = list
	case []any:
		for _, v := range list[:min(len(list), mostSamples)] {
			e.Samples = append(e.Samples, whole(v))
		}
	}
	switch list := m["errors"].(type) {
	case []string:
		e.Fingerprints = list
	case []any:
		for _, v := range list[:min(len(list), mostErrors)] {
			text, _ := v.(string)
			e.Fingerprints = append(e.Fingerprints, text)
		}
	}
	return e
}

const (
	mostSamples = 60
	mostErrors  = 3
)

// whole returns a count, as it is or as JSON has it.
func whole(v any) uint64 {
	switch n := v.(type) {
	case uint64:
		return n
	case float64:
		if n >= 0 && n < 1<<63 {
			return uint64(n)
		}
	}
	return 0
}

// bounded makes every number one that JSON has.
func (e Evidence) bounded() Evidence {
	for _, v := range []*float64{&e.Value, &e.Threshold, &e.P, &e.Effect, &e.Baseline} {
		switch {
		case math.IsNaN(*v):
			*v = 0
		case math.IsInf(*v, 0):
			*v = math.Copysign(math.MaxFloat64, *v)
		}
	}
	return e
}

// A Finding is a pattern that was recognised. It maps one to one to control.FindingView:
//
//	control.FindingView{Kind: string(f.Kind), Subject: f.Subject.String(), Severity: f.Severity.String(),
//		Summary: f.Text, Action: f.Action.String(), Evidence: f.Evidence.Map(), Since: f.Started}
type Finding struct {
	ID       string    `json:"id"` // of Kind, Subject and Started: the same when the records are replayed
	Kind     Kind      `json:"kind"`
	Subject  Subject   `json:"subject"`
	Severity Severity  `json:"severity"`
	Started  time.Time `json:"started"`        // when the pattern began, as far as the statistic tells
	Detected time.Time `json:"detected"`       // when it was recognised first
	Updated  time.Time `json:"updated"`        // the evidence is of then
	Ended    time.Time `json:"ended,omitzero"` // zero while it lasts
	Evidence Evidence  `json:"evidence"`
	Action   Action    `json:"action"`
	Text     string    `json:"text"`              // one sentence with numbers
	Related  []string  `json:"related,omitempty"` // IDs of findings that this one explains, at most 64
	Folded   bool      `json:"folded,omitempty"`  // another finding explains this one
}

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// FindingID returns the ID of a finding.
func FindingID(k Kind, s Subject, started time.Time) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00%d", k, s.Kind, s.Name, s.Part, started.UnixNano())
	return strconv.FormatUint(h.Sum64(), 16)
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

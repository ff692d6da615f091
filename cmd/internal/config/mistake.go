package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Kind says what sort of mistake it is. The names are stable.
type Kind string

// The kinds.
const (
	Syntax           Kind = "syntax" // not YAML, or not the part of it that is allowed here
	UnknownField     Kind = "unknown_field"
	DuplicateKey     Kind = "duplicate_key"
	WrongType        Kind = "wrong_type"
	BadValue         Kind = "bad_value"
	OutOfRange       Kind = "out_of_range"
	MissingRequired  Kind = "missing_required"
	UnknownReference Kind = "unknown_reference"
	DependencyCycle  Kind = "dependency_cycle"
	Contradiction    Kind = "contradiction"
	Unused           Kind = "unused"    // a warning
	Unwise           Kind = "unwise"    // a warning: possible, and probably not what was meant
	TooLarge         Kind = "too_large" // the file, or what its aliases expand to
)

// A Mistake is one thing that is wrong, and where.
type Mistake struct {
	Line        int      `json:"line"`   // from 1
	Column      int      `json:"column"` // in characters, from 1
	Kind        Kind     `json:"kind"`
	Path        string   `json:"path,omitempty"` // of the field, such as policies.binance.place_order.backoff
	Message     string   `json:"message"`
	Suggestions []string `json:"suggestions,omitempty"` // at most 3
	Warning     bool     `json:"warning,omitempty"`     // the file works nevertheless

	length  int    // in characters, of what is wrong
	snippet string // the line, safe to print
	caret   string // below it
}

// mostMistakes is how many are kept; the rest is counted.
const mostMistakes = 1000

// Mistakes are those of one file, in its order.
type Mistakes struct {
	File string
	List []Mistake // at most 1000
	More int       // beyond them
}

// Invalid is the error of a file with mistakes.
type Invalid struct{ Mistakes }

// Error names the first mistake, and how many there are.
func (e *Invalid) Error() string {
	var first Mistake
	for _, m := range e.List {
		if !m.Warning {
			first = m
			break
		}
	}
	text := fmt.Sprintf("%s:%d:%d: %s", e.File, first.Line, first.Column, first.text())
	if n := e.Errors(); n > 1 {
		text += fmt.Sprintf(" (and %d more)", n-1)
	}
	return text
}

// Errors counts the mistakes that are no warnings.
func (m *Mistakes) Errors() int {
	n := m.More
	for _, one := range m.List {
		if !one.Warning {
			n++
		}
	}
	return n
}

// Warnings counts the warnings.
func (m *Mistakes) Warnings() int { return len(m.List) + m.More - m.Errors() }

// text is the message with the suggestions.
func (m Mistake) text() string {
	text := m.Message
	if len(m.Suggestions) > 0 {
		quoted := make([]string, len(m.Suggestions))
		for i, s := range m.Suggestions {
			quoted[i] = quote(s)
		}
		text += "; did you mean " + list(quoted, "or") + "?"
	}
	if m.Warning {
		text = "warning: " + text
	}
	return text
}

func (m *Mistakes) sort() {
	slices.SortStableFunc(m.List, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// list joins words: a, b or c.
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// quote returns text in quotes, cut to what a reader needs of it.
func quote(text string) string {
	if runes := []rune(text); len(runes) > 80 {
		text = string(runes[:79]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A Style is how mistakes are written for people.
type Style struct {
	Color bool
}

// Write writes each mistake with its place, its line and what is wrong in it, and how many there are.
func (m *Mistakes) Write(w io.Writer, s Style) error {
	var b strings.Builder
	paint := func(code, text string) string {
		if !s.Color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	for _, one := range m.List {
		code := "31" // red
		if one.Warning {
			code = "33" // yellow
		}
		fmt.Fprintf(&b, "%s: %s\n", paint("1", fmt.Sprintf("%s:%d:%d", m.File, one.Line, one.Column)), paint(code, one.text()))
		if one.caret != "" {
			number := fmt.Sprintf("%5d", one.Line)
			fmt.Fprintf(&b, "%s | %s\n%s | %s\n", number, one.snippet, strings.Repeat(" ", len(number)), paint(code, one.caret))
		}
	}
	if m.More > 0 {
		fmt.Fprintf(&b, "… and %d more\n", m.More)
	}
	if len(m.List) > 0 {
		fmt.Fprintln(&b, m.Count())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Count says how many mistakes and warnings there are.
func (m *Mistakes) Count() string {
	var parts []string
	if n := m.Errors(); n > 0 {
		parts = append(parts, plural(n, "mistake"))
	}
	if n := m.Warnings(); n > 0 {
		parts = append(parts, plural(n, "warning"))
	}
	if len(parts) == 0 {
		return "no mistakes"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// MarshalJSON returns the mistakes as an object: file, ok, mistakes, and more if some are left out.
func (m *Mistakes) MarshalJSON() ([]byte, error) {
	found := m.List
	if found == nil {
		found = []Mistake{}
	}
	return json.Marshal(struct {
		File     string    `json:"file"`
		OK       bool      `json:"ok"`
		Mistakes []Mistake `json:"mistakes"`
		More     int       `json:"more,omitempty"`
	}{m.File, m.Errors() == 0, found, m.More})
}

package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/relent-go/relent/cmd/internal/config"
)

// A Checked is what was found in one file.
type Checked struct {
	Mistakes config.Mistakes
	Policies int   // in a file without mistakes
	Err      error // why it could not be read
}

// OK says that the file can be used.
func (c *Checked) OK() bool { return c.Err == nil && c.Mistakes.Errors() == 0 }

// MarshalJSON returns the mistakes as config.Mistakes does, or the error.
func (c *Checked) MarshalJSON() ([]byte, error) {
	if c.Err != nil {
		return json.Marshal(struct {
			File  string `json:"file"`
			OK    bool   `json:"ok"`
			Error string `json:"error"`
		}{c.Mistakes.File, false, c.Err.Error()})
	}
	return json.Marshal(&c.Mistakes)
}

// A Report is what was found in files.
type Report struct {
	V     int        `json:"v"` // 1
	OK    bool       `json:"ok"`
	Files []*Checked `json:"files"`
}

// Check reads files and returns what is wrong with them. lookup finds environment variables.
func Check(files []string, lookup func(string) (string, bool)) Report {
	report := Report{V: 1, OK: true, Files: []*Checked{}}
	for _, name := range files {
		one := &Checked{Mistakes: config.Mistakes{File: name}}
		file, err := config.Read(name, lookup)
		if invalid, ok := errors.AsType[*config.Invalid](err); ok {
			one.Mistakes = invalid.Mistakes
		} else if err != nil {
			one.Err = err
		} else {
			one.Mistakes, one.Policies = file.Warnings, len(file.Policies)
			if _, err := file.Preview(); err != nil {
				one.Err = err
			}
		}
		report.OK = report.OK && one.OK()
		report.Files = append(report.Files, one)
	}
	return report
}

// Bad counts the files that cannot be used.
func (r *Report) Bad() int {
	n := 0
	for _, f := range r.Files {
		if !f.OK() {
			n++
		}
	}
	return n
}

// WriteText writes what was found for people.
func (r *Report) WriteText(w io.Writer, s config.Style) error {
	for i, f := range r.Files {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if f.Err != nil {
			fmt.Fprintf(w, "%s: %v\n", f.Mistakes.File, f.Err)
			continue
		}
		if err := f.Mistakes.Write(w, s); err != nil {
			return err
		}
		if f.OK() {
			if _, err := fmt.Fprintf(w, "%s: ok, %s\n", f.Mistakes.File, count(f.Policies, "policy", "policies")); err != nil {
				return err
			}
		}
	}
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

package policy

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/relent-go/relent/cmd/internal/config"
)

// A Difference is how two files differ.
type Difference struct {
	V       int             `json:"v"` // 1
	From    string          `json:"from"`
	To      string          `json:"to"`
	Restart bool            `json:"needs_restart"` // a reload would be refused
	Changes []config.Change `json:"changes"`
}

// Diff compares two files.
func Diff(from, to *config.File) Difference {
	d := Difference{V: 1, From: from.Name, To: to.Name, Changes: config.Diff(&from.Content, &to.Content)}
	if d.Changes == nil {
		d.Changes = []config.Change{}
	}
	for _, c := range d.Changes {
		d.Restart = d.Restart || c.Restart
	}
	return d
}

// WriteText writes the difference as a table.
func (d *Difference) WriteText(w io.Writer) error {
	if len(d.Changes) == 0 {
		_, err := fmt.Fprintf(w, "%s and %s say the same\n", d.From, d.To)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIELD\tFROM\tTO")
	for _, c := range d.Changes {
		note := ""
		if c.Restart {
			note = "\tneeds restart"
		}
		fmt.Fprintf(t, "%s\t%s\t%s%s\n", c.Path, given(c.From), given(c.To), note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Restart {
		_, err := fmt.Fprintln(w, "\na reload would be refused: nothing changes until a restart")
		return err
	}
	return nil
}

func given(value string) string {
	if value == "" {
		return "(not given)"
	}
	return value
}

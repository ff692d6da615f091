package auditlog

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/relent-go/relent/observe/audit"
)

// A Printer writes records to a screen or a pipe.
type Printer struct {
	W     io.Writer
	JSON  bool // one object a line
	begun bool
}

// columns of the table. What is longer than its column moves the others.
const row = "%-24s  %-10s %6s  %-8s %-28s %-16s %3s  %-11s  %s\n"

// Print writes one record.
func (p *Printer) Print(r *audit.Record) error {
	if p.JSON {
		_, err := fmt.Fprintf(p.W, "{\"v\":1,%s\n", r.AppendJSON(nil)[1:])
		return err
	}
	if !p.begun {
		p.begun = true
		if err := p.row("TIME", "CHAIN", "SEQ", "DECISION", "OPERATION", "CALL", "ATT", "OUTCOME", "DETAILS"); err != nil {
			return err
		}
	}
	attempt := ""
	if r.Attempt > 0 {
		attempt = strconv.Itoa(r.Attempt)
	}
	return p.row(r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), r.Chain, strconv.FormatUint(r.Sequence, 10), string(r.Decision),
		r.Operation, r.Call, attempt, string(r.Outcome), details(r))
}

func (p *Printer) row(cells ...string) error {
	args := make([]any, len(cells))
	for i, c := range cells {
		args[i] = Plain(c)
	}
	line := strings.TrimRight(fmt.Sprintf(row, args...), " \n")
	_, err := io.WriteString(p.W, line+"\n")
	return err
}

// details are what a person wants to know beside the columns.
func details(r *audit.Record) string {
	var b strings.Builder
	for _, d := range []struct{ name, value string }{
		{"", r.Rule}, {"scope", r.Scope}, {"state", r.State}, {"by", r.Actor}, {"approved by", r.Approver}, {"why", r.Why}, {"ticket", r.Ticket},
		{"class", r.Class}, {"strategy", r.Strategy}, {"tenant", r.Tenant}, {"parent", r.Parent}, {"breaker", r.Breaker}, {"validation", r.Validation},
	} {
		if d.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		if d.name != "" {
			b.WriteString(d.name + " ")
		}
		b.WriteString(d.value)
	}
	if r.Count > 0 {
		fmt.Fprintf(&b, "; %d records are missing", r.Count)
	}
	return b.String()
}

// Plain returns text that does nothing to a terminal: control characters, and others that are not seen, are escaped.
func Plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

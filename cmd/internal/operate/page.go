package operate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relent-go/relent/control"
)

// A page is a status for people.
type page struct {
	*status
	width   int // 0: no limit
	color   bool
	verbose bool
	out     []string
	empty   []string // sections that have nothing to show
}

// lines returns the whole page, what matters most first.
func (p *page) lines() []string {
	p.head()
	p.stops()
	p.findings()
	p.policies()
	p.circuits()
	p.budgets()
	p.venues()
	p.components()
	p.instances()
	p.rest()
	if len(p.empty) > 0 {
		p.out = append(p.out, "", p.paint(p.fit("nothing of: "+strings.Join(p.empty, ", ")), faint))
	}
	if p.verbose {
		p.settings()
	}
	return p.out
}

func (p *page) paint(s, style string) string { return (&table{Color: p.color}).paint(s, style) }

func (p *page) fit(s string) string {
	if p.width > 0 {
		return cut(s, p.width)
	}
	return s
}

// section puts a table under a title. The title is that of the first column, too, where the table has a heading.
func (p *page) section(title string, t *table) {
	if len(t.rows) == 0 {
		p.empty = append(p.empty, title)
		return
	}
	t.Color = p.color
	p.out = append(p.out, "")
	if t.Indent > 0 {
		p.out = append(p.out, p.paint(title, strong))
	}
	p.out = append(p.out, t.lines(p.width)...)
}

func (p *page) ago(t time.Time) string { return span(p.At.Sub(t)) }

func (p *page) head() {
	parts := []string{plain(p.Instance)}
	if v := p.Build.Version; v != "" {
		parts = append(parts, plain(v))
	}
	if !p.Since.IsZero() {
		parts = append(parts, "counting for "+p.ago(p.Since))
	}
	if p.Window > 0 {
		parts = append(parts, fmt.Sprintf("rates over %s", span(time.Duration((p.Window+.5)*float64(time.Second)))))
	}
	p.out = append(p.out, p.fit(strings.Join(parts, "   ")))
	if p.verbose {
		p.out = append(p.out, p.paint(p.fit("from "+p.Server+" at "+p.At.UTC().Format("2006-01-02 15:04:05 UTC")), faint))
	}
}

func (p *page) stops() {
	t := &table{Indent: 2, Flex: 1}
	var below []string // by row
	for _, s := range p.Stops {
		if s.State == "running" && (s.Ramp <= 0 || s.Ramp >= 1) {
			continue // it only has an epoch
		}
		word := bad(s.State)
		if s.State == "running" {
			word = text(fmt.Sprintf("ramping %.0f %%", 100*s.Ramp)).in(yellow)
		}
		scope := s.Scope
		if s.Drill {
			scope += " (drill)"
			word.style = yellow
		}
		t.add(word, bold(scope), number(fmt.Sprintf("epoch %d", s.Epoch)), text(by(s.Actor)+after(" for ", p.sinceOr(s.Since))))
		below = append(below, p.stopDetails(&s))
	}
	if len(t.rows) == 0 {
		p.out = append(p.out, "", p.paint("stops", strong)+"  none, everything runs")
		return
	}
	first := len(p.out) + 2 // an empty line, and the title
	p.section("stops", t)
	for i := len(below) - 1; i >= 0; i-- {
		if below[i] != "" {
			p.out = slices.Insert(p.out, first+i+1, p.paint(p.fit("    "+below[i]), faint))
		}
	}
}

func (p *page) sinceOr(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return p.ago(t)
}

func by(actor string) string { return after("by ", actor) }

// after puts words before a text, unless it is empty.
func after(words, s string) string {
	if s == "" {
		return ""
	}
	return words + s
}

func (p *page) stopDetails(s *control.StopView) string {
	var parts []string
	for _, part := range []string{s.Reason, s.Ticket, after("from ", s.Source)} {
		if part != "" {
			parts = append(parts, plain(part))
		}
	}
	if s.Processes > 0 {
		parts = append(parts, howFar(*s))
	}
	if !s.Expires.IsZero() {
		parts = append(parts, "ends in "+span(s.Expires.Sub(p.At)))
	}
	return strings.Join(parts, ", ")
}

func (p *page) findings() {
	if len(p.Findings) == 0 {
		p.empty = append(p.empty, "findings")
		return
	}
	p.out = append(p.out, "", p.paint("findings", strong))
	for _, f := range p.Findings {
		style := ""
		switch f.Severity {
		case "page":
			style = red
		case "ticket":
			style = yellow
		}
		t := &table{Indent: 2, Color: p.color, Flex: 2}
		t.add(text(f.Severity).in(style), text(f.Kind), bold(f.Subject), text("for "+p.ago(f.Since)))
		p.out = append(p.out, t.lines(p.width)...)
		for _, s := range []string{f.Summary, after("do: ", f.Action)} {
			p.out = append(p.out, wrap(plain(s), p.width, 4)...)
		}
	}
}

// wrap breaks a text between words, where there is a width.
func wrap(s string, width, indent int) (lines []string) {
	line, blank := "", strings.Repeat(" ", indent)
	for _, word := range strings.Fields(s) {
		for room := width - indent; room > 0 && utf8.RuneCountInString(word) > room; { // it fits nowhere
			if line != "" {
				lines, line = append(lines, blank+line), ""
			}
			whole := []rune(word)
			lines, word = append(lines, blank+string(whole[:room])), string(whole[room:])
		}
		switch {
		case line == "":
			line = word
		case width > 0 && indent+utf8.RuneCountInString(line+" "+word) > width:
			lines, line = append(lines, blank+line), word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, blank+line)
	}
	return lines
}

func (p *page) settings() {
	t := &table{Indent: 2, Flex: 1}
	for _, s := range p.Settings {
		value := s.Value
		if value == "" {
			value = "none"
		}
		t.add(text(s.Name), text(value), dim("from "+s.Source))
	}
	p.section("settings", t)
}

// pairs lists a map in order.
func pairs(m map[string]uint64) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] > 0 {
			list = append(list, fmt.Sprintf("%s %s", plain(k), many(m[k])))
		}
	}
	return strings.Join(list, ", ")
}

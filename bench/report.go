package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// heading says what a run was.
func (r *Results) heading() string {
	kind := ""
	if r.Short {
		kind = " (short: for a look, not for a claim)"
	}
	return fmt.Sprintf("%s, %d cores, %s/%s, %s, %s%s; made by `%s` in bench",
		r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Arch, r.Machine.Go, r.Date.Format(time.DateOnly), kind, r.Command)
}

// tables returns what the run found, and nothing for the parts that it left out. Wide ones are for
// where a line may be long.
func (r *Results) tables(wide bool) (tables []*table) {
	if len(r.Lines) > 0 {
		tables = append(tables, r.lineTable())
	}
	if len(r.Waiting) > 0 {
		tables = append(tables, r.waitingTable())
	}
	if t := r.growthTable(); len(t.rows) > 0 {
		tables = append(tables, t)
	}
	if len(r.Behaviour) > 0 {
		tables = append(tables, r.behaviourTable(wide))
	}
	return append(tables, r.subjectTable())
}

func (r *Results) lineTable() *table {
	t := &table{
		title: fmt.Sprintf("Work, medians of %d rounds", r.Rounds),
		head:  []string{"line"},
		notes: []string{
			"A cell is the time of one piece of work, its ratio to the bare floor, and its allocations. Marked is the fastest, the floor aside; subjects whose quartiles overlap with the fastest's share the line.",
			"Retry, breaker and budget, with a stop or without: the floor is a bare call and one reading of the clock, which a breaker with a window needs. Schedule of ten delays: retryablehttp's has no jitter. First try, value, shared context: the context is fixed when the policy is built, which is how avast is cheap.",
			"The bare floor of a retried HTTP request is three requests by hand. failsafe does not close the responses that it discards, so on loopback it cannot use their connections again; a request of aws is not signed.",
		},
	}
	for _, s := range r.Subjects {
		t.head = append(t.head, s.Name)
	}
	for _, l := range r.Lines {
		if strings.HasPrefix(l.Name, "gates ") {
			continue // in the table of growth
		}
		won := l.winners()
		var cells []cell
		for _, s := range r.Subjects {
			c, measured := l.Costs[s.Name]
			if !measured {
				cells = append(cells, cell{text: "–"})
				continue
			}
			cells = append(cells, cell{cost(c), won[s.Name]})
		}
		t.add(l.Name, cells...)
	}
	return t
}

// cost is a time, a ratio and a number of allocations: "4.70 ns, 1.4x, 0".
func cost(c Cost) string {
	texts := []string{duration(c.Nanoseconds)}
	if c.Ratio > 0 {
		texts = append(texts, figures(c.Ratio)+"x")
	}
	return strings.Join(append(texts, fmt.Sprintf("%.0f", c.Allocs)), ", ")
}

// duration prints nanoseconds in three figures.
func duration(ns float64) string {
	switch {
	case ns >= 1e6:
		return figures(ns/1e6) + " ms"
	case ns >= 1e3:
		return figures(ns/1e3) + " µs"
	}
	return figures(ns) + " ns"
}

// figures prints about three figures, and no exponent.
func figures(v float64) string {
	switch {
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func (r *Results) subjectTable() *table {
	t := &table{title: "Subjects", prose: true, head: []string{"name", "module", "version", "licence"}}
	for _, s := range r.Subjects {
		if s.Module == "" || s.Name == relent {
			continue
		}
		t.add(s.Name, cell{text: s.Module}, cell{text: s.Version}, cell{text: s.Licence})
	}
	return t
}

func (r *Results) writeMarkdown(file string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# relent beside its peers\n\n%s\n", r.heading())
	for _, t := range r.tables(true) {
		t.markdown(&b)
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

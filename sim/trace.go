package sim

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// impacts is how many attempts fail in an incident: an assumption, since nobody publishes it.
var impacts = map[string]float64{"minor": .5, "major": .85, "critical": .99, "maintenance": 0, "none": 0}

// traceSecond is how long a second of a trace lasts in a run: a minute is 0.2 s.
const traceSecond = .2 / 60

// Trace reads declared incidents from CSV with the columns downtime_start, downtime_end and impact, and returns the world that they
// make. Rows that cannot be read are left out, and counted. The windows of different incidents may overlap: the worst counts.
func Trace(r io.Reader) (w World, skipped int, err error) {
	w = World{Name: "trace", About: "declared incidents, a minute in 0.2 s", Noise: []float64{.005}}
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return World{}, 0, fmt.Errorf("trace: no header: %w", err)
	}
	from, to, impact := slices.Index(header, "downtime_start"), slices.Index(header, "downtime_end"), slices.Index(header, "impact")
	if from < 0 || to < 0 || impact < 0 {
		return World{}, 0, fmt.Errorf("trace: the columns %q are not downtime_start, downtime_end and impact", header)
	}
	type span struct {
		from, to time.Time
		p        float64
	}
	var spans []span
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if _, ok := errors.AsType[*csv.ParseError](err); !ok {
				return World{}, 0, fmt.Errorf("trace: %w", err)
			}
			skipped++
			continue
		}
		a, err1 := time.Parse(time.RFC3339, row[from])
		b, err2 := time.Parse(time.RFC3339, row[to])
		p, known := impacts[row[impact]]
		if err1 != nil || err2 != nil || !known || b.Before(a) {
			skipped++
		} else if p > 0 {
			spans = append(spans, span{a, b, p})
		}
	}
	if len(spans) == 0 {
		return World{}, skipped, errors.New("trace: no incident is left")
	}
	first := slices.MinFunc(spans, func(a, b span) int { return a.from.Compare(b.from) }).from
	for _, s := range spans {
		w.Windows = append(w.Windows, Window{s.from.Sub(first).Seconds() * traceSecond, s.to.Sub(first).Seconds() * traceSecond, s.p})
	}
	slices.SortFunc(w.Windows, func(a, b Window) int { return cmp.Compare(a.From, b.From) })
	return w, skipped, nil
}

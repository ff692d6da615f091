package main

import (
	"fmt"
	"math"
	"slices"
)

func (r *Results) waitingTable() *table {
	t := &table{
		title: "Waiting calls",
		head: []string{"calls", "subject", "bytes a call", "goroutines a call", "CPU a call",
			"burst: late p50", "p99", "max", "paced: late p50", "p99", "max"},
		notes: []string{
			"Bytes are heap and stacks after a collection, all calls waiting. Lateness runs from when the second attempt was due to when it began, in ms. Marked is the least of a size, the floors bare and AfterFunc aside, for bytes, CPU and p99. Each row is one run of one process for each start.",
		},
	}
	for _, calls := range r.sizes() {
		type pair struct{ burst, paced Waiting }
		pairs := map[string]pair{}
		var names []string
		for _, w := range r.Waiting {
			if w.Calls != calls {
				continue
			}
			p, known := pairs[w.Subject]
			if !known {
				names = append(names, w.Subject)
			}
			if w.Start == "burst" {
				p.burst = w
			} else {
				p.paced = w
			}
			pairs[w.Subject] = p
		}
		ms := func(v float64) string { return fmt.Sprintf("%.2f", v) }
		columns := []struct {
			value func(pair) float64
			show  func(float64) string
			ranks bool // the least is marked
		}{
			{func(p pair) float64 { return p.burst.BytesPerCall }, whole, true},
			{func(p pair) float64 { return p.burst.Goroutines }, whole, false},
			{func(p pair) float64 { return p.burst.CPUPerCall }, duration, true},
			{func(p pair) float64 { return p.burst.LateP50 }, ms, false},
			{func(p pair) float64 { return p.burst.LateP99 }, ms, true},
			{func(p pair) float64 { return p.burst.LateMax }, ms, false},
			{func(p pair) float64 { return p.paced.LateP50 }, ms, false},
			{func(p pair) float64 { return p.paced.LateP99 }, ms, true},
			{func(p pair) float64 { return p.paced.LateMax }, ms, false},
		}
		least := make([]float64, len(columns))
		for i, c := range columns {
			least[i] = math.Inf(1)
			for _, name := range names {
				if !isFloor(name) {
					least[i] = min(least[i], c.value(pairs[name]))
				}
			}
		}
		for _, name := range names {
			cells := []cell{{text: name}}
			for i, c := range columns {
				v := c.value(pairs[name])
				cells = append(cells, cell{c.show(v), c.ranks && v == least[i] && !isFloor(name)})
			}
			t.add(fmt.Sprint(calls), cells...)
		}
	}
	return t
}

// isFloor says that a subject is no library.
func isFloor(name string) bool { return name == bare || name == afterFunc }

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

func (r *Results) sizes() (sizes []int) {
	for _, w := range r.Waiting {
		if !slices.Contains(sizes, w.Calls) {
			sizes = append(sizes, w.Calls)
		}
	}
	return sizes
}

// growthTable shows whether what a call costs stays the same as there are more calls and gates.
func (r *Results) growthTable() *table {
	t := &table{
		title: "Growth: what one call of relent costs as there is more of everything",
		head:  []string{"what", "time a call", "bytes a call"},
		notes: []string{"Of waiting calls, the time is the process's CPU time over the whole call, and the bytes are those of a waiting call. Of gates, which do nothing, they are those of a first try that succeeds."},
	}
	for _, subject := range []string{relent, relentGo} {
		for _, w := range r.Waiting {
			if w.Subject == subject && w.Start == "burst" {
				t.add(fmt.Sprintf("%s, %d calls waiting", subject, w.Calls),
					cell{text: duration(w.CPUPerCall)}, cell{text: whole(w.BytesPerCall)})
			}
		}
	}
	gates := map[string]string{"first try, value": "no gate", "gates 1": "1 gate", "gates 4": "4 gates", "gates 16": "16 gates"}
	for _, l := range r.Lines {
		if name := gates[l.Name]; name != "" {
			c := l.Costs[relent]
			t.add(name, cell{text: duration(c.Nanoseconds)}, cell{text: whole(c.Bytes)})
		}
	}
	return t
}

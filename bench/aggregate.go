package main

import "slices"

// bare is the subject that ratios refer to. It takes no part in who wins a line.
const bare = "bare"

// aggregate sums up the samples of all rounds, lines in the order of their first sample.
func aggregate(samples []sample) (lines []Line) {
	type runs struct{ ns, bytes, allocs []float64 }
	index := map[string]int{}
	found := map[string]map[string]*runs{}
	for _, s := range samples {
		if _, known := index[s.line]; !known {
			index[s.line] = len(lines)
			lines = append(lines, Line{Name: s.line, Costs: map[string]Cost{}})
			found[s.line] = map[string]*runs{}
		}
		r := found[s.line][s.subject]
		if r == nil {
			r = &runs{}
			found[s.line][s.subject] = r
		}
		r.ns, r.bytes, r.allocs = append(r.ns, s.ns), append(r.bytes, s.bytes), append(r.allocs, s.allocs)
	}
	for _, l := range lines {
		for subject, r := range found[l.Name] {
			l.Costs[subject] = Cost{
				Nanoseconds: quantile(r.ns, 0.5), Low: quantile(r.ns, 0.25), High: quantile(r.ns, 0.75),
				Bytes: quantile(r.bytes, 0.5), Allocs: quantile(r.allocs, 0.5), Runs: len(r.ns),
			}
		}
		if floor := l.Costs[bare].Nanoseconds; floor > 0 {
			for subject, c := range l.Costs {
				c.Ratio = c.Nanoseconds / floor
				l.Costs[subject] = c
			}
		}
	}
	return lines
}

// quantile interpolates between the two values next to it. It leaves values as they are.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// winners returns who is fastest on a line, the floor aside: whoever has the lowest median, and
// those whose quartiles overlap with it. A line with one subject has none.
func (l Line) winners() map[string]bool {
	best, contenders := "", 0
	for subject, c := range l.Costs {
		if subject == bare {
			continue
		}
		contenders++
		if best == "" || c.Nanoseconds < l.Costs[best].Nanoseconds {
			best = subject
		}
	}
	if contenders < 2 {
		return nil
	}
	won := map[string]bool{best: true}
	for subject, c := range l.Costs {
		if subject != bare && c.Low <= l.Costs[best].High {
			won[subject] = true
		}
	}
	return won
}

package demo

import (
	"fmt"
	"strings"
	"time"
)

// A Snapshot is the state of a running demo.
type Snapshot struct {
	Elapsed, For time.Duration
	Settling     bool // trading has ended
	All, Reads   Tally
	Intended     int
	Fates        map[Fate]int
	Story        []Line // the latest, oldest first
}

// show calls cfg.Show until done is closed.
func (r *run) show(done <-chan struct{}) {
	if r.cfg.Show == nil {
		<-done
		return
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			r.cfg.Show(r.snapshot())
		}
	}
}

func (r *run) snapshot() Snapshot {
	s := Snapshot{Elapsed: time.Since(r.began), For: r.cfg.For, Fates: make(map[Fate]int)}
	select {
	case <-r.ended:
		s.Settling = true
	default:
	}
	s.All, s.Reads = r.counter.totals()
	for _, o := range r.snapshotOrders() {
		f, _ := o.is()
		s.Fates[f]++
		s.Intended++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Story = append([]Line(nil), r.story...)
	return s
}

// Lines draws a snapshot for a terminal of so many columns: always the same number of lines.
func (s Snapshot) Lines(columns int) []string {
	width := min(max(columns-4, 20), 100)
	phase := fmt.Sprintf("trading, %.0f of %.0f s", s.Elapsed.Seconds(), s.For.Seconds())
	if s.Settling {
		phase = fmt.Sprintf("settling what is open, %.0f s", s.Elapsed.Seconds())
	}
	list := []string{
		"relent demo: " + phase,
		"",
		fmt.Sprintf("  calls %6d   %s", s.All.Calls, bar(s.All, width-18)),
		fmt.Sprintf("  first try %d (%s), recovered %d, settled %d, rejected %d, failed %d, refused %d",
			s.All.FirstTry, orElse(percent(s.All.FirstTry, s.All.Calls), "-"), s.All.Recovered, s.All.Settled, s.All.Rejected, s.All.Failed, s.All.Refused),
		fmt.Sprintf("  retries %d, amplification %.2f", s.All.Retries(), s.All.Amplification()),
		fmt.Sprintf("  orders %d: %d at the venue, %d open, %d refused, %d proven absent, %d unknown",
			s.Intended, s.Fates[Exists], s.Fates[Open], s.Fates[Refused], s.Fates[Absent], s.Fates[Unknown]),
		"",
	}
	for i := range lines {
		text := ""
		if i < len(s.Story) {
			text = fmt.Sprintf("  %5.1f s  %s", s.Story[i].At.Seconds(), s.Story[i].Text)
		}
		list = append(list, text)
	}
	for i, text := range list {
		if runes := []rune(text); len(runes) >= columns && columns > 1 {
			list[i] = string(runes[:columns-2]) + "…"
		}
	}
	return list
}

// bar draws the shares of a tally: = at once, + recovered or settled, x the rest.
func bar(t Tally, width int) string {
	if t.Calls == 0 || width < 3 {
		return ""
	}
	good := t.FirstTry * width / t.Calls
	saved := ceil((t.Recovered+t.Settled)*width, t.Calls)
	bad := ceil((t.Rejected+t.Failed)*width, t.Calls)
	good = max(0, min(good, width-saved-bad))
	return "[" + strings.Repeat("=", good) + strings.Repeat("+", saved) + strings.Repeat("x", bad) + "]"
}

func ceil(a, b int) int { return (a + b - 1) / b }

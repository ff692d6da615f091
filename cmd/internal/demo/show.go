package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// A Snapshot is the state of a running demo.
type Snapshot struct {
	Elapsed, For time.Duration
	Settling     bool // trading has ended
	All          Tally
	Intended     int // orders
	Refused      int // of them, here
	States       map[order.State]int
	Reconnects   uint64
	Books        []string // symbol and state of each
	Clean        bool     // the account is known
	ClockSteps   int64
	Story        []Line // the latest, oldest first
}

// show calls cfg.Show until the end.
func (r *run) show() {
	if r.cfg.Show == nil {
		return
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-tick.C:
			r.cfg.Show(r.snapshotNow())
		}
	}
}

func (r *run) snapshotNow() Snapshot {
	s := Snapshot{
		Elapsed: time.Since(r.began), For: r.cfg.For, Settling: !r.trading.Load(), Intended: int(r.count.Load()), States: map[order.State]int{},
		Clean: r.clean.Load(), ClockSteps: r.clock.steps.Load(),
	}
	s.All, _ = r.counter.totals()
	_, s.Refused = r.refused.all()
	for _, n := range r.reconnects() {
		s.Reconnects += n
	}
	for _, symbol := range symbols {
		s.Books = append(s.Books, fmt.Sprintf("%s %v", symbol, r.books.Top(symbol).State))
	}
	for _, o := range r.machine.Orders(true) {
		s.States[o.State]++
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Story = slices.Clone(r.story)
	return s
}

// sum counts orders in any of some states.
func (s *Snapshot) sum(states ...order.State) (n int) {
	for _, state := range states {
		n += s.States[state]
	}
	return n
}

// Lines draws a snapshot for a terminal of so many columns: always the same number of lines.
func (s Snapshot) Lines(columns int) []string {
	width := min(max(columns-4, 20), 100)
	phase := fmt.Sprintf("trading, %.0f of %.0f s", s.Elapsed.Seconds(), s.For.Seconds())
	if s.Settling {
		phase = fmt.Sprintf("settling what is open, %.0f s", s.Elapsed.Seconds())
	}
	account := "known"
	if !s.Clean {
		account = "being read again"
	}
	list := []string{
		"relent demo: " + phase,
		"",
		fmt.Sprintf("  calls %6d   %s", s.All.Calls, bar(s.All, width-18)),
		fmt.Sprintf("  first try %d (%s), recovered %d, settled %d, rejected %d, failed %d, refused %d",
			s.All.FirstTry, orElse(percent(s.All.FirstTry, s.All.Calls), "-"), s.All.Recovered, s.All.Settled, s.All.Rejected, s.All.Failed, s.All.Refused),
		fmt.Sprintf("  retries %d, amplification %.2f", s.All.Retries(), s.All.Amplification()),
		fmt.Sprintf("  orders %d: %d at the venue, %d in doubt, %d parked, %d rejected, %d refused here",
			s.Intended, s.sum(order.Acked, order.Filled, order.Canceled, order.Expired), s.sum(order.Unknown, order.Verifying, order.Absent),
			s.sum(order.Parked, order.Breach), s.sum(order.Rejected), s.Refused),
		fmt.Sprintf("  streams: %d reconnects; books: %s; account: %s; clock steps %d", s.Reconnects, strings.Join(s.Books, ", "), account, s.ClockSteps),
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

var _ order.Book = (*run)(nil)

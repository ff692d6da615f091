package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nAfter %.0f s, faults %s, seed %d:\n\n", float64(r.ElapsedMS)/1000, orElse(r.Faults, "the venue's own"), r.Seed)
	b.WriteString(r.table())
	for _, u := range r.UnknownOrders {
		fmt.Fprintf(&b, "  unknown %s (%s): %s\n", u.ClientID, u.Order, u.Why)
	}
	for _, u := range r.Wrong {
		fmt.Fprintf(&b, "  WRONG %s (%s): %s\n", u.ClientID, u.Order, u.Why)
	}
	b.WriteString("\n")
	for _, s := range r.Seen.list() {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	b.WriteString("\n")
	for _, c := range r.Checks {
		verdict := "holds"
		if !c.Pass {
			verdict = "BROKEN"
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", c.ID, verdict, c.Text)
		for _, e := range c.Events {
			fmt.Fprintf(&b, "     %s\n", e)
		}
	}
	if r.Naive != nil {
		fmt.Fprintf(&b, "\n  The same load with a naive retry (three tries of everything): %d duplicates in %d orders, amplification %.2f.\n",
			r.Naive.Duplicates, r.Naive.OrdersIntended, r.Naive.Amplification)
	}
	if r.LedgerError != "" {
		fmt.Fprintf(&b, "  the venue could not be asked for its orders, so nothing is proven: %s\n", r.LedgerError)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(t, "  %s\t%v\t%s\n", name, value, note) }
	row("calls", r.Calls, "")
	row("first-try success", r.FirstTry, percent(r.FirstTry, r.Calls))
	row("recovered by retry", r.Recovered, fmt.Sprintf("market data: %d of %d that failed at first", r.Reads.Recovered, r.Reads.Recovered+r.Reads.Failed))
	row("settled by asking", r.Settled, "orders with a lost answer, not sent again")
	row("rejected", r.Rejected, "by the venue, once and for all")
	row("failed", r.Failed, "")
	row("retries", r.Retries, fmt.Sprintf("amplification %.2f", r.Amplification))
	row("refused retries", r.Refused, "no budget, no time left, or asked to wait too long")
	row("", "", "")
	row("orders intended", r.OrdersIntended, "")
	row("orders at the venue", r.OrdersExecuted, fmt.Sprintf("%d rejected by it, %d proven absent, %d sent again after that proof", r.OrdersRejected, r.OrdersAbsent, r.Resends))
	row("orders refused", r.OrdersRefused, orElse(counts(r.RefusedBy), "by a stop, a gate or a check: never sent"))
	row("duplicates", r.Duplicates, "")
	row("lost", r.Lost, "")
	row("unknown", r.Unknown, fmt.Sprintf("%d parked", r.Parked))
	row("", "", "")
	ended := uint64(0)
	for _, n := range r.Streams.Reconnects {
		ended += n
	}
	row("stream reconnects", ended, counts(r.Streams.Reconnects))
	row("stale books", r.Streams.StaleBooks, fmt.Sprintf("%d snapshots; %d times no order for want of a book or an account to trust", r.Streams.Snapshots, r.Streams.HeldBack))
	row("missed events", r.Streams.Missed, "of the account's stream, found by reading")
	row("clock steps", r.Streams.ClockSteps, "of the venue, followed")
	t.Flush()
	table := b.String()
	b.Reset()
	for line := range strings.Lines(table) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// list says of each sight when it was seen.
func (s Sights) list() (all []string) {
	for _, sight := range []struct {
		what string
		at   int64
	}{
		{"a retry saved a call", s.Retry}, {"a circuit opened, and closed again", s.Circuit}, {"a budget refused a retry", s.Budget},
		{"an order of unknown outcome was reconciled", s.Order}, {"the analysis found a pattern", s.Finding},
	} {
		if sight.at == 0 {
			all = append(all, "not seen: "+sight.what)
			continue
		}
		all = append(all, fmt.Sprintf("seen after %.1f s: %s", float64(sight.at)/1000, sight.what))
	}
	return all
}

func percent(n, of int) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

package demo

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is the result of a demo, as JSON and as text. Its field names are stable.
type Report struct {
	V         int    `json:"v"` // 1
	Venue     string `json:"venue"`
	Faults    string `json:"faults,omitempty"`
	Seed      uint64 `json:"seed"`
	ElapsedMS int64  `json:"elapsed_ms"`

	Calls         int     `json:"calls"` // = first_try_success + recovered + settled + rejected + failed
	FirstTry      int     `json:"first_try_success"`
	Recovered     int     `json:"recovered"`
	Settled       int     `json:"settled"` // orders with a lost answer whose fate was found by asking
	Rejected      int     `json:"rejected"`
	Failed        int     `json:"failed"`
	Retries       int     `json:"retries"`
	Refused       int     `json:"refused"`
	Amplification float64 `json:"amplification"` // attempts per call
	Reads         Reads   `json:"reads"`

	OrdersIntended int `json:"orders_intended"`
	OrdersExecuted int `json:"orders_executed"` // that the venue holds
	OrdersAbsent   int `json:"orders_absent"`   // proven never to have arrived
	OrdersRefused  int `json:"orders_refused"`  // by the venue, or never sent
	Duplicates     int `json:"duplicates"`      // intents with more than one order, or with more executed than intended
	Lost           int `json:"lost"`            // believed to exist and absent, or the reverse
	Unknown        int `json:"unknown"`         // not settled; each is explained

	UnknownOrders []Explained `json:"unknown_orders"`
	Wrong         []Explained `json:"wrong"` // the duplicates and the lost
	LedgerError   string      `json:"ledger_error,omitempty"`
	Checks        []Check     `json:"checks"` // of the simulated venue's oracle
	Naive         *Naive      `json:"naive,omitempty"`
}

// Reads are the calls for market data.
type Reads struct {
	Calls     int `json:"calls"`
	FirstTry  int `json:"first_try_success"`
	Recovered int `json:"recovered"`
	Failed    int `json:"failed"`

	// RecoveredShare is recovered / (recovered + failed): of the calls that failed at first, those
	// that succeeded in the end. 1 if none failed.
	RecoveredShare float64 `json:"recovered_share"`
}

// Explained is an order and what happened to it.
type Explained struct {
	ClientID string `json:"client_id"`
	Order    string `json:"order"`
	Why      string `json:"why"`
}

// A Check is an invariant of order safety, judged by the venue.
type Check struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Pass bool   `json:"pass"`
}

// Safe says that no order was duplicated or lost, and that this could be found out.
func (r Report) Safe() bool { return r.Duplicates == 0 && r.Lost == 0 && r.LedgerError == "" }

// judge compares what we believe about each order with what the venue holds.
func (r *run) judge(l Ledger) Report {
	all, reads := r.counter.totals()
	report := Report{
		V: 1, Venue: r.cfg.URL, Seed: r.cfg.Seed, ElapsedMS: time.Since(r.began).Milliseconds(),
		Calls: all.Calls, FirstTry: all.FirstTry, Recovered: all.Recovered, Settled: all.Settled, Rejected: all.Rejected,
		Failed: all.Failed, Retries: all.Retries(), Refused: all.Refused, Amplification: round(all.Amplification()),
		Reads:         Reads{reads.Calls, reads.FirstTry, reads.Recovered, reads.Failed + reads.Rejected, share(reads)},
		UnknownOrders: []Explained{}, Wrong: []Explained{}, Checks: []Check{},
	}
	for _, o := range r.snapshotOrders() {
		report.OrdersIntended++
		fate, why := o.is()
		held := l[o.id]
		if held.Orders > 0 {
			report.OrdersExecuted++
		}
		wrong := func(what string) {
			report.Wrong = append(report.Wrong, Explained{o.id, o.String(), what})
		}
		if held.Orders > 1 || held.OverFilled {
			report.Duplicates++
			wrong(fmt.Sprintf("duplicate: %d orders at the venue, overfilled: %v", held.Orders, held.OverFilled))
		}
		switch fate {
		case Exists:
			if l != nil && held.Orders == 0 {
				report.Lost++
				wrong("lost: believed to exist, and the venue does not have it")
			}
		case Absent, Refused:
			if fate == Absent {
				report.OrdersAbsent++
			} else {
				report.OrdersRefused++
			}
			if held.Orders > 0 {
				report.Lost++
				wrong("lost: believed not to exist, and the venue has it: " + why)
			}
		default:
			report.Unknown++
			report.UnknownOrders = append(report.UnknownOrders, Explained{o.id, o.String(), why})
		}
	}
	return report
}

func share(t Tally) float64 {
	troubled := t.Recovered + t.Failed
	if troubled == 0 {
		return 1
	}
	return round(float64(t.Recovered) / float64(troubled))
}

func round(f float64) float64 { return math.Round(f*10000) / 10000 }

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nAfter %.0f s, faults %s, seed %d:\n\n", float64(r.ElapsedMS)/1000, orElse(r.Faults, "the venue's own"), r.Seed)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name string, value any, note string) { fmt.Fprintf(t, "  %s\t%v\t%s\n", name, value, note) }
	row("calls", r.Calls, "")
	row("first-try success", r.FirstTry, percent(r.FirstTry, r.Calls))
	row("recovered by retry", r.Recovered, fmt.Sprintf("market data: %d of %d that failed at first", r.Reads.Recovered, r.Reads.Recovered+r.Reads.Failed))
	row("settled by asking", r.Settled, "orders with a lost answer, not sent again")
	row("rejected", r.Rejected, "by the venue, once and for all")
	row("failed", r.Failed, "")
	row("retries", r.Retries, fmt.Sprintf("amplification %.2f", r.Amplification))
	row("refused retries", r.Refused, "no time left, or asked to wait too long")
	row("", "", "")
	row("orders intended", r.OrdersIntended, "")
	row("orders at the venue", r.OrdersExecuted, fmt.Sprintf("%d refused, %d proven absent", r.OrdersRefused, r.OrdersAbsent))
	row("duplicates", r.Duplicates, "")
	row("lost", r.Lost, "")
	row("unknown", r.Unknown, "")
	t.Flush()
	table := b.String()
	b.Reset()
	for line := range strings.Lines(table) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	for _, u := range r.UnknownOrders {
		fmt.Fprintf(&b, "  unknown %s (%s): %s\n", u.ClientID, u.Order, u.Why)
	}
	for _, u := range r.Wrong {
		fmt.Fprintf(&b, "  WRONG %s (%s): %s\n", u.ClientID, u.Order, u.Why)
	}
	for _, c := range r.Checks {
		verdict := "holds"
		if !c.Pass {
			verdict = "BROKEN"
		}
		fmt.Fprintf(&b, "  %s %s: %s\n", c.ID, verdict, c.Text)
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

// shorten makes one line of a text, of at most 100 characters.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 100 {
		return string(runes[:99]) + "…"
	}
	return s
}

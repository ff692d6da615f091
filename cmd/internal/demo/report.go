package demo

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
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
	Settled       int     `json:"settled"` // orders with a lost answer whose fate was found out
	Rejected      int     `json:"rejected"`
	Failed        int     `json:"failed"`
	Retries       int     `json:"retries"`
	Refused       int     `json:"refused"`       // retries
	Amplification float64 `json:"amplification"` // attempts per call
	Reads         Reads   `json:"reads"`

	OrdersIntended int            `json:"orders_intended"`
	OrdersExecuted int            `json:"orders_executed"` // that the venue holds
	OrdersAbsent   int            `json:"orders_absent"`   // proven never to have arrived, and given up
	OrdersRejected int            `json:"orders_rejected"` // by the venue
	OrdersRefused  int            `json:"orders_refused"`  // here, by a stop, a gate or a check: never sent
	RefusedBy      map[string]int `json:"refused_by"`
	Resends        uint64         `json:"resends"`    // of orders that were proven absent
	Duplicates     int            `json:"duplicates"` // intents with more than one order, or with more executed than intended
	Lost           int            `json:"lost"`       // believed to exist and absent, or the reverse
	Parked         int            `json:"parked"`     // their fate cannot be proven: a person decides
	Unknown        int            `json:"unknown"`    // not settled, parked ones included; each is explained

	Streams Streams `json:"streams"`
	Seen    Sights  `json:"seen"`

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
}

// Streams are how the books and the account were followed.
type Streams struct {
	Reconnects map[string]uint64 `json:"reconnects"` // by reason
	StaleBooks int64             `json:"stale_books"`
	Snapshots  uint64            `json:"snapshots"`   // that books began anew from
	Missed     int64             `json:"missed"`      // events that the account's stream lacked, found by reading
	HeldBack   int64             `json:"held_back"`   // times that no order was made, for want of a book or an account that can be trusted
	ClockSteps int64             `json:"clock_steps"` // of the venue's clock, followed
}

// Explained is an order and what happened to it.
type Explained struct {
	ClientID string `json:"client_id"`
	Order    string `json:"order"`
	Why      string `json:"why"`
}

// A Check is an invariant of order safety, judged by the venue.
type Check struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`
	Pass   bool     `json:"pass"`
	Events []string `json:"events,omitempty"` // the first that break it
}

// Safe says that no order was duplicated or lost, that every invariant holds, and that this could be found out.
func (r Report) Safe() bool {
	broken := slices.ContainsFunc(r.Checks, func(c Check) bool { return !c.Pass })
	return r.Duplicates == 0 && r.Lost == 0 && r.LedgerError == "" && !broken
}

// judge compares what we believe about each order with what the venue holds. left are the orders whose end was not awaited.
func (r *run) judge(orders, left []order.Order, l ledger, interrupted bool) Report {
	r.counter.unsettled()
	all, reads := r.counter.totals()
	by, refused := r.refused.all()
	report := Report{
		V: 1, Venue: r.cfg.URL, Seed: r.cfg.Seed, ElapsedMS: time.Since(r.began).Milliseconds(),
		Calls: all.Calls, FirstTry: all.FirstTry, Recovered: all.Recovered, Settled: all.Settled, Rejected: all.Rejected,
		Failed: all.Failed, Retries: all.Retries(), Refused: all.Refused, Amplification: round(all.Amplification()),
		Reads:         Reads{reads.Calls, reads.FirstTry, reads.Recovered, reads.Failed + reads.Rejected},
		OrdersRefused: refused, RefusedBy: by, Resends: r.machine.Stats().Resends,
		Streams: Streams{
			Reconnects: r.reconnects(), StaleBooks: r.stale.Load(), Snapshots: r.books.Stats().Snapshots, Missed: r.missed.Load(),
			HeldBack: r.unpriced.Load() + r.waited.Load(), ClockSteps: r.clock.steps.Load(),
		},
		Seen: r.sights.all(), UnknownOrders: []Explained{}, Wrong: []Explained{}, Checks: []Check{},
	}
	report.OrdersIntended = int(r.count.Load())
	for _, o := range orders {
		r.believe(&report, &o, l, interrupted)
	}
	if r.cfg.Venue != nil {
		report.Checks = r.checks(orders, len(left) > 0)
	}
	return report
}

// believe adds one order to a report.
func (r *run) believe(report *Report, o *order.Order, l ledger, interrupted bool) {
	if o.Intent.Strategy != r.strategy {
		return // of an earlier run, found in the log
	}
	held := l[o.Intent.Wire]
	explained := func(why string) Explained { return Explained{o.Intent.ID, text(&o.Intent), why} }
	wrong := func(format string, args ...any) {
		report.Wrong = append(report.Wrong, explained(fmt.Sprintf(format, args...)))
	}
	if held.orders > 0 {
		report.OrdersExecuted++
	}
	if held.orders > 1 || held.overFilled {
		report.Duplicates++
		wrong("duplicate: %d orders at the venue, overfilled: %v", held.orders, held.overFilled)
	}
	denied := func() {
		if held.orders > 0 {
			report.Lost++
			wrong("lost: believed not to exist, and the venue has it: %s", o.Why)
		}
	}
	r.notes.mu.Lock()
	n := *r.notes.of(o.Intent.ID)
	r.notes.mu.Unlock()
	switch o.State {
	case order.Acked, order.Filled, order.Canceled, order.Expired:
		if l != nil && held.orders == 0 {
			report.Lost++
			wrong("lost: believed to exist, and the venue does not have it")
		}
	case order.Rejected:
		report.OrdersRejected++
		denied()
	case order.Abandoned:
		switch {
		case n.refused != "": // counted when it was refused
		case o.Spent == 0:
			report.OrdersRefused++
			report.RefusedBy = plus(report.RefusedBy, refusal(o.Why))
		default:
			report.OrdersAbsent++
		}
		denied()
	default:
		report.Unknown++
		why := strings.Join(nonempty(n.why, n.alert, o.Why), "; ")
		switch {
		case o.State == order.Parked:
			report.Parked++
			why = "parked: " + why
		case interrupted:
			why = strings.Join(nonempty(n.why, "interrupted before it was settled"), "; ")
		}
		report.UnknownOrders = append(report.UnknownOrders, explained(shorten(why)))
	}
}

func plus(by map[string]int, why string) map[string]int {
	if by == nil {
		by = map[string]int{}
	}
	by[why]++
	return by
}

func nonempty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}

func text(i *order.Intent) string {
	s := fmt.Sprintf("%s %s %s %s", i.Side, i.Quantity, i.Symbol, i.Type)
	if i.Price != "" {
		s += " " + string(i.Price)
	}
	return s
}

// checks asks the oracle. What depends on the ends of orders is not judged when they were not awaited; that a restart changes
// nothing (I10) is not, since there was none.
func (r *run) checks(orders []order.Order, unended bool) (list []Check) {
	oracle := r.cfg.Venue.Oracle()
	for _, i := range oracle.Check(r.notes.report(orders, &r.rules, r.proof()+5*time.Minute)).Invariants {
		if i.ID == "I10" || unended && (i.ID == "I4" || i.ID == "I5") {
			continue
		}
		if i.ID == "I8" {
			i.Events = insideBans(oracle.InsideBans)
			i.Pass = len(i.Events) == 0
		}
		list = append(list, Check{ID: i.ID, Text: i.Text, Pass: i.Pass, Events: i.Events[:min(len(i.Events), 3)]})
	}
	return list
}

// insideBans lists requests inside a ban, but for those that had left before anybody here could hear of it. The simulated venue
// bans for 30 s by its presets, and for 2 min who goes on after refusals; requests that were under way may double it.
func insideBans(list []venue.BadRequest) (events []string) {
	for _, b := range list {
		underWay := slices.ContainsFunc([]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute}, func(length time.Duration) bool {
			return b.At.Sub(b.BannedUntil.Add(-length)).Abs() <= slack
		})
		if !underWay {
			events = append(events, fmt.Sprintf("request %d: %s %s at %v, banned until %v", b.Seq, b.Method, b.Path, b.At, b.BannedUntil))
		}
	}
	return events
}

func round(f float64) float64 { return math.Round(f*10000) / 10000 }

// shorten makes one line of a text, of at most 160 characters.
func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 160 {
		return string(runes[:159]) + "…"
	}
	return s
}

// counts lists what was counted, by name.
func counts[N int | uint64](by map[string]N) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if by[name] > 0 {
			list = append(list, fmt.Sprintf("%d by %s", by[name], name))
		}
	}
	return strings.Join(list, ", ")
}

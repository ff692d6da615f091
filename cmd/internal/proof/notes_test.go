package proof

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange/order"
)

// notes are what a run writes down of the machine, by this machine's clock, for the oracle's Report.
type notes struct {
	mu       sync.Mutex
	by       map[string]*note
	attempts []venue.AttemptReport
	alarms   map[order.AlarmKind]int
}

// A note is about one intent.
type note struct {
	created  time.Time // when it went to the log
	sum      string
	maxAge   time.Duration
	evidence time.Time
	settled  time.Time
	doubted  time.Time // when its fate was unknown first
	decided  time.Time // when it was known again, or given up
	absent   []time.Time
	refused  []time.Time
	parked   bool
	breach   bool
	alert    bool
	state    order.State
}

func newNotes() *notes { return &notes{by: map[string]*note{}, alarms: map[order.AlarmKind]int{}} }

// of needs mu.
func (n *notes) of(id string) *note {
	x := n.by[id]
	if x == nil {
		x = &note{}
		n.by[id] = x
	}
	return x
}

// recorded is told what has become durable.
func (n *notes) recorded(entries []order.Entry, began time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case order.KindIntent:
			n.of(e.ID).created = began
		case order.KindSending:
			n.attempts = append(n.attempts, venue.AttemptReport{ClientID: e.ID, At: time.Now()})
		}
	}
}

// watch is told of each change.
func (n *notes) watch(o order.Order, ages order.MaxAges) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.of(o.Intent.ID)
	x.sum, x.maxAge = o.Intent.Sum, ages.Of(&o.Intent)
	if o.VenueID != "" && x.evidence.IsZero() {
		x.evidence = now
	}
	if o.State == order.Unknown && x.doubted.IsZero() {
		x.doubted = now
	}
	if certain(o.State) && x.settled.IsZero() {
		x.settled = now
	}
	if (certain(o.State) || o.State == order.Absent) && !x.doubted.IsZero() && x.decided.IsZero() {
		x.decided = now
	}
	if o.State != x.state {
		switch o.State {
		case order.Absent:
			x.absent = append(x.absent, now)
		case order.Parked:
			x.parked = true
		case order.Breach:
			x.breach = true
		}
	}
	x.state = o.State
}

// crashed reads in the log what a process wrote last, when it was too late to tell anybody.
func (n *notes) crashed(load func(id string) (order.Order, bool), ages order.MaxAges) {
	n.mu.Lock()
	var unsettled []string
	for id, x := range n.by {
		if x.settled.IsZero() && !x.created.IsZero() {
			unsettled = append(unsettled, id)
		}
	}
	n.mu.Unlock()
	for _, id := range unsettled {
		if o, ok := load(id); ok {
			n.watch(o, ages)
		}
	}
}

// certain says that a state is a verdict.
func certain(s order.State) bool {
	return s == order.Acked || s.Terminal() || s == order.Parked || s == order.Breach
}

// refused is told that a guard forbade a send.
func (n *notes) refused(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	x := n.of(id)
	x.refused = append(x.refused, time.Now())
}

// Raise is of order.Alert.
func (n *notes) Raise(_ context.Context, a order.Alarm) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alarms[a.Kind]++
	if a.ID != "" && (a.Kind == order.AlarmParked || a.Kind == order.AlarmBreach) {
		n.of(a.ID).alert = true
	}
}

// intents makes the oracle's report of what the log says at the end.
func (n *notes) intents(load func(id string) (order.Order, bool), within func(from, to time.Time) time.Duration, slack time.Duration) (all []venue.IntentReport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, x := range n.by {
		if x.created.IsZero() {
			continue // a guard refused it before it was written
		}
		o, ok := load(id)
		if !ok {
			continue
		}
		r := venue.IntentReport{
			ClientID: o.Intent.Wire, State: strings.ToUpper(o.State.String()), Created: x.created, Settled: x.settled,
			Alert: x.alert, Evidence: x.evidence, Absent: x.absent, Refused: x.refused,
		}
		if x.settled.IsZero() {
			r.Settled = time.Now()
		}
		if x.maxAge > 0 {
			r.MaxAge = x.maxAge + slack
			r.Within = r.MaxAge + within(x.created, r.Settled)
		}
		slices.SortFunc(o.Fills, func(a, b order.Fill) int { return strings.Compare(a.Key, b.Key) })
		for _, f := range o.Fills {
			r.Fills = append(r.Fills, fillReport(f))
		}
		all = append(all, r)
	}
	return all
}

func stateReport(o order.Order) venue.StateReport {
	return venue.StateReport{ClientID: o.Intent.Wire, State: strings.ToUpper(o.State.String()), Executed: amount(o.Executed)}
}

func amount(d order.Decimal) decimal.Decimal {
	n, _ := decimal.NewFromString(d.String())
	return n
}

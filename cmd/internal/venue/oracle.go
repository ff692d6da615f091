package venue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// An Oracle is the venue's own account of what clients did, at one moment. It is a copy, safe to keep and to send as
// JSON. What it says of orders is complete, whatever Config.KeepLog is.
type Oracle struct {
	Seed uint64 `json:"seed"`

	// Orders has an entry for each client id with at least one venue order; an id that is not here was never accepted.
	// Ids of the first account stand alone, those of the second are "2/id" and so on.
	Orders map[string]OrderFacts `json:"orders"`
	Totals Totals                `json:"totals"`

	InsideBans []BadRequest `json:"insideBans"` // the first 100
	OverLimit  []BadRequest `json:"overLimit"`  // the first 100
}

// OrderFacts are the facts of one client id over all venue orders that carry it.
type OrderFacts struct {
	Account       int             `json:"account"` // from 1, as in Config.Accounts
	Symbol        string          `json:"symbol"`
	Side          string          `json:"side"`
	Type          string          `json:"type"`
	VenueOrders   int             `json:"venueOrders"`
	OrderIDs      []int64         `json:"orderIds"`
	Intended      decimal.Decimal `json:"intended"`      // quantity of the first order; 0 if it was by quote quantity
	IntendedQuote decimal.Decimal `json:"intendedQuote"` // quote quantity of the first order, if it was by that
	Executed      decimal.Decimal `json:"executed"`
	ExecutedQuote decimal.Decimal `json:"executedQuote"`
	Status        string          `json:"status"`       // of the latest order
	Acknowledged  bool            `json:"acknowledged"` // a whole 2xx answer to a placement left the venue
}

// over says whether more was executed than intended.
func (f OrderFacts) over() bool {
	if f.IntendedQuote.IsPositive() {
		return f.ExecutedQuote.Cmp(f.IntendedQuote) > 0
	}
	return f.Executed.Cmp(f.Intended) > 0
}

func (f OrderFacts) once() bool { return f.VenueOrders == 1 && !f.over() }

// Totals count over the life of the venue or since its last reset.
type Totals struct {
	Requests     int `json:"requests"`
	Faulted      int `json:"faulted"` // requests hit by a fault rule
	Orders       int `json:"orders"`
	Fills        int `json:"fills"`        // sides of trades that belong to clients
	Acknowledged int `json:"acknowledged"` // client ids of which a whole 2xx answer left the venue
	Duplicates   int `json:"duplicates"`   // client ids with more than one order, or with more executed than intended
	InsideBans   int `json:"insideBans"`   // requests made inside a ban
	OverLimit    int `json:"overLimit"`    // requests that asked for more weight than the limit
	PeakWeight   int `json:"peakWeight"`   // most weight asked for by one address in one minute
	WeightLimit  int `json:"weightLimit"`  // Unlimited if there is none
	RefusedFull  int `json:"refusedFull"`  // orders refused because of Config.MaxOrders
}

// A BadRequest is the evidence of a request that should not have been made.
type BadRequest struct {
	Seq         uint64    `json:"seq"`
	At          time.Time `json:"at"`
	Address     string    `json:"address"`
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	ClientID    string    `json:"clientId,omitempty"`
	Weight      int       `json:"weight,omitempty"` // used with it
	BannedUntil time.Time `json:"bannedUntil,omitzero"`
}

// A Report is the verdict on the invariants that a venue can see.
type Report struct {
	Pass       bool        `json:"pass"` // all of them
	Invariants []Invariant `json:"invariants"`
}

// An Invariant is a rule of order safety and whether it held.
type Invariant struct {
	ID         string   `json:"id"`
	Text       string   `json:"text"`
	Pass       bool     `json:"pass"`
	Violations int      `json:"violations"`
	Events     []string `json:"events"` // the first 100 violations, in the order they happened
}

func (i *Invariant) violated(format string, args ...any) {
	i.Pass = false
	i.Violations++
	if len(i.Events) < keepEvents {
		i.Events = append(i.Events, fmt.Sprintf(format, args...))
	}
}

// Check judges I1, I2, I8 and I9.
func (o Oracle) Check() Report {
	once := Invariant{ID: "I2", Text: "at most one venue order per client id", Pass: true, Events: []string{}}
	quantity := Invariant{ID: "I1", Text: "executed quantity per client id is at most the intended quantity", Pass: true, Events: []string{}}
	for _, id := range o.ids() {
		f := o.Orders[id]
		if f.over() {
			quantity.violated("%s: executed %s (%s quote) of %s (%s quote) intended, by orders %v", id, f.Executed, f.ExecutedQuote, f.Intended, f.IntendedQuote, f.OrderIDs)
		}
		if f.VenueOrders > 1 {
			once.violated("%s: orders %v", id, f.OrderIDs)
		}
	}
	bans := Invariant{ID: "I8", Text: "no request inside a ban", Pass: o.Totals.InsideBans == 0, Events: []string{}}
	for _, b := range o.InsideBans {
		bans.violated("request %d at %s: %s %s from %s, banned until %s", b.Seq, stamp(b.At), b.Method, b.Path, b.Address, stamp(b.BannedUntil))
	}
	bans.Violations = o.Totals.InsideBans
	weight := Invariant{ID: "I9", Text: "used weight never passes the limit", Pass: o.Totals.OverLimit == 0, Events: []string{}}
	for _, b := range o.OverLimit {
		weight.violated("request %d at %s: %s %s from %s brought the weight to %d of %d", b.Seq, stamp(b.At), b.Method, b.Path, b.Address, b.Weight, o.Totals.WeightLimit)
	}
	weight.Violations = o.Totals.OverLimit
	r := Report{Pass: true, Invariants: []Invariant{quantity, once, bans, weight}}
	for _, i := range r.Invariants {
		r.Pass = r.Pass && i.Pass
	}
	return r
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ids returns the client ids by the order in which the venue first accepted them.
func (o Oracle) ids() []string {
	return slices.SortedFunc(maps.Keys(o.Orders), func(a, b string) int {
		return cmp.Or(cmp.Compare(first(o.Orders[a]), first(o.Orders[b])), cmp.Compare(a, b))
	})
}

func first(f OrderFacts) int64 {
	if len(f.OrderIDs) == 0 {
		return 0
	}
	return f.OrderIDs[0]
}

// An Intent is an order a client meant to have, once.
type Intent struct {
	ClientID string
	Accepted bool // the client was told, or concluded, that the venue has it
}

// A Verdict compares intents with the venue. The lists hold client ids; all but Stray are in the order of the intents.
type Verdict struct {
	Once       []string `json:"once"`       // one venue order, filled or not
	Executed   []string `json:"executed"`   // something was executed; these are in Once or Duplicated too
	Duplicated []string `json:"duplicated"` // more than one venue order, or more executed than intended
	Absent     []string `json:"absent"`     // the venue has none and the client does not think so either
	Lost       []string `json:"lost"`       // the client thinks it was accepted, the venue has none
	Orphaned   []string `json:"orphaned"`   // the venue has it, the client does not think so; these are in Once or Duplicated too
	Stray      []string `json:"stray"`      // the venue has it and nobody meant it: a new id per try ends here
}

// Judge compares what a client meant and believes with what the venue has. It is the caller that knows when everything
// has come to rest.
func (o Oracle) Judge(intents []Intent) Verdict {
	var v Verdict
	meant := make(map[string]bool, len(intents))
	for _, in := range intents {
		if meant[in.ClientID] {
			continue
		}
		meant[in.ClientID] = true
		f, ok := o.Orders[in.ClientID]
		switch {
		case !ok && in.Accepted:
			v.Lost = append(v.Lost, in.ClientID)
			continue
		case !ok:
			v.Absent = append(v.Absent, in.ClientID)
			continue
		case f.once():
			v.Once = append(v.Once, in.ClientID)
		default:
			v.Duplicated = append(v.Duplicated, in.ClientID)
		}
		if f.Executed.IsPositive() {
			v.Executed = append(v.Executed, in.ClientID)
		}
		if !in.Accepted {
			v.Orphaned = append(v.Orphaned, in.ClientID)
		}
	}
	for _, id := range o.ids() {
		if !meant[id] {
			v.Stray = append(v.Stray, id)
		}
	}
	return v
}

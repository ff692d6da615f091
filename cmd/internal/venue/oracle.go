package venue

import (
	"cmp"
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

	Sends map[string][]Send `json:"sends"` // requests to place an order, by client id in the same form, in the order they came

	Sequences map[string]int64 `json:"sequences"` // id of the latest update of each book; Venue.Book has the books

	InsideBans   []BadRequest `json:"insideBans"`   // the first 100
	OverLimit    []BadRequest `json:"overLimit"`    // the first 100
	OverConnects []BadRequest `json:"overConnects"` // the first 100

	book func(symbol string, sequence int64) (bids, asks [][2]string, ok bool) // nil after JSON
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
	Placed        time.Time       `json:"placed"`       // when the first order was accepted
	Fills         []Fill          `json:"fills"`
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
	Unheard      int `json:"unheard"`      // client ids with an order of which none did
	UnnamedSends int `json:"unnamedSends"` // requests to place an order without a client id
	LostSends    int `json:"lostSends"`    // requests to place an order that Sends leaves out, being beyond four times Config.MaxOrders
	Duplicates   int `json:"duplicates"`   // client ids with more than one order, or with more executed than intended
	InsideBans   int `json:"insideBans"`   // requests made inside a ban
	OverLimit    int `json:"overLimit"`    // requests that asked for more weight than the limit
	PeakWeight   int `json:"peakWeight"`   // most weight asked for by one address in one minute
	WeightLimit  int `json:"weightLimit"`  // Unlimited if there is none
	Links        int `json:"links"`        // connections of streams
	Frames       int `json:"frames"`       // frames that streams had to send, before faults
	PeakConnects int `json:"peakConnects"` // most connections asked for by one address in five minutes
	OverConnects int `json:"overConnects"` // connections asked for beyond the limit
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

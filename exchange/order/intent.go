package order

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Side is buy or sell.
type Side string

// The sides.
const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// A Type says how an order is priced.
type Type string

// The types.
const (
	Market    Type = "market"
	Limit     Type = "limit"
	Stop      Type = "stop"       // becomes a market order at StopPrice
	StopLimit Type = "stop_limit" // becomes a limit order at StopPrice
)

// A TIF says how long an order is in force.
type TIF string

// The times in force. The empty one is GTC.
const (
	GTC TIF = "gtc" // until cancelled
	IOC TIF = "ioc" // fills at once, as far as it can
	FOK TIF = "fok" // fills at once and wholly, or not at all
	Day TIF = "day"
)

// Terms are the trading fields of an order. They are frozen with its id. In a [Report] an empty field means that the
// venue did not say.
type Terms struct {
	Symbol     string            `json:"symbol,omitempty"`
	Side       Side              `json:"side,omitempty"`
	Type       Type              `json:"type,omitempty"`
	TIF        TIF               `json:"tif,omitempty"`
	Quantity   Decimal           `json:"quantity,omitempty"`
	Price      Decimal           `json:"price,omitempty"`      // of a limit
	StopPrice  Decimal           `json:"stop_price,omitempty"` // of a stop
	PostOnly   bool              `json:"post_only,omitempty"`
	ReduceOnly bool              `json:"reduce_only,omitempty"`
	More       map[string]string `json:"more,omitempty"` // fields that only the adapter understands
}

// An Intent is one wish to trade. It has one client id for life; the number of an attempt is no part of it.
type Intent struct {
	ID       string `json:"id"` // 18 letters and digits; empty: made of Strategy and Counter by [NewID]
	Strategy string `json:"strategy,omitempty"`
	Counter  uint64 `json:"counter,omitempty"` // of the strategy, never used twice
	Terms    `json:"terms"`

	// Decision is the price that the decision was made at, and GuardBPS how far, in hundredths of a percent, the book may
	// have moved from it when the order is sent. A GuardBPS of 0 means no price guard.
	Decision Decimal `json:"decision,omitempty"`
	GuardBPS int     `json:"guard_bps,omitempty"`

	// MaxAge is how old the intent may be when it is sent; 0 means the default of [Rules.MaxAges] for its kind.
	MaxAge time.Duration `json:"max_age,omitempty"`

	// MaxAttempts counts the first one; not positive means the default, 3. Attempts that sent nothing do not count.
	MaxAttempts int `json:"max_attempts,omitempty"`

	// The machine fills these in.
	Venue   string    `json:"venue"`
	Account string    `json:"account"`
	Wire    string    `json:"wire"`           // the client id as the venue sees it
	Created time.Time `json:"created"`        // by the venue's clock
	Taking  bool      `json:"taking"`         // may fill at once: market, IOC, FOK, or a limit not known to rest
	Sum     string    `json:"sum"`            // Hash, in hexadecimal
	Old     string    `json:"old,omitempty"`  // the id of the order that this one replaces
	Body    []byte    `json:"body,omitempty"` // what the adapter wants to find again; not interpreted
}

// ErrTerms is what errors about unusable terms match.
var ErrTerms = errors.New("unusable terms")

// Hash returns the fingerprint of what is frozen: the terms and for whom.
func (i *Intent) Hash() [sha256.Size]byte {
	frozen, _ := json.Marshal(struct { // of strings and bools: cannot fail
		ID, Venue, Account string
		Terms              Terms
	}{i.ID, i.Venue, i.Account, i.Terms})
	return sha256.Sum256(frozen)
}

// normalize checks the terms and brings their numbers into shape, so that equal ones are equal texts.
func (t *Terms) normalize() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	number := func(field string, d *Decimal, wanted bool) {
		switch n, err := ParseDecimal(string(*d)); {
		case *d == "" && !wanted:
		case *d == "":
			mistake("%s: is missing", field)
		case err != nil:
			mistake("%s: %w", field, err)
		case n.Sign() <= 0:
			mistake("%s: %s is not positive", field, n)
		case !wanted:
			mistake("%s: %s has no meaning for a %s order", field, n, t.Type)
		default:
			*d = n
		}
	}
	if t.Symbol == "" || len(t.Symbol) > 64 {
		mistake("Symbol: %.80q is empty or longer than 64 bytes", t.Symbol)
	}
	if t.Side != Buy && t.Side != Sell {
		mistake("Side: %.20q is neither buy nor sell", t.Side)
	}
	switch t.Type {
	case Market, Limit, Stop, StopLimit:
	default:
		mistake("Type: %.20q is unknown", t.Type)
	}
	switch t.TIF {
	case "":
		t.TIF = GTC
	case GTC, IOC, FOK, Day:
	default:
		mistake("TIF: %.20q is unknown", t.TIF)
	}
	number("Quantity", &t.Quantity, true)
	number("Price", &t.Price, t.Type == Limit || t.Type == StopLimit)
	number("StopPrice", &t.StopPrice, t.Type == Stop || t.Type == StopLimit)
	if t.PostOnly && (t.Type == Market || t.TIF == IOC || t.TIF == FOK) {
		mistake("PostOnly: a %s order with %s cannot rest", t.Type, t.TIF)
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrTerms, errors.Join(errs...))
	}
	return nil
}

// differs names the first field in which what a venue said is not what was meant; empty if none. Fields that the venue
// did not state are not compared.
func (t *Terms) differs(said *Terms) string {
	switch {
	case said.Symbol != "" && said.Symbol != t.Symbol:
		return "symbol"
	case said.Side != "" && said.Side != t.Side:
		return "side"
	case said.Type != "" && said.Type != t.Type:
		return "type"
	case said.TIF != "" && said.TIF != t.TIF && t.Type == Limit: // venues state one for market orders, too
		return "tif"
	case said.Quantity != "" && said.Quantity != t.Quantity:
		return "quantity"
	case said.Price != "" && t.Price != "" && said.Price != t.Price:
		return "price"
	case said.StopPrice != "" && t.StopPrice != "" && said.StopPrice != t.StopPrice:
		return "stop_price"
	}
	return ""
}

// immediate says that the order fills or ends when it arrives.
func (t *Terms) immediate() bool { return t.Type == Market || t.TIF == IOC || t.TIF == FOK }

// triggered says that the order waits for a price, such as a stop.
func (t *Terms) triggered() bool { return t.Type == Stop || t.Type == StopLimit }

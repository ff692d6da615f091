package venue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Profile is how an exchange treats orders. It changes what requests mean, not their paths, so that a client of the
// Binance interface can meet the ways of other exchanges.
type Profile struct {
	Name       string
	Dedupe     Dedupe
	Visibility Visibility
	Fence      Fence
	Deadline   string        // with FenceDeadline: the parameter or header that holds it, in milliseconds of the epoch
	Residual   time.Duration // longest that a request can still wait in the engine when its fence has been passed; at most 1 min
	HonourLate bool          // a request is executed although it is too late, against the rule
	Ack        Ack
	ErrorStyle ErrorStyle
	Limits     []Ledger // in place of Binance's weights and counts, which Config.Limits can add
}

// Dedupe says what the venue does with a client id that it has seen before.
type Dedupe string

// The ways. Empty means DedupeOpenOnly.
const (
	DedupeNone            Dedupe = "none"             // another order
	DedupeOpenOnly        Dedupe = "open_only"        // refused while an order with it is open
	DedupeAlways          Dedupe = "always"           // refused for ever
	DedupeReturnsOriginal Dedupe = "returns_original" // answered with the first order, for ever
)

// Visibility says which orders the query by client id finds.
type Visibility string

// The ways. Empty means VisibleAll.
const (
	VisibleAll         Visibility = "all"
	VisiblePendingOnly Visibility = "pending_only" // a filled or cancelled order is not found
	VisibleListsOnly   Visibility = "lists_only"   // there is no such query; the lists carry the client id
	VisibleNone        Visibility = "none"         // nor do the lists carry it
)

// Fence says after when the venue accepts a request no more.
type Fence string

// The ways. Empty means FenceWindow.
const (
	FenceWindow   Fence = "window"   // timestamp plus recvWindow
	FenceDeadline Fence = "deadline" // a time the client names, if it does; the timestamp is not looked at
	FenceNone     Fence = "none"
)

// Ack says what the answer to a placed order means.
type Ack string

// The ways. Empty means AckEngineResult.
const (
	AckEngineResult Ack = "engine_result"
	AckAcceptedOnly Ack = "accepted_only" // the request is accepted; the order may be rejected afterwards, which streams and reads tell
)

// ErrorStyle says how a refusal looks.
type ErrorStyle string

// The styles. Empty means CodeInStatus.
const (
	CodeInStatus ErrorStyle = "status" // HTTP 4xx and a code
	CodeInBody   ErrorStyle = "body"   // HTTP 200 and a code, for what the venue would answer with 400
)

// codeInStatus is the style of the parts of the venue that know no other.
const codeInStatus = CodeInStatus

// A Ledger is one limit of requests: a count per window or, with RefillPerSecond, a bucket that holds Limit.
type Ledger struct {
	Name            string
	PerAccount      bool // by API key; else by address
	OrdersOnly      bool // counts requests that place orders; else all
	Limit           int
	Window          time.Duration
	RefillPerSecond float64
}

// profiles are the built-in ones. Values are those of the fact tables; where those do not know, the careful one.
var profiles = map[string]Profile{
	"binance": {Dedupe: DedupeOpenOnly, Visibility: VisibleAll, Fence: FenceWindow, Residual: 10 * time.Second},
	"okx": {
		Dedupe: DedupeOpenOnly, Fence: FenceDeadline, Deadline: "expTime", Residual: 3 * time.Second,
		Ack: AckAcceptedOnly, ErrorStyle: CodeInBody,
		Limits: []Ledger{{Name: "place_order", PerAccount: true, OrdersOnly: true, Limit: 60, Window: 2 * time.Second}},
	},
	"bybit": {
		Dedupe: DedupeAlways, Fence: FenceWindow, Residual: 10 * time.Second, Ack: AckAcceptedOnly, ErrorStyle: CodeInBody,
		Limits: []Ledger{
			{Name: "ip", Limit: 600, Window: 5 * time.Second},
			{Name: "order_create", PerAccount: true, OrdersOnly: true, Limit: 10, Window: time.Second},
		},
	},
	"kraken": {
		Dedupe: DedupeOpenOnly, Visibility: VisibleListsOnly, Fence: FenceDeadline, Deadline: "deadline", Residual: time.Second,
		Ack: AckAcceptedOnly, ErrorStyle: CodeInBody,
		Limits: []Ledger{
			{Name: "api_counter", PerAccount: true, Limit: 20, RefillPerSecond: 0.5},
			{Name: "trading", PerAccount: true, OrdersOnly: true, Limit: 125, RefillPerSecond: 2.34},
		},
	},
	"coinbase": {
		Dedupe: DedupeReturnsOriginal, Visibility: VisibleListsOnly, Fence: FenceNone, Residual: time.Minute, Ack: AckAcceptedOnly,
		Limits: []Ledger{{Name: "private", PerAccount: true, Limit: 30, Window: time.Second}},
	},
	"alpaca": {
		Dedupe: DedupeAlways, Fence: FenceNone, Residual: time.Minute, Ack: AckAcceptedOnly,
		Limits: []Ledger{{Name: "trading", PerAccount: true, Limit: 200, Window: time.Minute}},
	},
	"deribit": {
		Dedupe: DedupeNone, Fence: FenceDeadline, Deadline: "valid_until", Residual: 2 * time.Second, ErrorStyle: CodeInBody,
		Limits: []Ledger{{Name: "matching", PerAccount: true, OrdersOnly: true, Limit: 20, RefillPerSecond: 5}},
	},
	"gate": {
		Dedupe: DedupeOpenOnly, Visibility: VisiblePendingOnly, Fence: FenceDeadline, Deadline: "x-gate-exptime", Residual: 3 * time.Second,
		Limits: []Ledger{
			{Name: "private", PerAccount: true, Limit: 200, Window: 10 * time.Second},
			{Name: "spot_orders", PerAccount: true, OrdersOnly: true, Limit: 10, Window: time.Second},
		},
	},
	"bitfinex": {
		Dedupe: DedupeNone, Visibility: VisibleListsOnly, Fence: FenceNone, Residual: time.Minute, Ack: AckAcceptedOnly,
		Limits: []Ledger{{Name: "default", Limit: 90, Window: time.Minute}},
	},
	"strict": {
		Dedupe: DedupeNone, Visibility: VisiblePendingOnly, Fence: FenceNone, Residual: time.Minute, HonourLate: true, Ack: AckAcceptedOnly,
	},
}

// Profiles returns the names of the built-in profiles, sorted. "strict" is weaker than any exchange: no dedupe, queries
// that see open orders only, no fence. Nothing proves there that an order is absent.
func Profiles() []string { return slices.Sorted(maps.Keys(profiles)) }

// NamedProfile returns a built-in profile. The error of an unknown name lists the known ones.
func NamedProfile(name string) (Profile, error) {
	p, ok := profiles[name]
	if !ok {
		return Profile{}, fmt.Errorf("no profile %q, there are %s", name, strings.Join(Profiles(), ", "))
	}
	p.Name = name
	p.Limits = slices.Clone(p.Limits)
	return p.complete(), nil
}

// complete fills in the usual ways.
func (p Profile) complete() Profile {
	if p.Dedupe == "" {
		p.Dedupe = DedupeOpenOnly
	}
	if p.Visibility == "" {
		p.Visibility = VisibleAll
	}
	if p.Fence == "" {
		p.Fence = FenceWindow
	}
	if p.Ack == "" {
		p.Ack = AckEngineResult
	}
	if p.ErrorStyle == "" {
		p.ErrorStyle = CodeInStatus
	}
	return p
}

// Check returns all mistakes of p, joined; each begins with the field's name.
func (p Profile) Check() error {
	p = p.complete()
	var errs []error
	among := func(field, value string, all ...string) {
		if !slices.Contains(all, value) {
			errs = append(errs, fmt.Errorf("%s: %q is none of %s", field, value, strings.Join(all, ", ")))
		}
	}
	among("Dedupe", string(p.Dedupe), string(DedupeNone), string(DedupeOpenOnly), string(DedupeAlways), string(DedupeReturnsOriginal))
	among("Visibility", string(p.Visibility), string(VisibleAll), string(VisiblePendingOnly), string(VisibleListsOnly), string(VisibleNone))
	among("Fence", string(p.Fence), string(FenceWindow), string(FenceDeadline), string(FenceNone))
	among("Ack", string(p.Ack), string(AckEngineResult), string(AckAcceptedOnly))
	among("ErrorStyle", string(p.ErrorStyle), string(CodeInStatus), string(CodeInBody))
	if (p.Fence == FenceDeadline) != (p.Deadline != "") {
		errs = append(errs, fmt.Errorf("Deadline: %q with the fence %s", p.Deadline, p.Fence))
	}
	if p.Residual < 0 || p.Residual > time.Minute {
		errs = append(errs, fmt.Errorf("Residual: %v is outside 0 to 1m", p.Residual))
	}
	for i, l := range p.Limits {
		if l.Limit < 1 || (l.Window > 0) == (l.RefillPerSecond > 0) {
			errs = append(errs, fmt.Errorf("Limits[%d]: %q needs a limit and either a window or a refill", i, l.Name))
		}
	}
	return errors.Join(errs...)
}

// completeProfile sets Custom to the profile that counts.
func (c Config) completeProfile(bad func(string, ...any)) *Profile {
	if c.Custom != nil {
		if err := c.Custom.Check(); err == nil {
			return new(c.Custom.complete())
		} else {
			bad("Custom: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	name := c.Profile
	if name == "" {
		name = "binance"
	}
	p, err := NamedProfile(name)
	if err != nil {
		bad("Profile: %v", err)
		p, _ = NamedProfile("strict") // the weakest promises the least
	}
	return &p
}

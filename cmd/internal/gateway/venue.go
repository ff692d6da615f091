package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// A desk is what one route knows of its venue. It is the exchange.Desk of the route: it remembers, for the time of a
// request, which order the request is about.
type desk struct {
	name    string
	profile *exchange.Profile
	clock   *exchange.Clock
	sends   *exchange.Transport
	stop    *halt.Gate
	unknown *atomic.Uint64 // orders of unknown outcome that were not sent again; of all routes of the venue
}

// A visit is a request on its way through the proxy. The RoundTrippers below find it in the context.
type visit struct {
	route    *route
	idle     time.Duration
	body     *incoming // nil without a body, or once it is in memory
	secrets  []string  // values of the route's
	order    exchange.Sending
	begun    bool // bytes of the order may have left
	attempts int  // after an answer that proves nothing
	verdict  *exchange.Verdict
	done     bool // a problem was written
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// guards says whether a request may place or change an order.
func (d *desk) guards(r *http.Request) bool {
	switch d.profile.Kind(r.Method, r.URL.Path) {
	case exchange.Order, exchange.Amend, exchange.Replace:
		return true
	}
	return false
}

// Begin implements exchange.Desk. It refuses nothing: whoever sent the order answers for its id.
func (d *desk) Begin(ctx context.Context, s *exchange.Sending) error {
	v := visitOf(ctx)
	v.order, v.begun = *s, true
	return nil
}

// End implements exchange.Desk.
func (d *desk) End(context.Context, *exchange.Sending, *exchange.Verdict) {}

// halted has the last word before the first byte: a stop may have come while the request waited for the venue's limits.
func (d *desk) halted(ctx context.Context, k exchange.Kind) error {
	gate := d.stop
	if k != exchange.Order && k != exchange.Amend && k != exchange.Replace {
		gate = gate.RiskReducing()
	}
	return gate.Admit(ctx, &retry.Attempt{Number: 1})
}

// classify says what an answer to an order means for retries. It goes by what the venue's facts prove about the order.
func (d *desk) classify(r *http.Request, resp *http.Response) (retry.Class, bool) {
	v := visitOf(r.Context()).verdict
	switch v.Outcome {
	case exchange.NotPlaced, exchange.NotSent:
		// What must be signed anew is the sender's to mend.
		busy := v.Meaning == exchange.RateLimited || v.Meaning == exchange.Overloaded || v.Meaning == exchange.Maintenance
		if busy && (v.Class == retry.Transient || v.Class == retry.Throttled) {
			return v.Class, true
		}
	case exchange.Unknown:
		return retry.Ambiguous, true
	default:
		if resp.StatusCode < 400 {
			return 0, false
		}
	}
	return retry.Permanent, true
}

// lost says that nobody knows what became of the order of a visit.
func (v *visit) lost() bool {
	return v.route.venue != nil && v.begun && v.verdict.Outcome == exchange.Unknown
}

// verify says how to find out what became of an order.
type verify struct {
	Ask           []string  `json:"ask,omitempty"` // of the venue
	ClientOrderID string    `json:"client_order_id,omitempty"`
	Field         string    `json:"field,omitempty"` // of the query, that takes the id
	Symbol        string    `json:"symbol,omitempty"`
	NotBefore     time.Time `json:"not_before,omitzero"` // a read that finds nothing before then proves nothing
	Reads         int       `json:"reads,omitempty"`     // that find nothing, at least
	Advice        string    `json:"advice"`
}

// unknownOutcome is the answer for an order of which nobody knows what became.
func (v *visit) unknownOutcome(attempts int, why string) problem {
	d := v.route.venue
	d.unknown.Add(1)
	how := verify{ClientOrderID: v.order.ClientID, Symbol: v.order.Symbol}
	sight, plan := d.profile.Visibility(), d.profile.VerifyPlan()
	if sight.ByID {
		how.Ask, how.Reads = sight.Endpoints, plan.Reads
		if f := d.profile.Orders.ClientID.QueryField; f != nil {
			how.Field = *f
		}
	}
	_, off, _ := d.clock.Now()
	moment, fenced := d.profile.Fence().Proven(v.order.Deadline, off)
	switch {
	case v.order.ClientID == "":
		how.Advice = "the request named no client id: look for the order among the open orders, the finished orders and the fills"
	case !how.asks():
		how.Advice = "this venue has no query by client id: look for the id among the open orders, the finished orders and the fills"
	case fenced:
		how.NotBefore = moment.Round(0).UTC()
		how.Advice = "ask by the client id; an order that is found exists; one that is not found before not_before may still arrive, by the venue's clock"
		if !sight.SeesClosed {
			how.Advice += "; the query does not see closed orders: read the finished orders and the fills, too"
		}
	default:
		how.Advice = "ask by the client id; an order that is found exists; that it is not found proves nothing at this venue, at any time: ask the venue before you send it again"
	}
	p := problem{kind: unknown, outcome: maybeWas, attempts: attempts, extra: v.answer()}
	p.detail = fmt.Sprintf("outcome unknown: the %s %q may or may not have been carried out by %s (%s). It was not sent again, and must not be before it is verified: %s", v.order.Kind, v.order.ClientID, d.name, why, how)
	p.extra["client_order_id"], p.extra["verify"] = v.order.ClientID, how
	for _, name := range d.profile.Wire.Message { // where SDKs look for a text
		if !strings.Contains(name, ".") {
			p.extra[name] = p.detail
		}
	}
	return p
}

// String says it in one sentence.
func (v verify) String() string {
	text := v.Advice
	if v.asks() {
		text += ": " + strings.Join(v.Ask, " or ")
	}
	if !v.NotBefore.IsZero() {
		text += ", not before " + v.NotBefore.Format(time.RFC3339)
	}
	return text
}

func (v verify) asks() bool { return len(v.Ask) > 0 }

// answer returns the members of what the venue answered, so that an SDK finds its code where it always is.
func (v *visit) answer() map[string]any {
	members := map[string]any{}
	var raw map[string]json.RawMessage
	if json.Unmarshal(v.verdict.Body, &raw) == nil {
		for name, value := range raw {
			members[name] = value
		}
	}
	if v.verdict.Status != 0 {
		members["upstream_status"] = v.verdict.Status
	}
	return members
}

// view shows the venue.
func (d *desk) view() control.VenueView {
	s := d.sends.Stats()
	return control.VenueView{Name: d.name, GuardTrips: d.unknown.Load(), Headroom: s.Headroom, BannedUntil: s.BannedUntil, Reconnects: map[string]uint64{}}
}

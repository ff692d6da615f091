package exchange

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Validate returns all mistakes in the profile, joined, each beginning with the place.
func (p *Profile) Validate() error {
	v := validator{p: p}
	if p.SchemaVersion != 1 {
		v.add("schema_version", "is %d; want 1", p.SchemaVersion)
	}
	if !name.MatchString(p.Exchange) {
		v.add("exchange", "is %q; want lower case letters, digits and dashes", p.Exchange)
	}
	v.facts()
	v.limits()
	v.statuses()
	v.codes()
	v.orders()
	v.wire()
	return errors.Join(v.errs...)
}

var name = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

type validator struct {
	p    *Profile
	errs []error
}

func (v *validator) add(path, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// one says that a value is none of those that there are.
func one[S ~string](v *validator, path string, value S, all []S) {
	if !slices.Contains(all, value) {
		v.add(path, "is %q; want one of %v", value, all)
	}
}

func (v *validator) facts() {
	known := map[string]bool{}
	for _, s := range v.p.Sources {
		known[s.ID] = true
	}
	eachFact(v.p, func(path string, f *Fact) {
		if len(f.Src) == 0 {
			v.add(path, "names no source")
		}
		for _, s := range f.Src {
			if !known[s] {
				v.add(path, "names source %q, which is not in sources", s)
			}
		}
		one(v, path+".confidence", f.Confidence, confidences)
	})
}

func (v *validator) limits() {
	seen := map[string]bool{}
	for path, list := range map[string][]Limit{
		"rest.limits": v.p.Rest.Limits, "websocket.connect_limits": v.p.WebSocket.ConnectLimits,
		"websocket.message_limits": v.p.WebSocket.MessageLimits, "websocket.subscribe_limits": v.p.WebSocket.SubscribeLimits,
	} {
		for _, l := range list {
			at := path + "[" + l.ID + "]"
			if seen[at] {
				v.add(at, "is there twice")
			}
			seen[at] = true
			one(v, at+".model", l.Model, models)
			switch {
			case l.Limit != nil && *l.Limit <= 0:
				v.add(at+".limit", "is %v; want more than 0, or null if it is not known", *l.Limit)
			case l.WindowMS != nil && (*l.WindowMS < 0 || *l.WindowMS > maxWait.Milliseconds()):
				v.add(at+".window_ms", "is %d; want 0 to 7 days", *l.WindowMS)
			case l.RefillPerS != nil && *l.RefillPerS <= 0:
				v.add(at+".refill_per_s", "is %v; want more than 0, or null", *l.RefillPerS)
			case l.Model != modelCap && l.window() <= 0 && l.RefillPerS == nil:
				v.add(at, "has neither a window nor a refill")
			}
		}
	}
	for name, price := range v.p.Rest.EndpointCosts {
		if _, err := parsePrice(name, price); err != nil {
			v.add("rest.endpoint_costs["+name+"]", "%v", err)
		}
	}
}

func (v *validator) statuses() {
	var wide []string
	for i, s := range v.p.Rest.HTTPStatus {
		at := fmt.Sprintf("rest.http_status[%d]", i)
		if _, _, err := statusRange(s.Status); err != nil {
			v.add(at, "%v", err)
		}
		one(v, at+".class", s.Class, meanings)
		one(v, at+".order_outcome", s.OrderOutcome, outcomes)
		for _, w := range wide {
			if s.Status == w || strings.HasSuffix(w, "xx") && strings.HasPrefix(s.Status, w[:1]) {
				v.add(at, "status %s can never match: an earlier row matches it with any text", s.Status)
			}
		}
		if s.Match == nil {
			wide = append(wide, s.Status)
		}
	}
}

func (v *validator) codes() {
	any := map[string]bool{}
	has := map[Meaning]bool{}
	for i, e := range v.p.Errors {
		at := fmt.Sprintf("errors[%d]", i)
		one(v, at+".class", e.Class, meanings)
		one(v, at+".order_outcome", e.OrderOutcome, outcomes)
		one(v, at+".retry", e.Retry, advices)
		if e.Class == UnknownOutcome && e.Retry == AdviseNever {
			v.add(at, "%s: an unknown outcome must be verified", e.Code)
		}
		if _, err := regexp.Compile(e.Match); err != nil {
			v.add(at+".match", "%v", err)
		}
		if any[e.Code] {
			v.add(at, "code %s can never match: an earlier row matches any text", e.Code)
		}
		any[e.Code] = any[e.Code] || e.Match == ""
		has[e.Class] = true
	}
	for _, need := range []Meaning{RateLimited, AuthFailed, OrderNotFound, InsufficientFunds} {
		if !has[need] {
			v.add("errors", "no code means %s", need)
		}
	}
}

func (v *validator) orders() {
	o := &v.p.Orders
	one(v, "orders.client_id.dedupe", o.ClientID.Dedupe, dedupes)
	one(v, "orders.resubmit.same_id", o.Resubmit.SameID, sameIDs)
	one(v, "orderbook.sequence.type", v.p.OrderBook.Sequence.Type, sequences)
	if rx, err := regexp.Compile(o.ClientID.Regex); err != nil {
		v.add("orders.client_id.regex", "%v", err)
	} else if id := v.p.IDRule().Prefix + "123456789012"; !rx.MatchString(id) {
		v.add("orders.client_id.regex", "refuses %q", id)
	}
	if o.ClientID.MaxLen < 1 {
		v.add("orders.client_id.max_len", "is %d; want at least 1", o.ClientID.MaxLen)
	}
	if o.QueryByClientID.NotFoundIsProof {
		v.add("orders.query_by_client_id.not_found_is_proof", "is true: a read that finds nothing is no proof")
	}
	if o.Fence.UsableAsProofBound && o.Fence.ResidualMS == nil {
		v.add("orders.fence.residual_ms", "is null: a fence that proves something needs one")
	}
	for path, ms := range map[string]*int64{
		"orders.fence.residual_ms": o.Fence.ResidualMS, "orders.fence.default_ms": o.Fence.DefaultMS, "orders.fence.max_ms": o.Fence.MaxMS,
		"orders.verify.first_wait_ms": &o.Verify.FirstWaitMS, "orders.verify.spacing_ms": &o.Verify.SpacingMS,
		"orders.verify.min_total_ms": &o.Verify.MinTotalMS, "wire.throttle_ms": &v.p.Wire.ThrottleMS,
	} {
		if ms != nil && (*ms < 0 || *ms > maxWait.Milliseconds()) {
			v.add(path, "is %d; want 0 to 7 days", *ms)
		}
	}
	if o.Verify.Reads < 1 {
		v.add("orders.verify.reads", "is %d; want at least 1", o.Verify.Reads)
	}
}

func (v *validator) wire() {
	w := &v.p.Wire
	for i, r := range w.Routes {
		at := fmt.Sprintf("wire.routes[%d]", i)
		if !strings.HasPrefix(r.Path, "/") || r.Method == "" {
			v.add(at, "is %q %q; want a method and a path that begins with /", r.Method, r.Path)
		}
		one(v, at+".learn", r.Learn, []string{"", learnTime, learnLimits})
	}
	for path, places := range map[string][]string{
		"wire.client_id": w.ClientID, "wire.cancel_id": w.CancelID, "wire.symbol": w.Symbol, "wire.signed": w.Signed,
		"wire.window": w.Window, "wire.deadline": w.Deadline,
	} {
		for _, place := range places {
			kind, _, _ := strings.Cut(place, ":")
			one(v, path, kind, []string{"query", "form", "json", "header", "path"})
		}
	}
	for path, unit := range map[string]string{
		"wire.signed_unit": w.SignedUnit, "wire.deadline_unit": w.DeadlineUnit, "wire.time_unit": w.TimeUnit,
	} {
		one(v, path, unit, units)
	}
	known := map[string]bool{}
	for _, l := range v.p.Rest.Limits {
		known[l.ID] = true
	}
	for i, d := range w.Draws {
		at := fmt.Sprintf("wire.draws[%d]", i)
		if !known[d.Limit] {
			v.add(at, "is about limit %q, which is not in rest.limits", d.Limit)
		}
		for name, price := range d.Costs {
			if _, err := parsePrice(name, price); err != nil {
				v.add(at+".costs["+name+"]", "%v", err)
			}
		}
	}
	for i, u := range w.Usage {
		at := fmt.Sprintf("wire.usage[%d]", i)
		one(v, at+".says", u.Says, []string{"used", "left"})
		for _, id := range u.Limits {
			if !known[id] {
				v.add(at, "is about limit %q, which is not in rest.limits", id)
			}
		}
	}
	slices.SortStableFunc(v.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

package exchange

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// An IDRule says how client ids look at a venue.
type IDRule struct {
	Field    string // name of the field in an order
	Prefix   string // what every id begins with
	MaxLen   int    // bytes, the prefix included
	Integer  bool   // only digits: ids with letters need a map that is durable
	Required bool   // the venue refuses orders without one

	fits *regexp.Regexp
}

// IDRule returns how client ids look at the venue. A weak fact makes no difference: the form only ever refuses.
func (p *Profile) IDRule() IDRule {
	f := &p.Orders.ClientID
	r := IDRule{Field: f.Field, MaxLen: f.MaxLen, Required: f.Required, fits: regexp.MustCompile(f.Regex)}
	r.Prefix, _ = regexp.MustCompile(strings.TrimPrefix(f.Regex, "^")).LiteralPrefix()
	r.Integer = !r.fits.MatchString(r.Prefix + "a1b2c3d4e5f6g7h8i9") // the alphabet that fits all others
	return r
}

// Fits returns why the venue would refuse a client id, or nil.
func (r IDRule) Fits(id string) error {
	switch {
	case len(id) > r.MaxLen:
		return fmt.Errorf("client id %q: has %d bytes; %s may have %d", id, len(id), r.Field, r.MaxLen)
	case r.fits == nil || !r.fits.MatchString(id):
		return fmt.Errorf("client id %q: %s wants %v", id, r.Field, r.fits)
	}
	return nil
}

// A Fence is the moment after which the venue does not accept a request any more. The zero value is that there is none.
type Fence struct {
	Usable   bool          // absence can be proven after the deadline and Residual
	Residual time.Duration // between the deadline and the moment that the venue is done with the request
	Window   time.Duration // what a request without a deadline of its own is good for; 0: it has no deadline
	Max      time.Duration // longest window that the venue takes; 0: not known
	MustSet  bool          // no deadline unless we set Param in every order
	Param    string        // name of what sets the deadline
	Why      string        // why it is not usable
}

// Fence returns what the venue promises about late requests. A weak fact is no fence.
func (p *Profile) Fence() Fence {
	f := &p.Orders.Fence
	switch {
	case !f.UsableAsProofBound:
		return Fence{Why: "the venue has no request deadline that proves anything: " + f.Guarantee}
	case !f.Trusted():
		return Fence{Why: weakText("orders.fence", f.Fact)}
	}
	return Fence{
		Usable: true, Residual: millis(f.ResidualMS), Window: millis(f.DefaultMS), Max: millis(f.MaxMS),
		MustSet: f.DefaultMS == nil, Param: orNone(f.Param),
	}
}

// Proven returns the moment, by the venue's clock, from which on a read that finds nothing counts. deadline is the latest
// of all attempts; clockError is how far the estimate of the venue's clock may be off. It is false without a fence.
func (f Fence) Proven(deadline time.Time, clockError time.Duration) (time.Time, bool) {
	if !f.Usable || deadline.IsZero() {
		return time.Time{}, false
	}
	return deadline.Add(f.Residual + max(0, clockError)), true
}

// A ResendWhen says when an order may be sent again with the same client id. The zero value is never.
type ResendWhen uint8

// The moments.
const (
	ResendNever      ResendWhen = iota // not by itself
	ResendAfterProof                   // after the fence and the proof of absence
	ResendAtOnce                       // the id protects for ever: the identical request is the query
)

// String returns the name in lower case.
func (w ResendWhen) String() string {
	switch w {
	case ResendAfterProof:
		return "after_proof"
	case ResendAtOnce:
		return "at_once"
	}
	return "never"
}

// A Resend is what the venue's facts permit after an unknown outcome. The zero value permits nothing.
type Resend struct {
	When     ResendWhen
	RestOnly bool          // not for orders that can fill at once: market, IOC, FOK, crossing limit
	Within   time.Duration // since the first send; 0 means no limit
	Why      string        // why it is not more: the facts that are too weak
}

// returnsWithin is how long a venue surely returns the original order: it does not publish for how long.
const returnsWithin = 15 * time.Minute

// Resend returns when an order may be sent again with the same id. Weak facts permit nothing; an operator who tested
// them at the venue permits it with [Profile.Raise] and a reason.
func (p *Profile) Resend() Resend {
	o := &p.Orders
	same, id, rule := o.Resubmit.SameID, &o.ClientID, &o.Resubmit
	switch {
	case rule.Confidence == Recalled:
		return Resend{Why: weakText("orders.resubmit", rule.Fact)}
	case (same == sameNotProven || same == sameUnproven) && rule.Confidence != Tested:
		return Resend{Why: "orders.resubmit: " + string(same) + ", and nobody has tested it at the venue"}
	case same != sameNoDedupe && !id.Trusted():
		return Resend{Why: weakText("orders.client_id", id.Fact)}
	case same == sameIdempotent && id.Dedupe == DedupeReturns:
		return Resend{When: ResendAtOnce, Within: returnsWithin}
	case same == samePermanent && id.Dedupe == DedupeAlways:
		return Resend{When: ResendAtOnce}
	}
	fence := p.Fence()
	if !fence.Usable {
		return Resend{Why: fence.Why}
	}
	r := Resend{When: ResendAfterProof}
	switch v := p.Visibility(); {
	case !o.Fills.Trusted():
		r.RestOnly, r.Why = true, weakText("orders.fills", o.Fills.Fact)
	case !o.QueryByClientID.Trusted():
		r.RestOnly, r.Why = true, weakText("orders.query_by_client_id", o.QueryByClientID.Fact)
	case !v.SeesClosed:
		r.Why = "the query by client id does not see closed orders: the finished list and the fills must be read"
	}
	return r
}

// Visibility is what the venue's query by client id can find. The zero value is the careful one: nothing.
type Visibility struct {
	ByID          bool     // there is such a query
	SeesClosed    bool     // it finds orders that are done, too; else the finished list and the fills must be read
	FillsTrusted  bool     // the source of fills is known well enough to count as evidence of none
	EmptyNotFound bool     // an empty list or null counts as not found
	NotFound      []string // what counts as not found, as the facts have it; nothing else does
	Endpoints     []string
}

// Visibility returns what the venue's query by client id can find. A weak fact sees no closed orders.
func (p *Profile) Visibility() Visibility {
	q := &p.Orders.QueryByClientID
	v := Visibility{
		ByID: q.Supported, SeesClosed: q.Supported && p.Wire.SeesClosed && q.Trusted(),
		FillsTrusted: p.Orders.Fills.Trusted(), NotFound: q.NotFound, Endpoints: q.Endpoints,
	}
	for _, answer := range q.NotFound {
		if strings.HasPrefix(answer, "empty") || answer == "data null" || strings.HasPrefix(answer, "absent") {
			v.EmptyNotFound = true
		}
	}
	return v
}

// A VerifyPlan is how an order of unknown fate is read.
type VerifyPlan struct {
	FirstWait time.Duration // before the first read
	Reads     int           // at least
	Spacing   time.Duration // between reads
	MinTotal  time.Duration // from the send to the last read, at least
	Stream    bool          // the private stream is evidence, too
}

// VerifyPlan returns how an order of unknown fate is read. These are choices of this project.
func (p *Profile) VerifyPlan() VerifyPlan {
	f := &p.Orders.Verify
	return VerifyPlan{
		FirstWait: millis(&f.FirstWaitMS), Reads: f.Reads, Spacing: millis(&f.SpacingMS),
		MinTotal: millis(&f.MinTotalMS), Stream: f.UseLiveStream,
	}
}

// AckIsEngine says whether the answer to an order is what the matching engine did. Else it says only that the request
// was taken, and the order stream or a read decides, a rejection included.
func (p *Profile) AckIsEngine() bool { return p.Wire.AckIsEngine }

// AmendKeepsID says whether an amended order keeps its client id, so that an amend to absolute terms can be sent again.
func (p *Profile) AmendKeepsID() bool { return p.Wire.AmendKeepsID && p.Orders.Amend.Trusted() }

func weakText(path string, f Fact) string {
	if f.Confidence == Reported {
		return path + ": reported by one source only"
	}
	return fmt.Sprintf("%s: known as %q only", path, f.Confidence)
}

// millis is a time that may be unknown.
func millis(ms *int64) time.Duration {
	if ms == nil {
		return 0
	}
	return time.Duration(*ms) * time.Millisecond
}

func orNone(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

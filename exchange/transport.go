package exchange

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Transport sends requests to one venue for one account, below an SDK and unknown to it. For each it does, in this
// order:
//
//  1. find what the request is for: an order, a cancel, a read;
//  2. refuse it inside a ban;
//  3. take what it costs from the venue's limits, all or nothing, and wait for that;
//  4. on order routes, ask the Desk, which makes the attempt durable;
//  5. ask once more whether it may still go: the context, Halt, a ban that has come meanwhile;
//  6. take away what makes net/http send a request twice by itself;
//  7. send it, and watch whether a byte may have left;
//  8. read the headers into the limits and the clock, the body on order routes, and say what the answer means;
//  9. tell the Desk, and return the answer as it came.
//
// It never sends a request twice, never waits beyond the context, and holds no lock while it sends.
//
// On order routes a redirect is not followed: the answer loses its Location, so that http.Client returns it as it is. What
// an answer means is the [Verdict], for the Desk and for callers who use [WithVerdict]; an error of the network is marked
// with its [retry.Class].
//
// Without a Desk order routes are refused, unless PassOrders says that somebody else answers for duplicates. It is safe for
// concurrent use as long as its fields do not change, and must not be copied once used.
type Transport struct {
	Base    http.RoundTripper // nil means http.DefaultTransport
	Profile *Profile          // of the venue; required
	Account string            // whose requests these are; limits by account or key count them together
	Limits  *Limits           // shared with all who use the venue; nil means some for this Transport alone
	Bans    *Bans             // shared likewise; nil means some for this Transport alone, forgotten at a restart
	Clock   *Clock            // the venue's; nil means that of Limits
	Desk    Desk              // knows the attempts of orders

	PassOrders bool                                    // lets order routes through without a Desk
	Halt       func(ctx context.Context, k Kind) error // asked last before the first byte; an error refuses
	DropUsage  bool                                    // takes usage headers out of answers once they were read: some SDKs write them without a lock

	once   sync.Once
	limits *Limits
	bans   *Bans
	clock  *Clock
	names  names
	ages   ages
}

// names of headers, as net/http spells them.
type names struct {
	strip []string // that would make net/http repeat an order
	usage []usage
}

var (
	errNoProfile  = retry.Mark(errors.New("exchange: Transport without a Profile"), retry.Permanent)
	errNoResponse = errors.New("exchange: base returned neither a response nor an error")

	// ErrNoDesk is why an order was not sent: nobody keeps it from being placed twice.
	ErrNoDesk = retry.Mark(errors.New("exchange: this request may change an order, and the Transport has no Desk"), retry.Permanent)
)

func (t *Transport) start() {
	if t.limits = t.Limits; t.limits == nil {
		t.limits = &Limits{Profile: t.Profile, Clock: t.Clock}
		if t.Clock == nil {
			t.limits.Clock = &Clock{}
		}
	}
	if t.bans = t.Bans; t.bans == nil {
		t.bans = &Bans{}
	}
	if t.clock = t.Clock; t.clock == nil {
		if t.clock = t.limits.Clock; t.clock == nil {
			t.clock = &Clock{}
		}
	}
	if t.Profile == nil {
		return
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if !honours(t.Profile, name) {
			t.names.strip = append(t.names.strip, name)
		}
	}
	t.names.usage = t.Profile.usage
	t.ages.on = t.Profile.pricesAges()
}

func honours(p *Profile, name string) bool {
	for _, h := range p.Wire.Honours {
		if http.CanonicalHeaderKey(h) == name {
			return true
		}
	}
	return false
}

// Check returns all mistakes, joined, each beginning with its field's name, or nil.
func (t *Transport) Check() error {
	var errs []error
	if t.Profile == nil {
		errs = append(errs, errors.New("Profile: is nil, so that nothing is sent"))
	}
	if t.Desk == nil && !t.PassOrders {
		errs = append(errs, errors.New("Desk: is nil, so that no order is sent; PassOrders lets them through without one"))
	}
	if t.Desk != nil && t.PassOrders {
		errs = append(errs, errors.New("PassOrders: has no effect with a Desk"))
	}
	if t.Bans == nil || t.Bans.Store == nil {
		errs = append(errs, errors.New("Bans: have no Store, so that a restart forgets them, and other processes do not know"))
	}
	if t.Limits != nil && t.Limits.Profile != t.Profile {
		errs = append(errs, errors.New("Limits: are those of another profile"))
	}
	return errors.Join(errs...)
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

// CloseIdleConnections closes the idle connections of Base, if it can. http.Client calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.once.Do(t.start)
	if t.Profile == nil {
		closeBody(req)
		return nil, errNoProfile
	}
	x := trips.Get().(*trip)
	x.t, x.from = t, req
	x.r.end, x.r.of = t.Profile.endpoint(req.Method, req.URL.Path), t.Profile
	x.r.kind, x.learn = x.r.end.kind, x.r.end.learn
	defer x.leave()
	if err := x.admit(req.Context()); err != nil {
		if !x.taken {
			closeBody(req)
		}
		return nil, x.refused(err)
	}
	resp, err := t.base().RoundTrip(&x.c.req)
	if err == nil && resp == nil {
		err = errNoResponse
	}
	if err != nil {
		return nil, x.failed(err)
	}
	x.answered(resp, x.sent, time.Now())
	return resp, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// WithVerdict returns a context, and the verdict on the last answer to a request with that context, once the request has
// ended. It is for callers who get only an SDK's error.
func WithVerdict(ctx context.Context) (context.Context, *Verdict) {
	v := &Verdict{}
	return context.WithValue(ctx, verdictKey{}, v), v
}

type verdictKey struct{}

// Stats are how a venue stands, as one Transport sees it.
type Stats struct {
	Venue       string
	Headroom    map[string]float64 // of each limit, 0 to 1, by its ID
	Limits      LimitStats
	Bans        []Ban     // in force, of this venue
	BannedUntil time.Time // zero if it is not
}

// Stats returns how things stand.
func (t *Transport) Stats() Stats {
	t.once.Do(t.start)
	var s Stats
	if t.Profile == nil {
		return s
	}
	s.Venue, s.Limits = t.Profile.Exchange, t.limits.Stats()
	s.Headroom, s.BannedUntil = s.Limits.Headroom(), t.bans.Until(s.Venue)
	for _, b := range t.bans.List() {
		if b.Venue == s.Venue {
			s.Bans = append(s.Bans, b)
		}
	}
	return s
}

package retryhttp

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// DefaultAttemptHeader carries the number of attempts that came before, from the second one on.
const DefaultAttemptHeader = "Relent-Attempt"

// A Transport is an http.RoundTripper that retries. The zero value retries over
// http.DefaultTransport with the zero policy. It is safe for concurrent use as long as its fields
// do not change and the functions in them are; it must not be copied after first use.
//
// RoundTrip blocks during attempts and waits, until the request's context ends. It keeps to the
// contract of http.RoundTripper: the request stays as it is, and its body is always closed. Of the
// deprecated Request.Cancel it takes note before an attempt and while Base runs, not while it waits.
type Transport struct {
	Base   http.RoundTripper // sends each attempt; nil means http.DefaultTransport
	Policy retry.Source      // nil means the zero policy

	// Idempotent says whether a request may be made again after an attempt that may have acted.
	// It is not asked if Policy says Idempotent, or if Key gave the request a key. Nil means:
	// methods GET, HEAD, OPTIONS, TRACE, PUT and DELETE (RFC 9110 §9.2.2), and requests with a
	// key in Idempotency-Key or X-Idempotency-Key (or a key marked present by an empty slice, as
	// net/http has it).
	Idempotent func(*http.Request) bool

	// Key makes the Idempotency-Key for a request that has none and whose method is not
	// idempotent. All attempts carry the same one, and it makes the request idempotent, so give
	// keys only to servers that honour them. It returns "" for a request that shall have none.
	// Nil means that no keys are made.
	Key func(*http.Request) string

	// AttemptHeader is the header that tells the server how many attempts came before, those of
	// callers above included. It is absent from a first attempt. "" means DefaultAttemptHeader, "-" sends none.
	AttemptHeader string

	// NoReplay switches off the resends that net/http makes by itself. Each then shows as an attempt
	// that failed, often on a connection that died while idle.
	NoReplay bool

	// OnReplay is told of each attempt that net/http sent more than once by itself, and how many
	// times more. It costs each request a few allocations. Nil means that nobody counts.
	OnReplay func(r *http.Request, n int)

	// Classify overrides the class of any response, for servers that mean something of their own by
	// it. ok false leaves it to the table in the package comment. It must not read the body,
	// unless it puts another in its place.
	Classify func(r *http.Request, resp *http.Response) (c retry.Class, ok bool)

	// Refresh is called on a 401, once in a call, to put fresh credentials into the headers or the URL of r, a
	// copy of the request without its body. The request is then sent once more within the same
	// attempt. An error leaves the 401 as it is. Nil means that a 401 is final.
	Refresh func(r *http.Request) error

	derived atomic.Pointer[policies]
}

// Client returns an http.Client that retries as s says; nil means the zero policy. It is short for
// a client with a [Transport] of which only Policy is set.
func Client(s retry.Source) *http.Client {
	return &http.Client{Transport: &Transport{Policy: s}}
}

// RoundTrip implements [http.RoundTripper]. The response may be one of a call that failed: see [Reason].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := call{t: t, req: req}
	defer c.close(req)
	c.prepare(req)
	resp, err := retry.Do(req.Context(), c.policy, c.attempt)
	if err == nil {
		return resp, nil
	}
	return c.answer(req.Context(), err.(*retry.Error))
}

// CloseIdleConnections closes the idle connections of Base, if it can. http.Client calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}

func (t *Transport) attemptHeader() string {
	switch t.AttemptHeader {
	case "":
		return DefaultAttemptHeader
	case "-":
		return ""
	}
	return t.AttemptHeader
}

// policies are a policy as requests use it, made once for as long as it is current.
type policies struct {
	from       *retry.Policy // as the source had it
	idempotent bool          // whatever the request
	once       *retry.Policy // for requests that are not idempotent
	repeat     *retry.Policy // for those that are
}

func (t *Transport) policies() *policies {
	var p *retry.Policy
	if t.Policy != nil {
		p = t.Policy.Current()
	}
	if d := t.derived.Load(); d != nil && d.from == p {
		return d
	}
	d := derive(p)
	t.derived.Store(d)
	return d
}

func derive(p *retry.Policy) *policies {
	once := *p.Current()
	validate := once.Validate
	keep := validate != nil || len(once.Gates) > 0
	once.Validate = func(ctx context.Context, a retry.Attempt) error {
		if validate != nil {
			if err := validate(ctx, a); err != nil {
				return err
			}
		}
		return settle(a.Err, keep)
	}
	repeat := once
	repeat.Idempotent = true
	return &policies{from: p, idempotent: once.Idempotent, once: &once, repeat: &repeat}
}

package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/relent-go/relent/retry"
)

// A call is the state of one RoundTrip.
type call struct {
	t      *Transport
	req    *http.Request // the caller's, or a copy with a key or fresh credentials
	policy *retry.Policy
	body   *stream // the caller's, if it cannot be rewound

	above  int  // attempts by callers above
	timed  bool // attempts end sooner than the request's context
	frozen bool // net/http must not resend
	traced bool // Base is watched through httptrace

	attempts     int
	sent         bool // Base has had the request's body
	unauthorized bool // had a 401
	refreshed    bool // asked for fresh credentials
	misdirected  bool // had a 421
	early        bool // had a 425
	redial       bool // the last status asks for another connection

	resp *http.Response // of the last attempt, if it failed with one
}

var errCanceled = errors.New("request canceled")

// prepare decides what holds for all attempts.
func (c *call) prepare(req *http.Request) {
	policies := c.t.policies()
	idempotent := policies.idempotent
	safe, keyed := isSafe(req.Method), isKeyed(req.Header)
	if !keyed && c.t.Key != nil && !isIdempotent(req.Method) {
		if key := c.t.Key(req); key != "" {
			c.req = withHeader(req, keyHeader, key)
			keyed, idempotent = true, true
		}
	}
	switch {
	case idempotent:
	case c.t.Idempotent != nil:
		idempotent = c.t.Idempotent(req)
	default:
		idempotent = keyed || isIdempotent(req.Method)
	}
	c.policy = policies.once
	if idempotent {
		c.policy = policies.repeat
	}
	c.above = retry.PreviousAttempts(req.Context())
	c.timed = c.policy.AttemptTimeout > 0 || c.policy.MaxElapsed > 0
	replayable := safe || hasKeyHeader(c.req.Header)
	c.frozen = c.t.NoReplay || replayable && !idempotent
	// Nobody looks where it would change nothing. It would for an order with a key: net/http may have
	// sent it, and then failed to dial for its resend.
	c.traced = !idempotent || replayable && !safe && !c.frozen || c.t.OnReplay != nil
	if hasBody(req) && req.GetBody == nil {
		c.body = &stream{body: req.Body}
	}
}

// attempt makes an attempt. A response that counts as a failure is returned with the error.
func (c *call) attempt(ctx context.Context) (*http.Response, error) {
	c.attempts++
	if c.attempts > 1 {
		c.discard()
		if c.redial {
			c.redial = false
			c.t.CloseIdleConnections()
		}
		if isCanceled(c.req) {
			return nil, retry.Mark(errCanceled, retry.Permanent)
		}
	}
	resp, err := c.try(ctx)
	if !c.unauthorized || c.refreshed || c.t.Refresh == nil {
		return resp, err
	}
	c.refreshed = true
	if failure := c.refresh(ctx); failure != nil {
		return resp, retry.Mark(fmt.Errorf("%w: refresh credentials: %w", err, failure), retry.Permanent)
	}
	c.discard()
	return c.try(ctx)
}

// try sends the request once and judges what came back.
func (c *call) try(ctx context.Context) (*http.Response, error) {
	resp, x, err := c.send(ctx)
	if err != nil {
		return nil, err
	}
	class, failed := c.judge(x, resp)
	if !failed {
		c.resp = nil
		return resp, nil
	}
	hint, _ := ParseHint(resp.Header, time.Now())
	err = &StatusError{Code: resp.StatusCode, resp: resp, below: Reason(resp)}
	return resp, retry.MarkAfter(c.repeatable(err), class, hint)
}

// judge says what a response means, and whether it is a failure at all.
func (c *call) judge(x *exchange, resp *http.Response) (class retry.Class, failed bool) {
	if c.t.Classify != nil {
		if class, ok := c.t.Classify(c.req, resp); ok {
			return class, true
		}
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		c.unauthorized = true
	case http.StatusRequestTimeout:
		c.redial = true
		if x.interrupted() {
			return retry.Transient, true
		}
	case http.StatusMisdirectedRequest:
		again := c.misdirected
		c.misdirected, c.redial = true, true
		return onceMore(again), true
	case http.StatusConflict:
		if isKeyed(c.req.Header) && asksToWait(resp.Header) {
			return retry.Transient, true // draft-ietf-httpapi-idempotency-key-header: the key is in progress
		}
	case http.StatusTooEarly:
		again := c.early
		c.early = true
		return onceMore(again), true
	}
	return classify(resp.StatusCode, isSafe(c.req.Method), resp.Header)
}

// refresh gets fresh credentials for this and all further attempts.
func (c *call) refresh(ctx context.Context) error {
	if !c.rewindable() {
		return ErrBody
	}
	r := c.req.Clone(ctx)
	r.Body, r.GetBody, r.ContentLength = nil, nil, 0
	if err := c.t.Refresh(r); err != nil {
		return err
	}
	next := c.req.WithContext(c.req.Context())
	next.Header, next.URL, next.Host = r.Header, r.URL, r.Host
	c.req = next
	return nil
}

// discard lets go of the last attempt's response.
func (c *call) discard() {
	if c.resp != nil {
		if c.resp.Body != drained {
			drain(c.resp.Body)
		}
		c.resp = nil
	}
}

// answer turns the end of a call into what RoundTrip returns.
func (c *call) answer(ctx context.Context, e *retry.Error) (*http.Response, error) {
	resp := c.resp
	if resp == nil || ctx.Err() != nil || resp.Body == drained {
		return nil, e
	}
	c.resp = nil
	return withReason(resp, c.req, e), nil
}

// close leaves nothing behind, also when a function of the caller has panicked.
func (c *call) close(req *http.Request) {
	c.discard()
	switch {
	case c.body != nil:
		c.body.finish()
	case !c.sent && req.Body != nil:
		req.Body.Close()
	}
}

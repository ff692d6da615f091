package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// An exchange is one request to Base and what net/http reported of it, in one piece of memory. The
// reports may come from other goroutines, and late. A nil exchange is one that nobody watched.
type exchange struct {
	req    http.Request
	trace  httptrace.ClientTrace
	asked  atomic.Bool  // for a connection, so Base is one that reports
	got    atomic.Bool  // a connection. Headers beyond 4 KiB leave before WroteHeaders, so no later report proves that none did
	writes atomic.Int32 // of the request's headers
	body   *metered     // if it is long enough to be interrupted
	cancel context.CancelCauseFunc
	disarm func() bool // keeps the end of the attempt's context from ending this one; false if it has
}

func (x *exchange) reached() bool { return x != nil && x.got.Load() }
func (x *exchange) unsent() bool  { return x != nil && x.asked.Load() && !x.got.Load() }

// interrupted says that net/http has not got the end of the request's body yet, so nobody else has.
func (x *exchange) interrupted() bool { return x != nil && x.body != nil && !x.body.ended.Load() }

// send gives the request to Base. ctx is the attempt's.
func (c *call) send(ctx context.Context) (*http.Response, *exchange, error) {
	previous := c.above + c.attempts - 1
	if !c.sent && previous == 0 && !c.timed && !c.frozen && !c.traced && c.body == nil {
		c.sent = true
		resp, err := c.t.base().RoundTrip(c.req)
		return c.received(ctx, nil, resp, err)
	}
	body, err := c.nextBody()
	if err != nil {
		return nil, nil, retry.Mark(fmt.Errorf("rewind request body: %w", err), retry.Permanent)
	}
	x := &exchange{}
	x.req = *c.req.WithContext(c.context(ctx, x))
	if x.req.Body = body; c.traced && isLong(c.req) {
		x.body = &metered{ReadCloser: body, length: c.req.ContentLength}
		x.req.Body = x.body
	}
	if name := c.t.attemptHeader(); name != "" && previous > 0 && x.req.Header != nil {
		x.req.Header = x.req.Header.Clone()
		x.req.Header.Set(name, strconv.Itoa(previous))
	}
	if c.frozen {
		freeze(&x.req)
	}
	c.sent = true
	resp, err := c.t.base().RoundTrip(&x.req)
	return c.received(ctx, x, resp, err)
}

// context returns the context of one request to Base. It descends from the caller's, because the
// attempt's ends when the response's body is still to be read.
func (c *call) context(attempt context.Context, x *exchange) context.Context {
	ctx := c.req.Context()
	if c.attempts > 1 {
		ctx = retry.WithPreviousAttempts(ctx, c.attempts-1)
	}
	if c.timed {
		ctx, x.cancel = context.WithCancelCause(ctx)
		x.disarm = context.AfterFunc(attempt, func() { x.cancel(context.Cause(attempt)) })
	}
	if !c.traced {
		return ctx
	}
	x.trace.GetConn = func(string) { x.asked.Store(true) }
	x.trace.GotConn = func(httptrace.GotConnInfo) { x.got.Store(true) }
	if c.t.OnReplay != nil {
		x.trace.WroteHeaders = func() { x.writes.Add(1) }
	}
	return httptrace.WithClientTrace(ctx, &x.trace)
}

var errNoResponse = errors.New("base returned neither a response nor an error")

// received takes what Base returned. From then on the call owns the response.
func (c *call) received(ctx context.Context, x *exchange, resp *http.Response, err error) (*http.Response, *exchange, error) {
	switch {
	case err != nil:
		resp = nil
	case resp == nil:
		err = errNoResponse
	case resp.Body == nil:
		resp.Body = http.NoBody
	}
	if x != nil && x.disarm != nil && !x.disarm() {
		if resp != nil {
			resp.Body.Close() // its context has ended
		}
		resp, err = nil, context.Cause(ctx)
	}
	if x != nil && x.cancel != nil {
		if err != nil {
			x.cancel(nil)
		} else {
			resp.Body = endWith(resp.Body, x.cancel)
		}
	}
	c.resp = resp
	if x != nil && c.t.OnReplay != nil {
		if n := x.writes.Load(); n > 1 {
			c.t.OnReplay(c.req, int(n)-1)
		}
	}
	if err != nil {
		err = c.repeatable(c.fault(x, err))
	}
	return resp, x, err
}

// fault classifies an error of Base by what is known to have been sent.
func (c *call) fault(x *exchange, err error) error {
	if isClassified(err) {
		return err
	}
	class := retry.DefaultClassify(err)
	switch {
	case x.reached():
		class = retry.Ambiguous
	case x.unsent() && (class == retry.Ambiguous || c.req.Context().Err() != nil):
		class = retry.Transient
	}
	if class == retry.Ambiguous && (isInvalid(c.req) || isCanceled(c.req)) {
		class = retry.Permanent
	}
	return retry.Mark(err, class)
}

// isClassified says that somebody below has said what err means.
func isClassified(err error) bool {
	var marked interface{ RetryAfter() time.Duration }
	if errors.As(err, &marked) {
		return true
	}
	_, ok := errors.AsType[*retry.Error](err)
	return ok
}

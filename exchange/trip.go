package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/relent-go/relent/retry"
)

// A trip is one request, in one piece of memory.
type trip struct {
	t     *Transport
	from  *http.Request // as the SDK made it
	req   http.Request  // as it is sent
	trace httptrace.ClientTrace
	asked atomic.Bool // for a connection, so the base is one that reports
	got   atomic.Bool // a connection. Headers beyond 4 KiB leave before anything else is reported, so nothing later proves that none did

	r     request
	learn string
	g     grant
	pass  pass
	s     *Sending // of guarded requests
	begun bool     // the Desk wants to hear the end
	taken bool     // the body is ours, or the base's
	done  bool
	v     Verdict
}

// maxBody is how much of a body is read on an order route, of requests and of answers.
const maxBody = 1 << 20

// admit does all that comes before the send.
func (x *trip) admit(ctx context.Context) error {
	t := x.t
	x.r.method, x.r.path, x.r.query, x.r.account = x.from.Method, x.from.URL.Path, x.from.URL.RawQuery, t.Account
	x.r.age = -1
	rd := reader{req: x.from}
	if x.r.kind.Guarded() {
		if t.Desk == nil && !t.PassOrders {
			return ErrNoDesk
		}
		body, err := x.readBody()
		if err != nil {
			return err
		}
		rd.body = body
		x.s = t.Profile.sending(x.r.kind, t.Account, &rd)
		x.r.symbol = x.s.Symbol
		if t.ages.on && x.r.kind != Order {
			x.r.age = t.ages.of(x.s.ClientID)
		}
	} else if x.r.end.bySymbol {
		x.r.symbol = rd.symbol(t.Profile)
	}
	var err error
	if x.pass, err = t.bans.enter(ctx, t.Profile.Exchange, t.Account, x.r.kind); err != nil {
		return err
	}
	if err := t.limits.reserve(ctx, &x.r, &x.g); err != nil {
		return err
	}
	if x.s != nil && t.Desk != nil {
		if err := t.Desk.Begin(ctx, x.s); err != nil {
			return err
		}
		x.begun = true
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if t.Halt != nil {
		if err := t.Halt(ctx, x.r.kind); err != nil {
			return err
		}
	}
	if err := t.bans.again(t.Profile.Exchange, t.Account); err != nil {
		return err
	}
	x.prepare(ctx, rd.body)
	return nil
}

// readBody reads the body of a guarded request into memory.
func (x *trip) readBody() ([]byte, error) {
	if x.from.Body == nil || x.from.Body == http.NoBody {
		return nil, nil
	}
	x.taken = true
	defer x.from.Body.Close()
	body, err := io.ReadAll(io.LimitReader(x.from.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("longer than 1 MiB")
	}
	if err != nil {
		return nil, retry.Mark(fmt.Errorf("exchange: body of %s %s: %w", x.from.Method, x.from.URL.Path, err), retry.Permanent)
	}
	return body, nil
}

// prepare makes the request that is sent.
func (x *trip) prepare(ctx context.Context, body []byte) {
	x.trace.GetConn = func(string) { x.asked.Store(true) }
	x.trace.GotConn = func(httptrace.GotConnInfo) { x.got.Store(true) }
	x.req = *x.from.WithContext(httptrace.WithClientTrace(ctx, &x.trace))
	x.taken = true
	if x.s == nil {
		return
	}
	if len(body) > 0 {
		x.req.Body, x.req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	x.strip()
	freeze(&x.req)
}

// strip takes away the headers with which net/http repeats any request when a connection that was used before breaks. To
// it an empty list is one, too.
func (x *trip) strip() {
	for _, name := range x.t.names.strip {
		for have := range x.req.Header {
			if http.CanonicalHeaderKey(have) == name {
				h := x.req.Header.Clone()
				delete(h, have)
				x.req.Header = h
			}
		}
	}
}

// freeze makes it impossible for net/http to send r again: a body cannot be had again, and in place of none it sees one
// that is empty.
func freeze(r *http.Request) {
	r.GetBody = nil
	if r.Body != nil && r.Body != http.NoBody || r.ContentLength != 0 { // the latter is a mistake that net/http must see
		return
	}
	r.Body = hollow{}
	r.TransferEncoding = identity // else net/http would probe the body, or send it chunked
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		// net/http says Content-Length: 0 for these if it sees no body, and lets nobody else say it but in this spelling.
		h := r.Header.Clone()
		if h == nil {
			h = make(http.Header)
		}
		h["content-length"] = zero
		r.Header = h
	}
}

var (
	identity = []string{"identity"}
	zero     = []string{"0"}
)

// hollow is a body without content, other than http.NoBody.
type hollow struct{}

func (hollow) Read([]byte) (int, error) { return 0, io.EOF }
func (hollow) Close() error             { return nil }

// refused ends a request of which nothing was sent, because somebody here refused it.
func (x *trip) refused(err error) error {
	x.v = Verdict{Kind: x.r.kind, Outcome: NotSent, Class: retry.DefaultClassify(err), After: retry.Hint(err), Err: err}
	x.finish(false, false)
	return err
}

// failed ends a request without an answer.
func (x *trip) failed(err error) error {
	sent := x.got.Load() || !x.asked.Load()
	x.v = Verdict{Kind: x.r.kind, Outcome: NotSent, Class: retry.Transient, Err: err}
	switch {
	case !sent:
	case x.s != nil:
		x.v.Outcome, x.v.Class, x.v.Meaning, x.v.Advice = Unknown, retry.Ambiguous, UnknownOutcome, AdviseVerify
	default:
		x.v.Outcome, x.v.Meaning = NoOrder, UnknownOutcome
		if x.from.Context().Err() != nil {
			x.v.Class = retry.DefaultClassify(err) // the caller's will
		}
	}
	x.finish(sent, false)
	return retry.Mark(err, x.v.Class)
}

// abandon ends a request whose base, or whose Desk, panicked.
func (x *trip) abandon() {
	if x.done {
		return
	}
	x.v = Verdict{Kind: x.r.kind, Outcome: Unknown, Class: retry.Ambiguous, Meaning: UnknownOutcome, Advice: AdviseVerify}
	if !x.taken {
		closeBody(x.from)
	}
	x.finish(x.req.URL != nil, false)
}

// finish ends a request once. sent says that its cost stays spent; good that the venue talks to us.
func (x *trip) finish(sent, good bool) {
	x.done = true
	x.t.limits.settle(&x.g, sent)
	if x.t.bans.leave(&x.pass, good) {
		x.t.limits.comeBack(x.t.limits.now().local)
	}
	x.tell()
}

// tell hands the verdict over.
func (x *trip) tell() {
	ctx := x.from.Context()
	if v, ok := ctx.Value(verdictKey{}).(*Verdict); ok {
		*v = x.v
	}
	if x.begun {
		x.begun = false
		x.t.Desk.End(ctx, x.s, &x.v)
	}
}

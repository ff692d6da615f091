package exchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// A trip is one request, from the SDK to the base and back. Its memory is used again for others.
type trip struct {
	t    *Transport
	from *http.Request // as the SDK made it
	c    *cargo        // what is sent; nil before
	more *guarded      // of guarded requests: holds c
	buf  []byte        // for the body

	r     request
	learn string
	g     grant
	pass  pass
	sent  time.Time
	s     *Sending // of guarded requests
	begun bool     // the Desk wants to hear the end
	taken bool     // the body is ours, or the base's
	done  bool
	v     Verdict
}

// A cargo is what the base gets, which may keep it for as long as it likes.
type cargo struct {
	req   http.Request
	trace httptrace.ClientTrace
	asked atomic.Bool // for a connection, so the base is one that reports
	got   atomic.Bool // a connection. Headers beyond 4 KiB leave before anything else is reported, so nothing later proves that none did
}

// A guarded cargo is that of a guarded request, with what the Desk and the SDK may keep. Each of them mostly keeps it as long
// as the others do, and one piece of memory is cheaper than four.
type guarded struct {
	cargo
	body    strings.Reader
	sending Sending
	answer  whole
}

// trips are those that nobody is on.
var trips = sync.Pool{New: func() any { return new(trip) }}

// mostKept is how large a buffer may be that is kept.
const mostKept = 64 << 10

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
		if err := x.readBody(); err != nil {
			return err
		}
		rd.body, rd.text = x.buf, string(x.buf)
		x.more = &guarded{}
		x.s = &x.more.sending
		t.Profile.sending(x.s, x.r.kind, t.Account, &rd)
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
	if x.g.waited && t.over(x.s) {
		return errOver
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
	x.sent = time.Now()
	if err := t.limits.depart(x.sent, &x.r, &x.g); err != nil {
		return err
	}
	x.prepare(ctx, rd.text)
	return nil
}

// errOver is why a request was not sent that the venue would not take any more.
var errOver = retry.Mark(errors.New("exchange: the wait for the rate limit was longer than what the request was signed for; sign it again"), retry.Transient)

// over says that the venue does not accept a request any more, whatever its clock shows within the error of our estimate.
func (t *Transport) over(s *Sending) bool {
	if s == nil || s.Deadline.IsZero() {
		return false
	}
	now, off, heard := t.clock.Now()
	return heard && now.Add(-off).After(s.Deadline)
}

// readBody reads the body of a guarded request into memory.
func (x *trip) readBody() error {
	if x.from.Body == nil || x.from.Body == http.NoBody {
		return nil
	}
	x.taken = true
	defer x.from.Body.Close()
	var err error
	x.buf, err = readMost(x.buf, x.from.Body, maxBody)
	if err == nil && len(x.buf) > maxBody {
		err = errors.New("longer than 1 MiB")
	}
	if err != nil {
		return retry.Mark(fmt.Errorf("exchange: body of %s %s: %w", x.from.Method, x.from.URL.Path, err), retry.Permanent)
	}
	return nil
}

// readMost appends what r holds, but at most one byte more than most.
func readMost(b []byte, r io.Reader, most int) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, 512)
		}
		n, err := r.Read(b[len(b):min(cap(b), most+1)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil || len(b) > most:
			return b, err
		}
	}
}

// prepare makes the request that is sent.
func (x *trip) prepare(ctx context.Context, body string) {
	var c *cargo
	if x.more != nil {
		c = &x.more.cargo
	} else {
		c = &cargo{}
	}
	c.trace.GetConn = func(string) { c.asked.Store(true) }
	c.trace.GotConn = func(httptrace.GotConnInfo) { c.got.Store(true) }
	c.req = *x.from.WithContext(httptrace.WithClientTrace(ctx, &c.trace))
	x.c, x.taken = c, true
	if x.s == nil {
		return
	}
	if len(body) > 0 {
		x.more.body.Reset(body)
		c.req.Body, c.req.ContentLength = io.NopCloser(&x.more.body), int64(len(body)) // which net/http knows to be in memory
	}
	x.strip()
	freeze(&c.req)
}

// strip takes away the headers with which net/http repeats any request when a connection that was used before breaks. To
// it an empty list is one, too.
func (x *trip) strip() {
	for _, name := range x.t.names.strip {
		for have := range x.c.req.Header {
			if len(have) == len(name) && http.CanonicalHeaderKey(have) == name {
				h := x.c.req.Header.Clone()
				delete(h, have)
				x.c.req.Header = h
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
	sent := x.c.got.Load() || !x.c.asked.Load()
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
	if sent {
		x.t.limits.unanswered(&x.g)
	}
	x.finish(sent, false)
	return retry.Mark(err, x.v.Class)
}

// leave ends the use of a trip. It is still under way if its base, or its Desk, panicked.
func (x *trip) leave() {
	if x.done {
		x.clear()
		trips.Put(x)
		return
	}
	x.v = Verdict{Kind: x.r.kind, Outcome: Unknown, Class: retry.Ambiguous, Meaning: UnknownOutcome, Advice: AdviseVerify}
	if !x.taken {
		closeBody(x.from)
	}
	x.finish(x.c != nil, false)
}

// clear readies a trip for the next request. What the next grant writes over stays: it is the larger part.
func (x *trip) clear() {
	x.buf = x.buf[:0]
	if cap(x.buf) > mostKept {
		x.buf = nil
	}
	x.t, x.from, x.c, x.more, x.s = nil, nil, nil, nil, nil
	x.r, x.learn, x.pass, x.v = request{}, "", pass{}, Verdict{}
	x.g.parts, x.g.taken, x.g.waited = nil, false, false
	x.begun, x.taken, x.done = false, false, false
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
		x.t.Desk.End(ctx, x.s, new(x.v))
	}
}

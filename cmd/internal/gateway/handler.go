package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// connKey finds the connection of a request.
type connKey struct{}

// ServeHTTP takes a request from a client to its upstream, and the answer back.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.inside.Add(1)
	defer g.inside.Done()
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		// By RFC 9112 §6.1 nothing is read from this connection after a request that could be read in two ways.
		w.Header().Set("Connection", "close")
	}
	now := g.live.Load()
	if p, bad := g.suspect(now, r); bad {
		g.refuse(nil, w, p)
		return
	}
	one := now.routes.find(r.Host, r.URL.Path)
	if one == nil {
		g.refuse(nil, w, problem{kind: noRoute, outcome: notSent, detail: "no route of this proxy takes " + quoteShort(r.Host+r.URL.Path)})
		return
	}
	v := &visit{route: one, idle: now.idle}
	for _, s := range one.secrets {
		value, err := s.get()
		if err != nil {
			g.log.Error("a credential is missing, so nothing is forwarded", "route", one.match, "error", err)
			g.refuse(one, w, problem{kind: noSecret, outcome: notSent, detail: "the proxy cannot read the credential for the header " + s.Header + "; nothing was forwarded"})
			return
		}
		v.secrets = append(v.secrets, value)
	}
	conn := http.NewResponseController(w)
	ctx := context.WithValue(r.Context(), visitKey{}, v)
	if one.venue != nil {
		ctx, v.verdict = exchange.WithVerdict(ctx)
	}
	if n := attemptsAbove(r.Header); n > 0 {
		ctx = retry.WithPreviousAttempts(ctx, n)
	}
	r = r.WithContext(ctx) // a copy: the server needs its own
	if r.Body != nil && r.Body != http.NoBody {
		taken, p, bad := g.receive(v, r, conn)
		defer g.room.give(taken)
		if bad {
			g.refuse(one, w, p)
			return
		}
	}
	client := &patient{ResponseWriter: w, conn: conn, idle: now.idle}
	one.proxy.ServeHTTP(client, r)
	client.extend(time.Now())
	if !v.done {
		one.results[forwarded].Add(1)
	}
}

// attemptsAbove is what the callers of a request say of their own attempts, so that retries do not multiply.
func attemptsAbove(h http.Header) (n int) {
	if len(h["Relent-Attempt"])+len(h["Grpc-Previous-Rpc-Attempts"])+len(h["X-Envoy-Attempt-Count"])+len(h["Amz-Sdk-Request"]) == 0 {
		return 0
	}
	look := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { n = retry.PreviousAttempts(r.Context()) })
	retryhttp.Handler(look).ServeHTTP(nil, &http.Request{Header: h})
	return n
}

// suspect says what is wrong with a request before anybody looks where it goes.
func (g *Gateway) suspect(now *table, r *http.Request) (problem, bool) {
	bad := func(kind result, format string, args ...any) (problem, bool) {
		return problem{kind: kind, outcome: notSent, detail: fmt.Sprintf(format, args...)}, true
	}
	path := r.URL.Path
	if c, ok := r.Context().Value(connKey{}).(*sniffed); ok && c.both.Load() && len(r.TransferEncoding) > 0 {
		return bad(malformed, "it has both a Content-Length and a Transfer-Encoding, and its end could be read in two ways (RFC 9112 §6.1)")
	}
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return bad(noMethod, "this proxy does not do %s", r.Method)
	case path == "" || path[0] != '/':
		return bad(malformed, "the target %s is no path", quoteShort(path))
	case strings.Contains(path, "/.") && dots(path):
		return bad(malformed, "the path has dot segments, and could lead to another route than it says")
	case strings.ContainsRune(path, 0) || strings.ContainsRune(path, '\\'):
		return bad(malformed, "the path has characters that servers read in different ways")
	case strings.ContainsAny(r.URL.RawQuery, ";%"):
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			return bad(malformed, "the query cannot be read: %v", err)
		}
	}
	hops := 0
	for _, line := range r.Header["Via"] {
		for entry := range strings.SplitSeq(line, ",") {
			hops++
			if f := strings.Fields(entry); len(f) > 1 && f[1] == g.name {
				return bad(looped, "it has passed this proxy before: the upstream of a route leads back here")
			}
		}
	}
	if hops >= now.hops {
		return bad(looped, "it has passed %d proxies, and may pass %d (max_hops)", hops, now.hops)
	}
	return problem{}, false
}

// dots says whether a path has segments that lead elsewhere.
func dots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func quoteShort(text string) string {
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return strconv.Quote(text)
}

// receive reads the body of a request, or as much of it as is kept.
func (g *Gateway) receive(v *visit, r *http.Request, conn *http.ResponseController) (taken int64, p problem, bad bool) {
	one := v.route
	if r.ContentLength > one.maxBody {
		return 0, v.ended(errTooLarge), true
	}
	v.body = &incoming{ReadCloser: r.Body, conn: conn, idle: v.idle, left: one.maxBody}
	whole := one.venue != nil && one.venue.profile.Kind(r.Method, r.URL.Path).Guarded() // is read into memory in any case
	most := one.replay
	if whole {
		most = min(one.maxBody, 1<<20) // of an order, exchange.Transport takes no more
		v.body.left = most
	}
	var data []byte
	all := false
	if r.ContentLength <= most {
		var err error
		data, taken, all, err = hold(v.body, r.ContentLength, most, &g.room)
		if err != nil {
			return taken, v.ended(err), true
		}
	}
	switch {
	case all:
		v.body = nil
		again(r, data)
	case whole && (r.ContentLength > most || int64(len(data)) > most):
		return taken, v.ended(errTooLarge), true
	case whole:
		return taken, problem{
			kind: crowded, outcome: notSent, after: time.Second, detail: "the memory for the bodies of requests is used up (proxy.buffer); nothing was forwarded",
		}, true
	default:
		once(r, data, v.body)
	}
	return taken, problem{}, false
}

// ended is the problem of a body that did not come to its end.
func (v *visit) ended(err error) problem {
	switch {
	case errors.Is(err, errTooLarge):
		most := v.route.maxBody
		if v.body != nil && most > 1<<20 && v.route.venue != nil {
			return problem{kind: tooLarge, outcome: notSent, detail: fmt.Sprintf("the body has more than the %d bytes of this route, or the 1 MiB of an order", most)}
		}
		return problem{kind: tooLarge, outcome: notSent, detail: fmt.Sprintf("the body has more than %d bytes (max_body)", most)}
	case errors.Is(err, errTooSlow):
		return problem{kind: tooSlow, outcome: notSent, detail: "nothing of the body came for too long (client_idle)"}
	}
	return problem{kind: malformed, outcome: notSent, detail: "the body ends before its end"}
}

// rewrite makes the request for the upstream.
func (g *Gateway) rewrite(one *route) func(*httputil.ProxyRequest) {
	return func(p *httputil.ProxyRequest) {
		p.SetURL(one.upstream)
		if one.config.KeepHost {
			p.Out.Host = p.In.Host
		}
		h := p.Out.Header
		if one.venue == nil {
			if one.config.Trust {
				h["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			}
			p.SetXForwarded()
			if g.config.Cert != "" {
				h.Set("X-Forwarded-Proto", "https") // net/http does not see TLS below what looks at the framing
			}
		} else {
			h.Del("Accept-Encoding") // what comes compressed cannot be read
			h.Del(retryhttp.DefaultAttemptHeader)
		}
		h["Via"] = append(slices.Clone(p.In.Header["Via"]), fmt.Sprintf("%d.%d %s", p.In.ProtoMajor, p.In.ProtoMinor, g.name))
		h.Del("Expect")
		for i, value := range visitOf(p.In.Context()).secrets {
			h.Set(one.secrets[i].Header, value)
		}
	}
}

// errLost stands for the answer to an order that proves nothing.
var errLost = errors.New("outcome unknown")

// answer looks at what came back.
func (g *Gateway) answer(resp *http.Response) error {
	v := visitOf(resp.Request.Context())
	e := retryhttp.Reason(resp)
	if v.lost() {
		if v.attempts = 1; e != nil {
			v.attempts = e.Attempts
		}
		return errLost
	}
	if e != nil && e.Attempts > 1 {
		resp.Header.Set("Relent-Attempts", strconv.Itoa(e.Attempts))
	}
	return nil
}

// failed answers for an upstream that did not.
func (g *Gateway) failed(w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r.Context())
	v.done = true
	p := v.problemOf(r, err)
	level := g.log.Debug
	if p.kind == unknown {
		level = g.log.Warn
	}
	level("not answered by the upstream", "route", v.route.match, "result", string(p.kind), "client_order_id", v.order.ClientID, "error", err)
	g.refuse(v.route, w, p)
}

// refuse answers with a problem, and counts it.
func (g *Gateway) refuse(one *route, w http.ResponseWriter, p problem) {
	counts := g.results
	if one != nil {
		counts = one.results
	}
	counts[p.kind].Add(1)
	switch p.kind {
	case malformed, noMethod, looped, tooLarge, tooSlow:
		w.Header().Set("Connection", "close") // there may be more of it
	}
	conn, until := http.NewResponseController(w), time.Now().Add(g.live.Load().idle)
	conn.SetReadDeadline(until) // for what is left of the body, which net/http reads
	conn.SetWriteDeadline(until)
	p.write(w)
}

// problemOf says what happened, and what is known about the request.
func (v *visit) problemOf(r *http.Request, err error) problem {
	e, _ := errors.AsType[*retry.Error](err)
	attempts := v.attempts
	why := err
	if e != nil {
		attempts = e.Attempts
		if e.Last != nil {
			why = e.Last
		}
	}
	if v.lost() {
		reason := "its answer proves nothing"
		switch {
		case v.verdict.Err != nil:
			reason = plain(v.verdict.Err)
		case v.verdict.Status != 0:
			reason = fmt.Sprintf("http %d %s", v.verdict.Status, v.verdict.Message)
		}
		return v.unknownOutcome(attempts, strings.TrimSpace(reason))
	}
	if v.body != nil && v.body.err != nil && (errors.Is(v.body.err, errTooLarge) || errors.Is(v.body.err, errTooSlow)) {
		p := v.ended(v.body.err)
		p.outcome = maybeWas // the beginning has left
		return p
	}
	p := problem{attempts: attempts, after: retry.Hint(err), outcome: notSent}
	_, banned := errors.AsType[*exchange.BanError](err)
	_, limit := errors.AsType[*exchange.LimitError](err)
	switch {
	case r.Context().Err() != nil:
		p.kind, p.detail, p.outcome = abandoned, "the client did not wait for the answer", maybeWas
		return p
	case errors.Is(err, halt.ErrHalted), errors.Is(err, halt.ErrDraining):
		p.kind, p.detail = stopped, "an emergency stop forbids it: "+err.Error()
	case banned, limit:
		p.kind, p.detail = limited, err.Error()
	case attempts == 0 && e != nil:
		p.kind, p.detail = refused, "a gate refused it: "+plain(e.Reason)
	default:
		class := retry.DefaultClassify(why)
		switch {
		case class == retry.Ambiguous && timedOut(why):
			p.kind, p.detail = late, "the upstream did not answer in time: "+plain(why)
		case class == retry.Ambiguous:
			p.kind, p.detail = broken, "the upstream broke off, or what it answered is no HTTP: "+plain(why)
		case class == retry.Permanent:
			p.kind, p.detail = broken, "the request cannot be sent to the upstream: "+plain(why)
		default:
			p.kind, p.detail = unreachable, "the upstream cannot be reached: "+plain(why)
		}
		if class == retry.Ambiguous || attempts > 1 && v.route.policy().Idempotent {
			p.outcome = maybeWas
		}
	}
	if p.outcome == maybeWas && safe(r.Method) {
		p.outcome = "" // nothing was to be done
	}
	return p
}

// plain is an error without the addresses of the upstream, which are nobody's business.
func plain(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}

func timedOut(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return errors.Is(err, retry.ErrAttemptTimeout) || ok && t.Timeout()
}

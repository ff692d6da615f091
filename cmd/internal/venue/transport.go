package venue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// A Transport is an http.RoundTripper that hands requests to a venue in the same process, without sockets. What a
// network would show of a fault it shows as well:
//
//   - a refused connect is a *net.OpError of a dial, and no GotConn of httptrace is called;
//   - a cut connection is io.EOF, a reset one a *net.OpError with syscall.ECONNRESET;
//   - a cut body ends with io.ErrUnexpectedEOF;
//   - a client that gives up gets the cause of its context, and the venue goes on with the request.
//
// httptrace hooks are called as net/http does: GetConn, GotConn, WroteHeaderField, WroteHeaders, WroteRequest,
// GotFirstResponseByte. Unlike net/http it repeats nothing by itself. A request to upgrade gets a connection in memory,
// so coder/websocket dials through it too.
//
// In a testing/synctest bubble all its time is virtual. It is safe for concurrent use. Each request has a goroutine
// that ends with the venue's part of it, at the latest with Venue.Close, which waits for it.
type Transport struct {
	Address string        // of the client, as host:port, for limits and the log; default 192.0.2.1:1024
	Latency time.Duration // of the network, each way; 0 and less mean none

	venue *Venue
}

// Transport returns a way to the venue without sockets. The host of a URL does not matter.
func (v *Venue) Transport() *Transport { return &Transport{venue: v} }

// Client returns an http.Client that uses Transport.
func (v *Venue) Client() *http.Client { return &http.Client{Transport: v.Transport()} }

const (
	memoryClient = "192.0.2.1:1024" // RFC 5737: an address for documentation
	memoryServer = "198.51.100.1:443"
)

// A passage is a request between the client and the venue.
type passage struct {
	state  atomic.Int32 // who came first
	done   chan struct{}
	answer Answer
	how    Delivery
	reset  bool
	header http.Header
}

const (
	underWay int32 = iota
	answered
	abandoned
)

// RoundTrip sends r to the venue.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	body, bodyErr := readBody(r)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace == nil {
		trace = &httptrace.ClientTrace{}
	}
	host := r.URL.Host
	if trace.GetConn != nil {
		trace.GetConn(host)
	}
	c := &call{
		method: methodOf(r), path: r.URL.Path, remote: t.address(), query: r.URL.RawQuery,
	}
	t.venue.take(c, r.Header, body)
	if !t.venue.wait(0) || t.venue.refuses(c) {
		return nil, &net.OpError{
			Op: "dial", Net: "tcp", Addr: memoryAddr(memoryServer), Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}
	}
	client, _ := newPipe(t.address(), memoryServer)
	if trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{Conn: client})
	}
	if trace.WroteHeaderField != nil {
		for name, values := range r.Header {
			trace.WroteHeaderField(name, values)
		}
	}
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{Err: bodyErr})
	}
	if bodyErr != nil { // the venue got half a request and does nothing with it
		return nil, bodyErr
	}
	if r.Header.Get("Upgrade") != "" || isFeed(c.path) {
		return t.upgrade(r, c, trace)
	}
	p := &passage{done: make(chan struct{})}
	if !t.venue.spawn(func() { t.carry(c, p) }) {
		return nil, io.EOF
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(underWay, abandoned) {
			return nil, context.Cause(ctx)
		}
		<-p.done // the answer came first
	}
	return p.result(r, client, trace)
}

func (t *Transport) address() string {
	if t.Address == "" {
		return memoryClient
	}
	return t.Address
}

func methodOf(r *http.Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	return body, errors.Join(err, r.Body.Close())
}

// carry takes a request through the venue. The client may leave at any time; whether it or the answer came first is
// decided once.
func (t *Transport) carry(c *call, p *passage) {
	v := t.venue
	defer close(p.done)
	p.how = Nothing
	if !v.wait(t.Latency) {
		return
	}
	a, d := v.answer(c)
	if d != Nothing && !v.wait(t.Latency) || !p.state.CompareAndSwap(underWay, answered) {
		d = Nothing
	}
	v.record(c, a, d)
	p.answer, p.how, p.reset, p.header = a, d, c.reset, v.header(c, a)
}

// result is what the client sees of an answer.
func (p *passage) result(r *http.Request, conn net.Conn, trace *httptrace.ClientTrace) (*http.Response, error) {
	switch {
	case p.how == Nothing && p.reset:
		return nil, &net.OpError{
			Op: "read", Net: "tcp", Source: conn.LocalAddr(), Addr: conn.RemoteAddr(),
			Err: os.NewSyscallError("read", syscall.ECONNRESET),
		}
	case p.how == Nothing:
		return nil, io.EOF
	}
	if trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	body := &answerBody{ctx: r.Context(), rest: bytes.NewReader(p.answer.Body), end: io.EOF}
	if p.how == Cut {
		body.rest, body.end = bytes.NewReader(p.answer.Body[:len(p.answer.Body)/2]), io.ErrUnexpectedEOF
	}
	return &http.Response{
		Status: strconv.Itoa(p.answer.Status) + " " + http.StatusText(p.answer.Status), StatusCode: p.answer.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: p.header, Body: body,
		ContentLength: int64(len(p.answer.Body)), Request: r,
	}, nil
}

// An answerBody can be read until its request's context ends.
type answerBody struct {
	ctx  context.Context // of the request, as in net/http
	rest *bytes.Reader
	end  error
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.rest.Read(p)
	if err != nil {
		err = b.end
	}
	return n, err
}

func (b *answerBody) Close() error { return nil }

var (
	_ http.RoundTripper = (*Transport)(nil)
)

package venue

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
)

// upgrade gives a request a connection in memory, over which its answer comes: a switch of protocols, an event stream,
// or a refusal. c has been numbered.
func (t *Transport) upgrade(r *http.Request, c *call, trace *httptrace.ClientTrace) (*http.Response, error) {
	client, server := newPipe(t.address(), memoryServer)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	stop := context.AfterFunc(r.Context(), func() { _ = client.Close() })
	in := r.Clone(ctx)
	in.RemoteAddr, in.Proto, in.ProtoMajor, in.ProtoMinor, in.Body = t.address(), "HTTP/1.1", 1, 1, http.NoBody
	w := &memoryWriter{conn: server, header: http.Header{}}
	started := t.venue.spawn(func() {
		defer cancel()
		defer w.finish()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
		}()
		if t.venue.wait(t.Latency) {
			t.venue.serveFeed(w, in, c)
		}
	})
	if !started {
		cancel()
		return nil, io.EOF
	}
	br := bufio.NewReader(client)
	resp, err := http.ReadResponse(br, r)
	if err != nil {
		stop()
		_ = client.Close()
		cancel()
		if r.Context().Err() != nil {
			return nil, context.Cause(r.Context())
		}
		return nil, io.EOF
	}
	if trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	body := &memoryBody{Reader: resp.Body, conn: client, cancel: cancel}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		stop() // a switched connection outlives the context of the request that asked for it; an event stream does not
		body.Reader = br
	}
	resp.Body = body
	return resp, nil
}

// A memoryBody is an answer over a connection in memory; after a switch of protocols it can be written to.
type memoryBody struct {
	io.Reader
	conn   net.Conn
	cancel func()
}

func (b *memoryBody) Write(p []byte) (int, error) { return b.conn.Write(p) }

func (b *memoryBody) Close() error {
	b.cancel()
	return b.conn.Close()
}

// A memoryWriter writes an answer that ends with its connection.
type memoryWriter struct {
	conn   net.Conn
	header http.Header

	mu    sync.Mutex
	wrote bool // guarded by mu
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrote {
		return
	}
	w.wrote = true
	var head strings.Builder
	fmt.Fprintf(&head, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	_ = w.header.Write(&head) // a strings.Builder takes everything
	if status != http.StatusSwitchingProtocols {
		head.WriteString("Connection: close\r\n")
	}
	head.WriteString("\r\n")
	_, _ = io.WriteString(w.conn, head.String()) // the client may have left
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.conn.Write(b)
}

// Flush does nothing: what is written has arrived.
func (w *memoryWriter) Flush() { w.WriteHeader(http.StatusOK) }

func (w *memoryWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// finish ends the connection, which whoever hijacked it may have done.
func (w *memoryWriter) finish() { _ = w.conn.Close() }

var (
	_ http.Hijacker      = (*memoryWriter)(nil)
	_ http.Flusher       = (*memoryWriter)(nil)
	_ io.ReadWriteCloser = (*memoryBody)(nil)
)

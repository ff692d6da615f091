package gateway

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// A sniffed connection remembers whether the headers of a request had both a Content-Length and a Transfer-Encoding: by
// RFC 9112 §6.1 somebody may be smuggling, and net/http does not say that it dropped one of them.
type sniffed struct {
	net.Conn
	both atomic.Bool

	// Below is used by one goroutine at a time, that which reads.
	armed          bool // the next bytes are headers
	line           [len("transfer-encoding") + 1]byte
	filled         int // of line; more than it holds for a long line
	length, coding bool

	rearm atomic.Bool
	leave func()
	once  sync.Once
}

// Read looks at what is read.
func (c *sniffed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.rearm.Swap(false) {
		c.armed, c.filled, c.length, c.coding = true, 0, false, false
	}
	if c.armed {
		c.look(p[:n])
	}
	return n, err
}

// look reads headers up to the empty line.
func (c *sniffed) look(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if c.filled < len(c.line) {
			c.filled += copy(c.line[c.filled:], part)
		}
		if end < 0 {
			return
		}
		p = p[end+1:]
		name, _, field := bytes.Cut(c.line[:c.filled], []byte{':'})
		switch {
		case field && bytes.EqualFold(name, []byte("content-length")):
			c.length = true
		case field && bytes.EqualFold(name, []byte("transfer-encoding")):
			c.coding = true
		case len(bytes.TrimRight(c.line[:c.filled], "\r")) == 0:
			c.armed = false
			c.both.Store(c.length && c.coding)
			return
		}
		c.filled = 0
	}
}

// Close closes the connection and leaves its place to another.
func (c *sniffed) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// CloseWrite closes the sending half, if the connection has halves.
func (c *sniffed) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// A doorman is a listener with a number of places: while they are taken, nobody is let in.
type doorman struct {
	net.Listener
	secure *tls.Config // nil: clients speak in the clear
	places chan struct{}
	inside atomic.Int64
	closed chan struct{}
	once   sync.Once
}

func newDoorman(l net.Listener, places int, secure *tls.Config) *doorman {
	return &doorman{Listener: l, secure: secure, places: make(chan struct{}, places), closed: make(chan struct{})}
}

// Accept waits for a place, then for a client.
func (d *doorman) Accept() (net.Conn, error) {
	select {
	case d.places <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	c, err := d.Listener.Accept()
	if err != nil {
		<-d.places
		return nil, err
	}
	d.inside.Add(1)
	if d.secure != nil {
		c = tls.Server(c, d.secure) // the handshake is part of reading the first headers, and of their time
	}
	return &sniffed{Conn: c, armed: true, leave: func() { d.inside.Add(-1); <-d.places }}, nil
}

// Close ends the waiting, too.
func (d *doorman) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// idle is told when a connection waits for its next request.
func idle(c net.Conn, state http.ConnState) {
	if s, ok := c.(*sniffed); ok && state == http.StateIdle {
		s.rearm.Store(true)
	}
}

package venue

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBuffer is how many bytes wait in one direction of an in-memory connection before a writer has to wait.
const pipeBuffer = 64 << 10

// A memoryAddr is an address that no network knows.
type memoryAddr string

func (memoryAddr) Network() string  { return "tcp" }
func (a memoryAddr) String() string { return string(a) }

// newPipe returns the two ends of a connection in memory. Unlike net.Pipe it holds some bytes, so that two ends that
// both write do not wait for each other. It waits on channels only, which virtual time understands.
func newPipe(client, server string) (c, s *memoryConn) {
	up, down := newStream(), newStream()
	c = &memoryConn{in: down, out: up, local: memoryAddr(client), remote: memoryAddr(server)}
	s = &memoryConn{in: up, out: down, local: memoryAddr(server), remote: memoryAddr(client)}
	return c, s
}

// A memoryConn is one end of a connection in memory. It is safe for concurrent use.
type memoryConn struct {
	in, out       *stream
	local, remote memoryAddr
}

func (c *memoryConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *memoryConn) Write(b []byte) (int, error) { return c.out.write(b) }
func (c *memoryConn) LocalAddr() net.Addr         { return c.local }
func (c *memoryConn) RemoteAddr() net.Addr        { return c.remote }
func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}
func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // neither fails
	return c.SetWriteDeadline(t)
}

// Close ends both directions; what was written can still be read.
func (c *memoryConn) Close() error {
	c.out.close()
	c.in.abandon()
	return nil
}

// A stream is one direction of a connection in memory.
type stream struct {
	mu              sync.Mutex
	data            []byte        // guarded by mu, as are the fields below
	ended           bool          // the writer has closed
	gone            bool          // the reader has closed
	readBy, writeBy time.Time     // deadlines
	changed         chan struct{} // closed and replaced at each change
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// wake tells those that wait to look again. The caller holds mu.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) set(flag *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*flag = true
	s.wake()
}

func (s *stream) close()   { s.set(&s.ended) }
func (s *stream) abandon() { s.set(&s.gone) }

func (s *stream) setDeadline(which *time.Time, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*which = t
	s.wake()
}

func (s *stream) read(b []byte) (int, error) {
	for {
		s.mu.Lock()
		switch {
		case s.gone:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case len(s.data) > 0:
			n := copy(b, s.data)
			s.data = s.data[n:]
			s.wake()
			s.mu.Unlock()
			return n, nil
		case s.ended:
			s.mu.Unlock()
			return 0, io.EOF
		}
		if err := s.await(&s.readBy); err != nil {
			return 0, err
		}
	}
}

func (s *stream) write(b []byte) (n int, err error) {
	for {
		s.mu.Lock()
		if s.ended || s.gone {
			s.mu.Unlock()
			return n, io.ErrClosedPipe
		}
		if room := pipeBuffer - len(s.data); room > 0 {
			k := min(room, len(b)-n)
			s.data = append(s.data, b[n:n+k]...)
			n += k
			s.wake()
			if n == len(b) {
				s.mu.Unlock()
				return n, nil
			}
		}
		if err := s.await(&s.writeBy); err != nil {
			return n, err
		}
	}
}

// await gives mu back and returns at the next change, or with an error at the deadline.
func (s *stream) await(by *time.Time) error {
	changed, deadline := s.changed, *by
	s.mu.Unlock()
	if deadline.IsZero() {
		<-changed
		return nil
	}
	left := time.Until(deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
	return nil
}

var _ net.Conn = (*memoryConn)(nil)

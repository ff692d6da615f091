package chaos

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// A Conn is a network connection with faults. It must be given the connection below; without other fields it
// changes nothing. It is as safe for concurrent use as the connection below.
//
// Delays and hangs last until the connection is closed; deadlines do not end them.
type Conn struct {
	net.Conn
	ReadLimit  int64         // bytes that may be read before the connection is cut; 0 means no limit, negative none
	WriteLimit int64         // bytes that may be written before the connection is cut; as ReadLimit
	Delay      time.Duration // before each read and write
	Reset      bool          // a TCP connection is cut with a RST, so that the other side learns of it the hard way
	Injector   *Injector     // decides about the operations read and write; nil lets all pass

	mu            sync.Mutex
	read, written int64
	open          context.Context // until Close
	close         context.CancelFunc
}

// Dial returns dial with faults, as the operation dial. Its connections are a *Conn like shape, which may be nil; its
// Conn and Injector do not count.
func Dial(i *Injector, dial func(ctx context.Context, network, address string) (net.Conn, error), shape *Conn) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return Do(ctx, i, "dial", func(ctx context.Context) (net.Conn, error) {
			inner, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return shaped(inner, i, shape), nil
		})
	}
}

// Read reads up to the limit.
func (c *Conn) Read(p []byte) (int, error) {
	return c.transfer("read", c.ReadLimit, &c.read, p, c.Conn.Read)
}

// Write writes up to the limit. What exceeds it is not sent, and what came before it is.
func (c *Conn) Write(p []byte) (int, error) {
	return c.transfer("write", c.WriteLimit, &c.written, p, c.Conn.Write)
}

func (c *Conn) transfer(op string, limit int64, moved *int64, p []byte, f func([]byte) (int, error)) (int, error) {
	ctx := c.context()
	h := c.Injector.next(op)
	if c.Delay > 0 {
		wait(ctx, c.Delay)
	}
	if err := h.before(ctx); err != nil {
		return 0, c.end(h, err)
	}
	short := false
	if limit != 0 {
		c.mu.Lock()
		left := max(0, limit-*moved)
		c.mu.Unlock()
		// A read that reaches the limit still succeeds: the next one finds the connection cut.
		short = left == 0 || op == "write" && int64(len(p)) > left
		p = p[:min(int64(len(p)), left)]
	}
	n, err := 0, error(nil)
	if len(p) > 0 || !short {
		n, err = f(p)
	}
	c.mu.Lock()
	*moved += int64(n)
	c.mu.Unlock()
	if short && err == nil {
		h.fault = Cut
		return n, c.end(h, &Error{Op: op, Fault: Cut, Err: syscall.ECONNRESET})
	}
	if lost := h.after(ctx); lost != nil {
		return 0, c.end(h, lost)
	}
	return n, err
}

// end cuts the connection if the fault does.
func (c *Conn) end(h hit, err error) error {
	if h.cuts() {
		if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok && c.Reset {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	return err
}

// Close closes the connection, and ends what hangs.
func (c *Conn) Close() error {
	c.context()
	c.close()
	return c.Conn.Close()
}

func (c *Conn) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open, c.close = context.WithCancel(context.Background())
	}
	return c.open
}

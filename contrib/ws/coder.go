package ws

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/transport/retryws"
)

// Coder dials with github.com/coder/websocket. The zero value is ready; it is safe for concurrent use, and
// not modified while in use.
type Coder struct {
	// Options are those of the library; its HTTPHeader and OnPingReceived are added to. nil means its defaults. Its HTTPClient
	// must not retry: that is the session's.
	Options   *websocket.DialOptions
	ReadLimit int64 // of one message, in bytes; not positive means 4 MiB
}

var _ retryws.Dialer = (*Coder)(nil)

// Dial implements [retryws.Dialer].
func (d *Coder) Dial(ctx context.Context, to retryws.Address, heard func()) (retryws.Conn, error) {
	var o websocket.DialOptions
	if d.Options != nil {
		o = *d.Options
	}
	o.HTTPHeader = header(o.HTTPHeader, to.Header)
	before := o.OnPingReceived
	o.OnPingReceived = func(ctx context.Context, payload []byte) bool {
		heard()
		return before == nil || before(ctx, payload)
	}
	c, resp, err := websocket.Dial(ctx, to.URL, &o)
	if err != nil {
		return nil, refused(resp, err)
	}
	c.SetReadLimit(limit(d.ReadLimit))
	return &coderConn{c: c}, nil
}

type coderConn struct {
	c *websocket.Conn

	outer context.Context // of the last Read
	inner context.Context // the same, but Close can end it, too

	mu     sync.Mutex
	cancel context.CancelFunc // of inner
}

// within makes inner anew only when Read is called with another context: a session never does.
func (c *coderConn) within(ctx context.Context) context.Context {
	if ctx != c.outer {
		inner, cancel := context.WithCancel(ctx)
		c.hangUp()
		c.outer, c.inner = ctx, inner
		c.mu.Lock()
		c.cancel = cancel
		c.mu.Unlock()
	}
	return c.inner
}

// hangUp ends a Read that waits, and with it the connection.
func (c *coderConn) hangUp() {
	c.mu.Lock()
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (c *coderConn) Read(ctx context.Context) ([]byte, error) {
	_, m, err := c.c.Read(c.within(ctx))
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return nil, &retryws.CloseError{Code: retryws.CloseTooBig, Reason: "message above ReadLimit"}
	}
	return m, coderError(ctx, err)
}

func (c *coderConn) Write(ctx context.Context, m []byte) error {
	return coderError(ctx, c.c.Write(ctx, websocket.MessageText, m))
}

func (c *coderConn) Ping(ctx context.Context) error { return coderError(ctx, c.c.Ping(ctx)) }

// Close cuts the library's own wait for the answer short, which is 5 s while a Read waits.
func (c *coderConn) Close(code int) error {
	if code == 0 {
		defer c.hangUp()
		return coderClosed(c.c.CloseNow())
	}
	timer := time.AfterFunc(lastWords, c.hangUp)
	defer timer.Stop()
	defer c.hangUp() // lets go of the context
	return coderClosed(c.c.Close(websocket.StatusCode(code), ""))
}

func coderClosed(err error) error {
	if gone(err) || websocket.CloseStatus(err) != -1 {
		return nil
	}
	return err
}

// coderError prefers the end of ctx to what it did to the connection.
func coderError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[websocket.CloseError](err); ok {
		return &retryws.CloseError{Code: int(e.Code), Reason: e.Reason}
	}
	return err
}

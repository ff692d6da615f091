package ws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/relent-go/relent/transport/retryws"
)

// Gorilla dials with github.com/gorilla/websocket. The zero value is ready; it is safe for concurrent use, and not
// modified while in use.
type Gorilla struct {
	Dialer    *websocket.Dialer // nil means the proxy of the environment, and the library's defaults
	Header    http.Header       // of the handshake; the session's are added to it
	ReadLimit int64             // of one message, in bytes; not positive means 4 MiB
}

var _ retryws.Dialer = (*Gorilla)(nil)

// Dial implements [retryws.Dialer].
func (d *Gorilla) Dial(ctx context.Context, to retryws.Address, heard func()) (retryws.Conn, error) {
	dialer := d.Dialer
	if dialer == nil {
		dialer = &websocket.Dialer{Proxy: http.ProxyFromEnvironment}
	}
	ws, resp, err := dialer.DialContext(ctx, to.URL, header(d.Header, to.Header))
	if err != nil {
		return nil, refused(resp, err)
	}
	ws.SetReadLimit(limit(d.ReadLimit))
	c := &gorillaConn{ws: ws, pongs: make(map[string]chan struct{}), ended: make(chan struct{})}
	ws.SetPingHandler(func(payload string) error {
		heard()
		ws.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(lastWords)) // if that fails, the next write does
		return nil
	})
	ws.SetPongHandler(c.pong)
	return c, nil
}

type gorillaConn struct {
	ws    *websocket.Conn
	outer context.Context // of the last Read
	stop  func() bool     // watching it
	once  sync.Once
	ended chan struct{} // closed when Read has failed

	writing sync.Mutex // the library allows one writer

	mu    sync.Mutex
	pings uint64
	pongs map[string]chan struct{} // by payload
}

// Read watches ctx only once for as long as it stays the same: the library has no contexts.
func (c *gorillaConn) Read(ctx context.Context) ([]byte, error) {
	if ctx != c.outer {
		if c.stop != nil {
			c.stop()
		}
		c.outer, c.stop = ctx, context.AfterFunc(ctx, func() { c.ws.Close() })
	}
	_, m, err := c.ws.ReadMessage()
	if err == nil {
		return m, nil
	}
	c.once.Do(func() { close(c.ended) })
	c.stop()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, websocket.ErrReadLimit) {
		return nil, &retryws.CloseError{Code: retryws.CloseTooBig, Reason: "message above ReadLimit"}
	}
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		return nil, &retryws.CloseError{Code: e.Code, Reason: e.Text}
	}
	return nil, err
}

func (c *gorillaConn) Write(ctx context.Context, m []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	deadline, _ := ctx.Deadline()
	c.ws.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { c.ws.NetConn().SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	err := c.ws.WriteMessage(websocket.TextMessage, m)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() { // the connection's clock was a little faster
		return context.DeadlineExceeded
	}
	return err
}

func (c *gorillaConn) Ping(ctx context.Context) error {
	c.mu.Lock()
	c.pings++
	payload := strconv.FormatUint(c.pings, 10)
	answered := make(chan struct{})
	c.pongs[payload] = answered
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pongs, payload)
		c.mu.Unlock()
	}()
	deadline, _ := ctx.Deadline()
	if err := c.ws.WriteControl(websocket.PingMessage, []byte(payload), deadline); err != nil {
		return err
	}
	select {
	case <-answered:
		return nil
	case <-c.ended:
		return net.ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *gorillaConn) pong(payload string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered, ok := c.pongs[payload]; ok {
		delete(c.pongs, payload)
		close(answered)
	}
	return nil
}

// Close waits a moment for the other side's close frame, which a Read receives.
func (c *gorillaConn) Close(code int) error {
	if code != 0 {
		message := websocket.FormatCloseMessage(code, "")
		if c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(lastWords)) == nil {
			select {
			case <-c.ended:
			case <-time.After(lastWords):
			}
		}
	}
	if err := c.ws.Close(); err != nil && !gone(err) {
		return err
	}
	return nil
}

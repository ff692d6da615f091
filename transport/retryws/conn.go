package retryws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// A Conn is one open connection that carries whole messages: a websocket, or something like it.
// One goroutine reads; Write, Ping and Close may be called beside it, and beside each other.
type Conn interface {
	// Read returns the next message, which belongs to the caller. It blocks until there is one, ctx
	// ends, or the connection does. A close frame of the other side is a [*CloseError].
	Read(ctx context.Context) ([]byte, error)

	// Write sends one text message.
	Write(ctx context.Context, message []byte) error

	// Ping sends a ping frame and waits for its pong, as long as ctx allows.
	Ping(ctx context.Context) error

	// Close sends a close frame with the code and ends the connection; with code 0 it sends none. It ends a
	// Read that waits, and takes at most some seconds whatever the other side does. Closing again does nothing.
	Close(code int) error
}

// A Dialer opens connections. It must be safe for concurrent use.
type Dialer interface {
	// Dial connects and shakes hands. A refused handshake is a [*HandshakeError]. From then on the
	// connection answers ping frames by itself, and calls heard, which does not block, for each.
	Dial(ctx context.Context, to Address, heard func()) (Conn, error)
}

// An Address is where a connection goes.
type Address struct {
	URL    string
	Header http.Header // of the handshake; may be nil
}

// A HandshakeError is a handshake that was answered, but not with an open connection.
type HandshakeError struct {
	Status int           // of HTTP
	After  time.Duration // how long the answer asks to wait; 0 if it does not say
	Body   string        // the beginning of it
	Err    error         // what the library of the websocket said; may be nil
}

// Error gives the status.
func (e *HandshakeError) Error() string {
	text := fmt.Sprintf("handshake refused with http %d", e.Status)
	if e.After > 0 {
		text += fmt.Sprintf(", to be tried again in %v", e.After)
	}
	if e.Body != "" {
		text += fmt.Sprintf(": %.200q", e.Body)
	}
	return text
}

// Unwrap returns Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// Close codes (RFC 6455 §7.4.1, and the registry of it for those above 1011).
const (
	CloseNormal      = 1000
	CloseGoingAway   = 1001
	CloseUnsupported = 1003
	CloseAbnormal    = 1006
	ClosePolicy      = 1008
	CloseTooBig      = 1009
	CloseInternal    = 1011
	CloseRestart     = 1012
	CloseTryLater    = 1013
)

// A CloseError is the close frame with which the other side ended a connection.
type CloseError struct {
	Code   int
	Reason string
}

// Error gives the code and the reason.
func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed by the other side with %d", e.Code)
	}
	return fmt.Sprintf("closed by the other side with %d: %.120q", e.Code, e.Reason)
}

// Why a link ended, where no connection said so. They are found with errors.Is in [Change.Err] and in what Run returns.
var (
	ErrAuth      = errors.New("authentication refused")
	ErrHalted    = errors.New("halted")
	ErrClosed    = errors.New("closed")
	ErrTransport = errors.New("no answer to two pings in a row")
	ErrSilent    = errors.New("no message within the limit")
	ErrDead      = errors.New("three subscriptions went silent within a minute")
	ErrSlow      = errors.New("a consumer that must not lose events is full")
	ErrBuffer    = errors.New("more events waited than the buffer holds")
	ErrReplaced  = errors.New("replaced by a newer link")
	ErrRequested = errors.New("a new link was asked for")
	ErrLost      = errors.New("the link was silent, and a re-read found events that it had not brought")
	ErrExpired   = errors.New("the credentials have expired")
)

package ws

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/relent-go/relent/transport/retryhttp"
	"github.com/relent-go/relent/transport/retryws"
)

const (
	// DefaultReadLimit is what a ReadLimit of 0 means: books of thousands of levels fit.
	DefaultReadLimit = 4 << 20

	bodyLimit = 1 << 10
	lastWords = time.Second // to write a close frame, and to wait for the answer
)

// refused says what the answer to a handshake means; without an answer it returns err.
func refused(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	e := &retryws.HandshakeError{Status: resp.StatusCode, Err: err}
	e.After, _ = retryhttp.ParseHint(resp.Header, time.Now())
	if resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
		resp.Body.Close()
		e.Body = string(body)
	}
	return e
}

func limit(n int64) int64 {
	if n <= 0 {
		return DefaultReadLimit
	}
	return n
}

// gone says that closing found the connection closed, which is what was wanted.
func gone(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) }

// header returns the headers of both; those of the session win.
func header(a, b http.Header) http.Header {
	h := a.Clone()
	for name, values := range b {
		if h == nil {
			h = make(http.Header)
		}
		h[name] = values
	}
	return h
}

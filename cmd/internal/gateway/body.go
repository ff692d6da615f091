package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// A room is the memory that the bodies of all requests share.
type room struct{ free atomic.Int64 }

// take takes n bytes, all or none.
func (r *room) take(n int64) bool {
	if r.free.Add(-n) >= 0 {
		return true
	}
	r.free.Add(n)
	return false
}

func (r *room) give(n int64) { r.free.Add(n) }

// Why a body was not read to its end.
var (
	errTooLarge = errors.New("the body is larger than the route takes")
	errTooSlow  = errors.New("nothing of the body came for too long")
	errCut      = errors.New("the client broke off within the body")
)

// An incoming body is read from a client that may be slow, or send too much.
type incoming struct {
	io.ReadCloser
	conn *http.ResponseController
	idle time.Duration
	left int64 // bytes that it may still have
	err  error // why it ended; read after the end only
}

func (b *incoming) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.conn.SetReadDeadline(time.Now().Add(b.idle)) // where there is none, the server's own limits hold
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	switch {
	case b.left < 0:
		n, err = n-1, errTooLarge
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errTooSlow
	case err != io.EOF:
		err = errors.Join(errCut, err)
	default:
		b.conn.SetReadDeadline(time.Time{}) // else the deadline stays: net/http reads what is left, and must not wait for it
	}
	b.err = err
	return n, err
}

// firstBytes are what a body of unknown length gets at first.
const firstBytes = 4 << 10

// hold reads a body into memory, up to most bytes, as long as there is room. whole says that this was all of it. What it took
// of the room is returned in any case.
func hold(b *incoming, length, most int64, r *room) (data []byte, taken int64, whole bool, err error) {
	size := int64(firstBytes)
	if length >= 0 {
		size = min(length+1, 64<<10) // one byte more, so that the end is seen
	}
	size = min(size, most+1)
	for {
		if !r.take(size - taken) {
			return data, taken, false, nil
		}
		taken = size
		grown := make([]byte, len(data), size)
		copy(grown, data)
		data = grown
		for len(data) < cap(data) {
			n, err := b.Read(data[len(data):cap(data)])
			data = data[:len(data)+n]
			if err == io.EOF {
				return data, taken, true, nil
			}
			if err != nil {
				return data, taken, false, err
			}
		}
		if size > most {
			return data, taken, false, nil
		}
		size = min(2*size, most+1)
	}
}

// again makes a request that can be sent any number of times.
func again(r *http.Request, data []byte) {
	if len(data) == 0 && len(r.Trailer) == 0 {
		r.Body, r.GetBody, r.ContentLength, r.TransferEncoding = http.NoBody, nil, 0, nil
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	if len(r.Trailer) == 0 { // trailers come behind chunks only
		r.ContentLength, r.TransferEncoding = int64(len(data)), nil
	}
}

// once makes a request that can be sent one time: what was read, and then the rest.
func once(r *http.Request, data []byte, rest *incoming) {
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), rest), rest}
	r.GetBody = nil
}

// A patient writer gives a client so long to take each part of an answer.
type patient struct {
	http.ResponseWriter
	conn *http.ResponseController
	idle time.Duration
	set  time.Time // when the deadline was set
}

// WriteHeader begins an answer.
func (w *patient) WriteHeader(status int) {
	w.extend(time.Now())
	w.ResponseWriter.WriteHeader(status)
}

// Write writes a part.
func (w *patient) Write(p []byte) (int, error) {
	if now := time.Now(); now.Sub(w.set) > w.idle/8 {
		w.extend(now)
	}
	return w.ResponseWriter.Write(p)
}

// extend gives the client time from now on. It is needed at the end, too: net/http still has a part to write then, and keeps the
// deadline for the next answer on the connection.
func (w *patient) extend(now time.Time) {
	w.set = now
	w.conn.SetWriteDeadline(now.Add(w.idle + w.idle/8))
}

// Unwrap lets http.ResponseController find what the server's writer can do.
func (w *patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

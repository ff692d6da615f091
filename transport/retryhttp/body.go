package retryhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBody is why a request was not sent again whose body had been read and that has no GetBody to
// get it once more. [http.NewRequest] sets GetBody for the usual types in memory.
var ErrBody = errors.New("request body cannot be sent again: it was read, and the request has no GetBody")

// What is read of a response that is not wanted, so that its connection can be used again.
const (
	drainBytes = 4 << 10
	drainTime  = 100 * time.Millisecond
)

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// socketBytes is what the buffer of a socket may take at once.
const socketBytes = 64 << 10

// isLong says that r takes so long to write that a response may well come before the end.
func isLong(r *http.Request) bool {
	return hasBody(r) && (r.ContentLength <= 0 || r.ContentLength > socketBytes)
}

// A metered body knows whether all of it was read. That the request was written, as net/http reports
// it, it reports too late: by then the response may be there.
type metered struct {
	io.ReadCloser
	length int64 // not positive if unknown
	read   int64
	ended  atomic.Bool
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	if err == io.EOF || m.length > 0 && m.read >= m.length {
		m.ended.Store(true)
	}
	return n, err
}

// nextBody returns the body for the next request to Base, which will close it.
func (c *call) nextBody() (io.ReadCloser, error) {
	switch {
	case c.body != nil:
		return c.body.lend(), nil
	case c.sent && hasBody(c.req):
		return c.req.GetBody()
	}
	return c.req.Body, nil
}

// rewindable says whether nextBody will yield the whole body once more.
func (c *call) rewindable() bool { return c.body == nil || c.body.recall() }

// An unrepeatable error is one of a request whose body cannot be sent again.
type unrepeatable struct{ error }

func (e unrepeatable) Unwrap() error { return e.error }

func (c *call) repeatable(err error) error {
	if c.rewindable() {
		return err
	}
	return unrepeatable{err}
}

// settle is asked when all but the gates have agreed to a retry. It says whether the body allows
// it, and releases the connection of a short response: keep says that somebody may still refuse the retry, in
// which case the response stays readable.
func settle(err error, keep bool) error {
	if _, stuck := errors.AsType[unrepeatable](err); stuck {
		return ErrBody
	}
	e, ok := errors.AsType[*StatusError](err)
	switch {
	case !ok || e.resp == nil || e.settled:
	case keep:
		e.resp.Body = readAhead(e.resp.Body)
	default:
		drain(e.resp.Body)
		e.resp.Body = drained
	}
	if ok {
		e.settled = true
	}
	return nil
}

// drained is the body of a response that was let go.
var drained = &struct{ io.ReadCloser }{http.NoBody}

// readAhead returns a body that yields what b would, with the beginning read ahead, and all if that is all.
func readAhead(b io.ReadCloser) io.ReadCloser {
	head, err := readSome(b)
	if err == nil {
		return kept{io.MultiReader(bytes.NewReader(head), b), b}
	}
	b.Close()
	return kept{io.MultiReader(bytes.NewReader(head), failing{err}), io.NopCloser(nil)}
}

type kept struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// drain reads the rest of b, if that is not much, and closes it.
func drain(b io.ReadCloser) {
	if b != http.NoBody {
		buffer := buffers.Get().(*[drainBytes]byte)
		timer := time.AfterFunc(drainTime, func() { b.Close() })
		for n, reads := 0, 0; n < drainBytes && reads < drainBytes; reads++ {
			m, err := b.Read(buffer[n:])
			if n += m; err != nil {
				break
			}
		}
		timer.Stop()
		buffers.Put(buffer)
	}
	b.Close()
}

// buffers are for what nobody wants to read.
var buffers = sync.Pool{New: func() any { return new([drainBytes]byte) }}

// readSome reads up to drainBytes within drainTime. The error is io.EOF at the end of b. A body
// that takes longer is closed, as bodies may be while they are read.
func readSome(b io.ReadCloser) ([]byte, error) {
	timer := time.AfterFunc(drainTime, func() { b.Close() })
	defer timer.Stop()
	head, err := io.ReadAll(io.LimitReader(b, drainBytes))
	if err == nil && len(head) < drainBytes {
		err = io.EOF
	}
	return head, err
}

// endWith returns a body that calls cancel when it is closed or has ended.
func endWith(b io.ReadCloser, cancel context.CancelCauseFunc) io.ReadCloser {
	e := &ending{b, cancel}
	if w, ok := b.(io.Writer); ok { // 101 Switching Protocols
		return struct {
			*ending
			io.Writer
		}{e, w}
	}
	return e
}

type ending struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	if err != nil {
		e.cancel(nil)
	}
	return n, err
}

func (e *ending) Close() error {
	defer e.cancel(nil)
	return e.ReadCloser.Close()
}

// A stream is a request body that cannot be rewound. It is lent to one attempt after the other, as
// long as none has begun to read it, and closed once.
type stream struct {
	body io.ReadCloser

	mu     sync.Mutex
	loan   *loan // that may read it; nil if none
	read   bool  // somebody has begun to
	last   bool  // there will be no further loan
	closed bool
}

// A loan is a stream in the hands of one attempt.
type loan struct {
	s      *stream
	closed bool // guarded by s.mu
}

func (s *stream) lend() io.ReadCloser {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loan = &loan{s: s}
	return s.loan
}

// recall takes the stream back and says whether it is untouched, and will be.
func (s *stream) recall() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read {
		return false
	}
	s.loan = nil
	return true
}

// finish closes the stream, or leaves it to the attempt that has not done with it.
func (s *stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = true
	if s.loan == nil || s.loan.closed {
		s.close()
	}
}

// close closes the body once. s.mu is held.
func (s *stream) close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.body.Close()
}

func (l *loan) Read(p []byte) (int, error) {
	l.s.mu.Lock()
	if l.closed || l.s.loan != l {
		l.s.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	l.s.read = true
	l.s.mu.Unlock()
	return l.s.body.Read(p)
}

func (l *loan) Close() error {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.closed = true
	if l.s.loan == l && (l.s.read || l.s.last) {
		return l.s.close()
	}
	return nil
}

// freeze makes it impossible for net/http to send r again: a body cannot be had again,
// and in place of none it sees one that is empty. On HTTP/1 what is sent
// stays the same; on HTTP/2 an empty DATA frame ends the request instead of the headers.
func freeze(r *http.Request) {
	r.GetBody = nil
	if hasBody(r) || r.ContentLength != 0 { // the latter is a mistake that net/http must see
		return
	}
	r.Body = hollow{}
	r.TransferEncoding = identity // else net/http would probe the body, or send it chunked
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		// net/http says Content-Length: 0 for these if it sees no body, and lets nobody else say it but in
		// this spelling.
		if r.Header = r.Header.Clone(); r.Header == nil {
			return // net/http will refuse the request
		}
		r.Header["content-length"] = zero
	}
}

var (
	identity = []string{"identity"}
	zero     = []string{"0"}
)

// hollow is a body without content, other than http.NoBody.
type hollow struct{}

func (hollow) Read([]byte) (int, error) { return 0, io.EOF }
func (hollow) Close() error             { return nil }

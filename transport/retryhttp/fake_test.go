package retryhttp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A sentRequest is what a fake base saw of one attempt.
type sentRequest struct {
	header http.Header
	body   string
	at     time.Time
}

// A fake answers attempt after attempt with its replies, the last one for ever. It keeps to the contract of
// http.RoundTripper, and to that only: it reports nothing to httptrace.
type fake struct {
	replies []reply

	mu     sync.Mutex
	seen   []sentRequest
	bodies []*watchedBody // of the responses
}

// A reply makes a response or an error.
type reply func(*http.Request) (*http.Response, error)

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	s := sentRequest{header: r.Header.Clone(), at: time.Now()}
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		s.body = string(b)
		r.Body.Close()
	}
	f.mu.Lock()
	f.seen = append(f.seen, s)
	next := f.replies[min(len(f.seen), len(f.replies))-1]
	f.mu.Unlock()
	resp, err := next(r)
	if resp != nil && resp.Body != nil {
		b := &watchedBody{ReadCloser: resp.Body}
		resp.Body = b
		f.mu.Lock()
		f.bodies = append(f.bodies, b)
		f.mu.Unlock()
	}
	return resp, err
}

func (f *fake) attempts() int { return len(f.seen) }

// leaks returns how many response bodies nobody closed.
func (f *fake) leaks() (n int) {
	for _, b := range f.bodies {
		b.mu.Lock()
		if b.closed == 0 {
			n++
		}
		b.mu.Unlock()
	}
	return n
}

// A watchedBody counts what is done to it.
type watchedBody struct {
	io.ReadCloser
	mu     sync.Mutex
	read   int
	closed int
}

func (b *watchedBody) Read(p []byte) (int, error) {
	if closes(b) > 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	b.read += n
	b.mu.Unlock()
	return n, err
}

func (b *watchedBody) Close() error {
	b.mu.Lock()
	b.closed++
	b.mu.Unlock()
	return b.ReadCloser.Close()
}

// status replies with a code and headers, given as "Name: value".
func status(code int, headers ...string) reply {
	return content(code, http.StatusText(code), headers...)
}

func content(code int, body string, headers ...string) reply {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		return &http.Response{
			StatusCode: code, ProtoMajor: 1, Header: h, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

func fails(err error) reply {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs waits for the end of the request's context.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// opaque is a body that cannot be rewound.
func opaque(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

func opaqueRequest(t testing.TB, method, url, body string) (*http.Request, *watchedBody) {
	req := request(t, method, url, "")
	b := &watchedBody{ReadCloser: io.NopCloser(opaque(body))}
	req.Body = b
	req.ContentLength = int64(len(body))
	return req, b
}

func closes(b *watchedBody) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

const venue = "http://venue.example/orders"

// quick waits a millisecond between attempts.
func quick(attempts int) *retry.Policy {
	return &retry.Policy{MaxAttempts: attempts, Backoff: backoff.Constant{Wait: time.Millisecond, Jitter: backoff.None}}
}

func read(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("reading the response: %v", err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Errorf("closing the response: %v", err)
	}
	return string(b)
}

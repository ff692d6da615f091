package exchange

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// mustLoad returns a profile.
func mustLoad(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A baseFunc answers requests in memory.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return f(r)
}

// reply is an answer; headers are "Name: value".
func reply(r *http.Request, status int, body string, headers ...string) *http.Response {
	h := make(http.Header)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return &http.Response{
		StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
	}
}

// A fakeDesk notes what it is asked.
type fakeDesk struct {
	mu     sync.Mutex
	refuse error
	begun  []Sending
	ended  []Verdict
}

func (d *fakeDesk) Begin(_ context.Context, s *Sending) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return d.refuse
	}
	d.begun = append(d.begun, *s)
	return nil
}

func (d *fakeDesk) End(_ context.Context, _ *Sending, v *Verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = append(d.ended, *v)
}

var errTest = errors.New("test")

// get sends a GET through a transport.
func get(ctx context.Context, t *Transport, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTrip(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return resp, err
}

// send sends a request with a form through a transport.
func send(ctx context.Context, t *Transport, method, url, form string) (*http.Response, error) {
	var body io.Reader
	if form != "" {
		body = strings.NewReader(form)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

var bg = context.Background()

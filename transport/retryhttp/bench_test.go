package retryhttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// memory answers from memory, with one status after the other.
type memory struct {
	codes []int
	n     int
}

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	code := m.codes[m.n%len(m.codes)]
	m.n++
	return &http.Response{StatusCode: code, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

var body = make([]byte, 100)

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// BenchmarkWatch shows what it costs to know that a POST was never sent, and what of it is ours: "by hand"
// does no more than ask net/http to report the connection.
func BenchmarkWatch(b *testing.B) {
	base := &memory{codes: []int{200}}
	payload := make([]byte, 4<<10)
	byHand := tripper(func(r *http.Request) (*http.Response, error) {
		var asked, got atomic.Bool
		trace := &httptrace.ClientTrace{
			GetConn: func(string) { asked.Store(true) },
			GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
		}
		resp, err := base.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
		if err != nil && asked.Load() && !got.Load() {
			b.Error("never sent")
		}
		return resp, err
	})
	for _, test := range []struct {
		name string
		rt   http.RoundTripper
	}{
		{"not watched", base},
		{"by hand", byHand},
		{"relent", &retryhttp.Transport{Base: base}},
	} {
		b.Run(test.name, func(b *testing.B) {
			client := &http.Client{Transport: test.rt}
			b.ReportAllocs()
			for b.Loop() {
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://venue.test/orders", bytes.NewReader(payload))
				resp, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}

// BenchmarkDiscard compares 503, 503, 200 with the same three requests by hand, without and with
// a limit to the time that reading a discarded body may take.
func BenchmarkDiscard(b *testing.B) {
	base := &memory{codes: []int{503, 503, 200}}
	get := func(rt http.RoundTripper) (*http.Response, error) {
		req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://venue.test/book", nil)
		return (&http.Client{Transport: rt}).Do(req)
	}
	thrice := func(limit bool) {
		for range 3 {
			resp, err := get(base)
			if err != nil {
				b.Fatal(err)
			}
			if limit {
				t := time.AfterFunc(100*time.Millisecond, func() { resp.Body.Close() })
				io.Copy(io.Discard, resp.Body)
				t.Stop()
			} else {
				io.Copy(io.Discard, resp.Body)
			}
			resp.Body.Close()
		}
	}
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			thrice(false)
		}
	})
	b.Run("by hand, limited", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			thrice(true)
		}
	})
	b.Run("relent", func(b *testing.B) {
		rt := &retryhttp.Transport{Base: base, Policy: &retry.Policy{Backoff: backoff.Constant{Jitter: backoff.None}}}
		b.ReportAllocs()
		for b.Loop() {
			resp, err := get(rt)
			if err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
			resp.Body.Close()
		}
	})
}

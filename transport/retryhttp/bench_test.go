package retryhttp_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// instant answers every request from memory.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
}

func BenchmarkRoundTrip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	body := bytes.Repeat([]byte("x"), 4<<10)
	requests := []struct {
		name, method string
		body         []byte
	}{{"get", "GET", nil}, {"put-4kB", "PUT", body}, {"post-4kB", "POST", body}}
	bases := []struct {
		name string
		base http.RoundTripper
	}{{"memory", instant{}}, {"loopback", &http.Transport{}}}
	for _, base := range bases {
		for _, r := range requests {
			for _, with := range []struct {
				name      string
				transport http.RoundTripper
			}{
				{"bare", base.base},
				{"retry", &retryhttp.Transport{Base: base.base, Policy: &retry.Policy{}}},
			} {
				b.Run(base.name+"/"+r.name+"/"+with.name, func(b *testing.B) {
					client := &http.Client{Transport: with.transport}
					b.ReportAllocs()
					for b.Loop() {
						var content io.Reader
						if r.body != nil {
							content = bytes.NewReader(r.body)
						}
						req, err := http.NewRequest(r.method, server.URL, content)
						if err != nil {
							b.Fatal(err)
						}
						resp, err := client.Do(req)
						if err != nil {
							b.Fatal(err)
						}
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				})
			}
		}
	}
}

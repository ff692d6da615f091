package lines

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/relent-go/relent/bench/internal/peer"
)

// A world is what requests are sent to.
type world struct {
	name string
	open func(answer func() int) (base http.RoundTripper, url string, release func())
}

func httpLines() (all []line) {
	worlds := []world{{"memory", inMemory}, {"loopback", onLoopback}}
	body := bytes.Repeat([]byte("x"), 4<<10)
	for _, w := range worlds {
		all = append(all,
			httpLine(w, "GET", "GET", nil, false),
			httpLine(w, "PUT 4 kB", "PUT", body, false),
			httpLine(w, "POST 4 kB", "POST", body, false),
			httpLine(w, "GET 503 503 200", "GET", nil, true),
		)
	}
	return all
}

func httpLine(w world, name, method string, body []byte, failing bool) line {
	attempts := 1
	if failing {
		attempts = peer.Attempts
	}
	return line{"HTTP " + w.name + ", " + name, attempts, func(ctx context.Context, s peer.Subject, counter *atomic.Int64) (operation, func()) {
		if s.HTTP == nil {
			return nil, nil
		}
		var requests atomic.Int64
		base, url, release := w.open(func() int {
			n := requests.Add(1)
			if counter != nil {
				counter.Add(1)
			}
			if failing && n%peer.Attempts != 0 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		})
		send := s.HTTP(base, 0)
		var content any
		if body != nil {
			content = body
		}
		return func(n int) error {
			for range n {
				resp, err := send(ctx, method, url, content)
				if err != nil {
					return err
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					return fmt.Errorf("ended with %s", resp.Status)
				}
			}
			return nil
		}, release
	}}
}

// inMemory answers without a network.
func inMemory(answer func() int) (http.RoundTripper, string, func()) {
	return transport(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		return &http.Response{
			StatusCode: answer(), Header: make(http.Header), Request: r,
			Body: io.NopCloser(strings.NewReader("ok")),
		}, nil
	}), "http://venue.test/", nil
}

// onLoopback answers from a server on the loopback interface.
func onLoopback(answer func() int) (http.RoundTripper, string, func()) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(answer())
		io.WriteString(w, "ok")
	}))
	base := &http.Transport{}
	return base, server.URL, func() {
		base.CloseIdleConnections()
		server.Close()
	}
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

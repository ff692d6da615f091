package behaviour

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// A server answers in memory and remembers what it was asked.
type server struct {
	statuses []int // the last one for ever
	header   http.Header
	at       []time.Time
	bodies   []int // bytes that came with each request
	open     int   // response bodies not closed
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	read := 0
	if r.Body != nil {
		n, _ := io.Copy(io.Discard, r.Body)
		r.Body.Close()
		read = int(n)
	}
	status := s.statuses[min(len(s.at), len(s.statuses)-1)]
	s.at, s.bodies = append(s.at, time.Now()), append(s.bodies, read)
	header := s.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	s.open++
	return &http.Response{
		Status: fmt.Sprint(status), StatusCode: status, Header: header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: 2,
		Body: &watched{Reader: strings.NewReader("ok"), closed: func() { s.open-- }},
	}, nil
}

type watched struct {
	io.Reader
	closed func()
}

func (w *watched) Close() error {
	if w.closed != nil {
		w.closed()
		w.closed = nil
	}
	return nil
}

// send makes one call with an own wait of 1 s, and closes what it gets.
func send(t *testing.T, s peer.Subject, srv *server, method string, body any) {
	resp, err := s.HTTP(srv, time.Second)(t.Context(), method, "http://venue.test/", body)
	if err == nil {
		resp.Body.Close()
	}
}

func hint(value string) func(*testing.T, peer.Subject) string {
	return func(t *testing.T, s peer.Subject) string {
		if s.HTTP == nil {
			return ""
		}
		srv := &server{statuses: []int{503, 200}, header: http.Header{"Retry-After": {value}}}
		send(t, s, srv, http.MethodGet, nil)
		if len(srv.at) == 1 {
			if took := time.Since(srv.at[0]); took > 0 {
				return "ended after " + took.String()
			}
			return "ended at once"
		}
		return "waited " + srv.at[1].Sub(srv.at[0]).String()
	}
}

func hintDate(t *testing.T, s peer.Subject) string {
	return hint(time.Now().UTC().Add(2*time.Minute).Format(http.TimeFormat))(t, s)
}

func postOnce(t *testing.T, s peer.Subject) string {
	if s.HTTP == nil {
		return ""
	}
	srv := &server{statuses: []int{503}}
	send(t, s, srv, http.MethodPost, []byte("buy"))
	return fmt.Sprintf("sent %dx", len(srv.at))
}

func closed(t *testing.T, s peer.Subject) string {
	if s.HTTP == nil {
		return ""
	}
	if s.Name == "aws" {
		return "" // its retry loop sees no responses: its deserializers close them
	}
	srv := &server{statuses: []int{503, 503, 200}}
	send(t, s, srv, http.MethodGet, nil)
	discarded := len(srv.at) - 1
	return fmt.Sprintf("%d of %d", discarded-srv.open, discarded)
}

// stream sends a body that is a mere io.Reader.
func stream(t *testing.T, s peer.Subject) string {
	if s.HTTP == nil {
		return ""
	}
	const content = "0123456789"
	srv := &server{statuses: []int{503}}
	send(t, s, srv, http.MethodPut, io.MultiReader(strings.NewReader(content)))
	for i, n := range srv.bodies {
		if n != len(content) {
			return fmt.Sprintf("sent %dx, the %d. with %d of %d bytes", len(srv.at), i+1, n, len(content))
		}
	}
	return fmt.Sprintf("sent %dx, whole", len(srv.at))
}

package retryhttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// H18 and N11: a body that can be rewound is sent whole each time, another one once.
func TestBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failure := range []reply{status(503), fails(errReset), status(429)} {
			base := &fake{replies: []reply{failure, status(200)}}
			resp, err := (&retryhttp.Transport{Base: base}).RoundTrip(request(t, "PUT", venue, "quantity=1"))
			if err != nil {
				t.Fatal(err)
			}
			if read(t, resp); base.attempts() != 2 || base.seen[0].body != "quantity=1" || base.seen[1].body != "quantity=1" {
				t.Errorf("sent %+v; want the body twice", base.seen)
			}

			base = &fake{replies: []reply{failure, status(200)}}
			req, body := opaqueRequest(t, "PUT", venue, "quantity=1")
			resp, err = (&retryhttp.Transport{Base: base}).RoundTrip(req)
			if err == nil {
				read(t, resp)
				err = retryhttp.Reason(resp)
			}
			const clear = "request body cannot be sent again: it was read, and the request has no GetBody"
			if base.attempts() != 1 || !errors.Is(err, retryhttp.ErrBody) || !strings.Contains(err.Error(), clear) {
				t.Errorf("a stream: %d attempts, %v; want 1, %v", base.attempts(), err, retryhttp.ErrBody)
			}
			if base.seen[0].body != "quantity=1" || closes(body) != 1 {
				t.Errorf("a stream: sent %q, closed %d times", base.seen[0].body, closes(body))
			}
		}
	})
}

func TestGetBodyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{fails(errReset)}}
		req := request(t, "PUT", venue, "quantity=1")
		req.GetBody = func() (io.ReadCloser, error) { return nil, errRefused }
		_, err := (&retryhttp.Transport{Base: base, Policy: &retry.Policy{AttemptTimeout: time.Hour}}).RoundTrip(req)
		failure, _ := errors.AsType[*retry.Error](err)
		if base.attempts() != 1 || failure == nil || !errors.Is(err, errRefused) || !errors.Is(err, retry.ErrPermanent) || !failure.Unknown {
			t.Errorf("%d attempts, %v", base.attempts(), err)
		}
	})
}

// A stream that nobody has begun to read is as good as new.
func TestUntouchedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var old io.ReadCloser
		refused := func(r *http.Request) (*http.Response, error) {
			r.Body.Close()
			old = r.Body
			return nil, retry.Mark(errReset, retry.Transient)
		}
		for _, test := range []struct {
			name     string
			base     []func(*http.Request) (*http.Response, error)
			attempts int
			sent     string
		}{
			{"closed unread", []func(*http.Request) (*http.Response, error){refused, refused}, 3, "order"},
			{"never read", []func(*http.Request) (*http.Response, error){refused, refused, refused}, 3, ""},
			{"left open by an answer", []func(*http.Request) (*http.Response, error){func(r *http.Request) (*http.Response, error) {
				old = r.Body
				return status(429)(r)
			}}, 2, "order"},
		} {
			req, body := opaqueRequest(t, "POST", venue, "order")
			got, n := "", 0
			base := roundTripper(func(r *http.Request) (*http.Response, error) {
				n++
				if n <= len(test.base) {
					return test.base[n-1](r)
				}
				if m, err := old.Read(make([]byte, 1)); m > 0 || err == nil {
					t.Errorf("%s: an attempt that is over reads the body of the next", test.name)
				}
				old.Close()
				b, _ := io.ReadAll(r.Body)
				got = string(b)
				r.Body.Close()
				r.Body.Close()
				return status(200)(r)
			})
			(&retryhttp.Transport{Base: base}).RoundTrip(req)
			if n != test.attempts || got != test.sent || closes(body) != 1 {
				t.Errorf("%s: %d attempts, sent %q, closed %d times; want %d, %q, once", test.name, n, got, closes(body), test.attempts, test.sent)
			}
		}
		// Base may close a body after it has answered.
		req, body := opaqueRequest(t, "POST", venue, "order")
		resp, _ := (&retryhttp.Transport{Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			time.AfterFunc(time.Second, func() { r.Body.Close() })
			return status(200)(r)
		})}).RoundTrip(req)
		if read(t, resp); closes(body) != 0 {
			t.Error("a body that Base still holds was closed")
		}
		time.Sleep(2 * time.Second)
		if closes(body) != 1 {
			t.Errorf("a body that Base closed late was closed %d times", closes(body))
		}
	})
}

// What is discarded is drained, but neither far nor for long.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trickle := func(r *http.Request) (*http.Response, error) {
			resp, err := status(429)(r)
			reader, writer := io.Pipe()
			io.Copy(io.Discard, resp.Body)
			go func() {
				for {
					time.Sleep(30 * time.Millisecond)
					if _, err := writer.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			resp.Body = reader
			return resp, err
		}
		for _, test := range []struct {
			name  string
			reply reply
			read  int
		}{
			{"short", content(429, strings.Repeat("x", 100)), 100},
			{"at most 4 KiB", content(429, strings.Repeat("x", 20_000)), 4 << 10},
			{"trickling", trickle, 3},
		} {
			base := &fake{replies: []reply{test.reply, status(200)}}
			begun := time.Now()
			resp, err := (&retryhttp.Transport{Base: base, Policy: quick(2)}).RoundTrip(request(t, "GET", venue, ""))
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%s: %v, %v", test.name, resp, err)
			}
			read(t, resp)
			if got := base.bodies[0].read; got != test.read || closes(base.bodies[0]) == 0 {
				t.Errorf("%s: read %d bytes, closed %d times; want %d, closed", test.name, got, closes(base.bodies[0]), test.read)
			}
			if took := time.Since(begun); took > 250*time.Millisecond {
				t.Errorf("%s: took %v", test.name, took)
			}
		}
		// A response that trickles is still returned as far as it came, and does not pass for whole.
		base := &fake{replies: []reply{trickle}}
		resp, err := (&retryhttp.Transport{Base: base, Policy: &retry.Policy{Gates: []retry.Gate{refusal{}}}}).RoundTrip(request(t, "GET", venue, ""))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "xxx" || err == nil {
			t.Errorf("read %q, %v; want xxx and an error", b, err)
		}
		resp.Body.Close()
		time.Sleep(time.Second) // for the writers to notice
	})
}

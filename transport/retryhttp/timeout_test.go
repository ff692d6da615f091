package retryhttp_test

import (
	"context"
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

func TestCallerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name     string
			reply    reply
			attempts int
		}{
			{"in an attempt", hangs, 1},
			{"in a wait", status(503, "Retry-After: 60"), 1},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(errRefused) })
			base := &fake{replies: []reply{test.reply}}
			resp, err := (&retryhttp.Transport{Base: base}).RoundTrip(request(t, "GET", venue, "").WithContext(ctx))
			failure, _ := errors.AsType[*retry.Error](err)
			if resp != nil || failure == nil || !errors.Is(failure.Reason, errRefused) || base.attempts() != test.attempts {
				t.Errorf("%s: %v, %v after %d attempts", test.name, resp, err, base.attempts())
			}
			if n := base.leaks(); n > 0 {
				t.Errorf("%s: %d bodies left open", test.name, n)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		base := &fake{replies: []reply{status(200)}}
		req, body := opaqueRequest(t, "POST", venue, "order")
		if _, err := (&retryhttp.Transport{Base: base}).RoundTrip(req.WithContext(ctx)); !errors.Is(err, context.Canceled) || base.attempts() != 0 {
			t.Errorf("cancelled before: %v after %d attempts", err, base.attempts())
		}
		if closes(body) != 1 {
			t.Errorf("a body that was never sent was closed %d times", closes(body))
		}
		req = request(t, "POST", venue, "order").WithContext(ctx)
		rewindable := &watchedBody{ReadCloser: req.Body}
		req.Body = rewindable
		if _, err := (&retryhttp.Transport{Base: base}).RoundTrip(req); err == nil || closes(rewindable) != 1 {
			t.Errorf("%v, and a body that was never sent was closed %d times", err, closes(rewindable))
		}
	})
}

func TestRequestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		base := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
			close(cancel)
			return nil, errReset
		}}}
		req := request(t, "GET", venue, "")
		req.Cancel = cancel
		_, err := (&retryhttp.Transport{Base: base}).RoundTrip(req)
		if failure, _ := errors.AsType[*retry.Error](err); failure == nil || failure.Reason != retry.ErrPermanent || failure.Attempts != 1 {
			t.Errorf("cancelled in an attempt: %v", err)
		}
		cancel = make(chan struct{})
		base = &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
			time.AfterFunc(time.Second, func() { close(cancel) })
			return status(503, "Retry-After: 10")(r)
		}}}
		req.Cancel = cancel
		if resp, err := (&retryhttp.Transport{Base: base}).RoundTrip(req); resp != nil || !errors.Is(err, retry.ErrPermanent) || base.attempts() != 1 {
			t.Errorf("cancelled in a wait: %v, %v after %d attempts", resp, err, base.attempts())
		}
	})
}

func TestAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(r *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			stop := context.AfterFunc(r.Context(), func() { writer.CloseWithError(context.Cause(r.Context())) })
			go func() {
				for range 10 {
					time.Sleep(time.Second)
					io.WriteString(writer, "x")
				}
				writer.Close()
				stop()
			}()
			resp, err := status(200)(r)
			resp.Body = reader
			return resp, err
		}
		for _, policy := range []*retry.Policy{
			{AttemptTimeout: 2 * time.Second}, {MaxElapsed: 5 * time.Second, AttemptTimeout: 2 * time.Second},
		} {
			base := &fake{replies: []reply{hangs, slow}}
			resp, err := (&retryhttp.Transport{Base: base, Policy: policy}).RoundTrip(request(t, "GET", venue, ""))
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, resp); got != "xxxxxxxxxx" {
				t.Errorf("read %q", got)
			}
			if resp.Request.Context().Err() == nil {
				t.Error("the context is not released at the end of the body")
			}
		}
		// Closing releases, too, and so does the caller's context.
		transport := &retryhttp.Transport{Base: &fake{replies: []reply{slow}}, Policy: &retry.Policy{AttemptTimeout: time.Second}}
		resp, err := transport.RoundTrip(request(t, "GET", venue, ""))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.Request.Context().Err() == nil {
			t.Error("the context is not released when the body is closed")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		resp, err = transport.RoundTrip(request(t, "GET", venue, "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		cancel(errRefused)
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, errRefused) {
			t.Errorf("reading after the caller's end: %v", err)
		}
		resp.Body.Close()
		time.Sleep(time.Minute) // for the writers to end
	})
}

func TestAttemptTimeoutError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name   string
			policy retry.Policy
			method string
			reply  reply
			reason error
			want   int
		}{
			{"every attempt of a GET", retry.Policy{}, "GET", hangs, retry.ErrExhausted, 3},
			{"a POST", retry.Policy{}, "POST", hangs, retry.ErrAmbiguous, 1},
			{"a base that says cancelled", retry.Policy{}, "GET", func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}, retry.ErrExhausted, 3},
			{"a response in the last moment", retry.Policy{}, "POST", func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return status(200)(r)
			}, retry.ErrAmbiguous, 1},
			{"the whole call", retry.Policy{MaxElapsed: time.Second}, "GET", hangs, retry.ErrElapsed, 1},
		} {
			test.policy.AttemptTimeout = 2 * time.Second
			base := &fake{replies: []reply{test.reply}}
			_, err := (&retryhttp.Transport{Base: base, Policy: &test.policy}).RoundTrip(request(t, test.method, venue, ""))
			if !errors.Is(err, test.reason) || errors.Is(err, context.Canceled) || base.attempts() != test.want {
				t.Errorf("%s: %v after %d attempts; want %v after %d", test.name, err, base.attempts(), test.reason, test.want)
			}
			if n := base.leaks(); n > 0 {
				t.Errorf("%s: %d bodies left open", test.name, n)
			}
		}
	})
}

func TestSwitchingProtocols(t *testing.T) {
	base := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
		resp, err := status(101)(r)
		resp.Body = nil
		return resp, err
	}}}
	upgraded := &upgrade{}
	transport := &retryhttp.Transport{Policy: &retry.Policy{AttemptTimeout: time.Hour}, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		resp.Body = upgraded
		return resp, err
	})}
	resp, err := transport.RoundTrip(request(t, "GET", venue, ""))
	if err != nil {
		t.Fatal(err)
	}
	w, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T; want an io.ReadWriteCloser", resp.Body)
	}
	io.WriteString(w, "ping")
	w.Close()
	if upgraded.String() != "ping" {
		t.Errorf("written: %q", upgraded)
	}
}

type upgrade struct{ strings.Builder }

func (*upgrade) Read([]byte) (int, error) { return 0, io.EOF }

func (*upgrade) Close() error { return nil }

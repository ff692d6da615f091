package retryhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

var errReset = errors.New("connection reset")

func TestLastResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{content(503, "first"), content(503, "second"), content(500, "third")}}
		client := &http.Client{Transport: &retryhttp.Transport{Base: base}, Timeout: time.Minute}
		resp, err := client.Do(request(t, "GET", venue, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); resp.StatusCode != 500 || got != "third" {
			t.Errorf("%d %q; want 500, third", resp.StatusCode, got)
		}
		reason := retryhttp.Reason(resp)
		if !errors.Is(reason, retry.ErrExhausted) || reason.Attempts != 3 || !strings.HasSuffix(reason.Error(), ": attempts exhausted: outcome unknown: http 500") {
			t.Errorf("Reason = %v", reason)
		}
		if n := base.leaks(); n > 0 {
			t.Errorf("%d bodies left open", n)
		}
	})
}

// A gate or Validate that refuses the retry leaves the caller the response it had, however long.

func TestLastResponseAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", 10_000)
		for _, body := range []string{"", "short", long} {
			for _, policy := range []*retry.Policy{
				{Gates: []retry.Gate{refusal{}}},
				{Validate: func(context.Context, retry.Attempt) error { return errRefused }},
			} {
				base := &fake{replies: []reply{content(503, body)}}
				resp, err := (&retryhttp.Transport{Base: base, Policy: policy}).RoundTrip(request(t, "GET", venue, ""))
				if err != nil {
					t.Fatal(err)
				}
				if got := read(t, resp); got != body || !errors.Is(retryhttp.Reason(resp), errRefused) {
					t.Errorf("%d bytes, %v; want %d bytes, %v", len(got), retryhttp.Reason(resp), len(body), errRefused)
				}
				if n := base.leaks(); n > 0 {
					t.Errorf("%d bodies left open", n)
				}
			}
		}
	})
}

var errRefused = errors.New("no more")

// refusal admits first attempts only.

type refusal struct{}

func (refusal) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number > 1 {
		return errRefused
	}
	return nil
}

func (refusal) Settle(*retry.Attempt, *retry.Outcome) {}

func TestErrorWithoutResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{status(503), fails(errReset)}}
		client := &http.Client{Transport: &retryhttp.Transport{Base: base}}
		resp, err := client.Do(request(t, "GET", venue, ""))
		failure, ok := errors.AsType[*retry.Error](err)
		if resp != nil || !ok || failure.Attempts != 3 || !failure.Unknown || !errors.Is(err, errReset) {
			t.Errorf("%v, %v; want an Error after 3 attempts", resp, err)
		}
		if n := base.leaks(); n > 0 {
			t.Errorf("%d bodies left open", n)
		}
	})
}

// N5: the end of the caller's context ends the call, and is no response.

// H25: one key, one body, whatever the number of attempts; G18: the attempt header.

// Who decides whether a request may be made again after a failure that leaves its outcome open.

// Base learns from its context that it is in a retry, and a Transport that gave up below counts.

func TestStacked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []reply{status(503), fails(retry.Mark(errReset, retry.Transient))} {
			base := &fake{replies: []reply{end}}
			inner := &retryhttp.Transport{Base: base}
			outer := &retryhttp.Transport{Base: inner}
			resp, err := (&retryhttp.Transport{Base: outer}).RoundTrip(request(t, "GET", venue, ""))
			if base.attempts() != 3 {
				t.Errorf("%d attempts by three layers of three; want 3", base.attempts())
			}
			if err == nil {
				read(t, resp)
				if reason := retryhttp.Reason(resp); reason.Attempts != 1 {
					t.Errorf("the outer layer's reason is %v; want its own, after 1 attempt", reason)
				}
			}
			if n := base.leaks(); n > 0 {
				t.Errorf("%d bodies left open", n)
			}
		}
		var previous []int
		base := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
			previous = append(previous, retry.PreviousAttempts(r.Context()))
			return status(503)(r)
		}}}
		resp, _ := (&retryhttp.Transport{Base: base}).RoundTrip(request(t, "GET", venue, ""))
		read(t, resp)
		if want := []int{0, 1, 2}; !slices.Equal(previous, want) {
			t.Errorf("Base sees %v previous attempts; want %v", previous, want)
		}
	})
}

// The timeout of an attempt covers it until the headers have come, not the body.

// An upgraded connection can still be written to.

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOddBase(t *testing.T) {
	nothing := &retryhttp.Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })}
	if resp, err := nothing.RoundTrip(request(t, "POST", venue, "")); resp != nil || !errors.Is(err, retry.ErrAmbiguous) {
		t.Errorf("neither response nor error: %v, %v", resp, err)
	}
	bare := &retryhttp.Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 404}, nil })}
	resp, err := bare.RoundTrip(request(t, "POST", venue, ""))
	if err != nil || read(t, resp) != "" || retryhttp.Reason(resp) == nil {
		t.Errorf("a response without a body or request: %v, %v", resp, err)
	}
	(&retryhttp.Transport{Base: &fake{}}).CloseIdleConnections() // has none
}

// An error of Base that says itself what it means keeps its class, whatever httptrace says.

func TestClassifiedByBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			err  error
			want int
		}{
			{retry.Mark(errReset, retry.Transient), 3},
			{fmt.Errorf("below: %w", retry.Mark(errReset, retry.Permanent)), 1},
			{retry.After(errReset, time.Second), 3},
			{&retry.Error{Reason: errReset}, 1},
			{errReset, 1},
		} {
			base := &fake{replies: []reply{func(r *http.Request) (*http.Response, error) {
				trace := httptrace.ContextClientTrace(r.Context())
				trace.GetConn("venue.example:80")
				trace.GotConn(httptrace.GotConnInfo{})
				return nil, test.err
			}}}
			_, err := (&retryhttp.Transport{Base: base}).RoundTrip(request(t, "POST", venue, ""))
			if base.attempts() != test.want || !errors.Is(err, errReset) {
				t.Errorf("%v: %d attempts, %v; want %d", test.err, base.attempts(), err, test.want)
			}
		}
	})
}

// Whatever panics, no body stays open.

func TestPanic(t *testing.T) {
	for _, test := range []struct {
		name      string
		transport *retryhttp.Transport
	}{
		{"in Validate", &retryhttp.Transport{Policy: &retry.Policy{Validate: func(context.Context, retry.Attempt) error { panic("validate") }}}},
		{"in Classify", &retryhttp.Transport{Classify: func(*http.Request, *http.Response) (retry.Class, bool) { panic("classify") }}},
		{"in Key", &retryhttp.Transport{Key: func(*http.Request) string { panic("key") }}},
	} {
		base := &fake{replies: []reply{status(429)}}
		test.transport.Base = base
		req, body := opaqueRequest(t, "POST", venue, "x")
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic was swallowed", test.name)
				}
			}()
			test.transport.RoundTrip(req)
		}()
		if base.leaks() > 0 || closes(body) != 1 {
			t.Errorf("%s: %d responses left open, request body closed %d times", test.name, base.leaks(), closes(body))
		}
	}
}

// A live source is asked for each request; what was made of a policy is kept while it lasts.

func TestLivePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &live{policy: &retry.Policy{MaxAttempts: 2}}
		base := &fake{replies: []reply{status(503)}}
		client := retryhttp.Client(source)
		client.Transport.(*retryhttp.Transport).Base = base
		for i, want := range []int{2, 4, 5} {
			if i == 2 {
				source.policy = &retry.Policy{MaxAttempts: 1}
			}
			resp, err := client.Do(request(t, "GET", venue, ""))
			if err != nil {
				t.Fatal(err)
			}
			if read(t, resp); base.attempts() != want {
				t.Errorf("%d attempts after call %d; want %d", base.attempts(), i+1, want)
			}
		}
	})
}

type live struct{ policy *retry.Policy }

func (l *live) Current() *retry.Policy { return l.policy }

func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{status(503)}}
		transport := &retryhttp.Transport{Base: base, Policy: &retry.Policy{AttemptTimeout: time.Minute}}
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				resp, err := transport.RoundTrip(request(t, "GET", venue, ""))
				if err != nil {
					t.Error(err)
					return
				}
				read(t, resp)
			})
		}
		wg.Wait()
		if base.attempts() != 150 || base.leaks() > 0 {
			t.Errorf("%d attempts, %d bodies left open; want 150, 0", base.attempts(), base.leaks())
		}
	})
}

// The usual request costs nothing.

func TestRoundTripAllocs(t *testing.T) {
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	transport := &retryhttp.Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { return resp, nil })}
	for _, test := range []struct {
		method string
		most   float64
	}{{"GET", 0}, {"PUT", 0}, {"POST", 4}} {
		req := request(t, test.method, venue, "body")
		if n := testing.AllocsPerRun(100, func() { transport.RoundTrip(req) }); n > test.most {
			t.Errorf("%s: %v allocations; want at most %v", test.method, n, test.most)
		}
	}
}

package retryhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

func TestKeyedRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{status(503)}}
		keys := 0
		transport := &retryhttp.Transport{Base: base, Policy: &retry.Policy{MaxAttempts: 5}, Key: func(*http.Request) string {
			keys++
			return fmt.Sprint("key-", keys)
		}}
		req := request(t, "POST", venue, "buy 1")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		read(t, resp)
		var attempts []string
		for _, s := range base.seen {
			if got := s.header.Get("Idempotency-Key"); got != "key-1" || s.body != "buy 1" {
				t.Errorf("sent %q with key %q", s.body, got)
			}
			attempts = append(attempts, s.header.Get("Relent-Attempt"))
		}
		if want := []string{"", "1", "2", "3", "4"}; !slices.Equal(attempts, want) {
			t.Errorf("attempt headers %q; want %q", attempts, want)
		}
		if len(req.Header) != 0 {
			t.Errorf("the caller's request was given %v", req.Header)
		}
	})
}

func TestKey(t *testing.T) {
	newKey := func(*http.Request) string { return "new" }
	for _, test := range []struct {
		name, method string
		header       http.Header
		key          func(*http.Request) string
		want         []string
	}{
		{"made for POST", "POST", http.Header{}, newKey, []string{"new"}},
		{"made where there is no header map", "POST", nil, newKey, []string{"new"}},
		{"not for PUT", "PUT", http.Header{}, newKey, nil},
		{"the caller's stays", "POST", http.Header{"Idempotency-Key": {"mine"}}, newKey, []string{"mine"}},
		{"so does another kind", "POST", http.Header{"X-Idempotency-Key": {"mine"}}, newKey, nil},
		{"an empty one is replaced", "POST", http.Header{"Idempotency-Key": {""}}, newKey, []string{"new"}},
		{"a declaration without a key stays", "POST", http.Header{"Idempotency-Key": {}}, newKey, nil},
		{"declined", "POST", http.Header{}, func(*http.Request) string { return "" }, nil},
	} {
		base := &fake{replies: []reply{status(200)}}
		req := request(t, test.method, venue, "")
		req.Header = test.header
		if _, err := (&retryhttp.Transport{Base: base, Key: test.key}).RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if got := base.seen[0].header["Idempotency-Key"]; !slices.Equal(got, test.want) {
			t.Errorf("%s: key %q; want %q", test.name, got, test.want)
		}
	}
}

func TestIdempotent(t *testing.T) {
	yes := func(*http.Request) bool { return true }
	no := func(*http.Request) bool { return false }
	key := http.Header{"Idempotency-Key": {"k"}}
	for _, test := range []struct {
		name, method string
		header       http.Header
		transport    *retryhttp.Transport
		want         int
	}{
		{name: "GET", method: "GET", want: 3},
		{name: "no method", method: "", want: 3},
		{name: "DELETE", method: "DELETE", want: 3},
		{name: "POST", method: "POST", want: 1},
		{name: "unknown method", method: "BUY", want: 1},
		{name: "POST with a key", method: "POST", header: key, want: 3},
		{name: "POST with another key", method: "POST", header: http.Header{"X-Idempotency-Key": {"k"}}, want: 3},
		{name: "POST with an empty key", method: "POST", header: http.Header{"Idempotency-Key": {""}}, want: 1},
		{name: "POST declared without a key", method: "POST", header: http.Header{"Idempotency-Key": {}}, want: 3},
		{name: "policy", method: "POST", transport: &retryhttp.Transport{Policy: &retry.Policy{Idempotent: true}}, want: 3},
		{name: "policy over function", method: "POST", transport: &retryhttp.Transport{Policy: &retry.Policy{Idempotent: true}, Idempotent: no}, want: 3},
		{name: "function allows", method: "POST", transport: &retryhttp.Transport{Idempotent: yes}, want: 3},
		{name: "function over method", method: "GET", transport: &retryhttp.Transport{Idempotent: no}, want: 1},
		{name: "function over key", method: "POST", header: key, transport: &retryhttp.Transport{Idempotent: no}, want: 1},
		{name: "made key over function", method: "POST", transport: &retryhttp.Transport{Idempotent: no, Key: func(*http.Request) string { return "k" }}, want: 3},
		{name: "typed nil policy", method: "POST", transport: &retryhttp.Transport{Policy: (*retry.Policy)(nil)}, want: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			base := &fake{replies: []reply{fails(errReset)}}
			transport := test.transport
			if transport == nil {
				transport = &retryhttp.Transport{}
			}
			transport.Base = base
			req := request(t, "GET", venue, "")
			req.Method = test.method
			if test.header != nil {
				req.Header = test.header
			}
			_, err := transport.RoundTrip(req)
			if failure, _ := errors.AsType[*retry.Error](err); base.attempts() != test.want || failure == nil || !failure.Unknown {
				t.Errorf("%s: %d attempts, %v; want %d, outcome unknown", test.name, base.attempts(), err, test.want)
			}
		})
	}
}

func TestAttemptHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		above := retry.WithPreviousAttempts(t.Context(), 4)
		for _, test := range []struct {
			name, header string
			ctx          context.Context
			nested       bool
			want         []string
		}{
			{"named", "X-Try", t.Context(), false, []string{"", "1", "2"}},
			{"off", "-", t.Context(), false, []string{"", "", ""}},
			{"a retry above", "X-Try", above, false, []string{"4"}},
			{"a retry above, nested", "X-Try", above, true, []string{"4", "5", "6"}},
		} {
			base := &fake{replies: []reply{status(503)}}
			transport := &retryhttp.Transport{Base: base, AttemptHeader: test.header, Policy: &retry.Policy{Nested: test.nested}}
			resp, err := transport.RoundTrip(request(t, "GET", venue, "").WithContext(test.ctx))
			if err != nil {
				t.Fatal(err)
			}
			read(t, resp)
			var got []string
			for _, s := range base.seen {
				got = append(got, s.header.Get("X-Try")+s.header.Get("Relent-Attempt"))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %q; want %q", test.name, got, test.want)
			}
		}
	})
}

// A server that still works on the first copy of a request answers 409 and asks to wait.
func TestKeyInProgress(t *testing.T) {
	for _, test := range []struct {
		name  string
		key   string
		after string
		want  int // requests
	}{
		{"in progress", "k", "1", 3},
		{"a conflict of another kind", "k", "", 1},
		{"without a key", "", "1", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy := status(409)
				if test.after != "" {
					busy = status(409, "Retry-After: "+test.after)
				}
				base := &fake{replies: []reply{busy, busy, status(201)}}
				req := request(t, "POST", venue, "buy 1")
				if test.key != "" {
					req.Header.Set("Idempotency-Key", test.key)
				}
				resp, err := (&retryhttp.Transport{Base: base}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				read(t, resp)
				if len(base.seen) != test.want {
					t.Errorf("%d requests; want %d", len(base.seen), test.want)
				}
			})
		})
	}
}

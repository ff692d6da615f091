package retryhttp_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// Classes by status and method: spec section 2, H17, H18, H21.
func TestStatus(t *testing.T) {
	const (
		success   = retry.Class(99)
		ambiguous = retry.Ambiguous
		transient = retry.Transient
		throttled = retry.Throttled
		permanent = retry.Permanent
	)
	for _, test := range []struct {
		method  string
		code    int
		header  string
		class   retry.Class
		retried bool
	}{
		{"GET", 101, "", success, false},
		{"GET", 200, "", success, false},
		{"GET", 299, "", success, false},
		{"GET", 301, "", success, false},
		{"GET", 304, "", success, false},
		{"GET", 307, "Retry-After: 1", success, false},
		{"GET", 400, "", permanent, false},
		{"GET", 401, "", permanent, false},
		{"GET", 404, "Retry-After: 1", permanent, false},
		{"GET", 408, "", ambiguous, true},
		{"POST", 408, "", ambiguous, false},
		{"GET", 409, "", permanent, false},
		{"GET", 413, "", permanent, false},
		{"POST", 413, "Retry-After: 1", throttled, true},
		{"GET", 418, "Retry-After: 1", permanent, false},
		{"POST", 429, "", throttled, true},
		{"POST", 429, "Retry-After: 1", throttled, true},
		{"GET", 451, "", permanent, false},
		{"GET", 500, "", ambiguous, true},
		{"PUT", 500, "", ambiguous, true},
		{"DELETE", 500, "Retry-After: 1", ambiguous, true},
		{"POST", 500, "", ambiguous, false},
		{"POST", 500, "Retry-After: 1", ambiguous, false},
		{"PATCH", 500, "", ambiguous, false},
		{"LOCK", 500, "", ambiguous, false},
		{"GET", 501, "", permanent, false},
		{"GET", 502, "", ambiguous, true},
		{"POST", 502, "", ambiguous, false},
		{"GET", 503, "", transient, true},
		{"HEAD", 503, "", transient, true},
		{"OPTIONS", 503, "", transient, true},
		{"TRACE", 503, "", transient, true},
		{"PUT", 503, "", ambiguous, true},
		{"POST", 503, "", ambiguous, false},
		{"POST", 503, "Retry-After: abc", ambiguous, false},
		{"POST", 503, "RateLimit: \"a\";r=0;t=1", ambiguous, false},
		{"POST", 503, "Retry-After: 0", throttled, true},
		{"GET", 504, "", ambiguous, true},
		{"POST", 504, "", ambiguous, false},
		{"GET", 505, "", permanent, false},
		{"GET", 506, "", ambiguous, true},
		{"GET", 507, "", permanent, false},
		{"GET", 508, "", permanent, false},
		{"GET", 511, "", permanent, false},
		{"GET", 599, "", ambiguous, true},
		{"POST", 599, "", ambiguous, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			base := &fake{replies: []reply{status(test.code, test.header), status(200)}}
			var class retry.Class = success
			policy := &retry.Policy{Classify: func(err error) retry.Class {
				class = retry.DefaultClassify(err)
				if code, ok := errors.AsType[*retryhttp.StatusError](err); !ok || code.Code != test.code {
					t.Errorf("%s %d: the attempt's error is %v; want a StatusError", test.method, test.code, err)
				}
				return class
			}}
			resp, err := (&retryhttp.Transport{Base: base, Policy: policy}).RoundTrip(request(t, test.method, venue, ""))
			if err != nil {
				t.Fatalf("%s %d: %v", test.method, test.code, err)
			}
			read(t, resp)
			if class != test.class || (base.attempts() == 2) != test.retried {
				t.Errorf("%s %d %s: %v, %d attempts; want %v, retried: %t",
					test.method, test.code, test.header, class, base.attempts(), test.class, test.retried)
			}
			if want := test.class != success && !test.retried; (retryhttp.Reason(resp) != nil) != want {
				t.Errorf("%s %d: Reason = %v; want one: %t", test.method, test.code, retryhttp.Reason(resp), want)
			}
			if n := base.leaks(); n > 0 {
				t.Errorf("%s %d: %d bodies left open", test.method, test.code, n)
			}
		})
	}
}

// H21 and 421: once each, whatever else happens in the call.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			codes []int
			want  int
		}{
			{[]int{425, 200}, 200},
			{[]int{425, 425, 200}, 425},
			{[]int{421, 200}, 200},
			{[]int{421, 421, 200}, 421},
			{[]int{421, 425, 429, 200}, 200},
			{[]int{421, 429, 421, 200}, 421},
		} {
			base := &fake{}
			for _, code := range test.codes {
				base.replies = append(base.replies, status(code))
			}
			resp, err := (&retryhttp.Transport{Base: base, Policy: &retry.Policy{MaxAttempts: 9}}).RoundTrip(request(t, "POST", venue, "x"))
			if err != nil || resp.StatusCode != test.want {
				t.Errorf("%v ends with %v, %v; want %d", test.codes, resp, err, test.want)
			}
			read(t, resp)
		}
	})
}

func TestHintIsAFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := &fake{replies: []reply{status(429, "Retry-After: 120"), status(500, "Retry-After: 7"), status(200)}}
		resp, err := (&retryhttp.Transport{Base: base}).RoundTrip(request(t, "GET", venue, ""))
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v, %v", resp, err)
		}
		for i, want := range []time.Duration{120 * time.Second, 7 * time.Second} {
			if waited := base.seen[i+1].at.Sub(base.seen[i].at); waited < want || waited > want+time.Second {
				t.Errorf("wait %d is %v; want %v and a backoff", i+1, waited, want)
			}
		}
	})
}

// H13, and hints beyond MaxHint.
func TestHintTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			policy *retry.Policy
			header string
			hint   time.Duration
			reason error
		}{
			{&retry.Policy{MaxElapsed: 10 * time.Second}, "Retry-After: 30", 30 * time.Second, retry.ErrElapsed},
			{nil, "Retry-After: 301", 301 * time.Second, retry.ErrHint},
			{nil, "Retry-After: 99999999999999999999", 1<<63 - 1, retry.ErrHint},
		} {
			base := &fake{replies: []reply{status(429, test.header)}}
			begun := time.Now()
			resp, err := (&retryhttp.Transport{Base: base, Policy: test.policy}).RoundTrip(request(t, "GET", venue, ""))
			if err != nil {
				t.Fatal(err)
			}
			if read(t, resp) != "Too Many Requests" || time.Since(begun) != 0 || base.attempts() != 1 {
				t.Errorf("%s: %d attempts in %v; want one, at once", test.header, base.attempts(), time.Since(begun))
			}
			reason := retryhttp.Reason(resp)
			if !errors.Is(reason, test.reason) || retry.Hint(reason) != test.hint {
				t.Errorf("%s: %v with hint %v; want %v with %v", test.header, reason, retry.Hint(reason), test.reason, test.hint)
			}
		}
	})
}

func TestClassify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		venueSays := func(r *http.Request, resp *http.Response) (retry.Class, bool) {
			switch resp.Header.Get("X-Code") {
			case "failed":
				return retry.Transient, true
			case "unknown":
				return retry.Ambiguous, true
			}
			return 0, false
		}
		for _, test := range []struct {
			reply    reply
			attempts int
		}{
			{status(503, "X-Code: failed"), 3},
			{status(503, "Retry-After: 1", "X-Code: unknown"), 1},
			{status(200, "X-Code: failed"), 3},
			{status(401, "X-Code: failed"), 3},
			{status(200), 1},
			{status(429), 3},
		} {
			base := &fake{replies: []reply{test.reply}}
			transport := &retryhttp.Transport{Base: base, Classify: venueSays, Refresh: func(*http.Request) error {
				t.Error("credentials refreshed against the override")
				return nil
			}}
			resp, err := transport.RoundTrip(request(t, "POST", venue, "x"))
			if err != nil || base.attempts() != test.attempts {
				t.Errorf("%d attempts, %v; want %d", base.attempts(), err, test.attempts)
			}
			read(t, resp)
		}
	})
}

func TestReasonOfOthers(t *testing.T) {
	if got := retryhttp.Reason(nil); got != nil {
		t.Errorf("Reason(nil) = %v", got)
	}
	if got := retryhttp.Reason(&http.Response{}); got != nil {
		t.Errorf("Reason of a bare response = %v", got)
	}
	// A context handed on from a response that failed says nothing of the next one.
	base := &fake{replies: []reply{status(404), status(200)}}
	transport := &retryhttp.Transport{Base: base}
	first, _ := transport.RoundTrip(request(t, "GET", venue, ""))
	second, _ := transport.RoundTrip(request(t, "GET", venue, "").WithContext(first.Request.Context()))
	if retryhttp.Reason(first) == nil || retryhttp.Reason(second) != nil {
		t.Errorf("Reasons %v and %v; want one and none", retryhttp.Reason(first), retryhttp.Reason(second))
	}
}

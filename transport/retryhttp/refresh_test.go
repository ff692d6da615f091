package retryhttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := 0
		fresh := func(r *http.Request) error {
			if r.Body != nil || r.GetBody != nil || r.ContentLength != 0 {
				t.Error("Refresh can see the body")
			}
			token++
			r.Header.Set("Authorization", fmt.Sprint("token ", token))
			return nil
		}
		for _, test := range []struct {
			name     string
			codes    []int
			refresh  func(*http.Request) error
			want     int
			sent     []string // credentials
			attempts []string // headers
		}{
			{"no hook", []int{401}, nil, 401, []string{""}, []string{""}},
			{"fresh ones work", []int{401, 200}, fresh, 200, []string{"", "token 1"}, []string{"", ""}},
			{"only once", []int{401, 401, 200}, fresh, 401, []string{"", "token 1"}, []string{"", ""}},
			{"kept for further attempts, outside the count", []int{401, 429, 429, 200}, fresh, 200,
				[]string{"", "token 1", "token 1", "token 1"}, []string{"", "", "1", "2"}},
			{"in a later attempt", []int{429, 429, 401, 200}, fresh, 200, []string{"", "", "", "token 1"}, []string{"", "1", "2", "2"}},
			{"none to be had", []int{401, 200}, func(*http.Request) error { return errRefused }, 401, []string{""}, []string{""}},
		} {
			token = 0
			base := &fake{}
			for _, code := range test.codes {
				base.replies = append(base.replies, status(code))
			}
			req := request(t, "POST", venue, "order")
			resp, err := (&retryhttp.Transport{Base: base, Refresh: test.refresh}).RoundTrip(req)
			if err != nil || resp.StatusCode != test.want {
				t.Fatalf("%s: %v, %v; want %d", test.name, resp, err, test.want)
			}
			read(t, resp)
			var sent, attempts []string
			for _, s := range base.seen {
				sent = append(sent, s.header.Get("Authorization"))
				attempts = append(attempts, s.header.Get("Relent-Attempt"))
				if s.body != "order" {
					t.Errorf("%s: body %q", test.name, s.body)
				}
			}
			if !slices.Equal(sent, test.sent) || !slices.Equal(attempts, test.attempts) {
				t.Errorf("%s: credentials %q in attempts %q; want %q, %q", test.name, sent, attempts, test.sent, test.attempts)
			}
			if test.name == "none to be had" && (!errors.Is(retryhttp.Reason(resp), errRefused) || !errors.Is(retryhttp.Reason(resp), retry.ErrPermanent)) {
				t.Errorf("%s: %v", test.name, retryhttp.Reason(resp))
			}
			if len(req.Header) > 0 || base.leaks() > 0 {
				t.Errorf("%s: request changed to %v, or %d bodies left open", test.name, req.Header, base.leaks())
			}
		}
		base := &fake{replies: []reply{status(401)}}
		req, body := opaqueRequest(t, "POST", venue, "order")
		resp, _ := (&retryhttp.Transport{Base: base, Refresh: fresh}).RoundTrip(req)
		if read(t, resp); !errors.Is(retryhttp.Reason(resp), retryhttp.ErrBody) || base.attempts() != 1 || closes(body) != 1 {
			t.Errorf("a stream: %v after %d attempts, closed %d times", retryhttp.Reason(resp), base.attempts(), closes(body))
		}
	})
}

package retryhttp

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/relent-go/relent/retry"
)

func TestHandler(t *testing.T) {
	for _, test := range []struct {
		name   string
		header http.Header
		want   int
	}{
		{"none", http.Header{}, 0},
		{"ours", http.Header{"Relent-Attempt": {"2"}}, 2},
		{"grpc", http.Header{"Grpc-Previous-Rpc-Attempts": {"3"}}, 3},
		{"envoy, first", http.Header{"X-Envoy-Attempt-Count": {"1"}}, 0},
		{"envoy", http.Header{"X-Envoy-Attempt-Count": {"3"}}, 2},
		{"aws", http.Header{"Amz-Sdk-Request": {"attempt=2; max=3"}}, 1},
		{"aws, other order", http.Header{"Amz-Sdk-Request": {"ttl=20261123T130000Z;  max=3; attempt=3"}}, 2},
		{"aws, first", http.Header{"Amz-Sdk-Request": {"attempt=1; max=3"}}, 0},
		{"the most of all", http.Header{"Relent-Attempt": {"1", "4"}, "X-Envoy-Attempt-Count": {"3"}}, 4},
		{"negative", http.Header{"Relent-Attempt": {"-2"}}, 0},
		{"signed", http.Header{"Relent-Attempt": {"+2"}}, 0},
		{"empty", http.Header{"Relent-Attempt": {""}}, 0},
		{"word", http.Header{"X-Envoy-Attempt-Count": {"two"}, "Amz-Sdk-Request": {"attempt=two; max", "attempt"}}, 0},
		{"zero", http.Header{"X-Envoy-Attempt-Count": {"0"}}, 0},
		{"huge", http.Header{"Relent-Attempt": {"9999999"}}, maxAttempts},
		{"beyond integers", http.Header{"Relent-Attempt": {"99999999999999999999"}}, maxAttempts},
	} {
		got, same := -1, false
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = test.header
		Handler(http.HandlerFunc(func(_ http.ResponseWriter, inner *http.Request) {
			got, same = retry.PreviousAttempts(inner.Context()), inner == r
		})).ServeHTTP(httptest.NewRecorder(), r)
		if got != test.want || same != (test.want == 0) {
			t.Errorf("%s: %d previous attempts, request untouched: %t; want %d", test.name, got, same, test.want)
		}
	}
}

func FuzzPreviousAttempts(f *testing.F) {
	f.Add("2", "3", "attempt=2; max=3")
	f.Add("-1", "99999999999999999999", "attempt=;attempt=99999999999999999999")
	f.Fuzz(func(t *testing.T, ours, envoy, aws string) {
		n := previousAttempts(http.Header{
			"Relent-Attempt": {ours}, "Grpc-Previous-Rpc-Attempts": {envoy}, "X-Envoy-Attempt-Count": {envoy}, "Amz-Sdk-Request": {aws},
		})
		if n < 0 || n > maxAttempts {
			t.Errorf("previousAttempts(%q, %q, %q) = %d", ours, envoy, aws, n)
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add(`"a";r=0;t=7,"b";r=3;t=60`)
	f.Add(`a;b;c=:x=:, "\"`)
	f.Fuzz(func(t *testing.T, s string) {
		items, valid := parseList([]string{s})
		if !valid && items != nil {
			t.Errorf("parseList(%q) = %v, not valid", s, items)
		}
	})
}

package retryhttp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/relent-go/relent/retry"
)

// maxAttempts is the most that is believed of a count.
const maxAttempts = 1 << 20

// Handler returns a handler that carries on, in the request's context, how often callers have tried
// before, so that calls made with it are not retried again ([retry.WithPreviousAttempts]). The count is
// taken from the headers below, the highest if there are several; what is malformed is ignored, and
// what is huge is cut to about a million.
//
//	Relent-Attempt: 2                attempts before this one
//	grpc-previous-rpc-attempts: 2    the same
//	x-envoy-attempt-count: 3         this attempt, from 1
//	amz-sdk-request: attempt=3; max=4
//
// A caller can only ask for fewer retries in this way. A server whose Transport uses another
// AttemptHeader can call retry.WithPreviousAttempts itself.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := previousAttempts(r.Header); n > 0 {
			r = r.WithContext(retry.WithPreviousAttempts(r.Context(), n))
		}
		next.ServeHTTP(w, r)
	})
}

func previousAttempts(h http.Header) int {
	most := 0
	for _, v := range h[DefaultAttemptHeader] {
		most = max(most, count(v))
	}
	for _, v := range h["Grpc-Previous-Rpc-Attempts"] {
		most = max(most, count(v))
	}
	for _, v := range h["X-Envoy-Attempt-Count"] {
		most = max(most, count(v)-1)
	}
	for _, v := range h["Amz-Sdk-Request"] {
		for part := range strings.SplitSeq(v, ";") {
			if n, ok := strings.CutPrefix(strings.TrimSpace(part), "attempt="); ok {
				most = max(most, count(n)-1)
			}
		}
	}
	return most
}

// count parses digits, and returns 0 for anything else.
func count(s string) int {
	if !isDigits(s) {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil { // out of range
		return maxAttempts
	}
	return min(n, maxAttempts)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

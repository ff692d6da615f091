package retryhttp_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/transport/retryhttp"
)

var now = time.Unix(1795438800, 0) // 2026-11-23T13:00:00Z

// headers parses lines of "Name: value".
func headers(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		name, value, _ := strings.Cut(line, ":")
		h.Add(name, strings.TrimPrefix(value, " "))
	}
	return h
}

func TestParseHint(t *testing.T) {
	const none = -1
	const forever = math.MaxInt64
	for _, test := range []struct {
		name, headers string
		want          time.Duration
	}{
		{"nothing", "Content-Type: text/plain", none},
		{"H1", "Retry-After: 120", 120 * time.Second},
		{"H2", "Retry-After: 0", 0},
		{"H3", "Retry-After: Mon, 23 Nov 2026 13:00:30 GMT\nDate: Mon, 23 Nov 2026 13:00:00 GMT", 30 * time.Second},
		{"against Date, not our clock", "Retry-After: Mon, 23 Nov 2026 14:00:30 GMT\nDate: Mon, 23 Nov 2026 14:00:00 GMT", 30 * time.Second},
		{"without Date", "Retry-After: Mon, 23 Nov 2026 13:00:30 GMT", 30 * time.Second},
		{"malformed Date", "Retry-After: Mon, 23 Nov 2026 13:00:30 GMT\nDate: today", 30 * time.Second},
		{"H5", "Retry-After: Mon, 23 Nov 2026 12:00:00 GMT", 0},
		{"H6 negative", "Retry-After: -5", none},
		{"H6 fraction", "Retry-After: 1.5", none},
		{"H6 empty", "Retry-After:", none},
		{"H6 word", "Retry-After: abc", none},
		{"signed", "Retry-After: +5", none},
		{"H7 the larger of two", "Retry-After: 5\nRetry-After: 10", 10 * time.Second},
		{"the larger of two, of different kinds", "Retry-After: Mon, 23 Nov 2026 13:00:30 GMT\nRetry-After: 10", 30 * time.Second},
		{"the valid one of two", "Retry-After: abc\nRetry-After: 10", 10 * time.Second},
		{"spaces", "Retry-After:  \t7 ", 7 * time.Second},
		{"H8 RFC 850", "Retry-After: Monday, 23-Nov-26 13:00:30 GMT", 30 * time.Second},
		{"H8 asctime", "Retry-After: Mon Nov 23 13:00:30 2026", 30 * time.Second},
		{"another zone", "Retry-After: Monday, 23-Nov-26 13:00:30 XST", none},
		{"a century", "Retry-After: 3155760000", 3155760000 * time.Second},
		{"more than fits a Duration", "Retry-After: 9999999999999", forever},
		{"more than fits an int64", "Retry-After: 99999999999999999999999", forever},
		{"the year 9999", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", forever},
		{"H10", "Retry-After: 5\nRateLimit: \"default\";r=0;t=60", 5 * time.Second},
		{"malformed Retry-After leaves RateLimit", "Retry-After: abc\nRateLimit: \"default\";r=0;t=60", 60 * time.Second},
		{"H11", `RateLimit: "a";r=0;t=7,"b";r=3;t=60`, 7 * time.Second},
		{"something left", `RateLimit: "default";r=50;t=30`, none},
		{"two lines, the longest", "RateLimit: \"a\";r=0;t=7\nRateLimit: \"b\";r=00;t=9", 9 * time.Second},
		{"without t", `RateLimit: "a";r=0`, none},
		{"without t, window known", "RateLimit: \"burst\";r=0\nRateLimit-Policy: \"day\";q=9;w=86400, \"burst\";q=100;w=60", 60 * time.Second},
		{"without t, other window", "RateLimit: \"burst\";r=0\nRateLimit-Policy: \"day\";q=9;w=86400", none},
		{"malformed policy", "RateLimit: \"burst\";r=0\nRateLimit-Policy: \"burst\";", none},
		{"policy alone", `RateLimit-Policy: "burst";q=100;w=60`, none},
		{"tokens, spaces, flags, more parameters", `RateLimit: a; r=0;  t=7;x ;`, none},
		{"token with a flag and a byte sequence", `RateLimit: a; r=0; t=7;x;pk=:cHsdsRs894==:`, none},
		{"token with a flag", `RateLimit: a; r=0; t=7;x;y="a\";,b" , "c";r=0;t=8`, 8 * time.Second},
		{"negative t", `RateLimit: "a";r=0;t=-7`, none},
		{"negative r", `RateLimit: "a";r=-1;t=7`, none},
		{"huge t", `RateLimit: "a";r=0;t=99999999999999999999`, forever},
		{"unclosed string", `RateLimit: "a;r=0;t=7`, none},
		{"escape at the end", `RateLimit: "a\`, none},
		{"trailing comma", `RateLimit: "a";r=0;t=7,`, none},
		{"missing comma", `RateLimit: "a";r=0;t=7 "b";r=0;t=9`, none},
		{"string as a key", `RateLimit: "a";"r"=0;t=7`, none},
		{"empty key", `RateLimit: "a";=0;t=7`, none},
		{"empty value", `RateLimit: "a";r=;t=7`, none},
		{"from a cache", "RateLimit: \"a\";r=0;t=7\nAge: 10", none},
		{"fresh from a cache", "RateLimit: \"a\";r=0;t=7\nAge: 0", 7 * time.Second},
		{"RateLimit before X-RateLimit-Reset", "RateLimit: \"a\";r=0;t=7\nX-RateLimit-Reset: 60", 7 * time.Second},
		{"seconds", "X-RateLimit-Reset: 60", 60 * time.Second},
		{"most seconds", "X-RateLimit-Reset: 99999999", 99999999 * time.Second},
		{"neither seconds nor epoch", "X-RateLimit-Reset: 100000000", none},
		{"epoch long gone", "X-RateLimit-Reset: 1000000000", 0},
		{"epoch", "X-RateLimit-Reset: 1795438830", 30 * time.Second},
		{"epoch, far", "X-RateLimit-Reset: 100000000000", forever},
		{"neither epoch nor milliseconds", "X-RateLimit-Reset: 100000000001", none},
		{"milliseconds", "X-RateLimit-Reset: 1795438830500", 30500 * time.Millisecond},
		{"huge", "X-RateLimit-Reset: 9223372036854775807", forever},
		{"more than huge", "X-RateLimit-Reset: 9223372036854775808", forever},
		{"RFC 3339", "X-RateLimit-Reset: 2026-11-23T14:00:30+01:00", 30 * time.Second},
		{"RFC 3339 in the past", "X-RateLimit-Reset: 2026-11-23T12:00:00Z", 0},
		{"word", "X-RateLimit-Reset: soon", none},
		{"against Date", "X-RateLimit-Reset: 1795438830\nDate: Mon, 23 Nov 2026 13:00:10 GMT", 20 * time.Second},
		{"requests remain", "X-RateLimit-Reset: 60\nX-RateLimit-Remaining: 59", none},
		{"none remain", "X-RateLimit-Reset: 60\nX-RateLimit-Remaining: 0", 60 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := retryhttp.ParseHint(headers(test.headers), now)
			if test.want == none && (ok || got != 0) || test.want != none && (!ok || got != test.want) {
				t.Errorf("ParseHint(%q) = %v, %t; want %v", test.headers, got, ok, test.want)
			}
		})
	}
}

func FuzzParseHint(f *testing.F) {
	f.Add("120", "Mon, 23 Nov 2026 13:00:00 GMT", `"a";r=0;t=7,"b";r=3;t=60`, `"a";w=60`, "1795438830", "0")
	f.Add("99999999999999999999", "", `"a\"";r=0`, ``, "2026-11-23T14:00:30+01:00", "")
	f.Add("Monday, 23-Nov-26 13:00:30 GMT", "x", `a;b=;c`, `"a`, "1e99", "-1")
	f.Fuzz(func(t *testing.T, after, date, limit, policy, reset, age string) {
		h := http.Header{
			"Retry-After": {after, "x"}, "Date": {date}, "Ratelimit": {limit}, "Ratelimit-Policy": {policy},
			"X-Ratelimit-Reset": {reset}, "Age": {age},
		}
		first, ok := retryhttp.ParseHint(h, now)
		if first < 0 || !ok && first != 0 {
			t.Errorf("ParseHint(%v) = %v, %t", h, first, ok)
		}
		delete(h, "Date")
		sooner, _ := retryhttp.ParseHint(h, now.Add(time.Hour))
		later, _ := retryhttp.ParseHint(h, now)
		if sooner > later {
			t.Errorf("ParseHint(%v) grows from %v to %v as time goes by", h, later, sooner)
		}
	})
}

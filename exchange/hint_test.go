package exchange

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

var testNow = time.UnixMilli(1767225600000)

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "5": 5 * time.Second, " 5\t": 5 * time.Second, "1.5": 1500 * time.Millisecond, "604800": maxWait,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Wed, 31 Dec 2025 23:59:00 GMT": 0,
		"-1": -1, "NaN": -1, "604801": -1, "1e300": -1, "soon": -1, "": -1, "Fri, 01 Jan 2027 00:00:00 GMT": -1, "+Inf": -1,
		"1767225660000": -1, // milliseconds of an epoch
	} {
		got, ok := retryAfter(text, testNow)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("retryAfter(%q) = %v; want %v", text, got, want)
		}
	}
}

func TestParseWait(t *testing.T) {
	for _, test := range []struct {
		text, unit string
		want       time.Duration
	}{
		{"1767225630", "epoch_s", 30 * time.Second}, {"1767225630000", "epoch_ms", 30 * time.Second},
		{"1767225630000", "epoch_s", -1}, {"1767225630", "epoch_ms", -1}, {"1767225630.9", "epoch_s", 30 * time.Second},
		{"1767225590", "epoch_s", 0}, {"1776225590", "epoch_s", -1}, {"x", "epoch_s", -1},
		{"250", "milliseconds", 250 * time.Millisecond}, {"-5", "milliseconds", -1}, {"0.2", "milliseconds", time.Millisecond},
		{"1.x", "milliseconds", -1}, {"604800001", "milliseconds", -1}, {"2", "seconds", 2 * time.Second}, {"5", "fortnights", -1},
	} {
		got, ok := parseWait(test.text, test.unit, testNow)
		if !ok {
			got = -1
		}
		if got != test.want {
			t.Errorf("parseWait(%q, %s) = %v; want %v", test.text, test.unit, got, test.want)
		}
	}
}

func TestHints(t *testing.T) {
	for _, test := range []struct {
		venue, header, body string
		want                hint
	}{
		{"binance", "Retry-After: 7", "", hint{7 * time.Second, true, true, 0}},
		{"binance", "", `{"code":-1003,"msg":"Way too much request weight used; IP banned until 1767225660000. Please use WebSocket"}`, hint{time.Minute, true, true, 0}},
		{"binance", "Retry-After: 90", `{"msg":"IP banned until 1767225660000."}`, hint{90 * time.Second, true, true, 0}},
		{"binance", "", `{"msg":"IP banned until 1867225660000."}`, hint{unread: 1}},
		{"binance", "", `{"msg":"IP banned until later"}`, hint{}},
		{"binance", "Retry-After: soon", "", hint{unread: 1}},
		{"kucoin", "gw-ratelimit-reset: 1500", "", hint{1500 * time.Millisecond, true, true, 0}},
		{"alpaca", "X-RateLimit-Reset: 1767225610", "", hint{10 * time.Second, true, true, 0}},
		{"gate", "X-Gate-RateLimit-Reset-Timestamp: 1767225610", "", hint{10 * time.Second, false, true, 0}},
		{"bybit", "X-Bapi-Limit-Reset-Timestamp: 1767225600000", "", hint{0, true, true, 0}},
		{"kraken", "", `{"error":["EService:Throttled: 1767225605"]}`, hint{5 * time.Second, false, true, 0}},
		{"coinbase", "", `{"errors":[]}`, hint{}},
	} {
		h := make(http.Header)
		if name, value, ok := strings.Cut(test.header, ": "); ok {
			h.Set(name, value)
		}
		if got := mustLoad(t, test.venue).hint(h, []byte(test.body), testNow); got != test.want {
			t.Errorf("%s %q %q: %+v; want %+v", test.venue, test.header, test.body, got, test.want)
		}
	}
}

func TestWindowOf(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1M": time.Minute, "1m": time.Minute, "10S": 10 * time.Second, "1h": time.Hour, "1D": 24 * time.Hour,
		"": 0, "M": 0, "0M": 0, "-1M": 0, "1X": 0, "999999999D": 0, "1MM": 0,
	} {
		got, ok := windowOf(text)
		if got != want || ok != (want > 0) {
			t.Errorf("windowOf(%q) = %v, %v; want %v", text, got, ok, want)
		}
	}
}

// No parser panics, or returns a wait that is negative or longer than seven days.
func FuzzHints(f *testing.F) {
	f.Add("5", `{"msg":"IP banned until 1767225660000"}`)
	f.Add("Thu, 01 Jan 2026 00:01:00 GMT", `["error",11010,"x"]`)
	f.Add("1e400", `{"error":["EService:Throttled: 99999999999999999999"]}`)
	f.Fuzz(func(t *testing.T, header, body string) {
		for _, venue := range []string{"binance", "kraken", "kucoin", "alpaca", "gate", "bitfinex", "okx"} {
			p := profiles(t)[venue]
			h := http.Header{"Retry-After": {header}, "Gw-Ratelimit-Reset": {header}, "X-Ratelimit-Reset": {header}, "X-Gate-Ratelimit-Reset-Timestamp": {header}}
			if got := p.hint(h, []byte(body), testNow); got.wait < 0 || got.wait > maxWait {
				t.Errorf("%s: wait %v", venue, got.wait)
			}
			for _, kind := range []Kind{Order, Cancel, Read} {
				for _, status := range []int{200, 400, 429, 503} {
					v := p.Classify(kind, status, h, []byte(body))
					if len(v.Message) > maxMessage {
						t.Errorf("%s: message of %d bytes", venue, len(v.Message))
					}
				}
			}
		}
		l := &Limits{Profile: profiles(t)["binance"]}
		r := request{kind: Order, method: "POST", path: "/api/v3/order"}
		var g grant
		if err := l.reserve(t.Context(), &r, &g); err != nil {
			t.Fatal(err)
		}
		l.correct(&g, http.Header{"X-Mbx-Used-Weight-1m": {header}, "X-Mbx-Order-Count-" + header: {body}}, time.Time{}, time.Now())
		l.learnLimits([]byte(body))
		for _, s := range l.Stats().Ledgers {
			if !(s.Used >= 0) || !(s.Headroom >= 0 && s.Headroom <= 1) {
				t.Errorf("%+v", s)
			}
		}
		if d, ok := windowOf(header); ok && d <= 0 {
			t.Errorf("windowOf(%q) = %v", header, d)
		}
		if m, ok := parseMoment(header, "epoch_ms"); ok && !inRange(m) {
			t.Errorf("parseMoment(%q) = %v", header, m)
		}
		if _, err := parsePrice(header, Price(body)); err == nil {
			if _, err := strconv.Atoi(body); err == nil && strings.HasPrefix(body, "-") && body != "-0" {
				t.Errorf("parsePrice(%q, %q) accepted a negative price", header, body)
			}
		}
	})
}

var loaded map[string]*Profile

// profiles are those of all venues, read once.
func profiles(t testing.TB) map[string]*Profile {
	if loaded == nil {
		loaded = make(map[string]*Profile)
		for _, name := range Names() {
			loaded[name] = mustLoad(t, name)
		}
	}
	return loaded
}

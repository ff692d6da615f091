package retryhttp

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ParseHint returns how long the headers of a response ask to wait from now on, and false if they do
// not say. The wait is never negative; a moment in the past is 0, and what does not fit is the longest Duration.
//
// It looks, in this order, at
//
//   - Retry-After: seconds or a date (RFC 9110 §10.2.3), the longest if there are several;
//   - RateLimit: the longest t of the items with nothing left, r=0, or the policy's window w from
//     RateLimit-Policy where t is missing (draft-ietf-httpapi-ratelimit-headers). Items with something left
//     say nothing. A response from a cache (Age) is ignored;
//   - X-RateLimit-Reset, unless X-RateLimit-Remaining says that something is left: seconds below
//     1e8, Unix seconds from 1e9 to 1e11, Unix milliseconds from 1e12, or RFC 3339.
//
// Moments are measured against the response's own Date if it has one, so that the clocks need not
// agree. What is malformed is ignored.
func ParseHint(h http.Header, now time.Time) (time.Duration, bool) {
	now = serverTime(h, now)
	if d, ok := retryAfter(h, now); ok {
		return d, true
	}
	if d, ok := rateLimit(h); ok {
		return d, true
	}
	return rateLimitReset(h, now)
}

func serverTime(h http.Header, now time.Time) time.Time {
	if values := h["Date"]; len(values) > 0 {
		if date, ok := parseDate(values[0]); ok {
			return date
		}
	}
	return now
}

func retryAfter(h http.Header, now time.Time) (wait time.Duration, ok bool) {
	for _, v := range h["Retry-After"] {
		v = strings.Trim(v, " \t")
		if isDigits(v) {
			wait, ok = max(wait, units(v, time.Second)), true
		} else if date, valid := parseDate(v); valid {
			wait, ok = max(wait, date.Sub(now)), true
		}
	}
	return wait, ok
}

// parseDate parses the three forms of RFC 9110 §5.6.7, all of which are in GMT.
func parseDate(s string) (time.Time, bool) {
	t, err := http.ParseTime(s)
	if err != nil {
		return time.Time{}, false
	}
	zone, offset := t.Zone()
	return t, offset == 0 && (zone == "UTC" || zone == "GMT")
}

// units returns that many units, given in digits, or the longest Duration.
func units(digits string, unit time.Duration) time.Duration {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > int64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

func rateLimit(h http.Header) (wait time.Duration, ok bool) {
	if age := h.Get("Age"); age != "" && age != "0" {
		return 0, false
	}
	limits, valid := parseList(h["Ratelimit"])
	if !valid {
		return 0, false
	}
	for _, limit := range limits {
		if left := limit.params["r"]; !isDigits(left) || strings.Trim(left, "0") != "" {
			continue
		}
		t := limit.params["t"]
		if t == "" {
			t = window(h, limit.name)
		}
		if isDigits(t) {
			wait, ok = max(wait, units(t, time.Second)), true
		}
	}
	return wait, ok
}

// window returns the length of a quota policy's window, or "".
func window(h http.Header, name string) string {
	policies, _ := parseList(h["Ratelimit-Policy"])
	for _, p := range policies {
		if p.name == name {
			return p.params["w"]
		}
	}
	return ""
}

// An item is a string or token of a structured field, with its parameters as they are written.
type item struct {
	name   string
	params map[string]string
}

// parseList parses a list of items (RFC 9651 §4.2.1), or as much of it as the rate limit headers
// need: inner lists do not occur there. A list is valid as a whole or not at all.
func parseList(lines []string) (items []item, valid bool) {
	s := strings.Join(lines, ",")
	for {
		var it item
		var ok bool
		if it.name, s, ok = parseValue(strings.TrimLeft(s, " \t")); !ok {
			return nil, false
		}
		for {
			rest, more := strings.CutPrefix(s, ";")
			if !more {
				break
			}
			var key, value string
			if key, s, ok = parseValue(strings.TrimLeft(rest, " ")); !ok || key[0] == '"' {
				return nil, false
			}
			if rest, more := strings.CutPrefix(s, "="); more {
				if value, s, ok = parseValue(rest); !ok {
					return nil, false
				}
			}
			if it.params == nil {
				it.params = make(map[string]string)
			}
			it.params[key] = value
		}
		items = append(items, it)
		if s = strings.TrimLeft(s, " \t"); s == "" {
			return items, true
		}
		if s, ok = strings.CutPrefix(s, ","); !ok {
			return nil, false
		}
	}
}

// parseValue takes a quoted string, quotes included, or a run of the characters of tokens, numbers,
// booleans and byte sequences off the front of s.
func parseValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		i := strings.IndexAny(s, ";,= \t\"")
		if i < 0 {
			i = len(s)
		}
		return s[:i], s[i:], i > 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[:i+1], s[i+1:], true
		}
	}
	return "", "", false
}

func rateLimitReset(h http.Header, now time.Time) (time.Duration, bool) {
	// As net/http spells them: Get would spell X-RateLimit anew each time.
	values := h["X-Ratelimit-Reset"]
	if len(values) == 0 {
		return 0, false
	}
	if left := h["X-Ratelimit-Remaining"]; len(left) > 0 && strings.Trim(left[0], "0") != "" {
		return 0, false
	}
	var wait time.Duration
	reset := strings.Trim(values[0], " \t")
	if isDigits(reset) {
		n, err := strconv.ParseInt(reset, 10, 64)
		switch {
		case err != nil:
			return math.MaxInt64, true
		case n < 1e8:
			wait = time.Duration(n) * time.Second
		case n >= 1e9 && n <= 1e11:
			wait = time.Unix(n, 0).Sub(now)
		case n >= 1e12:
			wait = time.UnixMilli(n).Sub(now)
		default:
			return 0, false
		}
	} else {
		t, err := time.Parse(time.RFC3339, reset)
		if err != nil {
			return 0, false
		}
		wait = t.Sub(now)
	}
	return max(0, wait), true
}

package exchange

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A hint is how long an answer asks to wait.
type hint struct {
	wait    time.Duration
	trusted bool // it may be shorter than the default
	found   bool
	unread  int // that could not be read, or were out of range
}

func (h *hint) take(wait time.Duration, ok, trusted bool) {
	switch {
	case !ok:
		h.unread++
	case !h.found || wait > h.wait:
		h.wait, h.found, h.trusted = wait, true, trusted
	}
}

// hint returns the longest wait that an answer names. now is the venue's time. Nothing that is returned is negative or longer
// than seven days: what is, is not believed.
func (p *Profile) hint(h http.Header, body []byte, now time.Time) hint {
	var found hint
	for _, v := range h["Retry-After"] {
		wait, ok := retryAfter(v, now)
		found.take(wait, ok, true) // RFC 9110 §10.2.3
	}
	for i := range p.Rest.WaitHints {
		f := &p.Rest.WaitHints[i]
		switch {
		case f.Kind == "header" && !strings.EqualFold(f.Name, "Retry-After"):
			if v := h.Get(f.Name); v != "" {
				wait, ok := parseWait(v, f.Unit, now)
				found.take(wait, ok, f.Trusted())
			}
		case f.Kind == "body":
			if v := digitsAfter(string(body), f.Name, f.Unit); v != "" {
				wait, ok := parseWait(v, f.Unit, now)
				found.take(wait, ok, f.Trusted())
			}
		}
	}
	return found
}

// retryAfter reads seconds or an HTTP date. It is false for what is unreadable, negative, or longer than seven days.
func retryAfter(text string, now time.Time) (time.Duration, bool) {
	text = strings.Trim(text, " \t")
	if t, err := http.ParseTime(text); err == nil {
		return until(t, now)
	}
	return parseWait(text, "seconds", now)
}

// parseWait reads a wait in one of the units of the facts.
func parseWait(text, unit string, now time.Time) (time.Duration, bool) {
	text = strings.Trim(text, " \t")
	switch unit {
	case "epoch_s", "epoch_ms":
		t, ok := parseMoment(text, unit)
		if !ok {
			return 0, false
		}
		return until(t, now)
	case "milliseconds":
		return parseMillis(text)
	case "seconds":
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= maxWait.Seconds()) {
			return 0, false
		}
		return time.Duration(n * float64(time.Second)), true
	}
	return 0, false
}

// until is the wait to a moment; one that has passed is no wait at all.
func until(t, now time.Time) (time.Duration, bool) {
	wait := t.Sub(now)
	return max(0, wait), wait <= maxWait && wait >= -maxWait
}

// digitsAfter returns the first run of digits of a unit's length behind the words of a hint, such as
// "msg:IP banned until <epoch_ms>".
func digitsAfter(text, name, unit string) string {
	_, words, ok := strings.Cut(name, "msg:")
	if !ok {
		words = name
	}
	words, _, ok = strings.Cut(words, "<")
	_, rest, found := strings.Cut(text, strings.TrimSpace(words))
	if !ok || !found {
		return ""
	}
	length := 10
	if unit == "epoch_ms" {
		length = 13
	}
	for run := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r < '0' || r > '9' }) {
		if len(run) == length {
			return run
		}
	}
	return ""
}

// windowOf reads the end of a header's name that says which window it is about: "1M" is a minute. Letters in any case.
func windowOf(suffix string) (time.Duration, bool) {
	if suffix == "" {
		return 0, false
	}
	var unit time.Duration
	switch suffix[len(suffix)-1] &^ 0x20 {
	case 'S':
		unit = time.Second
	case 'M':
		unit = time.Minute
	case 'H':
		unit = time.Hour
	case 'D':
		unit = 24 * time.Hour
	}
	n, err := strconv.Atoi(suffix[:len(suffix)-1])
	if unit == 0 || err != nil || n < 1 || time.Duration(n) > 366*24*time.Hour/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxWait is the longest wait that is believed. It also catches seconds where milliseconds were expected, and the reverse.
const maxWait = 7 * 24 * time.Hour

// units are those of moments in requests and answers; "" is none.
var units = []string{"", "epoch_s", "epoch_ms", "rfc3339"}

// parseMoment reads a moment in one of the units. It is false for what cannot be read, and for moments before 1998 and after
// 2286, where the number of digits of a unit changes: those are in another unit.
func parseMoment(text, unit string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, false
	}
	if unit == "rfc3339" {
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil && inRange(t)
	}
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	t := time.Unix(n, 0)
	if unit == "epoch_ms" {
		t = time.UnixMilli(n)
	}
	return t, inRange(t)
}

func inRange(t time.Time) bool { return t.Unix() >= 9e8 && t.Unix() < 1e10 }

// parseMillis reads a time in milliseconds, fractions rounded up.
func parseMillis(text string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if strings.Trim(fraction, "0123456789") != "" || err != nil || n < 0 || n > maxWait.Milliseconds() {
		return 0, false
	}
	if strings.Trim(fraction, "0") != "" {
		n++
	}
	return time.Duration(n) * time.Millisecond, true
}

// statusRange reads a status of the tables: "418", "5xx", "520..525".
func statusRange(text string) (low, high int, err error) {
	if hundreds, ok := strings.CutSuffix(text, "xx"); ok && len(hundreds) == 1 {
		text = hundreds + "00.." + hundreds + "99"
	}
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		to = from
	}
	low, err = strconv.Atoi(from)
	if err == nil {
		high, err = strconv.Atoi(to)
	}
	if err != nil || low < 100 || high > 999 || high < low {
		return 0, 0, fmt.Errorf("status %q: want 418, 5xx or 520..525", text)
	}
	return low, high, nil
}

func (l *Limit) window() time.Duration { return millis(l.WindowMS) }

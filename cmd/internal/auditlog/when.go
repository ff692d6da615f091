package auditlog

import (
	"fmt"
	"time"
)

// ParseTime reads a time that a person gives: how long ago (90m), a time of RFC 3339, or a day (2026-03-14, in UTC). Empty is the zero time.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time: write how long ago (90m), a time (2026-03-14T15:09:26Z) or a day (2026-03-14)", text)
}

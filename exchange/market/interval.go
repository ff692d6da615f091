package market

import (
	"strconv"
	"strings"
	"time"
)

var units = []struct {
	suffix string
	unit   time.Duration
}{
	{"min", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour},
	{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"H", time.Hour},
	{"d", 24 * time.Hour}, {"D", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"W", 7 * 24 * time.Hour},
	{"", time.Minute},
}

// interval reads the name of an interval, such as 1m, 4H, 1min, or 15 for minutes. It is 0 if there is
// no such interval, or it has no fixed length, such as a month.
func interval(name string) time.Duration {
	for _, u := range units {
		if number, ok := strings.CutSuffix(name, u.suffix); ok {
			if n, err := strconv.Atoi(number); err == nil && n > 0 && n <= 1000 {
				return time.Duration(n) * u.unit
			}
			if u.suffix == "" && len(name) == 1 {
				return interval("1" + name) // Bybit: D, W
			}
		}
	}
	return 0
}

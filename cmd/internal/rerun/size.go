//go:build unix

package rerun

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits from the largest to the smallest, binary ones first, so that a size is printed in the
// unit people expect and "B" is tried last.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3},
	{"B", 1},
}

// ParseSize reads a whole number of bytes with its unit: "16MiB", "500kB", "12B". The unit is
// required, since a bare number leaves open what it counts.
func ParseSize(text string) (int64, error) {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 63)
		switch {
		case err != nil && strings.Trim(number, "0123456789") != "":
			return 0, fmt.Errorf("%q: want a whole number and a unit without a space, such as 16MiB", text)
		case number == "":
			return 0, fmt.Errorf("%q: want a number before the unit, such as 16MiB", text)
		case err != nil || int64(n) > math.MaxInt64/unit.bytes:
			return 0, fmt.Errorf("%q: too large", text)
		}
		return int64(n) * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q: want a number and a unit, such as 16MiB (B, kB, KiB, MB, MiB, GB, GiB, TB, TiB)", text)
}

// FormatSize returns n bytes as [ParseSize] reads them, in the largest binary unit that divides n.
func FormatSize(n int64) string {
	for _, unit := range sizeUnits[:4] {
		if n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

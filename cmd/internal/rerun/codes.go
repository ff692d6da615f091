//go:build unix

package rerun

import (
	"fmt"
	"strconv"
	"strings"
)

// Codes is a set of exit codes from 1 to 255. The zero value is empty. Code 0 is success and never a member.
type Codes struct{ bits [4]uint64 }

// ParseCodes reads a list of codes and ranges, such as "1,75,100-110". The error says which part is
// wrong and what would be right.
func ParseCodes(text string) (Codes, error) {
	var c Codes
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseCode(low, part)
		if err != nil {
			return Codes{}, err
		}
		last := first
		if isRange {
			if last, err = parseCode(high, part); err != nil {
				return Codes{}, err
			}
		}
		if last < first {
			return Codes{}, fmt.Errorf("%q runs backwards: write %d-%d", part, last, first)
		}
		for code := first; code <= last; code++ {
			c.bits[code/64] |= 1 << (code % 64)
		}
	}
	return c, nil
}

// parseCode reads one code out of part.
func parseCode(text, part string) (int, error) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, fmt.Errorf("%q: want codes and ranges such as 1,75,100-110", part)
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 0, fmt.Errorf("%q: want codes and ranges such as 1,75,100-110", part)
	case err != nil || n > 255:
		return 0, fmt.Errorf("%q: an exit code is at most 255", part)
	case n == 0:
		return 0, fmt.Errorf("%q: 0 is success, which is decided by --until-match and --fail-match", part)
	}
	return n, nil
}

// Has says whether code is in c.
func (c Codes) Has(code int) bool {
	return code > 0 && code < 256 && c.bits[code/64]&(1<<(code%64)) != 0
}

// Empty says whether c has no code.
func (c Codes) Empty() bool { return c == Codes{} }

// Union returns the codes that are in c or in d.
func (c Codes) Union(d Codes) Codes {
	for i := range c.bits {
		c.bits[i] |= d.bits[i]
	}
	return c
}

// String returns the shortest list that [ParseCodes] reads as c; it is empty for the empty set.
func (c Codes) String() string {
	var parts []string
	for code := 1; code < 256; code++ {
		if !c.Has(code) {
			continue
		}
		last := code
		for c.Has(last + 1) {
			last++
		}
		switch last - code {
		case 0:
			parts = append(parts, strconv.Itoa(code))
		case 1:
			parts = append(parts, strconv.Itoa(code), strconv.Itoa(last))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", code, last))
		}
		code = last
	}
	return strings.Join(parts, ",")
}

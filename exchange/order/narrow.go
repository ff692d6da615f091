package order

import "strconv"

// Quantities and prices mostly have few digits, and fit into 64 bits. What does not goes through math/big.

// mostNarrow is how many digits a narrow number may have, also when it has been brought to another scale: the sum of two is
// below 2^63.
const mostNarrow = 18

// narrow returns the number as an integer of some scale. It is false for one with too many digits, and for text that is none.
func (d Decimal) narrow() (n int64, scale int, ok bool) {
	if len(d) > mostNarrow {
		return 0, 0, false
	}
	i, point := 0, -1
	if d != "" && d[0] == '-' {
		i = 1
	}
	for start := i; i < len(d); i++ {
		switch c := d[i]; {
		case '0' <= c && c <= '9':
			n = 10*n + int64(c-'0')
		case c == '.' && point < 0 && i > start:
			point = i
		default:
			return 0, 0, false
		}
	}
	if point >= 0 {
		scale = len(d) - point - 1
	}
	if d != "" && d[0] == '-' {
		n = -n
	}
	return n, scale, true
}

// abreast returns both numbers as integers of one scale. It is false if one of them is not narrow at it.
func abreast(d, e Decimal) (x, y int64, scale int, ok bool) {
	x, sx, ok := d.narrow()
	y, sy, too := e.narrow()
	if !ok || !too || len(d)+max(0, sy-sx) > mostNarrow || len(e)+max(0, sx-sy) > mostNarrow {
		return 0, 0, 0, false
	}
	for ; sx < sy; sx++ {
		x *= 10
	}
	for ; sy < sx; sy++ {
		y *= 10
	}
	return x, y, sx, true
}

// shortest returns the shortest text of a narrow number.
func shortest(n int64, scale int) Decimal {
	for scale > 0 && n%10 == 0 {
		n, scale = n/10, scale-1
	}
	if n == 0 {
		return ""
	}
	var digits, text [2 * mostNarrow]byte
	all := strconv.AppendInt(digits[:0], n, 10)
	out := text[:0]
	if n < 0 {
		out, all = append(out, '-'), all[1:]
	}
	if scale == 0 {
		return Decimal(append(out, all...))
	}
	whole := len(all) - scale
	if whole <= 0 {
		out = append(out, '0')
	} else {
		out = append(out, all[:whole]...)
	}
	out = append(out, '.')
	for range -whole {
		out = append(out, '0')
	}
	return Decimal(append(out, all[max(0, whole):]...))
}

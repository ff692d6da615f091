package market

import (
	"hash/crc32"
	"slices"
)

// A Checksum names how a venue sums up the top of a book. All are CRC32 (IEEE) over text.
type Checksum string

// The checksums.
const (
	// NoChecksum, the zero value, checks nothing.
	NoChecksum Checksum = ""

	// KrakenTop10 sums 10 asks, then 10 bids; of each the price and the quantity as sent, without
	// point and leading zeros. Kraken, "Book checksum (WebSocket v2)".
	KrakenTop10 Checksum = "kraken_top10"

	// BitgetTop25 sums bid and ask by turns, "price:quantity" as sent, joined with colons; what one side
	// has more follows at its place. A sum of 0 is not checked. Bitget, and OKX of old.
	BitgetTop25 Checksum = "bitget_top25"

	// BitfinexTop25 sums as BitgetTop25, but the numbers are written as JavaScript writes them, and the
	// quantities of asks are negative. Bitfinex, "Order Books Checksum".
	BitfinexTop25 Checksum = "bitfinex_top25"
)

var checksums = []Checksum{NoChecksum, KrakenTop10, BitgetTop25, BitfinexTop25}

// Known says whether there is a checksum of that name.
func (c Checksum) Known() bool { return slices.Contains(checksums, c) }

// holds says whether sum is right for the book. text is scratch and is returned for the next time.
func (c Checksum) holds(sum uint32, bids, asks *side, text []byte) (bool, []byte) {
	text = text[:0]
	switch c {
	case KrakenTop10:
		for _, s := range []*side{asks, bids} {
			for i := range min(10, len(s.levels)) {
				text = appendDigits(appendDigits(text, s.at(i).Price), s.at(i).Quantity)
			}
		}
	case BitgetTop25, BitfinexTop25:
		if sum == 0 && c == BitgetTop25 {
			return true, text
		}
		for i := range 25 {
			text = c.appendLevel(text, bids, i, "")
			text = c.appendLevel(text, asks, i, "-")
		}
		text = text[:max(0, len(text)-1)] // the last colon
	default:
		return true, text
	}
	return crc32.ChecksumIEEE(text) == sum, text
}

// appendDigits appends the digits of a number as written, from the first that is not 0.
func appendDigits(b []byte, n Number) []byte {
	start := len(b)
	leading := true
	b = n.Append(b)
	to := start
	for _, c := range b[start:] {
		if c == '.' || c == '0' && leading {
			continue
		}
		leading = false
		b[to] = c
		to++
	}
	return b[:to]
}

// appendLevel appends the i-th level of a side, if there is one, and a colon after each number.
func (c Checksum) appendLevel(b []byte, s *side, i int, sign string) []byte {
	if i >= len(s.levels) {
		return b
	}
	l := s.at(i)
	if c == BitgetTop25 {
		b = append(l.Price.Append(b), ':')
		return append(l.Quantity.Append(b), ':')
	}
	b = append(appendScript(b, l.Price), ':')
	return append(appendScript(append(b, sign...), l.Quantity), ':')
}

// appendScript appends a number as JavaScript's Number.toString does: no zeros at the end, and an
// exponent below 0.000001 (ECMA-262, Number::toString).
func appendScript(b []byte, n Number) []byte {
	start := len(b)
	if b = n.Append(b); n.Decimals() == 0 {
		return b
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		return b[:len(b)-1]
	}
	if n.whole > 0 {
		return b
	}
	zeros := 0 // between the point and the first other digit
	for b[start+2+zeros] == '0' {
		zeros++
	}
	if zeros < 6 {
		return b
	}
	digits := slices.Clone(b[start+2+zeros:])
	b = append(b[:start], digits[0])
	if len(digits) > 1 {
		b = append(append(b, '.'), digits[1:]...)
	}
	b = append(b, 'e', '-')
	if zeros >= 9 {
		b = append(b, '1')
	}
	return append(b, byte('0'+(zeros+1)%10))
}

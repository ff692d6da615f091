package market

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// MaxFrame is the size of the largest frame that a [Decoder] reads: 8 MiB. The largest snapshots
// of the known venues are below 1 MiB.
const MaxFrame = 8 << 20

// A scanner reads JSON that is known to be valid, from front to back, without allocating. A shape
// that was not expected sets err, and ends every loop.
//
//	for s.open('{'); s.more('}'); {
//		switch string(s.key()) {
//		case "u":
//			u = s.integer()
//		default:
//			s.skip()
//		}
//	}
type scanner struct {
	b     []byte
	i     int
	first bool // more has not been asked since open
	err   error
}

// scan begins to read a frame.
func scan(frame []byte) scanner {
	s := scanner{b: frame}
	switch {
	case len(frame) > MaxFrame:
		s.fail("of %d bytes, which is more than %d", len(frame), MaxFrame)
	case !json.Valid(frame):
		s.fail("not JSON: %.80q", frame)
	}
	return s
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrFrame, fmt.Sprintf(format, args...))
	}
	s.b, s.i = nil, 0
}

// peek returns the next character that is not white space; 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// open enters an object or array. Anything else there is an error.
func (s *scanner) open(c byte) {
	if got := s.peek(); got != c {
		s.fail("%q where %q was expected", got, c)
		return
	}
	s.i++
	s.first = true
}

// more says whether another element follows before the closing character, which it takes.
func (s *scanner) more(end byte) bool {
	c := s.peek()
	if c == 0 { // an error before
		return false
	}
	first := s.first
	s.first = false
	switch {
	case c == end:
		s.i++
		return false
	case first:
	case c == ',':
		s.i++
	}
	return true
}

// key takes the key of an object's member, and the colon.
func (s *scanner) key() []byte {
	k := s.text()
	s.peek()
	s.i++
	return k
}

// text takes a string, without its quotes, or a number as written.
func (s *scanner) text() []byte {
	start := s.i
	switch c := s.peek(); {
	case c == '"':
		s.i++
		start = s.i
		for s.b[s.i] != '"' {
			if s.b[s.i] == '\\' {
				return s.escaped(start)
			}
			s.i++
		}
		s.i++
		return s.b[start : s.i-1]
	case isDigit(c), c == '-':
		for start = s.i; s.i < len(s.b) && inNumber(s.b[s.i]); s.i++ {
		}
		return s.b[start:s.i]
	}
	s.fail("a string or number was expected, not %.20q", s.b[min(start, len(s.b)):])
	return nil
}

func inNumber(c byte) bool {
	return isDigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// escaped takes a string with escapes, whose text begins at start.
func (s *scanner) escaped(start int) []byte {
	for s.b[s.i] != '"' {
		if s.b[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	s.i++
	var text string
	json.Unmarshal(s.b[start-1:s.i], &text) // it is valid
	return []byte(text)
}

// integer takes a number without decimals, or a string that holds one.
func (s *scanner) integer() int64 {
	text := s.text()
	if s.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		s.fail("%.40q where an integer was expected", text)
	}
	return n
}

// number takes a decimal, or a string that holds one.
func (s *scanner) number() Number {
	text := s.text()
	if s.err != nil {
		return Number{}
	}
	n, err := ParseNumber(text)
	if err != nil {
		s.fail("%v", err)
	}
	return n
}

// signed takes a decimal that may be negative.
func (s *scanner) signed() (n Number, negative bool) {
	text := s.text()
	if s.err != nil {
		return Number{}, false
	}
	text, negative = bytes.CutPrefix(text, []byte("-"))
	n, err := ParseNumber(text)
	if err != nil {
		s.fail("%v", err)
	}
	return n, negative
}

// truth takes true or false.
func (s *scanner) truth() bool {
	c := s.peek()
	if c != 't' && c != 'f' {
		s.fail("true or false was expected")
		return false
	}
	s.skip()
	return c == 't'
}

// millis takes a time in milliseconds since 1970.
func (s *scanner) millis() time.Time { return unix(s.integer(), time.Millisecond) }

// clock takes a time as RFC 3339 writes it.
func (s *scanner) clock() time.Time {
	text := s.text()
	if s.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		s.fail("%.40q where a time was expected", text)
	}
	return t
}

// unix returns n units after 1970; the zero time for 0.
func unix(n int64, unit time.Duration) time.Time {
	if n == 0 {
		return time.Time{}
	}
	per := int64(time.Second / unit)
	return time.Unix(n/per, n%per*int64(unit)).UTC()
}

// word returns what text would take as the value of a member of the object ahead, without moving.
func (s *scanner) word(key string) []byte {
	i := s.i
	var text []byte
	if s.enter(key) {
		text = s.text()
	}
	s.i = i
	return text
}

// numeral returns what integer would take as the value of a member of the object ahead, without moving.
func (s *scanner) numeral(key string) int64 {
	i := s.i
	var n int64
	if s.enter(key) {
		n = s.integer()
	}
	s.i = i
	return n
}

// flag returns what truth would take as the value of a member of the object ahead, without moving.
func (s *scanner) flag(key string) bool {
	i := s.i
	is := s.enter(key) && s.truth()
	s.i = i
	return is
}

// has says whether the object ahead has a member that is not null.
func (s *scanner) has(key string) bool {
	i := s.i
	found := s.enter(key) && s.peek() != 'n'
	s.i = i
	return found
}

// enter moves to the value of a member of the object ahead; not at all if there is none.
func (s *scanner) enter(key string) bool {
	i := s.i
	for s.open('{'); s.more('}'); s.skip() {
		if string(s.key()) == key {
			return true
		}
	}
	if s.err == nil {
		s.i = i
	}
	return false
}

// skip takes a value of any kind.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch c := s.peek(); c {
		case 0:
			return
		case '{', '[':
			s.i++
			depth++
		case '}', ']':
			s.i++
			depth--
		case ',', ':':
			s.i++
			continue
		case 't', 'f', 'n':
			for s.i < len(s.b) && s.b[s.i] >= 'a' && s.b[s.i] <= 'z' {
				s.i++
			}
		default:
			s.text()
		}
		if depth == 0 {
			return
		}
	}
}

package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may lie in one another.
const maxDepth = 1000

// Canonical returns one JSON text in the form of RFC 8785 (JCS): no spaces, members in the order of their names as UTF-16,
// strings and numbers as ECMAScript writes them. It refuses what is not I-JSON (RFC 7493): a name that comes twice in an object,
// a number beyond the range of a float64, text that is not UTF-8, half of a surrogate pair.
func Canonical(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("canonical JSON: the text is not UTF-8")
	}
	if err := pairs(text); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	out, err := canonical(d, make([]byte, 0, len(text)), 0)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("canonical JSON: more than one value")
	}
	return out, nil
}

// canonical appends the next value.
func canonical(d *json.Decoder, b []byte, depth int) ([]byte, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case string:
		return appendString(b, v), nil
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, err
		}
		return appendNumber(b, f), nil
	case bool:
		return fmt.Append(b, v), nil
	case json.Delim:
		if depth == maxDepth {
			return nil, fmt.Errorf("more than %d levels", maxDepth)
		}
		if v == '{' {
			return canonicalObject(d, b, depth+1)
		}
		return canonicalArray(d, b, depth+1)
	}
	return append(b, "null"...), nil
}

func canonicalArray(d *json.Decoder, b []byte, depth int) (_ []byte, err error) {
	b = append(b, '[')
	for i := 0; d.More(); i++ {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = canonical(d, b, depth); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return append(b, ']'), err
}

func canonicalObject(d *json.Decoder, b []byte, depth int) ([]byte, error) {
	type member struct {
		name  []uint16
		bytes []byte
	}
	var members []member
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder lets nothing else pass
		text, err := canonical(d, append(appendString(nil, name), ':'), depth)
		if err != nil {
			return nil, err
		}
		members = append(members, member{utf16.Encode([]rune(name)), text})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.name, b.name) })
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			if slices.Equal(m.name, members[i-1].name) {
				return nil, fmt.Errorf("the name %q comes twice", string(utf16.Decode(m.name)))
			}
			b = append(b, ',')
		}
		b = append(b, m.bytes...)
	}
	return append(b, '}'), nil
}

// pairs finds escapes of half a surrogate pair, which the decoder would quietly replace.
func pairs(text []byte) error {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit, ok := escaped(text[i:])
		switch {
		case !ok:
			i++ // the character that is escaped, which may be a backslash
		case !utf16.IsSurrogate(rune(unit)):
			i += 5
		default:
			low, ok := escaped(text[min(i+6, len(text)):])
			if !ok || utf16.DecodeRune(rune(unit), rune(low)) == utf8.RuneError {
				return fmt.Errorf("canonical JSON: half of a surrogate pair at byte %d", i)
			}
			i += 11
		}
	}
	return nil
}

// escaped reads the \uXXXX that text begins with.
func escaped(text []byte) (unit uint16, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, b := range text[2:6] {
		unit <<= 4
		switch {
		case '0' <= b && b <= '9':
			unit |= uint16(b - '0')
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			unit |= uint16(b|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	return unit, true
}

package exchange

import (
	"bytes"
	"encoding/json"
)

// flat says whether peek may look into some JSON: it is one valid object.
func flat(data []byte) bool {
	i := blank(data, 0)
	return i < len(data) && data[i] == '{' && json.Valid(data)
}

// peek returns the scalar at a path of a flat object, as lookup would after decode, without decoding it: most answers are
// asked for three or four of their values. It is empty if there is none. sure is false if only decode can tell: there is a
// list at the path, an escape on the way, or a name twice.
func peek(data []byte, path []string) (value string, sure bool) {
	raw, sure := find(data, path)
	if !sure {
		return "", false
	}
	return scalar(raw)
}

// find returns the text of the scalar at a path, which is nil if there is none.
func find(data []byte, path []string) (raw []byte, sure bool) {
	i := blank(data, 0)
	for {
		switch data[i] {
		case '[':
			return nil, false
		case '{':
			if len(path) == 0 {
				return nil, true
			}
		default:
			if len(path) > 0 {
				return nil, true
			}
			return data[i:past(data, i)], true
		}
		at := -1
		for i = blank(data, i+1); data[i] != '}'; {
			end := past(data, i)
			name := data[i+1 : end-1]
			if bytes.IndexByte(name, '\\') >= 0 {
				return nil, false
			}
			i = blank(data, blank(data, end)+1) // behind the colon
			if string(name) == path[0] {
				if at >= 0 {
					return nil, false
				}
				at = i
			}
			if i = blank(data, past(data, i)); data[i] == ',' {
				i = blank(data, i+1)
			}
		}
		if at < 0 {
			return nil, true
		}
		i, path = at, path[1:]
	}
}

// scalar reads a string, a number, true, false or null.
func scalar(data []byte) (value string, sure bool) {
	if len(data) == 0 || data[0] == 'n' {
		return "", true
	}
	if data[0] != '"' {
		return string(data), true
	}
	data = data[1 : len(data)-1]
	for _, c := range data {
		if c == '\\' || c >= 0x80 {
			return "", false
		}
	}
	return string(data), true
}

// blank returns where the space that begins at i has ended.
func blank(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r') {
		i++
	}
	return i
}

// past returns where the value has ended that begins at i. The JSON is valid.
func past(data []byte, i int) int {
	for depth := 0; ; i++ {
		switch data[i] {
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 {
				for data[i] != ',' && data[i] != '}' && data[i] != ']' && data[i] > ' ' { // an object is around it
					i++
				}
				return i
			}
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
}

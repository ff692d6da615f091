package exchange

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// queryValue returns a value of a query, without reading all of it into memory.
func queryValue(query, name string) (string, bool) {
	odd := escaped(query)
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		if !odd { // as almost all are
			if rest, ok := strings.CutPrefix(pair, name); ok && (rest == "" || rest[0] == '=') {
				return strings.TrimPrefix(rest, "="), true
			}
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			if !escaped(key) {
				continue
			}
			if k, err := url.QueryUnescape(key); err != nil || k != name {
				continue
			}
		}
		if !escaped(value) {
			return value, true
		}
		v, err := url.QueryUnescape(value)
		return v, err == nil
	}
	return "", false
}

func escaped(text string) bool {
	return strings.IndexByte(text, '%') >= 0 || strings.IndexByte(text, '+') >= 0
}

func parseCount(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// A reader finds values in a request whose body has been read.
type reader struct {
	req  *http.Request
	body []byte
	text string // body, of a guarded request
	tree any
	read bool
	flat bool // of body, once read
}

// at returns the value at the first place that holds one.
func (r *reader) at(places []string) string {
	for _, place := range places {
		if v := r.value(place); v != "" {
			return v
		}
	}
	return ""
}

func (r *reader) value(place string) string {
	where, name, _ := strings.Cut(place, ":")
	switch where {
	case "query":
		v, _ := queryValue(r.req.URL.RawQuery, name)
		return v
	case "form":
		if r.isJSON() {
			return ""
		}
		v, _ := queryValue(r.text, name)
		return v
	case "header":
		return r.req.Header.Get(name)
	case "json":
		path := strings.Split(name, ".")
		if !r.read {
			r.read, r.flat = true, flat(r.body)
		}
		if r.flat {
			if v, sure := peek(r.body, path); sure {
				return v
			}
		}
		if r.tree == nil {
			r.tree, _ = decode(r.body)
		}
		return first(r.tree, [][]string{path})
	}
	path := strings.TrimSuffix(r.req.URL.Path, "/") // the place is "path"
	return path[strings.LastIndexByte(path, '/')+1:]
}

func (r *reader) isJSON() bool {
	i := blank(r.body, 0)
	return i < len(r.body) && (r.body[i] == '{' || r.body[i] == '[')
}

package halt

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Scope is the place of a stop in text form: the segments of its path, escaped as in a URL and joined by
// slashes, such as equities/binance/place_order/BTC%2FUSD. The zero value is [Global].
type Scope string

// Global is the scope of everything.
const Global Scope = "global"

// ErrScope is what errors about a scope match: malformed, or one more than the tree may hold.
var ErrScope = errors.New("not a usable scope")

// Limits of scopes.
const (
	MaxDepth         = 8    // segments of a path; global has none
	MaxSegment       = 128  // bytes of one of them
	DefaultMaxScopes = 1024 // of a tree
)

// At returns the scope at a path. The path may begin with global, and is otherwise, by custom, tenant or
// desk, component, operation and key.
func At(path ...string) Scope {
	path = below(path)
	if len(path) == 0 {
		return Global
	}
	escaped := make([]string, len(path))
	for i, segment := range path {
		escaped[i] = url.PathEscape(segment)
	}
	return Scope(strings.Join(escaped, "/"))
}

// Path returns the segments below global, or what is wrong with them.
func (s Scope) Path() ([]string, error) {
	if s == "" || s == Global {
		return nil, nil
	}
	path := strings.Split(string(s), "/")
	for i, escaped := range path {
		segment, err := url.PathUnescape(escaped)
		if err != nil {
			return nil, fmt.Errorf("%w: %.200q: %w", ErrScope, string(s), err)
		}
		path[i] = segment
	}
	path = below(path)
	return path, check(path)
}

// below drops the word global in front.
func below(path []string) []string {
	for len(path) > 0 && path[0] == string(Global) {
		path = path[1:]
	}
	return path
}

// check says what is wrong with the segments of a path.
func check(path []string) error {
	for _, segment := range path {
		switch {
		case segment == "":
			return fmt.Errorf("%w: %.200q has an empty segment", ErrScope, path)
		case len(segment) > MaxSegment:
			return fmt.Errorf("%w: a segment of %d bytes is longer than %d", ErrScope, len(segment), MaxSegment)
		case !utf8.ValidString(segment) || strings.ContainsFunc(segment, unicode.IsControl):
			return fmt.Errorf("%w: %q is not plain text", ErrScope, segment)
		}
	}
	return nil
}

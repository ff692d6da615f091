package idempotent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/relent-go/relent/retry"
)

// HeaderName is the field that carries the key (draft-ietf-httpapi-idempotency-key-header-07 §2).
const HeaderName = "Idempotency-Key"

// ErrHeader is why a field value is not a key; Permanent.
var ErrHeader = retry.Mark(errors.New(`not a quoted key, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"`), retry.Permanent)

// ParseHeader returns the key in a field value, which is a String of structured fields and nothing else:
// quoted, of visible ASCII and spaces, with \" and \\ for the two characters that mean something
// (RFC 9651 §3.3.3, §4.2.5). The error wraps [ErrHeader], or is [ErrNoKey] for an empty string.
func ParseHeader(value string) (string, error) {
	s := strings.Trim(value, " \t")
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", ErrHeader
	}
	s = s[1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", fmt.Errorf("%w: a backslash before neither a quote nor a backslash", ErrHeader)
			}
			c = s[i]
		case c == '"':
			return "", fmt.Errorf("%w: something follows the closing quote", ErrHeader)
		case !visible(c):
			return "", fmt.Errorf("%w: byte %#02x", ErrHeader, c)
		}
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "", ErrNoKey
	}
	return b.String(), nil
}

// FormatHeader returns the field value for a key. A key that a String of structured fields cannot hold
// is replaced by its SHA-256 in hexadecimal, which is as good: the same key yields the same value.
// It returns "" for "".
func FormatHeader(key string) string {
	if key == "" {
		return ""
	}
	for i := range len(key) {
		if !visible(key[i]) {
			sum := sha256.Sum256([]byte(key))
			key = hex.EncodeToString(sum[:])
			break
		}
	}
	return `"` + escapes.Replace(key) + `"`
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func visible(c byte) bool { return c >= ' ' && c <= '~' }

// Header returns the field value for the key under which a guarded function runs, or "" outside of one. It is
// what a client hands on:
//
//	Key: func(r *http.Request) string { return idempotent.Header(r.Context()) } // of a retryhttp.Transport
func Header(ctx context.Context) string { return FormatHeader(Key(ctx)) }

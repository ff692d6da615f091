package oteltrace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

const (
	policyKey   = attribute.Key("relent.policy")
	outcomeKey  = attribute.Key("relent.outcome")
	attemptsKey = attribute.Key("relent.attempts")
	attemptKey  = attribute.Key("relent.attempt")
	classKey    = attribute.Key("relent.class")
	untimedKey  = attribute.Key("relent.untimed")
	hashKey     = attribute.Key("relent.key_hash")
	resendKey   = attribute.Key("http.request.resend_count") // semantic conventions, HTTP spans
	errorKey    = attribute.Key("error.type")                // semantic conventions, recording errors

	backoffEvent = "relent.backoff"
	refusedEvent = "relent.refused"
)

// KeyHash is the attribute relent.key_hash: the first 8 bytes of the SHA-256 of an order id or an idempotency key, in
// hex. It tells whoever has the key which span is its own, and tells nobody the key.
func KeyHash(key string) attribute.KeyValue {
	sum := sha256.Sum256([]byte(key))
	return hashKey.String(hex.EncodeToString(sum[:8]))
}

// errorType is what error.type says of the error of an attempt. Of a tree of errors the outermost that says something counts:
// a status, a timeout, an end; and else the outermost type that does more than wrap.
func errorType(err error) string {
	kind, last := "", "_OTHER" // which the conventions have for want of anything better
	for err != nil && !isNil(err) {
		switch x := err.(type) {
		case interface{ ErrorType() string }:
			return x.ErrorType()
		case *retryhttp.StatusError:
			return strconv.Itoa(x.Code)
		case interface{ Timeout() bool }:
			if x.Timeout() {
				return "timeout"
			}
		}
		switch err {
		case retry.ErrAttemptTimeout:
			return "timeout"
		case context.Canceled:
			return "canceled"
		}
		if last = reflect.TypeOf(err).String(); kind == "" && !wrapper(last) {
			kind = last
		}
		err = unwrap(err)
	}
	return cmp.Or(kind, last)
}

// wrapper says that errors of a type only wrap, or are but a text.
func wrapper(kind string) bool {
	return strings.HasPrefix(kind, "*retry.") || strings.HasPrefix(kind, "*fmt.") || strings.HasPrefix(kind, "*errors.")
}

// unwrap returns the error within err, or the first of several.
func unwrap(err error) error {
	switch x := err.(type) {
	case *retry.Error: // of a call below
		return cmp.Or(x.Last, x.Reason)
	case interface{ Unwrap() error }:
		return x.Unwrap()
	case interface{ Unwrap() []error }:
		for _, err := range x.Unwrap() {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// isNil tells a nil pointer inside an interface, whose methods may not be callable.
func isNil(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

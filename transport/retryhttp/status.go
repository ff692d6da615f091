package retryhttp

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/relent-go/relent/retry"
)

// A StatusError is the error of an attempt that was answered with a status that counts as a
// failure. It carries no class itself: [retry.DefaultClassify] finds the one it is wrapped in.
type StatusError struct {
	Code int // of the response, such as 503

	resp    *http.Response
	settled bool
	below   *retry.Error // why a Transport below had given up
}

// Error is "http 503".
func (e *StatusError) Error() string { return "http " + strconv.Itoa(e.Code) }

// Unwrap returns the reason of a Transport below this one that had given up with the response. It
// lets the call above count the attempts below as its own.
func (e *StatusError) Unwrap() error {
	if e.below == nil {
		return nil
	}
	return e.below
}

// classify is the table of the package comment, for responses of which no more is known.
func classify(code int, safe bool, h http.Header) (class retry.Class, failed bool) {
	switch code {
	case http.StatusTooManyRequests:
		return retry.Throttled, true
	case http.StatusRequestEntityTooLarge:
		if asksToWait(h) {
			return retry.Throttled, true
		}
	case http.StatusServiceUnavailable:
		switch {
		case asksToWait(h):
			return retry.Throttled, true
		case safe:
			return retry.Transient, true
		}
	case http.StatusRequestTimeout:
		return retry.Ambiguous, true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage,
		http.StatusLoopDetected, http.StatusNetworkAuthenticationRequired:
		return retry.Permanent, true
	}
	switch {
	case code >= 500:
		return retry.Ambiguous, true // RFC 9110 §15: an unknown status is as x00 of its kind
	case code >= 400:
		return retry.Permanent, true
	}
	return 0, false
}

func asksToWait(h http.Header) bool {
	_, ok := retryAfter(h, time.Time{})
	return ok
}

// onceMore is the class of a status that is worth one retry.
func onceMore(again bool) retry.Class {
	if again {
		return retry.Permanent
	}
	return retry.Transient
}

// Reason returns why the call that brought resp made no further attempt, or nil if resp is a
// success or did not come from a [Transport]. It looks at resp.Request, so it works through http.Client.
func Reason(resp *http.Response) *retry.Error {
	if resp == nil || resp.Request == nil {
		return nil
	}
	if o, ok := resp.Request.Context().Value(outcomeKey{}).(*outcome); ok && o.resp == resp {
		return o.reason
	}
	return nil
}

// An outcome names its response, because a context may be passed on.
type outcome struct {
	resp   *http.Response
	reason *retry.Error
}

type outcomeKey struct{}

// withReason attaches e to resp. The body may be wrapped by others, such as http.Client with its
// Timeout, so the request's context is the place that lasts.
func withReason(resp *http.Response, req *http.Request, e *retry.Error) *http.Response {
	if resp.Request != nil {
		req = resp.Request
	}
	resp.Request = req.WithContext(context.WithValue(req.Context(), outcomeKey{}, &outcome{resp, e}))
	return resp
}

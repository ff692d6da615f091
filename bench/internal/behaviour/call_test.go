package behaviour

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

// caller returns how a subject makes calls, in HTTP requests if that is all it does.
func caller(s peer.Subject, wait time.Duration) peer.Call {
	if s.Waiting != nil {
		return s.Waiting(wait)
	}
	return func(ctx context.Context, fn peer.Func) (q peer.Quote, err error) {
		base := transport(func(r *http.Request) (*http.Response, error) {
			if err := r.Context().Err(); err != nil {
				return nil, err // as http.Transport does
			}
			if q, err = fn(r.Context()); err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
		})
		_, err = s.HTTP(base, wait)(ctx, http.MethodGet, "http://venue.test/", nil)
		return q, err
	}
}

// busy is an error that the subject retries.
func busy(s peer.Subject) error {
	if s.Fail == nil {
		return errors.New("busy")
	}
	return s.Fail
}

// keeps says whether err still tells of the attempt's own error.
func keeps(err, attempt error) string {
	for attempt != nil {
		if errors.Is(err, attempt) {
			return ", last error kept"
		}
		attempt = errors.Unwrap(attempt) // some take their own mark off
	}
	return ", last error lost"
}

func cancelledBefore(t *testing.T, s peer.Subject) string {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	runs := 0
	caller(s, 10*time.Second)(ctx, func(context.Context) (peer.Quote, error) {
		runs++
		return peer.Quote{}, busy(s)
	})
	switch runs {
	case 0:
		return "not run"
	case 1:
		return "run once"
	}
	return "run, and retried"
}

func beyondDeadline(t *testing.T, s peer.Subject) string {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	took, err := failing(ctx, s)
	if took == 0 {
		return "refused at once" + keeps(err, busy(s))
	}
	return "slept " + took.String() + keeps(err, busy(s))
}

func cancelledInWait(t *testing.T, s peer.Subject) string {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	defer time.AfterFunc(time.Second, cancel).Stop()
	took, err := failing(ctx, s)
	return "ended after " + took.String() + keeps(err, busy(s))
}

// failing makes a call that fails, with waits of 10 s.
func failing(ctx context.Context, s peer.Subject) (took time.Duration, err error) {
	begin := time.Now()
	_, err = caller(s, 10*time.Second)(ctx, func(context.Context) (peer.Quote, error) { return peer.Quote{}, busy(s) })
	return time.Since(begin), err
}

package retry

import (
	"context"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
)

// BenchmarkDecide is one decision after a failed attempt: classification, policy, delay and
// deadline, with one clock read for the wait. It ends where the wait would begin.
func BenchmarkDecide(b *testing.B) {
	reset := &url.Error{Op: "Get", URL: "http://venue", Err: &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}
	for _, test := range []struct {
		name   string
		policy Policy
		err    error
	}{
		{"retry", Policy{Idempotent: true}, reset},
		{"retry/marked", Policy{}, Mark(reset, Transient)},
		{"stop", Policy{}, reset},
	} {
		b.Run(test.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				var c call
				c.resume(ctx, &test.policy)
				c.failed(test.err)
			}
		})
	}
}

// BenchmarkErrorValue is the floor under a call that fails: the making of its error.
func BenchmarkErrorValue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		made = &Error{Name: "venue.place_order", Attempts: 1, Reason: ErrPermanent}
	}
}

var made *Error

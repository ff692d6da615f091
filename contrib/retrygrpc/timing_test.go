package retrygrpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/retry"
)

// An answer is what a server says in a bubble, where there is no network.
type answer struct {
	err     error
	trailer metadata.MD // nil if nothing was sent
}

// invoker gives the answers in turn, and notes when it was asked.
func invoker(at *[]time.Duration, answers ...answer) grpc.UnaryInvoker {
	began := time.Now()
	return func(_ context.Context, _ string, _, _ any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		*at = append(*at, time.Since(began))
		a := answers[min(len(*at), len(answers))-1]
		for _, o := range opts {
			if t, ok := o.(grpc.TrailerCallOption); ok {
				*t.TrailerAddr = a.trailer
			}
		}
		return a.err
	}
}

func busyAnswer(pushback ...string) answer {
	return answer{status.Error(codes.Unavailable, "busy"), metadata.MD{"content-type": {"application/grpc"}, retrygrpc.Pushback: pushback}}
}

func TestWaits(t *testing.T) {
	informed, _ := status.New(codes.Unavailable, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	for _, test := range []struct {
		name    string
		answers []answer
		want    []time.Duration // when attempts began, in milliseconds
	}{
		{"backoff", []answer{busyAnswer()}, []time.Duration{0, 100, 300, 700, 1500}},
		{"pushback is exact and restarts the series", []answer{busyAnswer(), busyAnswer(), busyAnswer("50"), busyAnswer(), busyAnswer()}, []time.Duration{0, 100, 300, 350, 450}},
		{"pushback of 0", []answer{busyAnswer("0"), busyAnswer()}, []time.Duration{0, 0, 100, 300, 700}},
		{"RetryInfo is a floor", []answer{{informed.Err(), metadata.MD{"content-type": {"x"}}}, {}}, []time.Duration{0, 1100}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var at []time.Duration
				p := &retry.Policy{MaxAttempts: 5, Backoff: backoff.Exponential{Jitter: backoff.None}}
				_ = client(p).Unary()(t.Context(), "/s/m", nil, nil, nil, invoker(&at, test.answers...))
				if len(at) != len(test.want) {
					t.Fatalf("attempts at %v; want %v ms", at, test.want)
				}
				for i := range at {
					if at[i] != test.want[i]*time.Millisecond {
						t.Errorf("attempt %d began at %v; want %v", i+1, at[i], test.want[i]*time.Millisecond)
					}
				}
			})
		})
	}
}

func TestErrorsFromBelow(t *testing.T) {
	own := errors.New("an interceptor's")
	var at []time.Duration
	err := (&retrygrpc.Client{}).Unary()(t.Context(), "/s/m", nil, nil, nil, invoker(&at, answer{err: own}))
	if len(at) != 1 || !errors.Is(err, own) || status.Code(err) != codes.Unknown || !errors.Is(err, retry.ErrAmbiguous) {
		t.Errorf("%d attempts, %v; want 1, whose outcome is unknown", len(at), err)
	}
	at = nil
	err = client(hasty(false)).Unary()(t.Context(), "no method", nil, nil, nil, invoker(&at, answer{err: retry.Mark(own, retry.Transient)}))
	if len(at) != 3 || !errors.Is(err, own) {
		t.Errorf("%d attempts, %v; want 3, by the mark", len(at), err)
	}
}

// ErrorType is what oteltrace shows.
func TestErrorType(t *testing.T) {
	for code, want := range map[codes.Code]string{codes.Unavailable: "UNAVAILABLE", codes.Canceled: "CANCELLED", 99: "CODE_99"} {
		var at []time.Duration
		err := client(hasty(false)).Unary()(t.Context(), "/s/m", nil, nil, nil, invoker(&at, answer{err: status.Error(code, "x")}))
		var typed interface{ ErrorType() string }
		if !errors.As(err, &typed) || typed.ErrorType() != want {
			t.Errorf("ErrorType of %v is not %s", err, want)
		}
	}
}

func FuzzPushback(f *testing.F) {
	for _, s := range []string{"", "0", "-1", "2147483647", "2147483648", "+5", "0x10", "1e3", " 1", "٣"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, twice bool) {
		values := []string{s}
		if twice {
			values = append(values, s)
		}
		wait, told, never := retrygrpc.ReadPushback(metadata.MD{retrygrpc.Pushback: values})
		if wait < 0 || wait > 25*24*time.Hour || told == never || twice && !never {
			t.Errorf("pushback of %q = %v, %v, never %v", values, wait, told, never)
		}
	})
}

func FuzzRetryInfo(f *testing.F) {
	f.Add(int64(1), int32(0))
	f.Add(int64(-1), int32(5))
	f.Add(int64(1)<<62, int32(-5))
	f.Fuzz(func(t *testing.T, seconds int64, nanos int32) {
		st, err := status.New(codes.Unavailable, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: seconds, Nanos: nanos}})
		if err != nil {
			t.Skip()
		}
		if wait, ok := retrygrpc.ReadRetryInfo(st); wait < 0 || !ok && wait != 0 {
			t.Errorf("RetryInfo of %d s, %d ns = %v, %v", seconds, nanos, wait, ok)
		}
	})
}

package profile

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestGRPC(t *testing.T) {
	t.Run("B9", func(t *testing.T) {
		g := &GRPC{MaxTokens: 10, Ratio: 0.1}
		for range 3 {
			newCall(t, g).run(0, errServer)
		}
		_, err := fails(t, g, 0, errServer)
		same(t, "refusal at 6", err, nil)
		same(t, "tokens", g.Tokens(), 6.0)
		_, err = fails(t, g, 0, errServer)
		same(t, "refused at 5", err != nil, true)
		same(t, "tokens", g.Tokens(), 5.0)
	})
	t.Run("B11", func(t *testing.T) {
		for ratio, want := range map[float64]float64{0.5466: 0.546, 1.001: 1.001, 0.001: 0.001, 1000: 5} {
			g := &GRPC{Ratio: ratio}
			for range 5 {
				newCall(t, g).run(0, errServer)
			}
			newCall(t, g).run(0, nil)
			same(t, "earned", math.Round(1000*(g.Tokens()-5))/1000, want)
		}
	})
	t.Run("what counts", func(t *testing.T) {
		for _, test := range []struct {
			name   string
			policy *retry.Policy
			err    error
			want   float64
		}{
			{"transient", repeatable, errServer, 9},
			{"ambiguous", repeatable, errLate, 9},
			{"ambiguous, not to be repeated", &retry.Policy{}, errLate, 10},
			{"permanent", repeatable, errWrong, 10},
			{"pushback that forbids", repeatable, retry.Mark(ErrPushback, retry.Permanent), 9},
			{"success on a full bucket", repeatable, nil, 10},
		} {
			g := &GRPC{}
			c := newCall(t, g)
			c.a.Policy = test.policy
			c.run(0, test.err)
			same(t, test.name, g.Tokens(), test.want)
		}
		g := &GRPC{}
		for _, s := range []retry.State{retry.NotStarted, retry.Canceled, retry.Panicked} {
			c := newCall(t, g)
			c.try(0)
			c.drop(s)
		}
		same(t, "other ends", g.Tokens(), 10.0)
		for range 20 {
			newCall(t, g).run(0, errServer)
		}
		same(t, "never below zero", g.Tokens(), 0.0)
	})
}

// G15: the walk of grpc-go's TestRetryThrottling through the engine, call by call. The numbers of tokens are what the
// arithmetic gives.
func TestGRPCWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &GRPC{MaxTokens: 10, Ratio: 0.5, MaxAttempts: 4}
		p := g.Policy()
		attempt := -1
		good := []int{0, 3, 6, 10, 11, 12, 13, 14, 16, 18}
		for _, call := range []struct {
			ok     bool
			last   int // number of the last attempt
			tokens float64
		}{
			{true, 0, 10}, {true, 3, 8.5}, {true, 6, 7},
			{false, 8, 5}, // one retried, next refused
			{false, 9, 4},
			{true, 10, 4.5}, {true, 11, 5}, {true, 12, 5.5}, {true, 13, 6}, {true, 14, 6.5},
			{true, 16, 6},  // by way of 5.5
			{false, 17, 5}, // not retried
		} {
			err := retry.Run(t.Context(), p, func(context.Context) error {
				if attempt++; slices.Contains(good, attempt) {
					return nil
				}
				return errServer
			})
			if (err == nil) != call.ok || attempt != call.last || g.Tokens() != call.tokens {
				t.Errorf("after attempt %d: %v, %v tokens; want success %v after attempt %d, %v tokens",
					attempt, err, g.Tokens(), call.ok, call.last, call.tokens)
			}
			if err != nil && !errors.Is(err, errServer) {
				t.Errorf("%v; want the failure in it", err)
			}
		}
	})
}

// G16
func TestGRPCDelay(t *testing.T) {
	g := &GRPC{InitialBackoff: 100 * time.Millisecond, MaxBackoff: time.Second, Multiplier: 2}
	for n, want := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		want *= time.Millisecond
		for _, u := range []float64{0, 0.25, 0.5, 0.999, 1, 2, -1} {
			d := g.Delay(n+1, u)
			exact := float64(want) * (0.8 + 0.4*min(max(u, 0), 1))
			if !close(float64(d), exact, 1) {
				t.Errorf("Delay(%d, %v) = %v; want %v", n+1, u, d, time.Duration(exact))
			}
			if s := g.Policy().Backoff.Delay(n+1, 0, u); s != d {
				t.Errorf("the preset waits %v; want %v", s, d)
			}
		}
	}
	odd := &GRPC{InitialBackoff: math.MaxInt64, MaxBackoff: math.MaxInt64, Multiplier: math.NaN()}
	if d := odd.Delay(math.MaxInt, 1); d < 0 || d > 30*time.Hour {
		t.Errorf("odd delay %v", d)
	}
}

// B12
func TestGRPCPushback(t *testing.T) {
	for _, test := range []struct {
		values []string
		wait   time.Duration
		ok     bool
	}{
		{[]string{"1000"}, time.Second, true},
		{[]string{"0"}, 0, true},
		{[]string{"2147483647"}, math.MaxInt32 * time.Millisecond, true},
		{[]string{"-1"}, 0, false},
		{[]string{"abc"}, 0, false},
		{[]string{"1000", "1000"}, 0, false},
		{[]string{""}, 0, false},
		{[]string{"01"}, 0, false},
		{[]string{"+1"}, 0, false},
		{[]string{"2147483648"}, 0, false},
		{nil, 0, false},
	} {
		if wait, ok := Pushback(test.values...); wait != test.wait || ok != test.ok {
			t.Errorf("Pushback(%q) = %v, %v; want %v, %v", test.values, wait, ok, test.wait, test.ok)
		}
	}
	g := &GRPC{}
	wait, n, ok := g.Next(3, 0.5)
	same(t, "third wait", wait, 400*time.Millisecond)
	same(t, "next", n, 4)
	wait, n, ok = g.Next(n, 0.5, "1000")
	same(t, "wait after a pushback", wait, time.Second)
	same(t, "allowed", ok, true)
	wait, _, _ = g.Next(n, 0.5)
	same(t, "the series begins anew", wait, 100*time.Millisecond)
	_, _, ok = g.Next(1, 0.5, "-1")
	same(t, "allowed after -1", ok, false)
}

// G20
func TestGRPCAttempts(t *testing.T) {
	for attempts, want := range map[int]int{0: 4, 1: 1, 2: 2, 5: 5, 9: 5, -1: 1} {
		same(t, "attempts", (&GRPC{MaxAttempts: attempts}).Policy().MaxAttempts, want)
	}
}

func FuzzPushback(f *testing.F) {
	for _, s := range []string{"1000", "-1", "abc", "", "01", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wait, ok := Pushback(s)
		if wait < 0 || wait > math.MaxInt32*time.Millisecond || !ok && wait != 0 {
			t.Errorf("Pushback(%q) = %v, %v", s, wait, ok)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"1000", "-1", "abc", "", "18446744073709551615"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hint := RetryAfter(s)
		q := &AWS2026{}
		if d := q.Delay(1, retry.Transient, hint, 0.5); hint < 0 || d < 25*time.Millisecond || d > 5025*time.Millisecond {
			t.Errorf("RetryAfter(%q) = %v, waited %v", s, hint, d)
		}
	})
}

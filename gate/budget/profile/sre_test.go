package profile

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func close(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

// B28
func TestSREThrottle(t *testing.T) {
	for _, test := range []struct {
		requests, accepts int64
		want              float64
	}{{0, 0, 0}, {1, 0, .5}, {10, 0, .909091}, {100, 50, 0}, {100, 40, .19802}, {100, 0, .990099}, {1000, 499, .001998}} {
		t.Run(fmt.Sprint("B28 ", test.requests, " ", test.accepts), func(t *testing.T) {
			s := &SRE{Rand: func() float64 { return 1 }}
			for i := range test.requests {
				result := errServer
				if i < test.accepts {
					result = nil
				}
				newCall(t, s).run(0, result)
			}
			if got := s.Rejection(); !close(got, test.want, 1e-6) {
				t.Errorf("rejection = %v; want %v", got, test.want)
			}
		})
	}
}

func TestSREThrottlesFirstAttempts(t *testing.T) {
	u := 1.0
	s := &SRE{Rand: func() float64 { return u }}
	for range 9 {
		newCall(t, s).run(0, errServer)
	}
	u = 0.89
	same(t, "refused at 0.9", newCall(t, s).try(0) != nil, true)
	u = 0.9
	same(t, "refused at 10/11", newCall(t, s).try(0) != nil, true) // what was refused counts
	u = 0.99
	same(t, "passes", newCall(t, s).try(0), nil)
	u = 0
	same(t, "refused within the window", newCall(t, s).try(9.9) != nil, true)
	same(t, "passes after the window", newCall(t, s).try(20), nil)
	capped := &SRE{Most: 0.5, Rand: func() float64 { return 0.5 }}
	for range 9 {
		same(t, "passes at the cap", newCall(t, capped).try(0), nil)
	}
}

func TestSRERetries(t *testing.T) {
	s := &SRE{Rand: func() float64 { return 1 }}
	deposits(t, s, 29, 0)
	granted := 0
	for range 10 {
		c, err := fails(t, s, 0, errServer)
		if err == nil {
			c.end(0, nil)
			granted++
		}
	}
	same(t, "retries granted", granted, 5) // of 29 + 10 requests, and the retries themselves
	retries, asked := s.throttle.sum[retries], s.throttle.sum[requests]
	if float64(retries-1) >= 0.1*float64(asked) {
		t.Errorf("%d retries of %d requests; want a tenth", retries, asked)
	}
}

func TestSRECountsWhatTheOtherSideSaw(t *testing.T) {
	s := &SRE{Rand: func() float64 { return 1 }}
	newCall(t, s).run(0, errWrong)
	same(t, "accepted: rejected for good", s.throttle.sum[accepts], int64(1))
	for _, state := range []retry.State{retry.NotStarted, retry.Canceled, retry.Panicked} {
		c := newCall(t, s)
		c.try(0)
		c.drop(state)
	}
	same(t, "requests: one rejected, one panicked", s.throttle.sum[requests], int64(2))
	deposits(t, s, 20, 0)
	for state, want := range map[retry.State]int64{retry.NotStarted: 0, retry.Failed: 1} {
		s := &SRE{Rand: func() float64 { return 1 }}
		deposits(t, s, 20, 0)
		c, _ := fails(t, s, 0, errServer)
		c.drop(state)
		c.drop(retry.NotStarted) // a defect
		same(t, fmt.Sprint("retries that were ", state), s.throttle.sum[retries], want)
	}
}

// Odd values mean fewer attempts.
func TestOddSRE(t *testing.T) {
	s := &SRE{Ratio: math.NaN(), K: math.NaN(), Window: -1, Most: math.NaN(), Rand: func() float64 { return 0.5 }}
	deposits(t, s, 1, 0)
	c := newCall(t, s)
	c.run(0, errServer)
	same(t, "retries", c.try(0) != nil, true)
	same(t, "chance", s.Rejection(), 0.5) // K 1: (3-1)/4
	same(t, "forgets after a second", newCall(t, s).try(1+time.Second.Seconds()), nil)
	if p := (&SRE{}).Policy(); p.MaxAttempts != 3 {
		t.Errorf("attempts %d", p.MaxAttempts)
	}
	same(t, "own randomness", newCall(t, &SRE{}).try(0), nil)
}

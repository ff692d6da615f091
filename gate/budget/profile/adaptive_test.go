package profile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

// B23
func TestCubicK(t *testing.T) {
	for wMax, want := range map[float64]float64{10: 1.9574338205844317, 8: 1.8171205928321397} {
		c := cubic{wMax: wMax}
		if got := c.k(); !close(got, want, 1e-12) {
			t.Errorf("B23 %v: %v; want %v", wMax, got, want)
		}
	}
}

// B24
func TestCubicCurve(t *testing.T) {
	c := cubic{wMax: 10, t0: 5}
	for i, want := range []float64{7, 9.64893600966, 10.000030849917364, 10.453284520772092, 13.408697022224185, 21.26626835427364, 36.425998516920465} {
		if got := c.curve(float64(5 + i)); !close(got, want, 1e-9) {
			t.Errorf("B24 %d: %v; want %v", 5+i, got, want)
		}
	}
}

// B26, through the gate. The first attempt, which never began, sets time zero.
func TestAdaptiveTrace(t *testing.T) {
	g := &AWSAdaptive{}
	zero := newCall(t, g)
	zero.try(0)
	zero.drop(retry.NotStarted)
	measured := map[int]float64{6: 4.8, 10: 4.16, 16: 5.632, 20: 4.3264, 26: 5.66528, 30: 4.333056}
	fill := map[int]float64{12: .6912, 16: 1.6384, 20: 3.02848, 22: 3.48663917347026, 30: 4.282036558348658, 32: 2.99742559084406, 34: 3.4522263943863463}
	for tenth := 2; tenth <= 34; tenth += 2 {
		now := float64(tenth) / 10
		c := newCall(t, g)
		c.a = retry.Attempt{Number: 1, At: at(now), Note: new(uint64)} // without asking: the trace sends at any rate
		if tenth == 20 || tenth == 32 {
			c.end(now, errSlow)
		} else {
			c.end(now, nil)
		}
		if want, ok := measured[tenth]; ok && !close(g.cubic.measured, want, 1e-9) {
			t.Errorf("B26 measured at %v: %v; want %v", now, g.cubic.measured, want)
		}
		if want, ok := fill[tenth]; ok && !close(g.cubic.fill, want, 1e-9) {
			t.Errorf("B26 fill at %v: %v; want %v", now, g.cubic.fill, want)
		}
		if rate := g.Rate(); math.IsInf(rate, 1) != (tenth < 20) {
			t.Errorf("rate at %v: %v; want no limit before the first throttle", now, rate)
		}
	}
}

// throttled returns a limiter that was throttled at time 0, and so lets half an attempt pass a second.
func throttled(t *testing.T, g *AWSAdaptive) *AWSAdaptive {
	newCall(t, g).run(0, errSlow)
	same(t, "rate", g.Rate(), 0.5)
	return g
}

func TestAdaptiveLimitsFirstAttempts(t *testing.T) {
	g := throttled(t, &AWSAdaptive{})
	for range 100 { // a crowd that is refused does not put off the next attempt
		err := newCall(t, g).try(1)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Rule != ruleRate || r.After != time.Second || r.Balance != 0.5 {
			t.Fatalf("refused with %v; want to be told to come back in a second", err)
		}
	}
	same(t, "text", newCall(t, g).try(1).Error(), "retry budget spent: aws-adaptive by rate: 0.5 of 1, again in 1s")
	same(t, "two seconds after the throttle", newCall(t, g).try(2), nil)
	same(t, "then refused", newCall(t, g).try(2) != nil, true)

	g = throttled(t, &AWSAdaptive{})
	c := newCall(t, g)
	same(t, "passes", c.try(2), nil)
	c.drop(retry.NotStarted)
	c.drop(retry.NotStarted) // a defect
	same(t, "the token came back", newCall(t, g).try(2), nil)
	same(t, "once", newCall(t, g).try(2) != nil, true)
	c = newCall(t, g)
	c.try(4 - 1e-9) // 1 ns early, and in seconds it is nothing
	same(t, "tokens", g.cubic.tokens >= 0, true)
	for _, s := range []retry.State{retry.Canceled, retry.Panicked} {
		before := g.cubic
		c.drop(s)
		same(t, fmt.Sprint("unmoved when ", s), g.cubic, before)
	}
}

func TestAdaptiveForgivesANanosecond(t *testing.T) {
	c := cubic{enabled: true, fill: 0.5, capacity: 1, tokens: 1 - 1e-10}
	same(t, "wait", c.take(0), time.Duration(0))
	same(t, "tokens", c.tokens, 0.0)
	same(t, "wait", c.take(0), 2*time.Second)
}

// The bucket behind the curve, by hand: what came in at the old rate is kept, and no more than fits; the rate is never
// more than twice what was measured.
func TestCubicBucket(t *testing.T) {
	c := cubic{enabled: true, wMax: 100, t0: 0, measured: 10, bucket: 9.5, fill: 4, capacity: 4, tokens: 1, refilled: 9}
	c.respond(9.7, false)
	same(t, "rate", c.fill, 20.0) // the curve is past 100
	same(t, "capacity", c.capacity, 20.0)
	same(t, "tokens", close(c.tokens, 3.8, 1e-9), true)
	c.tokens = 15
	c.respond(9.8, true)
	same(t, "rate after a throttle", c.fill, 7.0) // 0.7 of what was measured
	same(t, "tokens are cut", c.tokens, 7.0)
	c.giveBack()
	same(t, "a full bucket takes nothing back", c.tokens, 7.0)
	c = cubic{}
	c.respond(0.1, true)
	same(t, "least rate", c.fill, 0.5)
	same(t, "least capacity", c.capacity, 1.0)

	g := &AWSAdaptive{} // not throttled yet: nothing is taken, so nothing comes back
	early := newCall(t, g)
	early.try(0)
	newCall(t, g).run(0, errSlow)
	early.drop(retry.NotStarted)
	same(t, "tokens", g.cubic.tokens, 0.0)
}

// It waits as long as it may, for the context and the switch too.
func TestAdaptiveWaits(t *testing.T) {
	stop := errors.New("stop")
	for _, test := range []struct {
		name    string
		maxWait time.Duration
		want    time.Duration
		ok      bool
		end     func(cancel context.CancelCauseFunc, h *halter)
	}{
		{"long enough", 2 * time.Second, 2 * time.Second, true, nil},
		{"not long enough", time.Second, 0, false, nil},
		{"behind another", 3 * time.Second, 2 * time.Second, false, nil},
		{"cancelled", time.Minute, time.Second, false, func(cancel context.CancelCauseFunc, _ *halter) { cancel(stop) }},
		{"stopped", time.Minute, time.Second, false, func(_ context.CancelCauseFunc, h *halter) { h.cancel(stop) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &AWSAdaptive{MaxWait: test.maxWait}
				h := newHalter()
				p := &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{h, g}}
				retry.Run(t.Context(), p, func(context.Context) error { return errSlow })
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() {
					switch {
					case test.end != nil:
						test.end(cancel, h)
					case test.name == "behind another":
						g.mu.Lock()
						g.cubic.tokens -= 1 // somebody took one
						g.mu.Unlock()
					}
				})
				began := time.Now()
				err := retry.Run(ctx, p, func(context.Context) error { return nil })
				if took := time.Since(began); (err == nil) != test.ok || took != test.want {
					t.Errorf("%v after %v; want success %v after %v", err, took, test.ok, test.want)
				}
				if test.end != nil && !errors.Is(err, stop) {
					t.Errorf("%v; want the cause", err)
				}
				time.Sleep(time.Minute)
				cancel(nil)
			})
		})
	}
}

func TestAdaptivePreset(t *testing.T) {
	g := &AWSAdaptive{Quota: AWS2026{MaxAttempts: 4}}
	p := g.Policy()
	if len(p.Gates) != 2 || p.Gates[0] != &g.Quota || p.Gates[1] != g || p.MaxAttempts != 4 {
		t.Errorf("preset %+v; want the quota, then the limiter", p)
	}
}

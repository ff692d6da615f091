package profile

import (
	"math"
	"time"
)

// Constants of the AWS SDKs' adaptive mode.
const (
	cubicScale  = 0.4
	cubicBeta   = 0.7
	rateSmooth  = 0.8
	rateBucket  = 0.5 // seconds
	minFill     = 0.5 // tokens per second
	minCapacity = 1.0
)

// A cubic finds the rate to send at: it goes down at once when throttled, and comes back along a cubic curve
// that is flat around the rate at which it was throttled last. Times are in seconds. It is all of the
// arithmetic of the adaptive mode, and not safe for concurrent use.
type cubic struct {
	enabled bool // throttled at least once

	wMax, t0 float64 // rate and time of the last throttle

	measured, bucket float64 // rate, and the time at which the present half second began
	count            float64 // of responses in it

	fill, capacity, tokens, refilled float64
}

// record measures the rate of responses, one more of which came at t.
func (c *cubic) record(t float64) {
	c.count++
	if bucket := math.Floor(t/rateBucket) * rateBucket; bucket > c.bucket {
		c.measured = rateSmooth*c.count/(bucket-c.bucket) + (1-rateSmooth)*c.measured
		c.count, c.bucket = 0, bucket
	}
}

// respond learns from a response at t.
func (c *cubic) respond(t float64, throttled bool) {
	c.record(t)
	rate := 0.0
	if throttled {
		c.wMax = c.measured
		if c.enabled {
			c.wMax = min(c.measured, c.fill)
		}
		c.enabled, c.t0 = true, t
		rate = cubicBeta * c.wMax
	} else {
		rate = c.curve(t)
	}
	rate = min(rate, 2*c.measured)
	c.refill(t) // at the old rate
	c.fill, c.capacity = max(rate, minFill), max(rate, minCapacity)
	c.tokens = min(c.tokens, c.capacity)
}

// k is how long the curve takes to come back to the rate of the last throttle.
func (c *cubic) k() float64 { return math.Cbrt(c.wMax * (1 - cubicBeta) / cubicScale) }

func (c *cubic) curve(t float64) float64 {
	x := t - c.t0 - c.k()
	return cubicScale*x*x*x + c.wMax
}

func (c *cubic) refill(t float64) {
	c.tokens = min(c.capacity, c.tokens+max(0, t-c.refilled)*c.fill)
	c.refilled = max(t, c.refilled)
}

// take takes a token at t, or returns how long to wait for it.
func (c *cubic) take(t float64) time.Duration {
	if !c.enabled {
		return 0
	}
	c.refill(t)
	wait := time.Duration((1 - c.tokens) / c.fill * float64(time.Second))
	if wait > 0 {
		return wait
	}
	c.tokens = max(0, c.tokens-1) // a shortfall below 1 ns is forgiven
	return 0
}

// giveBack returns a token that was taken for nothing.
func (c *cubic) giveBack() { c.tokens = min(c.tokens+1, c.capacity) }

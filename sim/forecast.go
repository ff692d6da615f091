package sim

import (
	"math"
	"time"
)

// A Forecast is arithmetic for what [Run] simulates: a few lines that say whether a retry policy can
// hold a server down, and how long the way back takes. Fields have no defaults; a rate or ratio that is
// not positive, or not a number, counts as 0.
//
// The inequalities are necessary conditions of Bronson et al., "Metastable Failures in Distributed
// Systems", HotOS 2021, written for one server and one layer of retries.
type Forecast struct {
	Arrivals float64       // operations per second
	Service  float64       // requests per second that the server can do
	Timeout  time.Duration // of each attempt
	Stall    time.Duration // of the server
	Retries  int           // at most, per operation
	Queue    float64       // most requests in line; 0 means no limit

	Ratio     float64 // retries per arrival that a request-funded budget allows
	Floor     float64 // retries per second that each client may send in any case
	Clients   int     // less than 1 counts as 1
	Allowance float64 // retries that each client has saved up: capacity over cost
}

// Vulnerable says that retries can keep the server down after the stall: with all of them the load is
// more than the server can do, and the stall makes callers wait for longer than their timeout.
func (f Forecast) Vulnerable() bool {
	if !(positive(f.Arrivals)*(1+float64(max(0, f.Retries))) > positive(f.Service)) {
		return false
	}
	backlog := positive(f.Arrivals) * f.Stall.Seconds()
	if f.Queue > 0 {
		backlog = min(backlog, f.Queue)
	}
	return backlog > positive(f.Service)*f.Timeout.Seconds()
}

// Recovery returns how many seconds after the stall answers come in time again, if nobody retries beyond the
// allowance: +Inf if the server cannot catch up.
func (f Forecast) Recovery() float64 {
	spare := positive(f.Service) - positive(f.Arrivals)
	if spare <= 0 {
		return math.Inf(1)
	}
	backlog := positive(f.Arrivals)*f.Stall.Seconds() + float64(max(1, f.Clients))*positive(f.Allowance)
	return max(0, backlog-positive(f.Service)*f.Timeout.Seconds()) / spare
}

// BudgetLoad returns the requests per second under a request-funded budget while everything fails. For a
// success-funded one it is the arrivals alone: with Ratio 0.
func (f Forecast) BudgetLoad() float64 {
	return positive(f.Arrivals)*(1+positive(f.Ratio)) + float64(max(1, f.Clients))*positive(f.Floor)
}

// Stable says that the server can bear BudgetLoad.
func (f Forecast) Stable() bool { return f.BudgetLoad() < positive(f.Service) }

// Drain returns how many seconds a stop must last to empty a full queue, if it stops retries only: +Inf
// if first attempts alone are too many.
func (f Forecast) Drain() float64 {
	spare := positive(f.Service) - positive(f.Arrivals)
	if spare <= 0 {
		return math.Inf(1)
	}
	return positive(f.Queue) / spare
}

// DrainAll returns how many seconds a stop of all traffic must last to empty a full queue.
func (f Forecast) DrainAll() float64 {
	if positive(f.Service) == 0 {
		return math.Inf(1)
	}
	return positive(f.Queue) / f.Service
}

// Layers returns how many attempts reach the bottom of depth layers that each make up to attempts of
// them: attempts to the power of depth. It saturates.
func Layers(attempts, depth int) int {
	n := 1
	for range min(depth, 63) {
		if attempts > 0 && n > math.MaxInt/attempts {
			return math.MaxInt
		}
		n *= max(1, attempts)
	}
	return n
}

// ThrottleConstant returns the seconds within which a client throttle as in Google's SRE book, chapter
// "Handling Overload", lets the traffic back by a factor of e: the window over K.
func ThrottleConstant(window time.Duration, k float64) float64 {
	if positive(k) == 0 {
		return math.Inf(1)
	}
	return max(0, window).Seconds() / k
}

func positive(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return x
}

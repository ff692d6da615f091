package profile

import (
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

// rules are what one breaker does differently from the others. The mutex of the Breaker guards them.
type rules interface {
	// clear begins a Closed state.
	clear(now int64)
	// look is asked before an attempt in Closed. fresh says that results from before count no more, trip why it is time to open.
	look(now int64) (trip breaker.Cause, fresh bool)
	// record takes a result in Closed, and says why it is time to open.
	record(now int64, e evidence) (trip breaker.Cause)
	// counts returns the window, and whether there are enough calls in it for a rate.
	counts(now int64) (c Counts, enough bool)
	// judge decides in HalfOpen by the probes that count, at least one.
	judge(probes Counts) verdict
}

// A verdict is what HalfOpen ends in.
type verdict uint8

const (
	undecided verdict = iota
	toClosed
	toOpen
)

// limits are the numbers that all breakers have.
type limits struct {
	open    time.Duration
	strict  bool          // open ends after its time, not with it
	permits int64         // probes at one time
	total   bool          // permits are for all of a half-open state
	slow    time.Duration // longer calls are slow; 0 for none
}

// or is n, or what stands for values that are not positive.
func or[T ~int | ~int64](n, other T) T {
	if n > 0 {
		return n
	}
	return other
}

// because is the cause if it is one.
func because(cause breaker.Cause, it bool) breaker.Cause {
	if it {
		return cause
	}
	return ""
}

// one judges by the first probe.
func one(probes Counts) verdict {
	if probes.Failed > 0 {
		return toOpen
	}
	return toClosed
}

// Package backoff says how long to wait between the attempts of a call.
//
// A [Strategy] is a pure function of the number of failures so far, the previous wait and one
// random number, so a schedule can be printed, replayed and simulated. All strategies are plain
// structs whose zero fields mean defaults (base 100 ms, multiplier 2, maximum 30 s, full jitter),
// all are safe for concurrent use, and none ever returns a negative duration or overflows,
// whatever its fields and arguments hold.
//
// Most callers want [Exponential] with full jitter, which is the default everywhere in relent:
// of the usual jitters it makes the fewest calls under contention (Brooker, "Exponential Backoff
// And Jitter", AWS Architecture Blog, 2015).
//
// Each strategy has a text form for configuration, command line and dashboard, such as
//
//	exponential(100ms, x2, max 30s, full)
//
// which String prints and [Parse] reads.
package backoff

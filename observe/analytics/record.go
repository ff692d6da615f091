package analytics

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/relent-go/relent/retry"
)

// An Event says what a record reports.
type Event uint8

// The events.
const (
	Call    Event = iota // an attempt ended, or a call
	Refused              // a call was refused before its first attempt
	Circuit              // a circuit of the policy changed to State
	Stopped              // an emergency stop on the policy; Policy empty means on everything
	Resumed              // the stop was lifted
)

// States of a circuit that matter here, as in control's views.
const (
	Open     = "open"
	HalfOpen = "half_open"
	Closed   = "closed"
)

// A Record is what the analysis takes in: of fixed size but for its names, which outlive it anyway.
type Record struct {
	Event   Event
	At      time.Time
	Policy  string
	Shard   string        // or host; empty means none
	Call    uint64        // ties the attempts of a call together; 0 means unknown
	Attempt int           // number of the last attempt, from 1
	Ended   bool          // that attempt ended with this record
	Last    bool          // the call ended with this record
	OK      bool          // the attempt succeeded
	Orders  bool          // the policy is not idempotent
	Class   retry.Class   // of a failure
	Code    string        // of a failure: a status, a venue's code, a type; never a text. Of the first one, if a call without number recovered
	Wait    time.Duration // before the next attempt, if there is one
	Took    time.Duration // the attempt; 0 if unknown
	Elapsed time.Duration // since the call began
	State   string        // of a circuit
	Count   uint32        // so many of the same; 0 means 1
	Over    time.Duration // they came over so long before At; 0 means all at once
}

// of returns the record of an event.
func (c *Config) of(e *retry.Event) Record {
	r := Record{At: e.At, Call: e.Call, Attempt: e.Attempts, Class: e.Class, Took: e.Took, Elapsed: e.Elapsed, Wait: e.Wait}
	if e.Policy != nil {
		r.Policy, r.Orders = e.Policy.Name, !e.Policy.Idempotent
	}
	r.Last = e.Kind == retry.Finished
	r.Ended = !(r.Last && e.Told)
	r.OK = e.Succeeded()
	if r.Last && r.Attempt == 0 {
		r.Event = Refused
	}
	if e.Err != nil {
		r.Code = c.code(e.Err)
	}
	return r
}

func (c *Config) code(err error) string {
	if c.Code != nil {
		if code := c.Code(err); code != "" {
			return code
		}
	}
	return innermost(err)
}

// innermost returns the type of the innermost error, the first where errors are joined.
func innermost(err error) string {
	for range 64 {
		var next error
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			next = x.Unwrap()
		case interface{ Unwrap() []error }:
			if list := x.Unwrap(); len(list) > 0 {
				next = list[0]
			}
		}
		if next == nil {
			break
		}
		err = next
	}
	return reflect.TypeOf(err).String()
}

// givenUp says that the caller went away, which says nothing about the other side.
func givenUp(e *retry.Event) bool {
	return e.Kind == retry.Finished && e.Reason != nil && errors.Is(e.Reason, context.Canceled)
}

// fingerprint tells errors of one policy apart: a fixed hash, so that a replay gives the same.
func fingerprint(class retry.Class, code string) uint64 {
	h := uint64(14695981039346656037) ^ uint64(class) // FNV-1a
	for i := range len(code) {
		h = (h ^ uint64(code[i])) * 1099511628211
	}
	return h
}

package retry

import (
	"context"
	"math"
	"time"
)

// A judgement is what the engine takes from an attempt's error.
type judgement struct {
	class    Class
	known    bool // somebody knew the error
	canceled bool // context.Canceled is in it
	hint     time.Duration
	inner    *Error // of a call nested in this one: the outermost, if there are several
}

// judge classifies an attempt's error into j, and finds what else it says.
func (p *Policy) judge(err error, j *judgement) {
	j.known = true
	if p.Classify != nil {
		j.class = p.Classify(err)
	} else if m, ok := err.(*marked); ok {
		j.class = m.class
	} else {
		j.class, j.known = classify(err)
	}
	if j.class > Permanent {
		j.class = Permanent // no such class: the one that retries least
	}
	j.learn(err)
}

// final says why the class alone ends the call; nil if it does not.
func (j *judgement) final(p *Policy) error {
	switch {
	case j.class == Permanent:
		return ErrPermanent
	case j.class == Ambiguous && !p.Idempotent:
		return ErrAmbiguous
	}
	return nil
}

// unknown says that the attempt, or one below it, may have acted.
func (j *judgement) unknown() bool {
	return j.class == Ambiguous || j.inner != nil && j.inner.Unknown
}

// mostAttempts is where any call ends, so that no count overflows.
const mostAttempts = math.MaxInt32

// below is how many attempts a nested call made beyond the one that ours counts.
func (j *judgement) below() int32 {
	if j.inner == nil {
		return 0
	}
	return int32(min(max(0, j.inner.tries-1), mostAttempts/2))
}

// end is the error of a call whose first attempt ended it, for a plain policy: the usual failure,
// without the state that further attempts would need.
func (j *judgement) end(p *Policy, err, reason error) *Error {
	e := &Error{Name: p.Name, Attempts: 1, Reason: reason, Last: err, Unknown: j.unknown(), class: j.class, tries: 1}
	if !p.Nested {
		e.tries += int(j.below())
	}
	return e
}

// learn visits err's tree as errors.Is does, but bears nil pointers with methods.
func (j *judgement) learn(err error) {
	for err != nil {
		j.canceled = j.canceled || err == context.Canceled
		switch x := err.(type) {
		case *marked:
			j.hint = max(j.hint, x.hint)
			err = x.err
			continue
		case *Error:
			if x == nil {
				return
			}
			if j.inner == nil {
				j.inner = x
			}
		}
		// One switch with every combination, because it costs one look-up in a cache and two would cost two.
		switch x := err.(type) {
		case interface {
			hinter
			Unwrap() error
		}:
			if isNil(err) {
				return
			}
			j.hint = max(j.hint, x.RetryAfter())
			err = x.Unwrap()
		case interface {
			hinter
			Unwrap() []error
		}:
			if isNil(err) {
				return
			}
			j.hint = max(j.hint, x.RetryAfter())
			j.each(x.Unwrap())
			return
		case interface{ Unwrap() error }:
			if isNil(err) {
				return
			}
			err = x.Unwrap()
		case interface{ Unwrap() []error }:
			if !isNil(err) {
				j.each(x.Unwrap())
			}
			return
		case hinter:
			if !isNil(err) {
				j.hint = max(j.hint, x.RetryAfter())
			}
			return
		default:
			return
		}
	}
}

// A hinter says how long the other side asked to be left alone.
type hinter interface{ RetryAfter() time.Duration }

func (j *judgement) each(errs []error) {
	for _, err := range errs {
		j.learn(err)
	}
}

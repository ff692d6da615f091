package control

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Timing says which calls have their time taken. Counters are exact in any case; histograms of durations count
// what was timed.
type Timing uint8

// The timings.
const (
	AutoTiming Timing = iota // Always where the policy has gates or timeouts, so that the clock is read anyway; else Sampled
	Always
	Sampled // of the calls that succeed at once one in 16, and all others: those from their first failure on
	NoTiming
)

// String returns the name in lower case.
func (t Timing) String() string {
	switch t {
	case Always:
		return "always"
	case Sampled:
		return "sampled"
	case NoTiming:
		return "off"
	}
	return "auto"
}

const (
	sampleOneIn = 16   // calls that succeed at once
	redrawAfter = 4096 // calls: a stride that never moves would see only one phase of periodic traffic
)

// counters are what the calls of one operation did: one atomic addition when a call begins, and one when it ends.
// There is one set for all processors, see BenchmarkTelemetry.
type counters struct {
	_        [64]byte      // so that the neighbours of the busiest line are not its friends
	begun    atomic.Uint64 // calls
	phase    atomic.Uint64 // of the sample
	outcome  [numOutcomes]atomic.Uint64
	reason   [numReasons]atomic.Uint64
	class    [len(classes)]atomic.Uint64 // of failed attempts, by retry.Class
	attempts atomic.Uint64               // that ended, but for those of calls that succeeded at once
	waiting  atomic.Int64
	call     durations
	attempt  durations
	backoff  durations
	perCall  perCall
	slow     durations // of the calls in call that did not succeed at once
}

// A meter counts the calls of one policy of an operation, and passes on the events.
type meter struct {
	*counters
	timing Timing // not AutoTiming
	tell   bool   // next wants the events of calls that succeed at once
	next   retry.Observer
	tail   *tail
	study  *study     // nil: of an operation that is counted as other
	pupil  *Operation // that the learner follows; nil: it follows none
}

var _ retry.Meter = (*meter)(nil)

// Begin implements [retry.Meter].
func (m *meter) Begin() retry.Interest {
	n := m.begun.Add(1)
	switch {
	case m.tell:
		return retry.Tell
	case m.timing == Always:
		return retry.Time
	case m.timing == NoTiming:
		return retry.Count
	}
	if n%redrawAfter == 0 {
		m.phase.Store(rand.Uint64())
	}
	if (n^m.phase.Load())%sampleOneIn == 0 {
		return retry.Time
	}
	return retry.Count
}

// Succeed implements [retry.Meter].
func (m *meter) Succeed(took time.Duration) {
	if took >= 0 {
		m.call.add(took)
		m.attempt.add(took)
	}
	m.outcome[SuccessFirstTry].Add(1)
}

// Wake implements [retry.Meter].
func (m *meter) Wake() { m.waiting.Add(-1) }

// Observe implements [retry.Observer].
func (m *meter) Observe(ctx context.Context, e retry.Event) {
	var o Outcome
	var r Reason
	if e.Kind == retry.Retrying {
		m.backoff.add(e.Wait)
		m.ended(e)
	} else {
		o, r = Explain(ctx, e)
		m.finished(e, o, r)
	}
	if m.next != nil {
		m.next.Observe(ctx, e)
	}
	if o != SuccessFirstTry || e.Kind == retry.Retrying {
		if m.pupil != nil {
			m.pupil.lesson.heard(&m.pupil.registry.live.learner, m.pupil.name, &e)
		}
		m.study.event(ctx, &e)
		m.tail.event(ctx, e, o, r)
	}
	if e.Kind == retry.Retrying && e.Wait > 0 {
		m.waiting.Add(1) // last: if an observer panics, nobody waits
	}
}

// ended counts an attempt, unless it was counted before or never was.
func (m *meter) ended(e retry.Event) {
	if e.Told || e.State == retry.NotStarted {
		return
	}
	if m.timing != NoTiming && !untimed(e) {
		m.attempt.add(e.Took)
	}
	if e.State == retry.Failed {
		m.class[min(int(e.Class), len(m.class)-1)].Add(1)
	}
	m.attempts.Add(1)
}

func (m *meter) finished(e retry.Event, o Outcome, r Reason) {
	if o == SuccessFirstTry {
		if m.timing == NoTiming {
			e.Elapsed = -1
		}
		m.Succeed(e.Elapsed)
		return
	}
	m.ended(e)
	if m.timing != NoTiming && !untimed(e) {
		m.call.add(e.Elapsed)
		m.slow.add(e.Elapsed)
	}
	m.perCall.add(e.Attempts)
	if r != NoReason {
		m.reason[r].Add(1)
	}
	m.outcome[o].Add(1)
}

// untimed says that nobody knows how long the call, or its only attempt, took.
func untimed(e retry.Event) bool { return e.Partial && e.Attempts <= 1 }

// view fills in what was counted. Outcomes come first, so that what they consist of is never less than they are.
func (c *counters) view(v *PolicyView) {
	v.Outcomes = make(map[string]uint64, numOutcomes)
	var ended uint64
	for i := range c.outcome {
		n := c.outcome[i].Load()
		v.Outcomes[outcomeNames[i]] = n
		ended += n
	}
	first := v.Outcomes[outcomeNames[SuccessFirstTry]]
	v.Failures = make(map[string]uint64, len(classes))
	for _, class := range classes {
		v.Failures[class.String()] = c.class[class].Load()
	}
	v.Suppressed = make(map[string]uint64, numReasons)
	for i := NoReason + 1; i < numReasons; i++ {
		v.Suppressed[reasonNames[i]] = c.reason[i].Load()
	}
	v.Attempts = c.attempts.Load() + first
	v.PerCall = c.perCall.view(first)
	v.Call, v.Attempt, v.Backoff = c.call.view(), c.attempt.view(), c.backoff.view()
	v.Waiting = max(0, c.waiting.Load())
	v.InFlight = int64(c.begun.Load() - ended)
}

// quiet says that o has no use for calls that succeed at once.
func quiet(o retry.Observer, p *retry.Policy) bool {
	switch o := o.(type) {
	case nil:
		return true
	case retry.Observers:
		for _, one := range o {
			if !quiet(one, p) {
				return false
			}
		}
		return true
	case interface{ SkipsFirstTryOf(*retry.Policy) bool }:
		return o.SkipsFirstTryOf(p)
	case interface{ SkipsFirstTry() bool }:
		return o.SkipsFirstTry()
	}
	return false
}

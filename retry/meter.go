package retry

import (
	"context"
	"time"
)

// A Meter is an Observer that counts calls. It spares those that succeed at once, nearly all of them on a good day,
// the event and the readings of the clock that an event needs. It must stand in the policy itself, and not in
// [Observers], which are told events.
type Meter interface {
	Observer

	// Begin is called once for each call, before anything else happens to it, and says what the meter wants if
	// the first attempt succeeds. For each Begin there is one Succeed, or one event of the kind Finished.
	Begin() Interest

	// Succeed takes the place of the event Finished of a call whose first attempt succeeded. took is how long the call
	// ran, or negative if nobody took the time.
	Succeed(took time.Duration)

	// Wake is called at the end of each wait that an event Retrying announced, whatever ended it.
	// One that a gate prolongs (see [Attempt]) counts as ended with its first part.
	Wake()
}

// An Interest is what a [Meter] wants to know of a call whose first attempt succeeds.
type Interest uint8

// The interests. The zero value costs least.
const (
	Count Interest = iota // that it succeeded
	Time                  // how long it took, too
	Tell                  // all of the event Finished, with Observe instead of Succeed
)

// metered makes the first attempt of a call whose policy has a meter and nothing else to look after.
func metered[T any](ctx context.Context, p *Policy, m Meter, fn func(context.Context) (T, error)) (v T, err error, _ *call, _ func(context.Context) (T, error)) {
	want := m.Begin()
	var began int64
	if want != Count {
		began = now()
	}
	running := true
	defer func() {
		if running {
			enterLate(ctx, p, m, want, began).abandon(true)
		}
	}()
	v, err = fn(ctx)
	running = false
	if err != nil {
		return mend(enterLate(ctx, p, m, want, began), true, fn, v, err)
	}
	switch want {
	case Count:
		m.Succeed(-1)
	case Time:
		m.Succeed(time.Duration(now() - began))
	default:
		enterLate(ctx, p, m, want, began).applaud()
	}
	return v, nil, nil, nil
}

// enterLate begins a call whose first attempt was already made. If nobody read the clock, it counts from now.
func enterLate(ctx context.Context, p *Policy, m Meter, want Interest, began int64) *extra {
	x := extras.Get().(*extra)
	x.ctx, x.meter, x.interest, x.untimed = ctx, m, want, began == 0
	if began == 0 {
		began = now()
	}
	x.began = moment(began)
	a := &x.attempt
	a.Policy, a.Number, a.At = p, 1, x.began
	return x
}

// applaud ends a call well whose meter wants to hear of it.
func (x *extra) applaud() {
	var c call
	defer c.close(nil)
	c.revive(x, true)
	c.succeed()
}

// counted tells the meter, if there is one and it wants no event, that the first attempt succeeded.
func (c *call) counted() bool {
	if c.meter == nil || c.interest == Tell || c.attempts != 1 {
		return false
	}
	c.live = false // before the call, so that a meter that panics is not told twice
	c.count(c.since)
	return true
}

// count tells the meter that the first attempt of a call that began at a moment succeeded.
func (x *extra) count(began int64) {
	took := time.Duration(-1)
	if x.interest == Time {
		took = time.Duration(now() - began)
	}
	x.meter.Succeed(took)
}

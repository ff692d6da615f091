package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/adaptive"
)

// A Trial is one rival in one timeline of a world.
type Trial struct {
	World       World
	Rival       Rival
	Seed        uint64
	Horizon     time.Duration // of the arrivals; calls are then drained. Not positive means 1 h, at most 24 h
	AttemptCost float64       // of each attempt, in successes; not positive means 0.02
}

// A run is a trial that is played.
type run struct {
	y       *weather
	events  events
	calls   []*task
	free    []int
	score   tallies
	horizon time.Duration
}

// A task is one call of a run.
type task struct {
	call
	op     int
	n      uint64 // which call of its operation
	dead   bool   // it never succeeds
	ending error  // of the attempt under way
}

// Play plays the trial from beginning to end. The same trial yields the same marks, bit for bit. It runs in the caller's goroutine, in
// virtual time. The end of ctx ends it, with the cause; a world with mistakes is refused with those.
func (t Trial) Play(ctx context.Context) (Marks, error) {
	m, _, err := t.play(ctx)
	return m, err
}

// play also returns the learner, if the rival is one.
func (t Trial) play(ctx context.Context) (Marks, *adaptive.Learner, error) {
	if err := t.World.Check(); err != nil {
		return Marks{}, nil, fmt.Errorf("world %q: %w", t.World.Name, err)
	}
	horizon, cost := min(t.Horizon, MostHorizon), t.AttemptCost
	if horizon <= 0 {
		horizon = time.Hour
	}
	if !(cost > 0) {
		cost = .02
	}
	r := &run{y: newWeather(&t.World, t.Seed, horizon.Seconds()), horizon: horizon}
	r.score.begin(r.y.errands, cost)
	sources, learner, err := t.Rival.sources(ctx, r.y, cost, t.Seed)
	if err != nil {
		return Marks{}, nil, err
	}
	arrivals := make([][]time.Duration, len(sources))
	began := make([]uint64, len(sources))
	for op := range sources {
		arrivals[op] = r.y.arrivals(op)
		if len(arrivals[op]) > 0 {
			r.events.push(event{at: arrivals[op][0], kind: arrives, gen: uint64(op)})
		}
	}
	for n := 0; len(r.events.list) > 0; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return Marks{}, nil, context.Cause(ctx)
		}
		e := r.events.pop()
		switch e.kind {
		case arrives:
			op := int(e.gen)
			if began[op]++; began[op] < uint64(len(arrivals[op])) {
				r.events.push(event{at: arrivals[op][began[op]], kind: arrives, gen: e.gen})
			}
			i := r.place()
			k := r.calls[i]
			k.op, k.n, k.dead = op, began[op], r.y.dead(op, began[op])
			if k.open(sources[op].Current(), scramble(uint64(op)<<48^began[op]), uint32(op), e.at) {
				r.send(i, e.at)
			} else {
				r.ended(i, e.at)
			}
		case served:
			r.answered(int(e.gen), e.at)
		case wakes:
			k := r.calls[e.gen]
			switch {
			case !k.wake(e.at):
				r.ended(int(e.gen), e.at)
			case k.again:
				r.events.push(event{at: e.at + k.wait, kind: wakes, gen: e.gen})
			default:
				r.send(int(e.gen), e.at)
			}
		}
	}
	return r.score.marks(learner), learner, nil
}

// place returns an unused task.
func (r *run) place() int {
	if n := len(r.free); n > 0 {
		i := r.free[n-1]
		r.free = r.free[:n-1]
		return i
	}
	r.calls = append(r.calls, &task{})
	return len(r.calls) - 1
}

// send makes an attempt.
func (r *run) send(i int, now time.Duration) {
	k := r.calls[i]
	err, took := r.y.answer(k.op, k.n, k.attempts, k.dead, now)
	if limit := k.limit(took); limit < took {
		err, took = ErrTimeout, limit
	}
	k.ending = err
	r.events.push(event{at: now + took, kind: served, gen: uint64(i)})
}

// answered ends an attempt.
func (r *run) answered(i int, now time.Duration) {
	k := r.calls[i]
	if k.ending == nil {
		k.succeed(now)
		r.ended(i, now)
		return
	}
	r.score.failed(k)
	if k.fail(k.ending, now) {
		r.events.push(event{at: now + k.wait, kind: wakes, gen: uint64(i)})
	} else {
		r.ended(i, now)
	}
}

func (r *run) ended(i int, now time.Duration) {
	r.score.ended(r.calls[i], now)
	r.free = append(r.free, i)
}

package retry

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// extra is the state of a call whose policy has gates, an observer or a timeout.
type extra struct {
	ctx    context.Context // the caller's, ended at MaxElapsed
	stop   context.CancelFunc
	cancel context.CancelFunc // of the running attempt's context

	began time.Time     // when the present attempt began; of the first, when the call did
	took  time.Duration // how long the last attempt that ended ran

	attempt  Attempt // as the gates were told of it: the present one, or the one before while nobody holds another
	outcome  Outcome // while the gates are told of it
	starters bool    // some gate other than the halter is a Starter
	admitted int     // gates[:admitted] hold the present attempt
	halter   Halter
	haltAt   int             // its place among the gates
	halted   context.Context // ends the present wait; nil without a halter, and in first attempts
	link     link            // among the parked calls that it ends

	meter    Meter // the policy's observer, if it is one
	interest Interest
	untimed  bool  // began is when the first attempt failed
	told     int32 // how many attempts had begun when the observer was told of the last one that failed

	few  [4]uint64 // the notes of the gates
	many []uint64  // the notes of all gates, if there are more; kept for the next call
}

// extras are used again, so that gates and observers cost no allocation. None is referred to once its call
// has ended. A pool hands what was put back on a processor to the next who asks on it, which is why the
// lane of an extra says where a call runs.
var extras = sync.Pool{New: func() any {
	x := &extra{attempt: Attempt{Call: rand.Uint64(), Lane: lanes.Add(1)}}
	x.attempt.of = x
	return x
}}

// lanes counts the extras made.
var lanes atomic.Uint32

// release gives x back with all that it holds.
func (x *extra) release() {
	if x.stop != nil {
		x.stop()
		x.stop = nil
	}
	a := &x.attempt
	a.Policy, a.Wait, a.Err, a.Class, a.Unknown = nil, 0, nil, 0, false
	a.Call += 0x9e3779b97f4a7c15 // odd, so that a number comes back only after all others (Weyl's sequence)
	x.ctx, x.took, x.starters, x.halter, x.halted, x.outcome.Err = nil, 0, false, nil, nil, nil
	x.meter, x.untimed, x.told = nil, false, 0
	extras.Put(x)
}

// forGate returns the attempt with the note of the gate at i.
func (x *extra) forGate(i, gates int) *Attempt {
	a := &x.attempt
	if gates <= len(x.few) {
		a.Note = &x.few[i&(len(x.few)-1)]
	} else {
		a.Note = x.farNote(i, gates)
	}
	return a
}

func (x *extra) farNote(i, gates int) *uint64 {
	if len(x.many) < gates {
		x.many = make([]uint64, gates)
	}
	return &x.many[i]
}

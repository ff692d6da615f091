package job

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/relent-go/relent/retry"
)

// An Event is one fact about a job in this process. The store had acknowledged the change when it is told.
type Event struct {
	Kind    EventKind
	Job     string // ID; "" of StoreFailed in a look for jobs
	Of      string // kind of the job
	Attempt int    // since the job was enqueued or redriven
	Fence   uint64
	Step    string        // that it came to; "" when all are done
	Status  Status        // that the job has now
	Err     error         // what went wrong
	Class   retry.Class   // of Err
	Wait    time.Duration // until it is due again
	Reason  error         // why it ended, if not well
}

// An EventKind says what an event reports.
type EventKind uint8

// The kinds.
const (
	Began       EventKind = iota // an attempt
	Retrying                     // an attempt failed, and there will be another
	Refused                      // a gate let no attempt start: it does not count
	Stopped                      // the runner stops: the attempt does not count
	LeaseLost                    // somebody else may have the job: what became of it is theirs to tell
	Ended                        // the job has: exactly once, in a terminal status
	StoreFailed                  // the store cannot be reached, and is asked again
)

// String returns the name in lower case.
func (k EventKind) String() string {
	names := [...]string{"began", "retrying", "refused", "stopped", "lease lost", "ended", "store failed"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// tell tells the runner's observer, and the policy's in the terms of calls: Retrying, and Finished exactly once.
func (a *attempt) tell(ctx context.Context, e Event) {
	e.Job, e.Of, e.Attempt, e.Fence = a.task.id, a.task.kind, a.record.Attempts, a.record.Fence
	if a.task.saved.Step < len(a.handler.Steps) {
		e.Step = a.handler.name(a.task.saved.Step)
	}
	a.crew.observe(ctx, e)
	o := a.policy.Observer
	if o == nil || e.Kind != Retrying && e.Kind != Ended {
		return
	}
	now := time.Now()
	told := retry.Event{
		Kind: retry.Retrying, Policy: a.policy, Call: a.call(), At: now, Attempts: e.Attempt, State: retry.Failed,
		Err: e.Err, Class: e.Class, Unknown: a.unknown || e.Status == Unknown, Wait: e.Wait, Elapsed: a.elapsed(now), Reason: e.Reason,
	}
	if e.Kind == Ended {
		told.Kind = retry.Finished
	}
	if e.Status == Done {
		told.State = retry.Succeeded
	}
	o.Observe(ctx, told)
}

// call is the number of the job among calls.
func (a *attempt) call() uint64 {
	h := fnv.New64a()
	h.Write([]byte(a.task.id))
	return h.Sum64()
}

func (c *crew) observe(ctx context.Context, e Event) {
	if c.Observe != nil {
		c.Observe(ctx, e)
	}
}

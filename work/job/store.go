package job

import (
	"context"
	"errors"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Store is a queue of jobs that keeps how far each has come. It is safe for concurrent use, by any
// number of processes that share it.
//
// The life of a job, with the methods that move it and the times that pass:
//
//	          ┌────────Nack, or the lease ends───────┐
//	          ▼                                      │
//	Enqueue ──▶ Waiting ──Take, not before it is due──▶ Running ──Ack──▶ Done
//	                ▲                                      │
//	                └──Redrive── Failed, Abandoned, Unknown ◀──Park
//
// In plain words: a job is taken by one worker at a time, never before it is due. It is that worker's until
// its lease ends, and from then on anybody's. It ends once; one that ended badly stays parked until a
// person sends it on its way again.
//
// Each Take of a job raises its fence. Who holds a lease shows the fence with each change, and one that is not the job's
// last is refused with [ErrLeaseLost]. A lease that has ended is good for as long as nobody else has taken the
// job: what its holder reports is still true.
//
// All changes are decided in the store by compare-and-set, and all times are spans that pass on the
// store's clock, so that a caller whose clock is wrong changes nothing. A span that is not positive has
// passed at once.
//
// An error that the store knows to have changed nothing is marked, with [retry.Mark], as Transient,
// Throttled or Permanent. Any other error leaves open whether the change was made. Each change but Take and
// Redrive may then be asked for again: made twice, it is as if made once.
// What a method reported without an error survives whatever the store promises to survive.
//
// The methods copy what they are given and what they return.
type Store interface {
	// Enqueue adds a job. Adding the same job again changes nothing and returns nil, whatever has become
	// of it; [ErrExists] says that there is another with this ID. A job is the same if Kind and Payload are.
	// It refuses a job with the error of [Job.Check].
	Enqueue(ctx context.Context, j Job) error

	// Take leases up to w.Max jobs of w.Kinds to a worker, those that have been due the longest first. It counts an attempt
	// for each and begins it in the job's History. Without any it returns none, at once.
	Take(ctx context.Context, w Want) (Taken, error)

	// Renew lets a lease end after the given span from now. A span that is not positive ends it.
	Renew(ctx context.Context, l Lease, span time.Duration) error

	// Save replaces the checkpoint of a job if c.Seq is one more than that of the last one saved, the first being 1.
	// Saving the last one again, equal in all, changes nothing and returns nil. [ErrSequence] says that
	// c.Seq is anything else. States longer than [MaxState] are refused with [ErrLongState].
	Save(ctx context.Context, l Lease, c Checkpoint) error

	// Ack ends a job as Done. As Nack and Park, it returns [ErrLeaseLost] if the attempt was ended already in another way.
	Ack(ctx context.Context, l Lease) error

	// Nack gives a job back, to be due again after the given span, and keeps what happened. If r.Free, the attempt
	// does not count in Attempts.
	Nack(ctx context.Context, l Lease, delay time.Duration, r Report) error

	// Park ends a job as Failed, Abandoned or Unknown, and keeps what happened. It refuses any other
	// status with [ErrStatus].
	Park(ctx context.Context, l Lease, as Status, r Report) error

	// Load returns all that is known of a job. It is linearizable: it sees every change that was acknowledged
	// before it was called. [ErrNotFound] says that there is no such job.
	Load(ctx context.Context, id string) (Record, error)

	// List returns up to q.Max jobs in ascending order of the bytes of their IDs, beginning after q.After. Payload,
	// History and the checkpoints' states are left out.
	List(ctx context.Context, q Query) ([]Record, error)

	// Redrive sends a parked job on its way again: it is Waiting, with no attempts counted, and goes on at its
	// last checkpoint. [ErrNotParked] says that the job is not parked; [ErrUndecided] that its checkpoint is Open
	// and r does not say what became of the step. The fence and the history go on.
	Redrive(ctx context.Context, id string, r Redrive) error

	// Forget removes up to limit jobs that are Done or Abandoned, and have been at least for the given span. It returns
	// how many it removed. From then on the same ID is a new job.
	Forget(ctx context.Context, ago time.Duration, limit int) (int, error)
}

// The limits of every store.
const (
	MaxID      = 512      // bytes of an ID, and of a Kind
	MaxPayload = 4 << 20  // bytes
	MaxState   = 16 << 20 // bytes
	MaxError   = 4 << 10  // bytes kept of an error's text
	MaxHistory = 100      // attempts kept of a job: the last ones
)

// What stores refuse, beside what their medium does. All are Permanent.
var (
	ErrExists    = refused("another job has this ID")
	ErrNotFound  = refused("no such job")
	ErrLeaseLost = refused("lease lost: somebody else took the job, or it ended")
	ErrSequence  = refused("checkpoint out of sequence")
	ErrStatus    = refused("not a status to park a job in")
	ErrNotParked = refused("the job is not parked")
	ErrUndecided = refused("a step may have had its effect: say whether it did")
	ErrLongState = refused("state is too long to store")
)

func refused(text string) error { return retry.Mark(errors.New(text), retry.Permanent) }

package sqldb

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/work/job"
)

var (
	jobRenew = newQuery(`UPDATE relent_job SET due = {now} + $3 WHERE id = $1 AND fence = $2 AND status = 1`)
	jobSave  = newQuery(`UPDATE relent_job SET seq = $3, step = $4, open = $5, state = $6
		WHERE id = $1 AND fence = $2 AND status = 1 AND seq = $3 - 1`)
	jobSaved = newQuery(`SELECT seq, step, open, state FROM relent_job WHERE id = $1 AND fence = $2 AND status = 1`)
	jobEnd   = newQuery(`UPDATE relent_job SET status = $3, due = {now} + $4, attempts = attempts - $5
		WHERE id = $1 AND fence = $2 AND status = 1`)
	jobEnded = newQuery(`UPDATE relent_job_attempt SET ended = {now}, how = $2, err = $3, class = $4,
		seq = (SELECT seq FROM relent_job WHERE id = $1)
		WHERE id = $1 AND number = (SELECT tries FROM relent_job WHERE id = $1)`)
	jobHow = newQuery(`SELECT j.status, a.how FROM relent_job j JOIN relent_job_attempt a ON a.id = j.id AND a.number = j.tries
		WHERE j.id = $1 AND j.fence = $2`)
)

// under calls f for a lease that can be one.
func (s *Jobs) under(ctx context.Context, l job.Lease, k kind, size int, f func(context.Context, session) error) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if clean(l.ID) != l.ID {
		return leaseLost(l)
	}
	return change(ctx, s.db, k, size, f)
}

func leaseLost(l job.Lease) error { return fmt.Errorf("%w: %q", job.ErrLeaseLost, l.ID) }

// Renew sets the end of a lease.
func (s *Jobs) Renew(ctx context.Context, l job.Lease, span time.Duration) error {
	return s.under(ctx, l, single, 0, func(ctx context.Context, q session) error {
		n, err := q.exec(ctx, jobRenew, l.ID, beyond(l.Fence), floor(span))
		if err == nil && n == 0 {
			err = leaseLost(l)
		}
		return err
	})
}

// Save keeps a checkpoint.
func (s *Jobs) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	if len(c.State) > job.MaxState {
		return fmt.Errorf("%w: %d bytes; the limit is %d", job.ErrLongState, len(c.State), job.MaxState)
	}
	c.State = bytes.Clone(c.State) // the caller may go when his context ends, and use it again
	return s.under(ctx, l, single, len(c.State), func(ctx context.Context, q session) error {
		n, err := q.exec(ctx, jobSave, l.ID, beyond(l.Fence), beyond(c.Seq), int64(c.Step), flag(c.Open), c.State)
		if err != nil || n > 0 {
			return err
		}
		var has job.Checkpoint
		var open int
		found, err := q.row(ctx, jobSaved, []any{l.ID, beyond(l.Fence)}, &has.Seq, &has.Step, &open, &has.State)
		switch {
		case err != nil:
			return err
		case !found:
			return leaseLost(l)
		case c.Seq == has.Seq && c.Seq > 0 && c.Step == has.Step && c.Open == (open != 0) && bytes.Equal(c.State, has.State):
			return nil
		}
		return fmt.Errorf("%w: %d after %d", job.ErrSequence, c.Seq, has.Seq)
	})
}

// Ack ends a job well.
func (s *Jobs) Ack(ctx context.Context, l job.Lease) error {
	return s.end(ctx, l, job.Done, job.Acked, 0, job.Report{})
}

// Nack gives a job back.
func (s *Jobs) Nack(ctx context.Context, l job.Lease, delay time.Duration, r job.Report) error {
	how := job.Nacked
	if r.Free {
		how = job.Interrupted
	}
	return s.end(ctx, l, job.Waiting, how, delay, r)
}

// Park ends a job badly.
func (s *Jobs) Park(ctx context.Context, l job.Lease, as job.Status, r job.Report) error {
	if !as.Parked() {
		return fmt.Errorf("%w: %v", job.ErrStatus, as)
	}
	return s.end(ctx, l, as, job.Parked, 0, r)
}

// end ends an attempt, once.
func (s *Jobs) end(ctx context.Context, l job.Lease, as job.Status, how job.How, delay time.Duration, r job.Report) error {
	r = r.Cut()
	return s.under(ctx, l, whole, len(r.Err), func(ctx context.Context, q session) error {
		n, err := q.exec(ctx, jobEnd, l.ID, beyond(l.Fence), int64(as), micros(delay), flag(how == job.Interrupted))
		if err != nil {
			return err
		}
		if n > 0 {
			_, err := q.exec(ctx, jobEnded, l.ID, int64(how), r.Err, int64(r.Class))
			return err
		}
		var status job.Status
		var before job.How
		found, err := q.row(ctx, jobHow, []any{l.ID, beyond(l.Fence)}, &status, &before)
		if err == nil && !(found && status == as && before == how) {
			err = leaseLost(l)
		}
		return err // nil if it was made already
	})
}

package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/relent-go/relent/work/job"
)

// holding calls f with the job under a lease, unless the lease is lost.
func (s *Jobs) holding(ctx context.Context, l job.Lease, f func(*task) error) error {
	if err := alive(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.jobs[l.ID]
	if t == nil || t.Fence != l.Fence || t.Fence == 0 {
		return fmt.Errorf("%w: %q", job.ErrLeaseLost, l.ID)
	}
	return f(t)
}

// running is holding for an attempt that has not ended.
func (s *Jobs) running(ctx context.Context, l job.Lease, f func(*task) error) error {
	return s.holding(ctx, l, func(t *task) error {
		if t.Status != job.Running {
			return fmt.Errorf("%w: %q", job.ErrLeaseLost, l.ID)
		}
		return f(t)
	})
}

// Renew sets the end of a lease.
func (s *Jobs) Renew(ctx context.Context, l job.Lease, span time.Duration) error {
	return s.running(ctx, l, func(t *task) error {
		s.leave(t)
		s.wait(t, span)
		t.Status = job.Running
		return nil
	})
}

// Save keeps a checkpoint.
func (s *Jobs) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	if len(c.State) > job.MaxState {
		return fmt.Errorf("%w: %d bytes; the limit is %d", job.ErrLongState, len(c.State), job.MaxState)
	}
	return s.running(ctx, l, func(t *task) error {
		switch {
		case c.Seq == t.Seq && c.Seq > 0 && c.Step == t.Step && c.Open == t.Open && bytes.Equal(c.State, t.State):
		case c.Seq != t.Seq+1:
			return fmt.Errorf("%w: %d after %d", job.ErrSequence, c.Seq, t.Seq)
		default:
			c.State = slices.Clone(c.State)
			t.Checkpoint = c
		}
		return nil
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
	return s.holding(ctx, l, func(t *task) error {
		last := &t.History[len(t.History)-1]
		if t.Status != job.Running {
			if last.How != how || t.Status != as {
				return fmt.Errorf("%w: %q is %v", job.ErrLeaseLost, l.ID, t.Status)
			}
			return nil // made already
		}
		now := time.Now()
		last.Ended, last.How, last.Seq = now, how, t.Seq
		last.Err, last.Class = r.Cut().Err, r.Class
		if how == job.Interrupted {
			t.Attempts--
		}
		s.leave(t)
		t.Status, t.due = as, now
		if as == job.Waiting {
			s.wait(t, delay)
		}
		return nil
	})
}

// A line is a heap of jobs, the one that is due first at its head.
type line []*task

func (t *task) before(u *task) bool {
	if !t.due.Equal(u.due) {
		return t.due.Before(u.due)
	}
	return t.order < u.order
}

// Len and the others are of [heap.Interface].
func (l line) Len() int           { return len(l) }
func (l line) Less(i, j int) bool { return l[i].before(l[j]) }
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}
func (l *line) Push(x any) {
	t := x.(*task)
	t.place = len(*l)
	*l = append(*l, t)
}
func (l *line) Pop() any {
	old := *l
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	return t
}

package jobtest

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// A Model is the contract of [job.Store] as a program: the simplest store that keeps the promises. It is for tests. The
// zero value is empty.
type Model struct {
	// Before, if it is not nil, is called with the name of each method that is called, before it acts; an error is returned as it is.
	// After is called when it has acted without an error: an error is returned all the same, as of an answer that got lost.
	Before, After func(method string) error

	mu   sync.Mutex
	jobs map[string]*entry
}

var _ job.Store = (*Model)(nil)

type entry struct {
	job.Record
	due, began time.Time
}

func (e *entry) show(now time.Time) job.Record {
	r := e.Record
	r.Payload, r.State, r.History = slices.Clone(r.Payload), slices.Clone(r.State), slices.Clone(r.History)
	if r.Status.Terminal() {
		return r
	}
	if r.Left = max(0, e.due.Sub(now)); r.Left == 0 {
		r.Status = job.Waiting
	}
	if !e.began.IsZero() {
		r.Elapsed = now.Sub(e.began)
	}
	return r
}

// do is what all methods share.
func (m *Model) do(ctx context.Context, method string, f func(now time.Time) error) error {
	if ctx.Err() != nil {
		return retry.Mark(context.Cause(ctx), retry.Transient)
	}
	if m.Before != nil {
		if err := m.Before(method); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := f(time.Now())
	m.mu.Unlock()
	if err == nil && m.After != nil {
		err = m.After(method)
	}
	return err
}

// Enqueue is of [job.Store], as are all methods.
func (m *Model) Enqueue(ctx context.Context, j job.Job) error {
	return m.do(ctx, "Enqueue", func(now time.Time) error {
		if err := j.Check(); err != nil {
			return err
		}
		if e := m.jobs[j.ID]; e != nil {
			if e.Kind != j.Kind || string(e.Payload) != string(j.Payload) {
				return job.ErrExists
			}
			return nil
		}
		if m.jobs == nil {
			m.jobs = map[string]*entry{}
		}
		m.jobs[j.ID] = &entry{Record: job.Record{ID: j.ID, Kind: j.Kind, Payload: slices.Clone(j.Payload)}, due: now.Add(max(0, j.Delay))}
		return nil
	})
}

// Take leases jobs.
func (m *Model) Take(ctx context.Context, w job.Want) (taken job.Taken, err error) {
	err = m.do(ctx, "Take", func(now time.Time) error {
		var live []*entry
		for _, e := range m.jobs {
			if slices.Contains(w.Kinds, e.Kind) && !e.Status.Terminal() {
				live = append(live, e)
			}
		}
		slices.SortFunc(live, func(a, b *entry) int { return cmp.Or(a.due.Compare(b.due), strings.Compare(a.ID, b.ID)) })
		for _, e := range live {
			if e.due.After(now) || len(taken.Jobs) >= w.Max {
				taken.Next = max(1, e.due.Sub(now))
				break
			}
			e.Status, e.due = job.Running, now.Add(max(0, w.Lease))
			e.Fence++
			e.Attempts++
			if e.began.IsZero() {
				e.began = now
			}
			e.note(job.Attempt{Fence: e.Fence, Worker: w.Worker, Began: now, Seq: e.Seq})
			r := e.show(now)
			r.Status = job.Running
			taken.Jobs = append(taken.Jobs, r)
		}
		return nil
	})
	return taken, err
}

func (e *entry) note(a job.Attempt) {
	e.History = append(e.History, a)
	e.History = e.History[max(0, len(e.History)-job.MaxHistory):]
}

// Renew sets the end of a lease.
func (m *Model) Renew(ctx context.Context, l job.Lease, span time.Duration) error {
	return m.do(ctx, "Renew", func(now time.Time) error {
		e := m.jobs[l.ID]
		if e == nil || e.Fence != l.Fence || e.Status != job.Running {
			return job.ErrLeaseLost
		}
		e.due = now.Add(max(0, span))
		return nil
	})
}

// Save keeps a checkpoint.
func (m *Model) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	return m.do(ctx, "Save", func(time.Time) error {
		e := m.jobs[l.ID]
		c.State = append([]byte{}, c.State...)
		switch {
		case len(c.State) > job.MaxState:
			return job.ErrLongState
		case e == nil || e.Fence != l.Fence || e.Status != job.Running:
			return job.ErrLeaseLost
		case reflect.DeepEqual(c, e.Checkpoint):
		case c.Seq != e.Seq+1:
			return job.ErrSequence
		}
		e.Checkpoint = c
		return nil
	})
}

// Ack ends a job well.
func (m *Model) Ack(ctx context.Context, l job.Lease) error {
	return m.end(ctx, "Ack", l, job.Done, job.Acked, 0, job.Report{})
}

// Nack gives a job back.
func (m *Model) Nack(ctx context.Context, l job.Lease, delay time.Duration, r job.Report) error {
	how := job.Nacked
	if r.Free {
		how = job.Interrupted
	}
	return m.end(ctx, "Nack", l, job.Waiting, how, delay, r)
}

// Park ends a job badly.
func (m *Model) Park(ctx context.Context, l job.Lease, as job.Status, r job.Report) error {
	return m.end(ctx, "Park", l, as, job.Parked, 0, r)
}

func (m *Model) end(ctx context.Context, method string, l job.Lease, as job.Status, how job.How, delay time.Duration, r job.Report) error {
	return m.do(ctx, method, func(now time.Time) error {
		if how == job.Parked && !as.Parked() {
			return job.ErrStatus
		}
		e := m.jobs[l.ID]
		if e == nil || e.Fence != l.Fence || e.Fence == 0 {
			return job.ErrLeaseLost
		}
		last := &e.History[len(e.History)-1]
		if e.Status != job.Running {
			if last.How != how || e.Status != as {
				return job.ErrLeaseLost
			}
			return nil
		}
		last.Ended, last.How, last.Err, last.Class, last.Seq = now, how, r.Cut().Err, r.Class, e.Seq
		e.Status, e.due = as, now.Add(max(0, delay))
		if how == job.Interrupted {
			e.Attempts--
		}
		return nil
	})
}

// Load shows a job.
func (m *Model) Load(ctx context.Context, id string) (r job.Record, err error) {
	err = m.do(ctx, "Load", func(now time.Time) error {
		e := m.jobs[id]
		if e == nil {
			return job.ErrNotFound
		}
		r = e.show(now)
		return nil
	})
	return r, err
}

// List shows several.
func (m *Model) List(ctx context.Context, q job.Query) (list []job.Record, err error) {
	err = m.do(ctx, "List", func(now time.Time) error {
		for id, e := range m.jobs {
			r := e.show(now)
			r.Payload, r.State, r.History = nil, nil, nil
			if id > q.After && (q.Kind == "" || q.Kind == r.Kind) && (len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status)) {
				list = append(list, r)
			}
		}
		slices.SortFunc(list, func(a, b job.Record) int { return strings.Compare(a.ID, b.ID) })
		list = list[:min(len(list), max(0, q.Max))]
		return nil
	})
	return list, err
}

// Redrive sends a parked job on its way.
func (m *Model) Redrive(ctx context.Context, id string, r job.Redrive) error {
	return m.do(ctx, "Redrive", func(now time.Time) error {
		e := m.jobs[id]
		switch {
		case e == nil:
			return job.ErrNotFound
		case !e.Status.Parked():
			return job.ErrNotParked
		}
		c, err := e.Resolve(r.Open)
		if err != nil {
			return err
		}
		e.note(job.Attempt{Fence: e.Fence, Worker: r.By, Began: now, Ended: now, How: job.Redriven, Err: job.Report{Err: r.Note}.Cut().Err, Seq: c.Seq})
		e.Status, e.Checkpoint, e.Attempts, e.began, e.due = job.Waiting, c, 0, time.Time{}, now.Add(max(0, r.Delay))
		return nil
	})
}

// Forget removes jobs.
func (m *Model) Forget(ctx context.Context, ago time.Duration, limit int) (n int, err error) {
	err = m.do(ctx, "Forget", func(now time.Time) error {
		for id, e := range m.jobs {
			if n < limit && (e.Status == job.Done || e.Status == job.Abandoned) && now.Sub(e.due) >= ago {
				delete(m.jobs, id)
				n++
			}
		}
		return nil
	})
	return n, err
}

package memory

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/work/job"
)

// DefaultMaxJobs is what Jobs.MaxJobs means where it is not set.
const DefaultMaxJobs = 1 << 16

// Jobs is a [job.Store] in memory. It is not durable: its jobs and their checkpoints end with the process.
//
// The zero value is empty. It is safe for concurrent use, and keeps the time of the process. It must not be copied
// after first use. List and Forget look at every job.
type Jobs struct {
	// MaxJobs is how many jobs are held, ended ones included until they are forgotten; not positive means 65,536.
	// One more is refused with [ErrFull].
	MaxJobs int

	mu    sync.Mutex
	jobs  map[string]*task
	lines map[string]*line // of the jobs that have not ended, by kind
	order uint64           // of the last job that became due
}

var _ job.Store = (*Jobs)(nil)

// A task is what is kept of a job.
type task struct {
	job.Record           // without what the time decides: Running stays so when the lease ends
	due        time.Time // if Waiting, then; if Running, the end of the lease; else when it ended
	order      uint64    // among those due at one time
	place      int       // in its line
	began      time.Time // of the first attempt that Elapsed counts from
}

// String says what a log should say, too.
func (s *Jobs) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("jobs in memory, not durable: %d", len(s.jobs))
}

// Enqueue is of [job.Store], as are the methods below.
func (s *Jobs) Enqueue(ctx context.Context, j job.Job) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if err := j.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.jobs[j.ID]; t != nil {
		if t.Kind != j.Kind || !bytes.Equal(t.Payload, j.Payload) {
			return fmt.Errorf("%w: %q", job.ErrExists, j.ID)
		}
		return nil
	}
	if most := s.maxJobs(); len(s.jobs) >= most {
		return fmt.Errorf("%w: %d jobs", ErrFull, most)
	}
	if s.jobs == nil {
		s.jobs, s.lines = make(map[string]*task), make(map[string]*line)
	}
	t := &task{Record: job.Record{ID: j.ID, Kind: j.Kind, Payload: slices.Clone(j.Payload)}}
	s.jobs[j.ID] = t
	s.wait(t, j.Delay)
	return nil
}

func (s *Jobs) maxJobs() int {
	if s.MaxJobs <= 0 {
		return DefaultMaxJobs
	}
	return s.MaxJobs
}

// wait puts t in line, to be due after d.
func (s *Jobs) wait(t *task, d time.Duration) {
	t.Status = job.Waiting
	s.order++
	t.due, t.order = time.Now().Add(max(0, d)), s.order
	l := s.lines[t.Kind]
	if l == nil {
		l = &line{}
		s.lines[t.Kind] = l
	}
	heap.Push(l, t)
}

// leave takes t out of its line.
func (s *Jobs) leave(t *task) {
	l := s.lines[t.Kind]
	heap.Remove(l, t.place)
	if l.Len() == 0 {
		delete(s.lines, t.Kind)
	}
}

// Take leases jobs.
func (s *Jobs) Take(ctx context.Context, w job.Want) (job.Taken, error) {
	if err := alive(ctx); err != nil {
		return job.Taken{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken job.Taken
	now := time.Now()
	held := make([]*task, 0, min(len(s.jobs), max(0, w.Max))) // so that one whose lease ends at once is taken once
	for {
		t := s.first(w.Kinds)
		if t == nil {
			break
		}
		if left := t.due.Sub(now); left > 0 {
			taken.Next = left
			break
		}
		if len(held) >= w.Max {
			taken.Next = 1
			break
		}
		s.leave(t)
		held = append(held, t)
	}
	for _, t := range held {
		s.wait(t, w.Lease)
		t.begin(w.Worker, now)
		taken.Jobs = append(taken.Jobs, t.show(now, true))
	}
	return taken, nil
}

// first returns the job of some kinds that is due first.
func (s *Jobs) first(kinds []string) *task {
	var first *task
	for _, kind := range kinds {
		if l := s.lines[kind]; l != nil && (first == nil || (*l)[0].before(first)) {
			first = (*l)[0]
		}
	}
	return first
}

func (t *task) begin(worker string, now time.Time) {
	t.Status = job.Running
	t.Fence++
	t.Attempts++
	if t.began.IsZero() {
		t.began = now
	}
	t.note(job.Attempt{Fence: t.Fence, Worker: worker, Began: now, Seq: t.Seq})
}

// note adds to the history.
func (t *task) note(a job.Attempt) {
	t.History = append(t.History, a)
	if extra := len(t.History) - job.MaxHistory; extra > 0 {
		t.History = slices.Delete(t.History, 0, extra)
	}
}

// show returns what a caller may see of t, and keep.
func (t *task) show(now time.Time, all bool) job.Record {
	r := t.Record
	if all {
		r.Payload, r.State, r.History = slices.Clone(r.Payload), slices.Clone(r.State), slices.Clone(r.History)
	} else {
		r.Payload, r.State, r.History = nil, nil, nil
	}
	if r.Status.Terminal() {
		return r
	}
	r.Left = max(0, t.due.Sub(now))
	if !t.began.IsZero() {
		r.Elapsed = now.Sub(t.began)
	}
	if r.Left == 0 {
		r.Status = job.Waiting
	}
	return r
}

// Load shows a job.
func (s *Jobs) Load(ctx context.Context, id string) (job.Record, error) {
	if err := alive(ctx); err != nil {
		return job.Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.jobs[id]
	if t == nil {
		return job.Record{}, fmt.Errorf("%w: %q", job.ErrNotFound, id)
	}
	return t.show(time.Now(), true), nil
}

// List shows several.
func (s *Jobs) List(ctx context.Context, q job.Query) ([]job.Record, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	var list []job.Record
	for id, t := range s.jobs {
		if id <= q.After || q.Kind != "" && q.Kind != t.Kind {
			continue
		}
		if r := t.show(now, false); len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b job.Record) int { return strings.Compare(a.ID, b.ID) })
	return list[:min(len(list), max(0, q.Max))], nil
}

// Redrive sends a parked job on its way.
func (s *Jobs) Redrive(ctx context.Context, id string, r job.Redrive) error {
	if err := alive(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.jobs[id]
	if t == nil {
		return fmt.Errorf("%w: %q", job.ErrNotFound, id)
	}
	if !t.Status.Parked() {
		return fmt.Errorf("%w: %q is %v", job.ErrNotParked, id, t.Status)
	}
	c, err := t.Resolve(r.Open)
	if err != nil {
		return err
	}
	now := time.Now()
	t.Checkpoint, t.Attempts, t.began = c, 0, time.Time{}
	t.note(job.Attempt{
		Fence: t.Fence, Worker: r.By, Began: now, Ended: now, How: job.Redriven, Err: job.Report{Err: r.Note}.Cut().Err, Seq: t.Seq,
	})
	s.wait(t, r.Delay)
	return nil
}

// Forget removes jobs.
func (s *Jobs) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	if err := alive(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	n := 0
	for id, t := range s.jobs {
		if n >= limit {
			break
		}
		if (t.Status == job.Done || t.Status == job.Abandoned) && now.Sub(t.due) >= ago {
			delete(s.jobs, id)
			n++
		}
	}
	return n, nil
}

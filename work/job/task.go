package job

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
)

// A Task is a job in the hands of a step. It is safe for concurrent use, and must not be used after the step has
// returned.
type Task struct {
	hold    *hold
	id      string
	kind    string
	payload []byte
	number  int
	step    string

	mu      sync.Mutex
	saved   Checkpoint // the last one that the store acknowledged
	next    []byte     // what Keep was given
	keeping bool
	doubt   bool // the store may have acknowledged one more, unheard
}

// ID returns that of the job.
func (t *Task) ID() string { return t.id }

// Kind returns that of the job.
func (t *Task) Kind() string { return t.kind }

// Payload returns that of the job; not to be modified.
func (t *Task) Payload() []byte { return t.payload }

// Attempt returns which this is since the job was enqueued or redriven: 1 is the first.
func (t *Task) Attempt() int { return t.number }

// Fence returns a number that rises each time the job is taken. Show it to what the job changes: a resource that refuses a
// smaller number than it has seen is safe from a worker that lost its lease and does not know.
func (t *Task) Fence() uint64 { return t.hold.lease.Fence }

// Key returns the idempotency key of the step: the same in each attempt, and no other step's or job's.
func (t *Task) Key() string { return t.id + "/" + t.step }

// State returns the handler's own part of the last checkpoint, nil if there is none. It is the caller's to keep.
func (t *Task) State() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.saved.State)
}

// Keep replaces the state when the step ends well, in the same checkpoint that says so. If it does not, nothing is
// kept.
func (t *Task) Keep(state []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next, t.keeping = slices.Clone(state), true
}

// Save replaces the state now: should the worker die, the step begins anew from here. As long as the store cannot be
// reached, Save waits: the job stays at its last checkpoint. It returns an error that is [ErrLeaseLost] when another worker
// may have taken the job; the step should then return. Save also ends with ctx.
func (t *Task) Save(ctx context.Context, state []byte) error {
	return t.save(ctx, func(c *Checkpoint) { c.State = slices.Clone(state) })
}

// Load returns the state, as [Task.State] does. It is the counterpart of Save for those who expect one.
func (t *Task) Load(context.Context) ([]byte, error) { return t.State(), nil }

// save stores the next checkpoint, as f makes it of the last one.
func (t *Task) save(ctx context.Context, f func(*Checkpoint)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.doubt {
		if err := t.hold.change(ctx, t.learn); err != nil {
			return err
		}
	}
	c := t.saved
	f(&c)
	c.Seq++
	t.doubt = true
	err := t.hold.change(ctx, func(ctx context.Context) error { return t.hold.store.Save(ctx, t.hold.lease, c) })
	if err == nil {
		t.saved, t.doubt = c, false
	}
	return err
}

// learn finds out which checkpoint is the last one, after the answer to a Save went unheard. That of another
// worker does no harm: the next Save is refused. t.mu is held.
func (t *Task) learn(ctx context.Context) error {
	r, err := t.hold.store.Load(ctx, t.id)
	switch {
	case errors.Is(err, ErrNotFound):
		return ErrLeaseLost
	case err == nil:
		t.saved, t.doubt = r.Checkpoint, false
	}
	return err
}

// begin says in the store that a step begins which must not run twice.
func (t *Task) begin(ctx context.Context) error {
	return t.save(ctx, func(c *Checkpoint) { c.Open = true })
}

// end says in the store what became of the present step.
func (t *Task) end(ctx context.Context, r Resolution) error {
	return t.save(ctx, func(c *Checkpoint) {
		if r == Applied {
			c.Step++
			if t.keeping {
				c.State = t.next
			}
		}
		c.Open = false
		t.next, t.keeping = nil, false
	})
}

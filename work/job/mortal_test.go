package job_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/work/job"
)

var errDead = errors.New("the process is dead")

// mortal is a store as a process sees it that can be killed: from then on nothing reaches the store.
type mortal struct {
	job.Store
	dead atomic.Bool
}

func (m *mortal) gone() error {
	if m.dead.Load() {
		return errDead
	}
	return nil
}

func (m *mortal) Take(ctx context.Context, w job.Want) (job.Taken, error) {
	if m.gone() != nil {
		return job.Taken{}, errDead
	}
	return m.Store.Take(ctx, w)
}

func (m *mortal) Renew(ctx context.Context, l job.Lease, d time.Duration) error {
	if m.gone() != nil {
		return errDead
	}
	return m.Store.Renew(ctx, l, d)
}

func (m *mortal) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	if m.gone() != nil {
		return errDead
	}
	return m.Store.Save(ctx, l, c)
}

func (m *mortal) Load(ctx context.Context, id string) (job.Record, error) {
	if m.gone() != nil {
		return job.Record{}, errDead
	}
	return m.Store.Load(ctx, id)
}

func (m *mortal) Ack(ctx context.Context, l job.Lease) error {
	if m.gone() != nil {
		return errDead
	}
	return m.Store.Ack(ctx, l)
}

func (m *mortal) Nack(ctx context.Context, l job.Lease, d time.Duration, r job.Report) error {
	if m.gone() != nil {
		return errDead
	}
	return m.Store.Nack(ctx, l, d, r)
}

func (m *mortal) Park(ctx context.Context, l job.Lease, as job.Status, r job.Report) error {
	if m.gone() != nil {
		return errDead
	}
	return m.Store.Park(ctx, l, as, r)
}

// kill lets a runner's process die: nothing it does reaches the store, and its steps never return to it.
func (m *mortal) kill() { m.dead.Store(true) }

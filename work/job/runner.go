package job

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// What zero fields mean.
const (
	DefaultLease = 30 * time.Second
	DefaultPoll  = time.Second
)

// ErrStopping is the cause of the contexts of steps that run when a runner has no more time for them.
var ErrStopping = errors.New("the runner stops")

// A Runner takes jobs from a store and does them, as its handlers say. Any number of runners, in any number of processes,
// may share a store. The fields must not change while it runs.
type Runner struct {
	Store    Store
	Handlers map[string]Handler // by kind of job; jobs of other kinds are left to others
	Name     string             // of the worker, in the history of jobs; "" means host, process and chance
	Workers  int                // jobs done at one time; not positive means one per processor
	Lease    time.Duration      // how long a job is kept from others when this process dies; not positive means 30 s
	Poll     time.Duration      // longest time between two looks for jobs; not positive means 1 s
	Grace    time.Duration      // how long steps may go on when Run is told to stop, before their contexts end

	// Observe is told what happens, in the goroutine that it happens in; it must be quick and safe for concurrent use.
	Observe func(context.Context, Event)

	once sync.Once
	wake chan struct{}
}

// Check returns all mistakes in r, joined, each beginning with its field's name, or nil. A runner with mistakes works, if at all,
// with fewer attempts than were meant.
func (r *Runner) Check() error {
	var errs []error
	if r.Store == nil {
		errs = append(errs, errors.New("Store: missing"))
	}
	if len(r.Handlers) == 0 {
		errs = append(errs, errors.New("Handlers: none"))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Handlers)) {
		h := r.Handlers[kind]
		if err := h.Check(); err != nil {
			errs = append(errs, fmt.Errorf("Handlers[%q]: %w", kind, err))
		}
	}
	return errors.Join(errs...)
}

// Enqueue adds a job, as [Store.Enqueue], and lets r look for it.
func (r *Runner) Enqueue(ctx context.Context, j Job) error {
	err := r.Store.Enqueue(ctx, j)
	r.Wake()
	return err
}

// Wake lets r look for jobs now, if it runs.
func (r *Runner) Wake() {
	select {
	case r.waker() <- struct{}{}:
	default: // it will look anyway
	}
}

func (r *Runner) waker() chan struct{} {
	r.once.Do(func() { r.wake = make(chan struct{}, 1) })
	return r.wake
}

// Run takes and does jobs until ctx ends. It then takes no more, lets those under way go on for Grace, ends their contexts,
// and returns nil after the last has returned. Jobs that were stopped are given back, and go on at their last checkpoint
// elsewhere or later. The contexts of steps have the values of ctx.
//
// Without a store, or a handler with steps, Run returns what Check finds. When a step panics, Run stops in the same way but without grace, and then panics with a
// [*Panic]. One Run at a time is enough for a Runner.
func (r *Runner) Run(ctx context.Context) error {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(r.Handlers)) {
		if len(r.Handlers[kind].Steps) > 0 {
			kinds = append(kinds, kind)
		}
	}
	if r.Store == nil || len(kinds) == 0 {
		return r.Check()
	}
	c := &crew{Runner: r, kinds: kinds, worker: r.Name, lease: DefaultLease, poll: DefaultPoll, workers: r.Workers}
	if r.Lease > 0 {
		c.lease = r.Lease
	}
	if r.Poll > 0 {
		c.poll = r.Poll
	}
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	if c.worker == "" {
		host, _ := os.Hostname()
		c.worker = fmt.Sprintf("%s-%d-%s", cmp.Or(host, "host"), os.Getpid(), rand.Text()[:6])
	}
	c.free = make(chan struct{}, c.workers)
	for range c.workers {
		c.free <- struct{}{}
	}
	return c.run(ctx)
}

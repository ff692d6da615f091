package analytics

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// An Analyzer is a retry.Observer that finds patterns while calls go on. It only listens: a call waits for a short lock and
// nothing else. Run has to run; until then records wait in a queue of [QueueSize], and are dropped and counted when it is full.
//
// The zero value is good. Set the fields before first use. It is safe for concurrent use and must not be copied after first use.
type Analyzer struct {
	Config Config

	// Sinks are told when a finding opens, gets worse or ends, one after the other, in the goroutine of Run's own. While one is
	// slow, up to 256 findings wait; further ones are dropped and counted.
	Sinks []Sink

	// Failed is told of errors of sinks. Nil means that they are only counted.
	Failed func(error)

	// Poll is asked, ten times a second, for what was counted elsewhere since, such as calls that succeed at once and of which no
	// event tells: it hands records to feed, which keeps nothing of them but their names. It must be quick. Nil means that there is nothing.
	Poll func(now time.Time, feed func(*Record))

	queue    ring
	dropped  atomic.Uint64
	unsent   atomic.Uint64
	failures atomic.Uint64

	mu     sync.Mutex
	engine *Engine // guarded by mu
	alerts chan Finding
	once   sync.Once
	runs   atomic.Bool
}

var _ retry.Observer = (*Analyzer)(nil)

// ErrRunning says that Run was called while it ran.
var ErrRunning = errors.New("the analysis runs already: one Run is enough")

const (
	foldEvery = 100 * time.Millisecond
	maxAlerts = 256
)

// ring holds the records that wait.
type ring struct {
	mu   sync.Mutex
	list []Record // guarded by mu
}

func (q *ring) add(r *Record) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.list == nil {
		q.list = make([]Record, 0, QueueSize)
	}
	if len(q.list) == QueueSize {
		return false
	}
	q.list = append(q.list, *r)
	return true
}

// swap takes what waits and leaves an empty list.
func (q *ring) swap(empty []Record) []Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := q.list
	q.list = empty[:0]
	return full
}

func (a *Analyzer) init() {
	a.once.Do(func() {
		a.alerts = make(chan Finding, maxAlerts)
		a.engine = NewEngine(a.Config)
		a.engine.OnChange = func(f Finding) {
			select {
			case a.alerts <- f:
			default:
				a.unsent.Add(1)
			}
		}
	})
}

// Observe implements [retry.Observer]. A call that its caller gave up says nothing about the other side and is left out.
func (a *Analyzer) Observe(_ context.Context, e retry.Event) {
	if givenUp(&e) {
		return
	}
	r := a.Config.of(&e)
	a.Add(&r)
}

// Add takes in a record that no call tells of: a circuit that changed, a stop. It never blocks and keeps nothing of r but its
// names.
func (a *Analyzer) Add(r *Record) {
	if !a.queue.add(r) {
		a.dropped.Add(1)
	}
}

// Run folds the records and tells the sinks, until ctx ends, and returns its cause. It waits for the sinks.
func (a *Analyzer) Run(ctx context.Context) error {
	if a.runs.Swap(true) {
		return ErrRunning
	}
	defer a.runs.Store(false)
	a.init()
	var wg sync.WaitGroup
	wg.Go(func() { a.deliver(ctx) })
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	batch := make([]Record, 0, QueueSize)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			batch = a.foldAll(batch, now)
		}
	}
	a.foldAll(batch, time.Time{})
	wg.Wait()
	return context.Cause(ctx)
}

// foldAll takes in what waits.
func (a *Analyzer) foldAll(batch []Record, now time.Time) []Record {
	polled := a.poll(now)
	batch = a.queue.swap(batch)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range polled { // first: a failure is told at once, a success when it is asked for
		a.engine.Feed(&polled[i])
	}
	for i := range batch {
		a.engine.Feed(&batch[i])
	}
	a.engine.Advance(now)
	clear(batch) // keeps no names
	return batch
}

// poll returns what was counted elsewhere. No lock is held, since others may hold one that Poll needs.
func (a *Analyzer) poll(now time.Time) (list []Record) {
	if a.Poll != nil && !now.IsZero() {
		a.Poll(now, func(r *Record) { list = append(list, *r) })
	}
	return list
}

// deliver tells the sinks.
func (a *Analyzer) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-a.alerts:
			for _, s := range a.Sinks {
				if s == nil {
					continue
				}
				if err := s.Tell(ctx, f); err != nil {
					a.failures.Add(1)
					if a.Failed != nil {
						a.Failed(err)
					}
				}
			}
		}
	}
}

// Findings returns what lasts and no other finding explains, for a view: see [Finding] for how it maps to one of control.
func (a *Analyzer) Findings() []Finding {
	a.init()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine.Findings()
}

// All returns the findings that are kept: see [Engine.All].
func (a *Analyzer) All() []Finding {
	a.init()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine.All()
}

// Stats returns what was left out so far.
func (a *Analyzer) Stats() Stats {
	a.init()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine.Stats()
}

// Dropped returns how many records found the queue full. It is relent_events_dropped_total{sink="analytics"}.
func (a *Analyzer) Dropped() uint64 { return a.dropped.Load() }

// Unsent returns how many findings the sinks were too slow for, and how often a sink failed.
func (a *Analyzer) Unsent() (dropped, failed uint64) { return a.unsent.Load(), a.failures.Load() }

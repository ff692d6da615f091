package job_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// A world is what steps act upon, and what it saw.
type world struct {
	mu      sync.Mutex
	random  *rand.Rand
	applied map[string]int // effects, by key
	began   map[string]int // runs, by key
	ends    map[string]int // terminal events, by job
}

func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n) == 0
}

// act has an effect, or not, and answers, or not.
func (w *world) act(m *mortal, task *job.Task) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began[task.Key()]++
	what := w.random.IntN(10)
	if m.dead.Load() || what == 0 {
		return retry.Mark(errBusy, retry.Transient) // nothing happened
	}
	w.applied[task.Key()]++
	if what == 1 {
		return errBusy // it did, and nobody was told
	}
	return nil
}

// At any point, processes die, answers get lost, leases end, and a person redrives what was parked. Steps that are
// unsafe act once all the same; none that was saved as done runs again; and each job ends in the end, each time once.
func TestAnyInterleaving(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) { interleave(t, seed) })
	}
}

func interleave(t *testing.T, seed uint64) {
	const jobs, parts = 6, 4
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), applied: map[string]int{}, began: map[string]int{}, ends: map[string]int{}}
	r := newRig(t, job.Handler{})
	var calm atomic.Bool
	r.store.After = func(string) error {
		if !calm.Load() && w.chance(25) {
			return fmt.Errorf("answer lost")
		}
		return nil
	}
	handler := func(m *mortal) job.Handler {
		h := job.Handler{Policy: &retry.Policy{MaxAttempts: 4, Backoff: backoff.Constant{Wait: time.Second}}}
		for i := range parts {
			s := job.Step{Effect: job.Effect(i % 3), Do: func(ctx context.Context, task *job.Task) error {
				if got, err := r.store.Load(context.WithoutCancel(ctx), task.ID()); err == nil && got.Step > i && !m.dead.Load() && got.Fence == task.Fence() {
					t.Errorf("seed %d: %s runs, but %d steps are saved", seed, task.Key(), got.Step)
				}
				select {
				case <-time.After(time.Duration(w.pick(20)) * time.Second):
				case <-ctx.Done():
					return retry.Mark(context.Cause(ctx), retry.Transient) // before anything was done
				}
				return w.act(m, task)
			}}
			if s.Effect == job.Unsafe && i > 0 {
				s.Reconcile = func(_ context.Context, task *job.Task) (job.Resolution, error) {
					w.mu.Lock()
					defer w.mu.Unlock()
					if w.applied[task.Key()] > 0 {
						return job.Applied, nil
					}
					return job.Absent, nil
				}
			}
			h.Steps = append(h.Steps, s)
		}
		return h
	}
	begin := func() (m *mortal, stop func()) {
		m = &mortal{Store: r.store}
		runner := &job.Runner{Store: m, Handlers: map[string]job.Handler{"k": handler(m)}, Workers: 2, Name: "w", Observe: func(_ context.Context, e job.Event) {
			if e.Kind == job.Ended {
				w.mu.Lock()
				w.ends[e.Job]++
				w.mu.Unlock()
			}
		}}
		return m, start(t, runner)
	}
	for i := range jobs {
		for r.store.Enqueue(t.Context(), job.Job{ID: fmt.Sprint(i), Kind: "k"}) != nil {
		}
	}
	redriven := map[string]int{}
	redrive := func() {
		list, _ := r.store.List(t.Context(), job.Query{Statuses: []job.Status{job.Failed, job.Unknown}, Max: jobs})
		for _, got := range list {
			w.mu.Lock()
			found := job.Absent
			if w.applied[fmt.Sprintf("%s/%d", got.ID, got.Step+1)] > 0 {
				found = job.Applied
			}
			w.mu.Unlock()
			r.store.Redrive(t.Context(), got.ID, job.Redrive{By: "ann", Open: found})
			redriven[got.ID]++
		}
	}
	for range 8 {
		m1, stop1 := begin()
		_, stop2 := begin()
		time.Sleep(time.Duration(w.pick(60)) * time.Second)
		if w.chance(2) {
			m1.kill()
		}
		stop1()
		stop2()
		time.Sleep(time.Duration(w.pick(2)) * job.DefaultLease)
		redrive()
	}
	calm.Store(true)
	for range 20 {
		_, stop := begin()
		time.Sleep(10 * time.Minute)
		stop()
		redrive()
	}
	for i := range jobs {
		id := fmt.Sprint(i)
		got := r.see(id, job.Done)
		ends := 0
		for _, a := range got.History {
			if a.How == job.Acked || a.How == job.Parked {
				ends++
			}
		}
		if got.Step != parts || ends != redriven[id]+1 && len(got.History) < job.MaxHistory {
			t.Errorf("seed %d: job %s has %d steps done, ended %d times, redriven %d times", seed, id, got.Step, ends, redriven[id])
		}
		if w.ends[id] > ends {
			t.Errorf("seed %d: job %s: %d terminal events for %d ends", seed, id, w.ends[id], ends)
		}
	}
	for key, n := range w.applied {
		unsafe := strings.HasSuffix(key, "/1") || strings.HasSuffix(key, "/4")
		if unsafe && n != 1 {
			t.Errorf("seed %d: %s is unsafe and acted %d times", seed, key, n)
		}
	}
	if len(w.applied) != jobs*parts {
		t.Errorf("seed %d: %d steps acted; want %d", seed, len(w.applied), jobs*parts)
	}
}

func (w *world) pick(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

package jobtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/work/job"
)

func keepsJobs(t *trial) {
	for id, payload := range map[string]string{"text": "a", "nothing": "", "binary": "\x00\xff'\"\\\r\n\x00"} {
		given := []byte(payload)
		t.expect("Enqueue", t.store.Enqueue(t.ctx(), job.Job{ID: id, Kind: "kind", Payload: given}), nil)
		clear(given)
		got := t.see(id, job.Waiting)
		t.same("what is kept of "+id, []any{got.ID, got.Kind, string(got.Payload), got.Fence, got.Attempts, got.Seq, got.Step, got.Open, got.Left, got.Elapsed, len(got.State), len(got.History)},
			[]any{id, "kind", payload, 0, 0, 0, 0, false, 0 * time.Second, 0 * time.Second, 0, 0})
		clear(got.Payload)
		t.same("the payload of "+id, string(t.load(id).Payload), payload)
	}
	_, err := t.store.Load(t.ctx(), "other")
	t.expect("Load of no job", err, job.ErrNotFound)
}

func enqueuesOnce(t *trial) {
	l := t.begun("a", long)
	t.enqueue("a", 0)
	t.see("a", job.Running)
	t.ack(l, nil)
	t.enqueue("a", 0)
	t.see("a", job.Done)
	t.take(want(1, long))
	for _, other := range []job.Job{{ID: "a", Kind: "other", Payload: []byte("of a")}, {ID: "a", Kind: "kind", Payload: []byte("other")}} {
		t.expect("Enqueue of another job", t.store.Enqueue(t.ctx(), other), job.ErrExists)
	}
}

func refusesJobs(t *trial) {
	for _, j := range []job.Job{
		{Kind: "kind"}, {ID: "a"}, {ID: "a\x00", Kind: "kind"}, {ID: "a\xff", Kind: "kind"}, {ID: "a", Kind: "k\x00"},
		{ID: strings.Repeat("a", job.MaxID+1), Kind: "kind"}, {ID: "a", Kind: strings.Repeat("k", job.MaxID+1)},
		{ID: "a", Kind: "kind", Payload: make([]byte, job.MaxPayload+1)},
	} {
		err := t.store.Enqueue(t.ctx(), j)
		t.same("refused", err != nil, true)
		t.expect("Enqueue", err, err)
	}
	t.list(job.Query{Max: 10})
	t.expect("Enqueue of the longest", t.store.Enqueue(t.ctx(), job.Job{
		ID: strings.Repeat("a", job.MaxID), Kind: strings.Repeat("k", job.MaxID), Payload: make([]byte, job.MaxPayload),
	}), nil)
}

func takesWanted(t *trial) {
	for i, kind := range []string{"x", "y", "x", "z", "x"} {
		t.expect("Enqueue", t.store.Enqueue(t.ctx(), job.Job{ID: fmt.Sprint(kind, i), Kind: kind}), nil)
		t.pass(t.Lease / 50)
	}
	t.take(job.Want{Worker: "w", Max: 5, Lease: long})
	t.take(job.Want{Worker: "w", Kinds: []string{"x"}, Lease: long})
	t.take(job.Want{Worker: "w", Kinds: []string{"x"}, Max: -1, Lease: long})
	t.take(job.Want{Worker: "w", Kinds: []string{"other"}, Max: 5, Lease: long})
	t.take(job.Want{Worker: "w", Kinds: []string{"x", "y"}, Max: 2, Lease: long}, "x0", "y1")
	for _, r := range t.take(job.Want{Worker: "w", Kinds: []string{"x", "y"}, Max: 5, Lease: long}, "x2", "x4") {
		t.same("what is shown of "+r.ID, []any{r.Kind, r.Status, r.Fence, r.Attempts, r.Left > 0 && r.Left <= long}, []any{"x", job.Running, 1, 1, true})
	}
}

func takesInOrder(t *trial) {
	t.enqueue("third", 3*t.Lease/5)
	t.enqueue("first", t.Lease/5)
	t.enqueue("second", 2*t.Lease/5)
	l := t.begun("again", long)
	t.nack(l, 4*t.Lease/5, job.Report{}, nil)
	t.pass(t.Lease)
	t.take(want(2, long), "first", "second")
	t.take(want(2, long), "third", "again")
}

func exclusive(t *trial) {
	t.begun("a", long)
	t.take(want(1, long))
	t.see("a", job.Running)
}

func concurrent(t *trial) {
	for i := range t.Rounds {
		t.enqueue(fmt.Sprint(i), 0)
	}
	var mu sync.Mutex
	takers := map[string]int{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				taken, err := t.store.Take(t.ctx(), want(7, long))
				t.expect("Take", err, nil)
				if len(taken.Jobs) == 0 {
					return
				}
				for _, r := range taken.Jobs {
					mu.Lock()
					takers[r.ID]++
					mu.Unlock()
					t.ack(r.Lease(), nil)
				}
			}
		})
	}
	group.Wait()
	for i := range t.Rounds {
		t.same("how often a job was taken", takers[fmt.Sprint(i)], 1)
	}
}

// neverEarly is ST10. It counts from before Enqueue was called, so a store whose clock agrees on spans cannot fail it by being slow.
func neverEarly(t *trial) {
	const jobs = 500
	delay := min(t.Lease, 250*time.Millisecond)
	begun := map[string]time.Time{}
	for i := range jobs {
		id := fmt.Sprint(i)
		begun[id] = time.Now()
		t.enqueue(id, delay)
	}
	taken := 0
	for tries := 0; taken < jobs && tries < 1000; tries++ {
		got, err := t.store.Take(t.ctx(), want(17, long))
		t.expect("Take", err, nil)
		for _, r := range got.Jobs {
			taken++
			t.same("a job is early", time.Since(begun[r.ID]) < delay, false)
		}
		if len(got.Jobs) == 0 {
			t.pass(max(delay/50, min(got.Next, delay)))
		}
	}
	t.same("jobs that came", taken, jobs)
}

func saysNext(t *trial) {
	next := func(w job.Want) time.Duration {
		got, err := t.store.Take(t.ctx(), w)
		t.expect("Take", err, nil)
		return got.Next
	}
	t.same("Next without a job", next(want(1, long)), 0*time.Second)
	t.enqueue("late", long)
	t.enqueue("soon", t.Lease)
	n := next(want(1, long))
	t.same("Next is when the first is due", n > 0 && n <= t.Lease, true)
	t.same("Next of another kind", next(job.Want{Kinds: []string{"other"}, Max: 1}), 0*time.Second)
	t.pass(t.Lease)
	t.same("Next of a job that is due and was not wanted", next(want(0, long)) > 0, true)
	t.take(want(1, t.Lease), "soon")
	n = next(want(1, long))
	t.same("Next is when a lease ends", n > 0 && n <= t.Lease, true)
}

func lists(t *trial) {
	for _, id := range []string{"c", "a", "b", "B", "é"} {
		l := t.begun(id, long)
		t.save(l, 1, "state", nil)
		t.park(l, job.Failed, nil)
	}
	t.enqueue("w", long)
	t.expect("Enqueue", t.store.Enqueue(t.ctx(), job.Job{ID: "x", Kind: "other"}), nil)
	t.begun("run", long)
	t.begun("lost", t.Lease)
	t.pass(t.Lease)
	t.list(job.Query{})
	t.list(job.Query{Max: -1})
	t.list(job.Query{Max: 100}, "B", "a", "b", "c", "lost", "run", "w", "x", "é")
	t.list(job.Query{Max: 2}, "B", "a")
	t.list(job.Query{Max: 2, After: "a"}, "b", "c")
	t.list(job.Query{Max: 100, Kind: "other"}, "x")
	t.list(job.Query{Max: 100, Statuses: []job.Status{job.Running}}, "run")
	t.list(job.Query{Max: 100, Statuses: []job.Status{job.Waiting, job.Running}, Kind: "kind"}, "lost", "run", "w")
	for _, r := range t.list(job.Query{Max: 1, After: "B", Statuses: []job.Status{job.Unknown, job.Failed}}, "a") {
		t.same("what a list shows", []any{r.Kind, r.Status, r.Fence, r.Attempts, r.Seq, len(r.Payload), len(r.State), len(r.History)},
			[]any{"kind", job.Failed, 1, 1, 1, 0, 0, 0})
	}
}

func forgets(t *trial) {
	for id, as := range map[string]job.Status{"abandoned": job.Abandoned, "failed": job.Failed, "unknown": job.Unknown} {
		t.park(t.begun(id, long), as, nil)
	}
	t.ack(t.begun("done", long), nil)
	t.enqueue("waiting", long)
	t.begun("running", long)
	forget := func(ago time.Duration, limit, want int) {
		n, err := t.store.Forget(t.ctx(), ago, limit)
		t.expect("Forget", err, nil)
		t.same("Forget", n, want)
	}
	forget(long, 10, 0)
	forget(0, 0, 0)
	forget(0, -1, 0)
	t.pass(t.Lease)
	forget(t.Lease, 1, 1)
	forget(t.Lease, 10, 1)
	t.list(job.Query{Max: 10}, "failed", "running", "unknown", "waiting")
	t.begun("done", long)
}

func comparesIDs(t *trial) {
	for _, id := range []string{"a", "A", "a ", " a", "é", "e\u0301", "%", "_", "'", "1", "01", "1.0"} {
		l := t.begun(id, long)
		t.same("the fence of "+id, l.Fence, 1)
	}
	t.expect("Enqueue", t.store.Enqueue(t.ctx(), job.Job{ID: "k", Kind: "KIND"}), nil)
	t.take(want(1, long))
}

func bearsSpans(t *trial) {
	const longest = 1<<63 - 1
	t.enqueue("late", longest)
	t.enqueue("at once", -longest)
	l := t.hold("at once", longest)
	t.renew(l, longest, nil)
	t.take(want(1, long))
	t.nack(l, longest, job.Report{}, nil)
	t.take(want(1, long))
	t.see("late", job.Waiting)
	t.enqueue("ends", 0)
	t.take(want(9, -longest), "ends")
	l = t.hold("ends", 0)
	t.same("the fence", l.Fence, 2)
	t.renew(l, -longest, nil)
	t.nack(l, -longest, job.Report{}, nil)
	t.hold("ends", long)
}

func obeysContexts(t *trial) {
	l := t.begun("a", long)
	ctx, cancel := contextWithCancel(t)
	cancel()
	store := t.store
	_, take := store.Take(ctx, want(1, long))
	_, load := store.Load(ctx, "a")
	_, list := store.List(ctx, job.Query{Max: 1})
	_, forget := store.Forget(ctx, 0, 1)
	for _, err := range []error{
		store.Enqueue(ctx, job.Job{ID: "b", Kind: "kind"}), take, load, list, forget, store.Renew(ctx, l, 0),
		store.Save(ctx, l, job.Checkpoint{Seq: 1}), store.Ack(ctx, l), store.Nack(ctx, l, 0, job.Report{}),
		store.Park(ctx, l, job.Failed, job.Report{}), store.Redrive(ctx, "a", job.Redrive{}),
	} {
		t.same("the cause of the context is told", errors.Is(err, errGaveUp), true)
	}
	t.list(job.Query{Max: 9}, "a")
	t.same("the checkpoint", t.see("a", job.Running).Seq, 0)
}

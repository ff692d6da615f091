package jobtest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

var errGaveUp = errors.New("gave up")

func contextWithCancel(t *trial) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(t.ctx())
	return ctx, func() { cancel(errGaveUp) }
}

func endsLeases(t *trial) {
	first := t.begun("a", t.Lease)
	t.pass(t.Lease)
	t.see("a", job.Waiting)
	second := t.hold("a", long)
	t.same("the fence rises", second.Fence > first.Fence, true)
	r := t.see("a", job.Running)
	t.same("the attempts", []any{r.Attempts, hows(r.History), r.History[0].Ended.IsZero(), r.Elapsed >= t.Lease}, []any{2, []job.How{0, 0}, true, true})
}

func renews(t *trial) {
	l := t.begun("a", t.Lease)
	t.renew(l, long, nil)
	t.pass(t.Lease)
	t.take(want(1, long))
	t.see("a", job.Running)
	t.renew(l, 0, nil)
	t.see("a", job.Waiting)
	t.renew(l, long, nil) // nobody has taken it
	t.see("a", job.Running)
	t.renew(l, -1, nil)
	t.hold("a", long)
	t.renew(l, long, job.ErrLeaseLost)
}

func hearsLate(t *trial) {
	l := t.begun("a", t.Lease)
	t.pass(t.Lease)
	t.save(l, 1, "late", nil)
	t.ack(l, nil)
	t.see("a", job.Done)
	l = t.begun("b", t.Lease)
	t.pass(t.Lease)
	t.nack(l, long, job.Report{}, nil)
	t.take(want(1, long))
	l = t.begun("c", t.Lease)
	t.pass(t.Lease)
	t.park(l, job.Unknown, nil)
	t.take(want(1, long))
}

func fences(t *trial) {
	old := t.begun("a", 0)
	l := t.hold("a", long)
	t.save(l, 1, "mine", nil)
	for _, stale := range []job.Lease{old, {ID: "a"}, {ID: "a", Fence: l.Fence + 1}, {ID: "other", Fence: 1}} {
		t.save(stale, 2, "stale", job.ErrLeaseLost)
		t.renew(stale, 0, job.ErrLeaseLost)
		t.ack(stale, job.ErrLeaseLost)
		t.nack(stale, 0, job.Report{}, job.ErrLeaseLost)
		t.park(stale, job.Failed, job.ErrLeaseLost)
	}
	t.enqueue("never taken", long)
	t.ack(job.Lease{ID: "never taken"}, job.ErrLeaseLost)
	r := t.see("a", job.Running)
	t.same("the state", []any{string(r.State), r.Seq, hows(r.History)}, []any{"mine", 1, []job.How{0, 0}})
	t.ack(l, nil)
	t.save(l, 2, "after the end", job.ErrLeaseLost)
	t.renew(l, long, job.ErrLeaseLost)
}

func savesInSequence(t *trial) {
	l := t.begun("a", long)
	t.save(l, 0, "", job.ErrSequence)
	t.save(l, 2, "", job.ErrSequence)
	t.save(l, 1, "one", nil)
	t.save(l, 1, "one", nil) // again
	t.save(l, 1, "other", job.ErrSequence)
	t.save(l, 3, "", job.ErrSequence)
	t.expect("Save with another step", t.store.Save(t.ctx(), l, job.Checkpoint{Seq: 1, Step: 1, State: []byte("one")}), job.ErrSequence)
	t.expect("Save with an open step", t.store.Save(t.ctx(), l, job.Checkpoint{Seq: 1, Open: true, State: []byte("one")}), job.ErrSequence)
	t.save(l, 2, "two", nil)
	t.save(l, 1, "one", job.ErrSequence)
	t.same("the state", string(t.load("a").State), "two")

	// The same by many at once: one is saved.
	results := make(chan error)
	for i := range 16 {
		go func() {
			results <- t.store.Save(t.ctx(), l, job.Checkpoint{Seq: 3, Step: i})
		}()
	}
	saved := 0
	for range 16 {
		if err := <-results; err == nil {
			saved++
		} else {
			t.expect("Save", err, job.ErrSequence)
		}
	}
	t.same("saved", saved, 1)
}

func keepsStates(t *trial) {
	l := t.begun("a", 0)
	for i, state := range []string{"text", "", "\x00\xff'\r\n\x00"} {
		given := []byte(state)
		c := job.Checkpoint{Seq: uint64(i) + 1, Step: 3 + i, Open: i == 1, State: given}
		t.expect("Save", t.store.Save(t.ctx(), l, c), nil)
		clear(given)
		got := t.load("a")
		t.same("the checkpoint", []any{got.Seq, got.Step, got.Open, string(got.State)}, []any{c.Seq, c.Step, c.Open, state})
		clear(got.State)
		t.same("the state", string(t.load("a").State), state)
	}
	for _, r := range t.take(want(1, long), "a") {
		t.same("the checkpoint of the next", []any{r.Seq, r.Step, r.Open, string(r.State)}, []any{3, 5, false, "\x00\xff'\r\n\x00"})
		l = r.Lease()
	}
	t.expect("Save of a long state", t.store.Save(t.ctx(), l, job.Checkpoint{Seq: 4, State: make([]byte, job.MaxState+1)}), job.ErrLongState)
	t.same("the sequence", t.load("a").Seq, 3)
}

func acks(t *trial) {
	l := t.begun("a", long)
	t.ack(l, nil)
	t.ack(l, nil)
	r := t.see("a", job.Done)
	t.same("the history", []any{hows(r.History), r.History[0].Ended.IsZero(), r.History[0].Worker, r.Left, r.Elapsed},
		[]any{[]job.How{job.Acked}, false, "worker", 0 * time.Second, 0 * time.Second})
	t.nack(l, 0, job.Report{}, job.ErrLeaseLost)
	t.park(l, job.Failed, job.ErrLeaseLost)
	t.redrive("a", job.Redrive{}, job.ErrNotParked)
	t.pass(t.Lease)
	t.take(want(1, long))
	t.see("a", job.Done)
}

func nacks(t *trial) {
	l := t.begun("a", long)
	t.nack(l, t.Lease, job.Report{Err: "busy", Class: retry.Throttled}, nil)
	t.nack(l, 0, job.Report{Err: "again"}, nil) // made already
	t.take(want(1, long))
	r := t.see("a", job.Waiting)
	t.same("until it is due", r.Left > 0 && r.Left <= t.Lease, true)
	last := r.History[0]
	t.same("the history", []any{last.How, last.Err, last.Class, last.Fence, last.Worker, last.Ended.IsZero(), last.Began.After(last.Ended)},
		[]any{job.Nacked, "busy", retry.Throttled, l.Fence, "worker", false, false})
	t.ack(l, job.ErrLeaseLost)
	t.park(l, job.Failed, job.ErrLeaseLost)
	t.renew(l, long, job.ErrLeaseLost)
	t.save(l, 1, "", job.ErrLeaseLost)
	t.pass(t.Lease)
	t.hold("a", long)
}

func countsAttempts(t *trial) {
	l := t.begun("a", long)
	t.nack(l, 0, job.Report{}, nil)
	l = t.hold("a", long)
	t.nack(l, 0, job.Report{Free: true}, nil)
	t.nack(l, 0, job.Report{Free: true}, nil) // made already
	t.same("the attempts without a free one", t.load("a").Attempts, 1)
	t.hold("a", 0) // and it dies
	l = t.hold("a", long)
	t.save(l, 1, "", nil)
	r := t.load("a")
	t.same("the attempts", []any{r.Attempts, r.Fence, hows(r.History)}, []any{3, 4, []job.How{job.Nacked, job.Interrupted, job.Unreported, job.Unreported}})
	t.nack(l, 0, job.Report{}, nil)
	r = t.load("a")
	t.same("the sequences", []any{r.History[2].Seq, r.History[3].Seq}, []any{0, 1})
}

func parks(t *trial) {
	for _, as := range []job.Status{job.Failed, job.Abandoned, job.Unknown} {
		l := t.begun(as.String(), long)
		for _, wrong := range []job.Status{job.Waiting, job.Running, job.Done, 77} {
			t.park(l, wrong, job.ErrStatus)
		}
		t.park(l, as, nil)
		t.park(l, as, nil)
		r := t.see(as.String(), as)
		t.same("the history", []any{hows(r.History), r.History[0].Err, r.History[0].Class, r.Left}, []any{[]job.How{job.Parked}, "poison", retry.Permanent, 0 * time.Second})
		t.ack(l, job.ErrLeaseLost)
		t.nack(l, 0, job.Report{}, job.ErrLeaseLost)
	}
	l := t.begun("other", long)
	t.park(l, job.Failed, nil)
	t.park(l, job.Unknown, job.ErrLeaseLost)
	t.pass(t.Lease)
	t.take(want(9, long))
}

func redrives(t *trial) {
	l := t.begun("a", long)
	t.redrive("a", job.Redrive{}, job.ErrNotParked)
	t.redrive("other", job.Redrive{}, job.ErrNotFound)
	t.save(l, 1, "kept", nil)
	t.park(l, job.Failed, nil)
	t.pass(t.Lease)
	t.redrive("a", job.Redrive{By: "ann", Note: "mended", Delay: t.Lease, Open: job.Applied}, nil)
	t.redrive("a", job.Redrive{}, job.ErrNotParked)
	t.park(l, job.Failed, job.ErrLeaseLost)
	t.take(want(1, long))
	r := t.see("a", job.Waiting)
	t.same("redriven", []any{r.Attempts, r.Elapsed, r.Seq, r.Step, string(r.State), hows(r.History), r.History[1].Worker, r.History[1].Err, r.History[1].Fence},
		[]any{0, 0 * time.Second, 1, 0, "kept", []job.How{job.Parked, job.Redriven}, "ann", "mended", l.Fence})
	t.pass(t.Lease)
	next := t.hold("a", long)
	r = t.see("a", job.Running)
	t.same("taken again", []any{next.Fence > l.Fence, r.Attempts, r.Elapsed < t.Lease}, []any{true, 1, true})
	t.ack(next, nil)
	t.see("a", job.Done)
}

func asksOpen(t *trial) {
	for _, test := range []struct {
		open job.Resolution
		step int
	}{{job.Applied, 3}, {job.Absent, 2}} {
		id := test.open.String()
		l := t.begun(id, long)
		t.expect("Save", t.store.Save(t.ctx(), l, job.Checkpoint{Seq: 1, Step: 2, Open: true, State: []byte("s")}), nil)
		t.park(l, job.Unknown, nil)
		t.redrive(id, job.Redrive{}, job.ErrUndecided)
		t.redrive(id, job.Redrive{Open: 77}, job.ErrUndecided)
		t.see(id, job.Unknown)
		t.redrive(id, job.Redrive{Open: test.open}, nil)
		l = t.hold(id, long)
		r := t.load(id)
		t.same("the checkpoint after "+id, []any{r.Seq, r.Step, r.Open, string(r.State)}, []any{2, test.step, false, "s"})
		t.save(l, 3, "", nil)
		t.ack(l, nil)
	}
}

func boundsHistory(t *trial) {
	t.enqueue("a", 0)
	text := strings.Repeat("x", job.MaxError-1) + "é\x00"
	for range job.MaxHistory + 3 {
		t.nack(t.hold("a", long), 0, job.Report{Err: text}, nil)
	}
	r := t.load("a")
	t.same("the history", []any{len(r.History), r.History[0].Fence, r.Attempts, len(r.History[99].Err)}, []any{job.MaxHistory, 4, job.MaxHistory + 3, job.MaxError - 1})
	t.park(t.hold("a", long), job.Failed, nil)
	t.redrive("a", job.Redrive{Note: text}, nil)
	r = t.load("a")
	t.same("the note", []any{len(r.History), len(r.History[99].Err)}, []any{job.MaxHistory, job.MaxError - 1})
}

package halt_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// A flaky Recorder fails every second time.
type flaky struct{ actions []halt.Action }

func (f *flaky) Record(r halt.Record) error {
	if f.actions = append(f.actions, r.Action); len(f.actions) > 100 {
		panic("recorded without end")
	}
	if len(f.actions)%2 == 1 {
		return errors.New("disk full")
	}
	return nil
}

func TestRecorderThatFailsEverySecondTime(t *testing.T) {
	f := &flaky{}
	tree := &halt.Tree{Recorder: f}
	tree.Mark(halt.Orders)
	g := tree.Gate("desk")
	if _, err := tree.Stop(halt.Command{Scope: "elsewhere"}); !errors.Is(err, halt.ErrRecord) {
		t.Errorf("Stop = %v; want ErrRecord", err)
	}
	// That the loss itself could be recorded does not show that commands can.
	if passes(g) != once || !slices.Equal(f.actions, []halt.Action{halt.ActionStop, halt.ActionLost}) {
		t.Errorf("recorded %v, passes %v; want a command and the loss, and no order retries", f.actions, passes(g))
	}
	tree.AuditFailed(errors.New("disk full")) // no second loss
	if len(f.actions) != 2 {
		t.Errorf("recorded %v; want one loss", f.actions)
	}
}

// A resume is recorded before it happens, with the epoch that it leads to; a refusal has the scope's.
func TestResumeRecordsTheEpochAfterwards(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j}
	stop(t, tree, "desk", halt.Stopped, "ops1")
	release := halt.Release{Scope: "desk", Epoch: 1, Requester: "anna", Approver: "boris", Drill: true}
	expect := func(when string, want ...uint64) {
		t.Helper()
		r, _ := tree.Resume(release)
		var got []uint64
		for _, r := range j.take() {
			if r.Action == halt.ActionResume {
				got = append(got, r.Epoch)
			}
		}
		if !slices.Equal(got, want) || r.Epoch != want[len(want)-1] {
			t.Errorf("%s: recorded epochs %v, returned %d; want %v", when, got, r.Epoch, want)
		}
	}
	j.take()
	expect("a drill", 1)
	release.Drill = false
	j.fail(errors.New("disk full"))
	expect("unrecorded, so refused", 2, 1)
	j.fail(nil)
	j.each = func(r halt.Record) {
		if r.Action == halt.ActionResume && r.Err == nil {
			j.each = nil
			stop(t, tree, "desk", halt.Stopped, "ops1")
		}
	}
	expect("overtaken", 2, 2)
	release.Epoch = 2
	expect("done", 3)
	if s := look(t, tree, "desk"); s.Epoch != 3 {
		t.Errorf("%+v; want epoch 3", s)
	}
}

// Attempts count when they begin, however long other gates had them wait.
func TestMessagesCountWhenTheyBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		g := tree.Gate("desk")
		watch(t, tree, "desk", halt.Limits{Messages: 5})
		p := limitedTo(1, g)
		began := 0
		done := make(chan error)
		for i := range 50 {
			go func() { done <- call(t, p, func() { began++; hold(i == 0, 20*time.Second) }) }()
			time.Sleep(300 * time.Millisecond)
		}
		for range 50 {
			<-done
		}
		if began != 6 {
			t.Errorf("%d attempts began, all but one in the same instant; want 6", began)
		}

		tree = &halt.Tree{} // and an attempt that was asked for long ago does not count as of then
		watch(t, tree, "desk", halt.Limits{Messages: 5})
		p, plain := limitedTo(1, tree.Gate("desk")), limitedTo(0, tree.Gate("desk"))
		go func() { done <- call(t, p, func() { time.Sleep(10 * time.Second) }) }()
		time.Sleep(500 * time.Millisecond)
		go func() { done <- call(t, p, func() {}) }()
		for range 20 {
			time.Sleep(500 * time.Millisecond)
			if err := call(t, plain, func() {}); err != nil {
				t.Fatalf("2 attempts a second, 5 allowed: %v", err)
			}
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("2 attempts a second, 5 allowed: %v", err)
			}
		}
		tree.Close()
	})
}

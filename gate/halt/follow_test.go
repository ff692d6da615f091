package halt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

func engage(t *testing.T, tree *halt.Tree, c halt.Command) halt.Record {
	t.Helper()
	r, err := tree.Stop(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A control plane keeps a snapshot and makes a tree for each command: what one person stopped, two release.
func TestSnapshotAndRestore(t *testing.T) {
	first := &halt.Tree{}
	engage(t, first, halt.Command{Scope: "desk/binance", State: halt.NoRetries, Who: "ann", Why: "storm"})
	engage(t, first, halt.Command{Scope: "desk/binance", State: halt.Stopped, Who: "bob", Why: "prices"})

	second := &halt.Tree{}
	if err := second.Restore(first.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.Snapshot(), first.Snapshot()) {
		t.Errorf("restored:\n%s\nwant\n%s", second.Snapshot(), first.Snapshot())
	}
	for _, test := range []struct {
		r   halt.Release
		err error
	}{
		{halt.Release{Scope: "desk/binance", Epoch: 1, Requester: "cid", Approver: "dee"}, halt.ErrEpoch},
		{halt.Release{Scope: "desk/binance", Epoch: 2, Requester: "cid", Approver: "ann"}, halt.ErrTwoPersons},
		{halt.Release{Scope: "desk/binance", Epoch: 2, Requester: "cid", Approver: "dee"}, nil},
	} {
		if _, err := second.Resume(test.r); !errors.Is(err, test.err) {
			t.Errorf("Resume(%+v) = %v; want %v", test.r, err, test.err)
		}
	}
	third := &halt.Tree{}
	if err := third.Restore(second.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if s, _ := third.Look("desk/binance"); s.Epoch != 3 || len(s.Stops) != 0 || s.Share >= 1 {
		t.Errorf("restored after the release: %+v; want epoch 3 and a ramp", s)
	}
	if err := third.Restore(first.Snapshot()); !errors.Is(err, halt.ErrUsed) {
		t.Errorf("Restore of a tree in use = %v; want %v", err, halt.ErrUsed)
	}
	if err := (&halt.Tree{}).Restore([]byte("odd")); !errors.Is(err, halt.ErrSnapshot) {
		t.Errorf("Restore(odd) = %v; want %v", err, halt.ErrSnapshot)
	}
}

// A snapshot of a tree that does not know its state is as strict as that tree.
func TestRestoreOfDamage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := &halt.Tree{File: file}
	defer damaged.Close()
	tree := &halt.Tree{}
	if err := tree.Mark(halt.Orders, "orders"); err != nil {
		t.Fatal(err)
	}
	if err := tree.Restore(damaged.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if s, _ := tree.Look("orders"); s.State != halt.Stopped {
		t.Errorf("orders are %v; want %v", s.State, halt.Stopped)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &journal{}
		lead, process := &halt.Tree{}, &halt.Tree{Recorder: records}
		gate := process.Gate("desk", "binance", "place")
		follow := func(want int) {
			t.Helper()
			r, err := process.Follow(lead.Snapshot())
			if err != nil || len(r) != want {
				t.Errorf("Follow = %+v, %v; want %d new stops", r, err, want)
			}
			for _, r := range r {
				if r.Source != "fleet" || r.Action != halt.ActionStop || r.Epoch == 0 {
					t.Errorf("recorded %+v", r)
				}
			}
		}
		epochs := func(want uint64) {
			t.Helper()
			for _, tree := range []*halt.Tree{lead, process} {
				if s, _ := tree.Look("desk/binance"); s.Epoch != want {
					t.Errorf("epoch %d; want %d", s.Epoch, want)
				}
			}
		}
		follow(0)
		engage(t, lead, halt.Command{Scope: "desk/binance", State: halt.NoRetries, Who: "ann", Expires: time.Minute})
		engage(t, lead, halt.Command{Scope: "desk/binance", State: halt.DrainOnly, Who: "ann", Why: "prices"})
		follow(2)
		follow(0)
		epochs(2)
		if len(records.records) != 2 {
			t.Errorf("recorded %v; want two stops", len(records.records))
		}
		if err := try(gate, 1, time.Now()); !errors.Is(err, halt.ErrDraining) {
			t.Errorf("Admit = %v; want %v", err, halt.ErrDraining)
		}

		// A stop that no longer expires is news; one that does, again, is not.
		engage(t, lead, halt.Command{Scope: "desk/binance", State: halt.NoRetries, Who: "bob"})
		follow(1)
		epochs(3)

		// A release at the lead lifts nothing here, until it is repeated with the same persons and epoch.
		release := halt.Release{Scope: "desk/binance", Epoch: 3, Requester: "cid", Approver: "dee"}
		if _, err := lead.Resume(release); err != nil {
			t.Fatal(err)
		}
		follow(0)
		if err := try(gate, 1, time.Now()); err == nil {
			t.Error("what Follow saw released passes")
		}
		release.Approver = "bob"
		if _, err := process.Resume(release); err == nil {
			t.Error("who stopped at the lead may approve here")
		}
	})
}

// Repeated at once, a release of the lead works in a process that followed it.
func TestFollowedRelease(t *testing.T) {
	lead, process := &halt.Tree{}, &halt.Tree{File: filepath.Join(t.TempDir(), "state")}
	defer process.Close()
	engage(t, lead, halt.Command{Scope: "desk", Who: "ann"})
	if _, err := process.Follow(lead.Snapshot()); err != nil {
		t.Fatal(err)
	}
	release := halt.Release{Scope: "desk", Epoch: 1, Requester: "cid", Approver: "dee"}
	if _, err := process.Resume(release); err != nil {
		t.Fatal(err)
	}
	if _, err := lead.Resume(release); err != nil {
		t.Fatal(err)
	}
	if r, err := process.Follow(lead.Snapshot()); err != nil || len(r) != 0 {
		t.Errorf("Follow = %+v, %v; want nothing", r, err)
	}
	if s, _ := process.Look("desk"); s.Epoch != 2 || len(s.Stops) != 0 {
		t.Errorf("%+v; want epoch 2 and no stop", s)
	}
}

// A process whose scope had commands of its own stays ahead, and as strict.
func TestFollowBehind(t *testing.T) {
	lead, process := &halt.Tree{}, &halt.Tree{}
	for range 3 {
		engage(t, process, halt.Command{Scope: "desk", State: halt.NoRetries, Who: "local"})
	}
	engage(t, lead, halt.Command{Scope: "desk", Who: "ann"})
	if r, err := process.Follow(lead.Snapshot()); err != nil || len(r) != 1 || r[0].Epoch != 4 {
		t.Errorf("Follow = %+v, %v; want one stop at epoch 4", r, err)
	}
	if s, _ := process.Look("desk"); len(s.Stops) != 2 {
		t.Errorf("%+v; want both stops", s)
	}
}

func TestFollowFails(t *testing.T) {
	process := &halt.Tree{}
	if _, err := process.Follow([]byte("odd")); !errors.Is(err, halt.ErrSnapshot) {
		t.Errorf("Follow(odd) = %v; want %v", err, halt.ErrSnapshot)
	}
	lead := &halt.Tree{}
	engage(t, lead, halt.Command{Scope: "desk", Who: "ann"})
	broken := &halt.Tree{File: filepath.Join(t.TempDir(), "no such folder", "state"), Recorder: &flaky{}}
	if r, err := broken.Follow(lead.Snapshot()); !errors.Is(err, halt.ErrSave) || len(r) != 1 {
		t.Errorf("Follow = %+v, %v; want %v and the stop in force", r, err, halt.ErrSave)
	}
	if s, _ := broken.Look("desk"); s.State != halt.Stopped {
		t.Errorf("%v; want %v", s.State, halt.Stopped)
	}
}

// Whoever stopped the scope before somebody else did may not approve its end here, either.
func TestFollowRemembersStoppers(t *testing.T) {
	lead, process := &halt.Tree{}, &halt.Tree{}
	engage(t, lead, halt.Command{Scope: "desk", Who: "ann"})
	engage(t, lead, halt.Command{Scope: "desk", Who: "bob"})
	if _, err := process.Follow(lead.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Resume(halt.Release{Scope: "desk", Epoch: 2, Requester: "cid", Approver: "ann"}); !errors.Is(err, halt.ErrTwoPersons) {
		t.Errorf("Resume = %v; want %v", err, halt.ErrTwoPersons)
	}
}

// A snapshot of some scopes has them alone, and puts them in force beside the others.
func TestSnapshotOfSome(t *testing.T) {
	leader, tree := &halt.Tree{}, &halt.Tree{}
	for _, scope := range []halt.Scope{"a", "b", "b/c"} {
		engage(t, leader, halt.Command{Scope: scope, Who: "ann"})
	}
	for i, only := range []halt.Scope{"a", "b/c", "nowhere"} {
		if _, err := tree.Follow(leader.Snapshot(only)); err != nil {
			t.Fatal(err)
		}
		stopped := ""
		for _, s := range tree.Status() {
			if len(s.Stops) > 0 {
				stopped += string(s.Scope) + " "
			}
		}
		if want := []string{"a ", "a b/c ", "a b/c "}[i]; stopped != want {
			t.Errorf("after %s: %sare stopped; want %s", only, stopped, want)
		}
	}
}

package halt_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// Of two trees on one file the second is strict, saves nothing, and takes over when the first is closed.
func TestTwoTreesOnOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		first := &halt.Tree{File: file}
		stop(t, first, "desk/a", halt.DrainOnly, "ops1")
		j := &journal{}
		second := &halt.Tree{File: file, Recorder: j, Ramp: halt.Ramp{Step: 1}}
		second.Mark(halt.Orders, "desk")
		place := second.Gate("desk", "b")
		if err := second.Open(); !errors.Is(err, halt.ErrLocked) || passes(place) != neither || look(t, second, "desk/a").State != halt.Stopped || len(look(t, second, "desk/a").Stops) != 1 {
			t.Errorf("Open() = %v, passes %v; want ErrLocked, and order scopes stopped", err, passes(place))
		}
		if _, err := second.Stop(halt.Command{Scope: "x", Who: "ops2"}); !errors.Is(err, halt.ErrSave) || !errors.Is(err, halt.ErrLocked) || errors.Is(err, halt.ErrRefused) {
			t.Errorf("Stop = %v; want in force, and not saved", err)
		}
		if _, err := second.Resume(halt.Release{Scope: "x", Epoch: 1, Requester: "anna", Approver: "boris"}); !errors.Is(err, halt.ErrLocked) || !errors.Is(err, halt.ErrRefused) {
			t.Errorf("Resume = %v; want refused", err)
		}
		defer run(t, second)()
		stop(t, first, "desk/c", halt.Stopped, "ops1") // which the second has not read
		time.Sleep(time.Second)
		first.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if err := second.Open(); err != nil {
			t.Errorf("Open() = %v; want the file claimed", err)
		}
		for scope, want := range map[halt.Scope]halt.State{"desk/a": halt.DrainOnly, "desk/c": halt.Stopped, "x": halt.Stopped, "desk/b": halt.Running} {
			if got, saved := look(t, second, scope).State, look(t, copied(t, file), scope).State; got != want || saved != want {
				t.Errorf("%s is %v, saved as %v; want %v", scope, got, saved, want)
			}
		}
		if got := actions(j.take()); !slices.Contains(got, halt.ActionLost) || !slices.Contains(got, halt.ActionAlert) || !slices.Contains(got, halt.ActionBack) {
			t.Errorf("recorded %v", got)
		}
	})
}

// What somebody wrote without the lock is not overwritten: its stops are taken over, and damage is damage.
func TestFileThatSomebodyElseWrote(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "stops")
	other := &halt.Tree{File: filepath.Join(dir, "other")}
	stop(t, other, "desk/a", halt.Stopped, "ops1")
	data, _ := os.ReadFile(other.File)
	tree := &halt.Tree{File: file}
	stop(t, tree, "desk/b", halt.Stopped, "ops1")
	os.WriteFile(file, data, 0o600)
	stop(t, tree, "desk/d", halt.NoRetries, "ops1")
	for _, scope := range []halt.Scope{"desk/a", "desk/b"} {
		if s := look(t, copied(t, file), scope); s.State != halt.Stopped {
			t.Errorf("saved %+v; want it stopped", s)
		}
	}
	os.WriteFile(file, []byte("torn"), 0o600)
	stop(t, tree, "desk/e", halt.NoRetries, "ops1")
	if err := tree.Open(); err == nil {
		t.Error("a torn file is no damage")
	}
	again := &halt.Tree{File: filepath.Join(dir, "again")}
	stop(t, again, "y", halt.Stopped, "ops1")
	data, _ = os.ReadFile(file)
	os.WriteFile(again.File, data, 0o600)
	stop(t, again, "z", halt.Stopped, "ops1")
	if err := again.Open(); err == nil {
		t.Error("the damage of a file that was taken over is forgotten")
	}
	os.Remove(again.File)
	os.Mkdir(again.File, 0o700)
	if _, err := again.Stop(halt.Command{}); !errors.Is(err, halt.ErrSave) {
		t.Errorf("Stop = %v; want ErrSave", err)
	}
}

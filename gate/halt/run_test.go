package halt_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

func TestTriggerFile(t *testing.T) {
	type want struct {
		scope halt.Scope
		state halt.State
	}
	for _, c := range []struct {
		name, text string
		want       []want
	}{
		{"empty", "", []want{{"global", halt.Stopped}}},
		{"blank", "\n  \n# nothing\n", []want{{"global", halt.Stopped}}},
		{"a state", "drain\n", []want{{"global", halt.DrainOnly}}},
		{"a scope, a state and why", "desk/binance risk-reducing prices look wrong", []want{{"desk/binance", halt.RiskReducingOnly}}},
		{"lines", "# two\n\ndesk/a stopped\nglobal no-retries", []want{{"desk/a", halt.Stopped}, {"global", halt.NoRetries}}},
		{"a scope alone", "desk", []want{{"global", halt.Stopped}}},
		{"a state misspelt", "desk stoped", []want{{"global", halt.Stopped}}},
		{"one that is understood and one that is not", "desk/a drain\ndesk/b stoped", []want{{"desk/a", halt.DrainOnly}, {"global", halt.Stopped}}},
		{"a scope that may run", "desk running", []want{{"global", halt.Stopped}}},
		{"running", "running", []want{{"global", halt.Stopped}}},
		{"no scope", "a//b drain", []want{{"global", halt.Stopped}}},
		{"too long", strings.Repeat("# a comment\n", 6000), []want{{"global", halt.Stopped}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				tree := &halt.Tree{Trigger: filepath.Join(t.TempDir(), "STOP"), Recorder: j}
				defer run(t, tree)()
				tree.Gate("desk", "binance")
				time.Sleep(time.Second)
				if r := j.take(); r != nil {
					t.Fatalf("%+v before there was a file", r)
				}
				os.WriteFile(tree.Trigger, []byte(c.text), 0o600)
				time.Sleep(300 * time.Millisecond)
				synctest.Wait()
				time.Sleep(time.Minute) // and once only
				var got []want
				for _, r := range j.take() {
					got = append(got, want{r.Scope, r.State})
					if r.Source != "file" || r.Who != "file "+tree.Trigger || r.Err != nil {
						t.Errorf("recorded %+v", r)
					}
				}
				if !slices.Equal(got, c.want) {
					t.Fatalf("stops %v; want %v", got, c.want)
				}
				// As long as the file is there its stop comes back; that it goes away ends nothing.
				resume(t, tree, got[0].scope)
				time.Sleep(time.Second)
				if s := look(t, tree, got[0].scope); len(s.Stops) != 1 || s.Stops[0].State != got[0].state {
					t.Errorf("resumed while the file is there: %+v", s)
				}
				os.Remove(tree.Trigger)
				time.Sleep(time.Second)
				if s := look(t, tree, got[0].scope); len(s.Stops) != 1 {
					t.Errorf("without the file: %+v; want the stop as it was", s)
				}
			})
		})
	}
}

func TestTriggerThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		tree := &halt.Tree{Trigger: filepath.Join(dir, "STOP"), Poll: time.Minute}
		os.Symlink(filepath.Join(dir, "nowhere"), tree.Trigger)
		defer run(t, tree)()
		time.Sleep(time.Minute)
		if s := look(t, tree, halt.Global); s.State != halt.Stopped {
			t.Errorf("%+v; want stopped", s)
		}
	})
}

// A stop of the file with the state of one that expires stays.
func TestTriggerOutlastsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{Trigger: filepath.Join(t.TempDir(), "STOP")}
		defer run(t, tree)()
		tree.Stop(halt.Command{State: halt.DrainOnly, Expires: time.Minute})
		os.WriteFile(tree.Trigger, []byte("drain"), 0o600)
		time.Sleep(2 * time.Minute)
		if s := look(t, tree, halt.Global); s.State != halt.DrainOnly {
			t.Errorf("%+v; want the file's stop", s)
		}
	})
}

func TestEnvironment(t *testing.T) {
	for text, want := range map[string]halt.State{
		"": halt.Running, " ": halt.Running, "no-retries": halt.NoRetries, "desk drain why": halt.DrainOnly, "yes": halt.Stopped,
	} {
		t.Setenv("HALT_TEST_STOP", text)
		j := &journal{}
		tree := &halt.Tree{Env: "HALT_TEST_STOP", Recorder: j, File: filepath.Join(t.TempDir(), "stops")}
		if got := look(t, tree, "desk").State; want == halt.DrainOnly && got != want || want != halt.DrainOnly && look(t, tree, halt.Global).State != want {
			t.Errorf("%q: %v; want %v", text, got, want)
		}
		if r := j.take(); len(r) > 1 || len(r) == 1 && (r[0].Source != "env" || r[0].Err != nil) || (len(r) == 0) != (want == halt.Running) {
			t.Errorf("%q: recorded %+v", text, r)
		}
		if _, err := os.Stat(tree.File); (err == nil) != (want != halt.Running) {
			t.Errorf("%q: state file: %v; want it saved", text, err)
		}
	}
}

func TestRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		end := run(t, tree)
		if err := tree.Run(t.Context()); !errors.Is(err, halt.ErrRunning) {
			t.Errorf("a second Run() = %v; want ErrRunning", err)
		}
		end()
		run(t, tree)()
	})
}

// What could not be saved is saved as soon as it can be.
func TestRunSavesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		tree := &halt.Tree{File: filepath.Join(dir, "stops")}
		defer run(t, tree)()
		if _, err := tree.Stop(halt.Command{}); !errors.Is(err, halt.ErrSave) {
			t.Fatalf("Stop = %v; want ErrSave", err)
		}
		os.Mkdir(dir, 0o700)
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := look(t, copied(t, tree.File), halt.Global); s.State != halt.Stopped {
			t.Errorf("saved %+v; want the stop", s)
		}
	})
}

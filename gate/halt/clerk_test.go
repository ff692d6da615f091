package halt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// hanging returns a journal that does not come back from a kind of record until the function is called.
func hanging(on halt.Action) (*journal, func()) {
	hold := make(chan struct{})
	return &journal{each: func(r halt.Record) {
		if r.Action == on {
			<-hold
		}
	}}, func() { close(hold) }
}

// However long the Recorder takes, the trigger file and the lease are obeyed in time.
func TestRunDoesNotWaitForTheRecorder(t *testing.T) {
	for _, on := range []halt.Action{halt.ActionLost, halt.ActionExpire, halt.ActionStop} {
		synctest.Test(t, func(t *testing.T) {
			j, release := hanging(on)
			file := filepath.Join(t.TempDir(), "stops")
			tree := &halt.Tree{Recorder: j, Lease: time.Minute, Trigger: file + ".stop", File: file}
			tree.Mark(halt.Reads, "read")
			g := tree.Gate("desk")
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- tree.Run(ctx) }()
			synctest.Wait()
			go tree.Stop(halt.Command{Scope: "elsewhere", State: halt.NoRetries, Expires: time.Second})
			os.WriteFile(tree.Trigger, []byte("read no-retries"), 0o600)
			time.Sleep(time.Minute)
			synctest.Wait()
			if s := look(t, tree, "desk"); s.State != halt.NoRetries || passes(g) != once {
				t.Errorf("%s hangs: a lease of a minute after one: %+v", on, s)
			}
			if s := look(t, tree, "read"); s.State != halt.NoRetries {
				t.Errorf("%s hangs: the trigger file is not obeyed: %+v", on, s)
			}
			if s := look(t, tree, "elsewhere"); len(s.Stops) != 0 {
				t.Errorf("%s hangs: %+v; want it expired", on, s)
			}
			os.WriteFile(tree.Trigger, []byte("stopped"), 0o600)
			time.Sleep(time.Second)
			if s := look(t, tree, "desk"); s.State != halt.Stopped {
				t.Errorf("%s hangs: the trigger file is not obeyed: %+v", on, s)
			}
			cancel()
			synctest.Wait()
			select {
			case <-done:
				t.Errorf("%s hangs: Run returned before all was recorded", on)
			case <-time.After(time.Second):
			}
			if err := tree.Run(t.Context()); !errors.Is(err, halt.ErrRunning) {
				t.Errorf("a second Run = %v; want ErrRunning", err)
			}
			release()
			<-done
			got := actions(j.take())
			slices.Sort(got)
			if want := []halt.Action{halt.ActionExpire, halt.ActionLost, halt.ActionStop, halt.ActionStop, halt.ActionStop}; !slices.Equal(got, want) {
				t.Errorf("%s hung: recorded %v; want %v", on, got, want)
			}
			tree.Close()
		})
	}
}

// A stop of Run tells how long it took to be in force and saved, and why it was not saved.
func TestRunRecordsWhatCouldNotBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j := &journal{}
		tree := &halt.Tree{Recorder: j, Trigger: filepath.Join(dir, "STOP"), File: filepath.Join(dir, "none", "stops")}
		tree.Open()
		j.take()
		os.WriteFile(tree.Trigger, []byte("drain"), 0o600)
		run(t, tree)()
		if r := j.take(); len(r) != 1 || r[0].Action != halt.ActionStop || !errors.Is(r[0].Err, halt.ErrSave) {
			t.Errorf("recorded %+v; want a stop that is not saved", r)
		}
	})
}

// What a Recorder that hangs cannot take in is counted, and order retries are refused until it is back.
func TestTooMuchToRecord(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			j, release := hanging(halt.ActionStop)
			tree := &halt.Tree{Trigger: filepath.Join(t.TempDir(), "STOP"), MaxScopes: 4000}
			if recorded {
				tree.Recorder = j
			}
			tree.Mark(halt.Orders, "desk")
			g := tree.Gate("desk")
			end := run(t, tree)
			var text strings.Builder
			for i := range 3000 {
				fmt.Fprintf(&text, "x/%d stopped\n", i)
			}
			os.WriteFile(tree.Trigger, []byte(text.String()), 0o600)
			time.Sleep(time.Second)
			synctest.Wait()
			if s := look(t, tree, "x/2999"); s.State != halt.Stopped {
				t.Errorf("%+v; want stopped", s)
			}
			if want := map[bool][2]bool{true: once, false: both}[recorded]; passes(g) != want {
				t.Errorf("recorded %v: passes %v; want %v", recorded, passes(g), want)
			}
			release()
			synctest.Wait()
			end()
			if !recorded {
				return
			}
			stops, lost := 0, 0
			for _, r := range j.take() {
				switch {
				case r.Action == halt.ActionStop:
					stops++
				case r.Action == halt.ActionLost && strings.Contains(r.Why, "dropped"):
					n := 0
					fmt.Sscan(r.Why, &n)
					lost += n
				}
			}
			if stops+lost != 3000 || lost == 0 {
				t.Errorf("%d recorded, %d said to be dropped; want 3000", stops, lost)
			}
			ramped(t, g, time.Now())
			if passes(g) != both {
				t.Error("the Recorder is back, and order retries are refused")
			}
		})
	}
}

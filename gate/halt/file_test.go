package halt_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

func TestStateSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		open := func() *halt.Tree { return &halt.Tree{File: file, Designated: []string{"boris"}} }
		tree := open()
		if err := tree.Open(); err != nil {
			t.Fatalf("Open() without a file = %v; want running", err)
		}
		stop(t, tree, "a/BTC%2FUSD", halt.Stopped, "ops1")
		tree.Stop(halt.Command{Scope: "b", State: halt.DrainOnly, Expires: time.Hour, Who: "ops2", Why: "w", Ticket: "T"})
		tree.Stop(halt.Command{Scope: "c", State: halt.NoRetries, Expires: time.Minute, Who: "ops3"})
		stop(t, tree, "d", halt.Stopped, "ops4")
		resume(t, tree, "d")
		w, err := tree.Watch("e", halt.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		w.Duplicate("order 7")
		before := tree.Status()

		time.Sleep(30 * time.Minute) // what has expired meanwhile is let go with a ramp
		tree.Close()
		tree = open()
		if err := tree.Open(); err != nil {
			t.Fatal(err)
		}
		after := tree.Status()
		for _, s := range slices.Concat(before, after) {
			if s.Scope == "c" {
				continue
			}
			var was, is halt.Status
			for _, b := range before {
				if b.Scope == s.Scope {
					was = b
				}
			}
			for _, a := range after {
				if a.Scope == s.Scope {
					is = a
				}
			}
			for _, stops := range [][]halt.Stop{was.Stops, is.Stops} {
				for i := range stops {
					stops[i].Since, stops[i].Until = stops[i].Since.Round(0), stops[i].Until.Round(0) // a file knows wall time only
				}
			}
			if fmt.Sprint(was) != fmt.Sprint(is) {
				t.Errorf("%s was\n%+v, is\n%+v", s.Scope, was, is)
			}
		}
		if s := look(t, tree, "c"); s.State != halt.NoRetries || s.Epoch != 1 {
			t.Errorf("c %+v; want nothing expired before Run", s)
		}
		defer run(t, tree)()
		if s := look(t, tree, "c"); s.State != halt.Running || s.Share != 0.1 || s.Epoch != 2 {
			t.Errorf("c %+v; want expired into a ramp", s)
		}
		if s := look(t, tree, "d"); s.State != halt.Running || s.Share != 0.1 || s.Epoch != 2 {
			t.Errorf("d %+v; want its ramp to begin anew", s)
		}
		if s := look(t, tree, "e"); s.State != halt.RiskReducingOnly || !s.Stops[0].Held || s.Stops[0].Trip != halt.TripDuplicates {
			t.Errorf("e %+v; want the trip held", s)
		}
		if _, err := tree.Resume(halt.Release{Scope: "e", Epoch: 1, Requester: "boris", Approver: "anna"}); !errors.Is(err, halt.ErrApprover) {
			t.Errorf("Resume of a trip by somebody = %v; want ErrApprover", err)
		}
		if passes(tree.Gate("a", "BTC/USD")) != neither || passes(tree.Gate("a", "BTC")) != both {
			t.Error("a key with a slash is not the scope that was stopped")
		}
	})
}

func TestDamagedStateFile(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	tree := &halt.Tree{File: good}
	stop(t, tree, "desk", halt.NoRetries, "ops1")
	data, _ := os.ReadFile(good)
	flipped := slices.Clone(data)
	flipped[len(flipped)/2] ^= 1
	contents := map[string][]byte{
		"empty":          {},
		"cut":            data[:len(data)-1],
		"flipped":        flipped,
		"edited":         []byte(strings.ReplaceAll(string(data), "ops1", "ops2")),
		"another":        []byte("hello\nworld"),
		"a later format": append([]byte("relent-halt 2 "), data[len("relent-halt 1 "):]...),
	}
	for name, data := range contents {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "stops")
			os.WriteFile(file, data, 0o600)
			damaged(t, file)
		})
	}
	t.Run("a directory", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		os.MkdirAll(filepath.Join(file, "x"), 0o700)
		j := &journal{}
		tree := &halt.Tree{File: file, Recorder: j}
		if tree.Open() == nil {
			t.Error("a directory is read")
		}
		r, err := tree.Stop(halt.Command{Scope: "desk", Who: "ops1"})
		if !errors.Is(err, halt.ErrSave) || errors.Is(err, halt.ErrRefused) || passes(tree.Gate("desk")) != neither {
			t.Errorf("Stop = %v; want in force, and not saved", err)
		}
		if _, err := tree.Resume(halt.Release{Scope: "desk", Epoch: r.Epoch, Requester: "anna", Approver: "boris"}); !errors.Is(err, halt.ErrRefused) || !errors.Is(err, halt.ErrSave) || passes(tree.Gate("desk")) != neither {
			t.Errorf("Resume = %v; want refused, since it cannot be saved", err)
		}
		if left, _ := filepath.Glob(file + ".new*"); left != nil {
			t.Errorf("left %v behind", left)
		}
	})
	t.Run("too long", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		os.WriteFile(file, data, 0o600)
		os.Truncate(file, 65<<20)
		damaged(t, file)
	})
	t.Run("a link to nowhere", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "stops")
		if err := os.Symlink(filepath.Join(dir, "none", "stops"), file); err != nil {
			t.Skip(err)
		}
		if err := (&halt.Tree{File: file}).Open(); err == nil {
			t.Error("a link to a volume that is not mounted reads as running")
		}
	})
	t.Run("no directory", func(t *testing.T) {
		tree := &halt.Tree{File: filepath.Join(dir, "none", "stops")}
		tree.Mark(halt.Orders, "desk")
		if err := tree.Open(); err == nil || passes(tree.Gate("desk")) != neither {
			t.Errorf("Open() = %v; want orders stopped: the volume may not be mounted", err)
		}
		if _, err := tree.Stop(halt.Command{}); !errors.Is(err, halt.ErrSave) {
			t.Errorf("Stop = %v; want ErrSave", err)
		}
	})
}

func damaged(t *testing.T, file string) {
	t.Helper()
	j := &journal{}
	open := func() (*halt.Tree, *halt.Gate, *halt.Gate, *halt.Gate) {
		tree := &halt.Tree{File: file, Recorder: j, Ramp: halt.Ramp{Step: 1}}
		tree.Mark(halt.Orders, "desk", "place")
		tree.Mark(halt.Reads, "desk", "book")
		return tree, tree.Gate("desk", "place"), tree.Gate("desk", "book"), tree.Gate("desk", "report")
	}
	tree, place, book, other := open()
	expect := func(when string) {
		t.Helper()
		if err := tree.Open(); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: Open() = %v; want an error that names the file", when, err)
		}
		if passes(place) != neither || passes(place.RiskReducing()) != neither || passes(book) != once || passes(other) != once {
			t.Errorf("%s: place %v, book %v, other %v; want orders stopped and no retries", when, passes(place), passes(book), passes(other))
		}
	}
	expect("at first")
	if r := j.take(); len(r) != 1 || r[0].Action != halt.ActionLost || r[0].Err == nil {
		t.Errorf("recorded %+v; want the loss", r)
	}
	stop(t, tree, "desk", halt.NoRetries, "ops1") // which writes a good file
	tree.Close()
	tree, place, book, other = open()
	expect("after a restart")
	if e := look(t, tree, "desk").Epoch; e < 1e9 {
		t.Errorf("epoch %d; want one that nobody can have seen", e)
	}
	resume(t, tree, halt.Global)
	resume(t, tree, "desk")
	if err := tree.Open(); err != nil {
		t.Errorf("resumed: Open() = %v", err)
	}
	tree.Close()
	tree, place, _, _ = open()
	ramped(t, place, time.Now())
	if err := tree.Open(); err != nil || passes(place) != both {
		t.Errorf("resumed and restarted: Open() = %v, place %v", err, passes(place))
	}
}

// copied returns a tree with what a state file of another one holds now.
func copied(t *testing.T, file string) *halt.Tree {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Error(err)
	}
	file = filepath.Join(t.TempDir(), "copy")
	os.WriteFile(file, data, 0o600)
	return &halt.Tree{File: file}
}

// TestMain lets a test start this program as another process, to be killed.
func TestMain(m *testing.M) {
	if file := os.Getenv("HALT_TEST_CHILD"); file != "" {
		child(file)
	}
	os.Exit(m.Run())
}

// child stops one scope after the other, and says so when it is acknowledged.
func child(file string) {
	tree := &halt.Tree{File: file}
	for i := 0; ; i++ {
		r, err := tree.Stop(halt.Command{Scope: halt.Scope(fmt.Sprintf("desk/%d", i%500)), Who: "child"})
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(r.Scope, r.Epoch)
	}
}

func TestKilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	for round := range 5 {
		file := filepath.Join(t.TempDir(), "stops")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HALT_TEST_CHILD="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := make(map[string]uint64)
		lines := bufio.NewScanner(out)
		for n := 0; n < 10+7*round && lines.Scan(); n++ {
			var scope string
			var epoch uint64
			if _, err := fmt.Sscan(lines.Text(), &scope, &epoch); err != nil {
				t.Fatalf("child says %q", lines.Text())
			}
			acknowledged[scope] = epoch
		}
		cmd.Process.Kill()
		for lines.Scan() {
			fmt.Sscan(lines.Text(), new(string), new(uint64))
		}
		cmd.Wait()
		tree := &halt.Tree{File: file}
		if err := tree.Open(); err != nil {
			t.Fatalf("the file of a killed process: %v", err)
		}
		for scope, epoch := range acknowledged {
			if s := look(t, tree, halt.Scope(scope)); s.Epoch < epoch || s.State != halt.Stopped {
				t.Errorf("%s: %+v; want stopped at epoch %d", scope, s, epoch)
			}
		}
	}
}

// Commands at the same time share a write; each finds itself saved when it returns.
func TestConcurrentCommandsAreAllSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stops")
	tree := &halt.Tree{File: file}
	var commands sync.WaitGroup
	for i := range 32 {
		commands.Go(func() {
			scope := halt.At("desk", fmt.Sprint(i))
			for n := range 4 {
				if n%2 == 0 {
					stop(t, tree, scope, halt.Stopped, "ops1")
				} else {
					resume(t, tree, scope)
				}
				saved := copied(t, file)
				if got, want := look(t, saved, scope).State, look(t, tree, scope).State; got != want {
					t.Errorf("%s saved as %v; want %v", scope, got, want)
				}
			}
		})
	}
	commands.Wait()
}

// A stop that comes while a resume is being recorded or saved wins.
func TestStopOvertakesResume(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j, File: filepath.Join(t.TempDir(), "stops")}
	g := tree.Gate("desk")
	stop(t, tree, "desk", halt.Stopped, "ops1")
	j.each = func(r halt.Record) {
		if r.Action == halt.ActionResume && r.Err == nil {
			j.each = nil
			stop(t, tree, "desk", halt.NoRetries, "ops2")
		}
	}
	_, err := tree.Resume(halt.Release{Scope: "desk", Epoch: 1, Requester: "anna", Approver: "boris"})
	if !errors.Is(err, halt.ErrEpoch) || passes(g) != neither {
		t.Errorf("Resume = %v, passes %v; want overtaken", err, passes(g))
	}
	if s := look(t, copied(t, tree.File), "desk"); s.State != halt.Stopped || len(s.Stops) != 2 {
		t.Errorf("saved %+v; want both stops", s)
	}
}

// Whichever of a stop and a resume at the same time is first, the stop is in force, and saved, afterwards.
func TestStopAndResumeAtOnce(t *testing.T) {
	for range 50 {
		tree := &halt.Tree{File: filepath.Join(t.TempDir(), "stops")}
		g := tree.Gate("desk")
		stop(t, tree, "desk", halt.Stopped, "ops1")
		var both sync.WaitGroup
		var r halt.Record
		var err error
		both.Go(func() { r = stop(t, tree, "desk", halt.NoRetries, "ops2") })
		both.Go(func() {
			_, err = tree.Resume(halt.Release{Scope: "desk", Epoch: 1, Requester: "anna", Approver: "boris"})
		})
		both.Wait()
		want := halt.NoRetries
		if err != nil {
			want = halt.Stopped
		}
		saved := look(t, copied(t, tree.File), "desk")
		if s := look(t, tree, "desk"); (err != nil && !errors.Is(err, halt.ErrEpoch)) || s.State != want || saved.State != want || try(g, 2, time.Now()) == nil {
			t.Fatalf("stopped at epoch %d, resume %v: %+v, saved %+v; want %v", r.Epoch, err, s, saved, want)
		}
	}
}

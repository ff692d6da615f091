package control_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// away is a control plane that cannot be reached.
var away = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })}

// A fleetTwin is a process that starts, and its operation.
type fleetTwin struct {
	*control.Fleet
	records *book
	tree    *halt.Tree
	fetch   *control.Operation
}

func (b *book) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func twin(t *testing.T, dir string) fleetTwin {
	t.Helper()
	records := &book{}
	registry := &control.Registry{Instance: "p1", Recorder: records, Logger: slog.New(slog.DiscardHandler)}
	tree := &halt.Tree{File: filepath.Join(dir, "stops.json"), Lease: halt.DefaultLease}
	t.Cleanup(func() { tree.Close() }) // it holds its file
	if err := registry.AddStops(tree); err != nil {
		t.Fatal(err)
	}
	fetch, err := registry.AddOperation("", &retry.Policy{Name: "fetch", MaxAttempts: 5, Cost: 2})
	if err != nil {
		t.Fatal(err)
	}
	return fleetTwin{&control.Fleet{URL: "http://plane/ops/", Token: "secret", Registry: registry, Stops: tree, Dir: dir, Client: away}, records, tree, fetch}
}

// taught is the folder of a process to which a control plane gave a stop, a configuration and an override.
func taught(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		one := twin(t, dir)
		f := joined(t, one.Fleet)
		leader := &halt.Tree{}
		if _, err := leader.Stop(halt.Command{Scope: "desk", Who: "ann"}); err != nil {
			t.Fatal(err)
		}
		o := lead(leader, 1, nil)
		o.Config = &control.ConfigOrder{Hash: "h1", Actor: "ann", Source: "file", Policies: map[string]map[string]string{"fetch": {"max_attempts": "4"}, "late": {"cost": "7"}}}
		o.Tunes = map[string]control.TuneOrder{
			"fetch": {Fields: map[string]string{"max_attempts": "2"}, Actor: "ann", Reason: "storm"},
			"late":  {Fields: map[string]string{"max_attempts": "1"}, Actor: "ann", Reason: "storm"},
		}
		f.plane.order(o)
		time.Sleep(2 * time.Second) // until it is written
		f.end()
	})
	return dir
}

func (w fleetTwin) expect(t *testing.T, attempts int, cost int64, stopped bool) {
	t.Helper()
	if p := w.fetch.Current(); p.MaxAttempts != attempts || p.Cost != cost {
		t.Errorf("fetch has %d attempts and costs %d; want %d and %d", p.MaxAttempts, p.Cost, attempts, cost)
	}
	if s, _ := w.tree.Look("desk"); (len(s.Stops) > 0) != stopped {
		t.Errorf("desk: %+v; want stopped: %v", s, stopped)
	}
}

// A process that starts while the control plane is away has the stops, the configuration and the overrides of before, and
// moves to its safe states when its lease is over.
func TestRestartWithoutControlPlane(t *testing.T) {
	dir := taught(t)
	synctest.Test(t, func(t *testing.T) {
		w := twin(t, dir)
		w.tree.Mark(halt.Orders, "orders")
		if err := w.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.expect(t, 2, 2, true)
		v := w.fetch.View()
		if v.Base["max_attempts"] != "4" || v.Override["max_attempts"] != "2" {
			t.Errorf("%+v; want the override above the configuration", v)
		}
		if got := w.records.take(); len(got) != 2 || got[0] != "config ann  : fetch.max_attempts: 5 -> 4" || got[1] != "tune ann fetch : max_attempts: 4 -> 2" {
			t.Errorf("recorded %q; want both", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		go w.tree.Run(ctx)
		synctest.Wait()
		late, err := w.Registry.AddOperation("", &retry.Policy{Name: "late", MaxAttempts: 5})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if p := late.Current(); p.MaxAttempts != 1 || p.Cost != 7 {
			t.Errorf("what came later has %d attempts and costs %d; want what the fleet says", p.MaxAttempts, p.Cost)
		}
		if got := w.records.take(); len(got) != 2 || got[0] != "tune ann late : max_attempts: 5 -> 1" || !strings.HasPrefix(got[1], "lost ") {
			t.Errorf("recorded %q; want what came later, and that the lease is over", got)
		}
		w.expect(t, 2, 2, true)
		if s, _ := w.tree.Look("orders"); s.State != halt.RiskReducingOnly {
			t.Errorf("orders %v without contact; want %v", s.State, halt.RiskReducingOnly)
		}
		cancel()
		<-ended
	})
}

// When it comes back, what it says then counts: what it took back meanwhile goes.
func TestControlPlaneComesBack(t *testing.T) {
	dir := taught(t)
	synctest.Test(t, func(t *testing.T) {
		w := twin(t, dir)
		f := joined(t, w.Fleet)
		w.expect(t, 2, 2, true)
		leader := &halt.Tree{}
		leader.Stop(halt.Command{Scope: "desk", Who: "ann"})
		if _, err := leader.Resume(halt.Release{Scope: "desk", Epoch: 1, Requester: "bob", Approver: "cid"}); err != nil {
			t.Fatal(err)
		}
		o := lead(leader, 2, map[string]control.Released{"desk": {Requester: "bob", Approver: "cid"}})
		o.Config = &control.ConfigOrder{Hash: "h2", Policies: map[string]map[string]string{"fetch": {"max_attempts": "3"}}}
		f.plane.order(o)
		w.expect(t, 3, 2, false)
		f.end()
		w.tree.Close()
		again := twin(t, dir)
		if err := again.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		again.expect(t, 3, 2, false)
	})
}

// A file that is damaged or of somebody else is told, and not used: policies are the program's, and what was stopped stays so.
func TestOddFleetFile(t *testing.T) {
	dir := taught(t)
	whole, err := os.ReadFile(filepath.Join(dir, "fleet.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		make func(file string) error
		url  string
		want string // of the error; empty: none
	}{
		"the file that was written": {func(file string) error { return os.WriteFile(file, whole, 0o600) }, "http://plane/ops/", ""},
		"cut off":                   {func(file string) error { return os.WriteFile(file, whole[:len(whole)/2], 0o600) }, "", "unexpected end"},
		"empty":                     {func(file string) error { return os.WriteFile(file, nil, 0o600) }, "", "unexpected end"},
		"one number is another": {func(file string) error {
			return os.WriteFile(file, bytes.Replace(whole, []byte(`"max_attempts":"2"`), []byte(`"max_attempts":"9"`), 1), 0o600)
		}, "", "not what was written"},
		"of another version": {func(file string) error {
			return os.WriteFile(file, bytes.Replace(whole, []byte(`"v":1`), []byte(`"v":2`), 1), 0o600)
		}, "", "version 2, not 1"},
		"of an older version":          {func(file string) error { return os.WriteFile(file, []byte(`{"synced":{"desk":1}}`), 0o600) }, "", "version 0, not 1"},
		"of another control plane":     {func(file string) error { return os.WriteFile(file, whole, 0o600) }, "http://elsewhere/", "another control plane, http://plane/ops/"},
		"too long":                     {func(file string) error { return os.Truncate(file, 17<<20) }, "", "at most"},
		"a folder":                     {func(file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o700)) }, "", "directory"},
		"not there, as the first time": {os.Remove, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a folder" && runtime.GOOS == "windows" {
				t.Skip("the words are others")
			}
			file := filepath.Join(dir, "fleet.json")
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), test.make(file)); err != nil {
				t.Fatal(err)
			}
			w := twin(t, dir)
			if test.url != "" {
				w.URL = test.url
			}
			notes := w.Registry.Subscribe(control.Filter{}, 10)
			defer notes.Close()
			err := w.Restore(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), "fleet.json is not used: ") || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Restore = %v; want %q", err, test.want)
			}
			if name == "the file that was written" {
				w.expect(t, 2, 2, true)
				return
			}
			w.expect(t, 5, 2, true)
			if test.want == "" {
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if list, _ := notes.Next(ctx); len(list) != 1 || list[0].Kind != "config" || w.State().Err == nil {
				t.Errorf("told %+v, %v", list, w.State().Err)
			}
			w.tree.Close()
			synctest.Test(t, func(t *testing.T) { // nothing of it counts: a release does not reach what was stopped before
				w := twin(t, dir)
				f := joined(t, w.Fleet)
				leader := &halt.Tree{}
				leader.Stop(halt.Command{Scope: "desk", Who: "ann"})
				leader.Resume(halt.Release{Scope: "desk", Epoch: 1, Requester: "bob", Approver: "cid"})
				if test.url == "" {
					f.plane.order(lead(leader, 2, map[string]control.Released{"desk": {Requester: "bob", Approver: "cid"}}))
					w.expect(t, 5, 2, true)
				}
				f.end()
			})
		})
	}
}

// Overrides that cannot be recorded are not in force, and come into force when they can be.
func TestRestoreWithoutAudit(t *testing.T) {
	dir := taught(t)
	synctest.Test(t, func(t *testing.T) {
		w := twin(t, dir)
		w.records.fail(errors.New("not yet"))
		if err := w.Restore(t.Context()); !errors.Is(err, control.ErrNotAudited) {
			t.Errorf("Restore = %v; want %v", err, control.ErrNotAudited)
		}
		w.expect(t, 5, 2, true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		w.expect(t, 5, 2, true)
		if n := w.Registry.View().Config.Failures; n < 2 || n > 8 {
			t.Errorf("tried %d times in 20 s; want once in five seconds or so", n)
		}
		w.records.fail(nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		w.expect(t, 2, 2, true)
		cancel()
		<-ended
	})
}

// What is taken back and cannot be recorded stays, until it can be.
func TestTakenBackWithoutAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := twin(t, t.TempDir())
		f := joined(t, w.Fleet)
		f.plane.order(control.Orders{Version: 1, Tunes: map[string]control.TuneOrder{"fetch": {Fields: map[string]string{"max_attempts": "2"}, Actor: "ann", Reason: "storm"}}})
		w.expect(t, 2, 2, false)
		w.records.fail(errors.New("disk full"))
		f.plane.order(control.Orders{Version: 2})
		w.expect(t, 2, 2, false)
		w.records.fail(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w.expect(t, 5, 2, false)
		f.end()
	})
}

// A disk that is full is told.
func TestFleetFileOnAFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/dev/full is a device of Linux")
	}
	dir := taught(t)
	if err := os.Symlink("/dev/full", filepath.Join(dir, "fleet.json.new")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := twin(t, dir)
		f := joined(t, w.Fleet)
		f.plane.order(lead(&halt.Tree{}, 9, nil))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w.State().Failures == 0 {
			t.Error("that it could not be written is not told")
		}
		f.end()
	})
	again := twin(t, dir)
	if err := again.Restore(t.Context()); err != nil {
		t.Errorf("what was there before: %v", err)
	}
}

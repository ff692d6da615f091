package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
)

const watched = "version: 1\npolicies: {a.b: {max_attempts: 2, gates: [budget.one]}}\nbudgets: {one: {max: 5}}\n"

// a watch is a watcher that runs on a file, with what it told.
type watch struct {
	*Watcher
	file   string
	events chan Event
}

// write replaces a file as a whole, as editors do.
func write(t *testing.T, name, text string) {
	t.Helper()
	next := name + ".new"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, name)); err != nil {
		t.Fatal(err)
	}
}

func newWatch(t *testing.T, file string, change func(*Watcher)) *watch {
	t.Helper()
	w := &watch{Watcher: &Watcher{Name: file, Settle: 20 * time.Millisecond}, file: file, events: make(chan Event, 100)}
	w.Audit = func(e Event) { w.events <- e }
	if change != nil {
		change(w.Watcher)
	}
	if _, err := w.Load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	end := errors.New("the test is over")
	t.Cleanup(func() {
		cancel(end)
		if err := <-done; err != end {
			t.Errorf("Run ended with %v; want the cause", err)
		}
	})
	return w
}

// next waits for an event.
func (w *watch) next(t *testing.T) Event {
	t.Helper()
	select {
	case e := <-w.events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no reload within 20 s")
		return Event{}
	}
}

// quiet fails if there is an event although there should be none.
func (w *watch) quiet(t *testing.T) {
	t.Helper()
	select {
	case e := <-w.events:
		t.Errorf("an event although nothing changed: %+v", e)
	case <-time.After(150 * time.Millisecond):
	}
}

func TestReloadOnReplacement(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	var published []string
	var mu sync.Mutex
	w := newWatch(t, name, func(w *Watcher) {
		w.Publish = func(_ *Set, e Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range e.Changes {
				published = append(published, c.Path+" "+c.From+" "+c.To)
			}
			return nil
		}
	})
	first := w.Current()
	write(t, name, strings.Replace(watched, "max_attempts: 2", "max_attempts: 3", 1))
	e := w.next(t)
	if e.Result != Applied || e.Source != "file" || e.Before != first.File.Hash || e.Hash == e.Before || e.Err != nil || w.Current().Policies["a.b"].MaxAttempts != 3 {
		t.Errorf("event %+v", e)
	}
	mu.Lock()
	if len(published) != 1 || published[0] != "policies.a.b.max_attempts 2 3" {
		t.Errorf("published %q", published)
	}
	mu.Unlock()
	if w.Current().Budgets["one"] != first.Budgets["one"] || first.Policies["a.b"].MaxAttempts != 2 {
		t.Error("the budget has lost its state, or a policy in use was changed")
	}

	// A mistake changes nothing and says why.
	write(t, name, strings.Replace(watched, "max_attempts", "max_attemps", 1))
	e = w.next(t)
	if _, ok := errors.AsType[*Invalid](e.Err); !ok || e.Result != Refused || w.Current().Policies["a.b"].MaxAttempts != 3 {
		t.Errorf("event %+v; want a refusal", e)
	}
	if s := w.Status(); s.Good || s.Failures != 1 || s.Reloads != 1 || len(s.Errors) != 1 || !strings.Contains(s.Errors[0], `relent.yaml:2:18: unknown field "max_attemps"`) || s.Hash != w.Current().File.Hash {
		t.Errorf("status %+v", s)
	}
	// The same text again, and a file beside it, are nothing new.
	write(t, name, strings.Replace(watched, "max_attempts", "max_attemps", 1))
	write(t, filepath.Join(filepath.Dir(name), "other.yaml"), "x")
	w.quiet(t)

	// What was good before is no reload, but ends the trouble.
	write(t, name, strings.Replace(watched, "max_attempts: 2", "max_attempts: 3", 1))
	w.quiet(t)
	if s := w.Status(); !s.Good || len(s.Errors) != 0 || s.Failures != 1 {
		t.Errorf("status %+v; want that all is well again", s)
	}

	// Written in place, in parts that come within the time to settle.
	text := strings.Replace(watched, "max_attempts: 2", "max_attempts: 4", 1)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{text[:20], text[20:60], text[60:]} {
		f.WriteString(part)
	}
	f.Close()
	if e := w.next(t); e.Result == Applied {
		if got := w.Current().Policies["a.b"].MaxAttempts; got != 4 {
			t.Errorf("%d attempts; want 4", got)
		}
	} else if e = w.next(t); e.Result != Applied { // on a very slow machine a part was read; the rest was, too
		t.Errorf("event %+v", e)
	}
}

func TestReloadOfWhatNeedsARestart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	text := watched + "server: {listen: 127.0.0.1:1, store: \"sqlite:hunter2\"}\n"
	write(t, name, text)
	w := newWatch(t, name, nil)
	write(t, name, strings.NewReplacer(":1,", ":2,", "hunter2", "hunter2too", "max: 5", "max: 6").Replace(text))
	e := w.next(t)
	needs, ok := errors.AsType[*NeedsRestart](e.Err)
	if !ok || len(needs.Changes) != 2 || e.Error() != "server.listen and server.store: needs restart: nothing was applied; restart relent, or change it back" {
		t.Fatalf("event %+v", e)
	}
	if len(e.Changes) != 3 || w.Current().File.Budgets["one"].Max == nil || *w.Current().File.Budgets["one"].Max != 5 {
		t.Errorf("changes %+v; want all three named, and none applied", e.Changes)
	}
	for _, c := range e.Changes {
		if strings.Contains(c.From+c.To, "hunter2") {
			t.Errorf("a secret is told: %+v", c)
		}
	}
}

// Error is the text of why a reload was refused.
func (e Event) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Kubernetes puts a volume in place by exchanging a link to a directory.
func TestReloadOnExchangedLinks(t *testing.T) {
	dir := t.TempDir()
	volume := func(number, text string) {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, ".."+number), 0o700),
			os.WriteFile(filepath.Join(dir, ".."+number, "relent.yaml"), []byte(text), 0o600),
			os.Symlink(".."+number, filepath.Join(dir, "..data_tmp")),
			os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	volume("1", watched)
	name := filepath.Join(dir, "relent.yaml")
	if err := os.Symlink(filepath.Join("..data", "relent.yaml"), name); err != nil {
		t.Fatal(err)
	}
	w := newWatch(t, name, nil)
	for i, number := range []string{"2", "3", "4"} {
		volume(number, strings.Replace(watched, "max_attempts: 2", "max_attempts: "+string(rune('3'+i)), 1))
		if number != "2" { // the exchange alone is enough
			os.RemoveAll(filepath.Join(dir, ".."+string(rune(number[0]-1))))
		}
		if e := w.next(t); e.Result != Applied || w.Current().Policies["a.b"].MaxAttempts != 3+i {
			t.Errorf("volume %s: %+v", number, e)
		}
	}
}

// A link to a file elsewhere: what changes there counts.
func TestReloadBehindALink(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	real := filepath.Join(there, "real.yaml")
	write(t, real, watched)
	name := filepath.Join(here, "relent.yaml")
	if err := os.Symlink(real, name); err != nil {
		t.Fatal(err)
	}
	w := newWatch(t, name, nil)
	write(t, real, strings.Replace(watched, "max_attempts: 2", "max_attempts: 3", 1))
	if e := w.next(t); e.Result != Applied {
		t.Errorf("event %+v", e)
	}
}

// A file that is gone for a moment is no trouble; one that stays away is told of once.
func TestReloadOfAFileThatIsGone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	w := newWatch(t, name, func(w *Watcher) { w.Poll = 30 * time.Millisecond })
	os.Remove(name)
	e := w.next(t)
	if !errors.Is(e.Err, os.ErrNotExist) || e.Hash != "" || w.Current() == nil {
		t.Errorf("event %+v", e)
	}
	w.quiet(t)
	write(t, name, watched)
	for !w.Status().Good {
		time.Sleep(5 * time.Millisecond)
	}
	// The directory is made anew: only looking finds that.
	dir := filepath.Dir(name)
	os.RemoveAll(dir)
	if e := w.next(t); !errors.Is(e.Err, os.ErrNotExist) {
		t.Errorf("event %+v", e)
	}
	os.Mkdir(dir, 0o700)
	write(t, name, strings.Replace(watched, "max_attempts: 2", "max_attempts: 7", 1))
	if e := w.next(t); e.Result != Applied {
		t.Errorf("event %+v", e)
	}
}

func TestReloadOfAFileThatIsGoneForAMoment(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	w := newWatch(t, name, func(w *Watcher) { w.Settle = 300 * time.Millisecond })
	os.Remove(name)
	w.quiet(t)
	w.quiet(t)
	w.quiet(t) // and the time to settle is over
	write(t, name, strings.Replace(watched, "max_attempts: 2", "max_attempts: 3", 1))
	if e := w.next(t); e.Result != Applied {
		t.Errorf("event %+v", e)
	}
}

func TestReloadOnSignal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	signals := make(chan os.Signal)
	w := newWatch(t, name, func(w *Watcher) { w.Signals, w.Settle = signals, time.Hour })
	signals <- syscall.SIGHUP // nothing is new
	w.quiet(t)
	write(t, name, "nonsense")
	for range 2 { // asked for, so it is told each time
		signals <- syscall.SIGHUP
		if e := w.next(t); e.Source != "signal" || e.Result != Refused {
			t.Errorf("event %+v", e)
		}
	}
}

// What is written all the time is read nevertheless.
func TestReloadOfAFileThatNeverSettles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	w := newWatch(t, name, func(w *Watcher) { w.Settle = 100 * time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			os.WriteFile(name+".new", []byte(strings.Replace(watched, "max: 5", "max: 6", 1)), 0o600)
			os.Rename(name+".new", name)
			time.Sleep(10 * time.Millisecond)
		}
	})
	if e := w.next(t); e.Result != Applied {
		t.Errorf("event %+v", e)
	}
	stop()
	wg.Wait()
}

func TestReload(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	w := &Watcher{Name: name}
	if s := w.Status(); s.Good || w.Current() != nil {
		t.Errorf("before Load: %+v", s)
	}
	if e := w.Reload("api", "ops1"); e.Result != Refused || e.Err != errNotLoaded {
		t.Errorf("before Load: %+v", e)
	}
	if _, err := w.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of nothing: %v", err)
	}
	write(t, name, tooManyScopes())
	if _, err := w.Load(); err == nil {
		t.Error("Load of what cannot be built: no error")
	}
	write(t, name, watched)
	if _, err := w.Load(); err != nil {
		t.Fatal(err)
	}
	if e := w.Reload("api", "ops1"); e.Result != Unchanged || e.Source != "api" || e.Actor != "ops1" {
		t.Errorf("the same text: %+v", e)
	}
	write(t, name, strings.Replace(watched, "max: 5", "max: 9", 1))
	no := errors.New("no")
	w.Publish = func(*Set, Event) error { return no }
	current := w.Current()
	if e := w.Reload("api", "ops1"); e.Err != no || w.Current() != current || current.Budgets["one"].(*budget.Budget).Stats().Capacity != 5000 {
		t.Errorf("a refusal of Publish: %+v", e)
	}
	write(t, name, watched+"# more\nlimits: {x: {rate: 1}}\n")
	w.Publish = nil
	if e := w.Reload("api", "ops1"); e.Result != Applied {
		t.Errorf("%+v", e)
	}
	write(t, name, tooManyScopes())
	if e := w.Reload("api", "ops1"); e.Result != Refused || len(w.Status().Errors) != 1 {
		t.Errorf("what cannot be built: %+v", e)
	}
}

// Of many reloads at once each reads the file by itself, one after the other.
func TestReloadsAreSerialised(t *testing.T) {
	name := filepath.Join(t.TempDir(), "relent.yaml")
	write(t, name, watched)
	inside, most := 0, 0
	w := &Watcher{Name: name, Publish: func(*Set, Event) error {
		inside++ // without a lock of its own: the race detector would see two at once
		most = max(most, inside)
		inside--
		return nil
	}}
	if _, err := w.Load(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			os.WriteFile(name+string(rune('a'+i)), []byte(watched+strings.Repeat("#", i+1)), 0o600)
			os.Rename(name+string(rune('a'+i)), name)
			w.Reload("api", "")
		})
	}
	wg.Wait()
	w.Reload("api", "")
	text, _ := os.ReadFile(name)
	if f, err := Parse(name, text, nil); err != nil || w.Current().File.Hash != f.Hash || most != 1 {
		t.Errorf("in force is not the last content: %v, %d at once", err, most)
	}
}

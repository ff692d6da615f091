package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// What zero fields of a [Watcher] mean.
const (
	DefaultSettle = 200 * time.Millisecond
	DefaultPoll   = 30 * time.Second
)

// A Result is how a reload ended.
type Result string

// The results.
const (
	Applied   Result = "ok"
	Unchanged Result = "unchanged" // the text is the one in force
	Refused   Result = "error"     // nothing was changed
)

// An Event tells of one reload.
type Event struct {
	At      time.Time
	Source  string // file, signal, api, ...
	Actor   string // who asked; empty for a change of the file
	Result  Result
	Hash    string   // of the new text; empty if it could not be read
	Before  string   // of the text in force until then
	Changes []Change // secrets are masked
	Err     error    // why it was refused: *Invalid, *NeedsRestart, or what Publish said
}

// NeedsRestart says that a file changes what only a restart changes. Nothing of it was applied.
type NeedsRestart struct{ Changes []Change }

// Error names the fields.
func (e *NeedsRestart) Error() string {
	var paths []string
	for _, c := range e.Changes {
		paths = append(paths, c.Path)
	}
	return fmt.Sprintf("%s: needs restart: nothing was applied; restart relent, or change it back", list(paths, "and"))
}

// A Status is the state of the configuration. Its fields are those of control.ConfigView.
type Status struct {
	Hash     string    `json:"hash"`
	Loaded   time.Time `json:"loaded"`
	Good     bool      `json:"good"` // the last reload succeeded
	Errors   []string  `json:"errors,omitempty"`
	Reloads  uint64    `json:"reloads"`
	Failures uint64    `json:"failures"`
}

// A Watcher reads a file and keeps what it describes up to date. Nothing of a file with a mistake is applied: the set
// in force stays. The fields are not modified after the first reload. It is safe for concurrent use.
type Watcher struct {
	Name      string                         // of the file
	Lookup    func(string) (string, bool)    // finds environment variables; nil finds none
	Publish   func(next *Set, e Event) error // puts a set in force; an error refuses it; nil does nothing
	Audit     func(Event)                    // is told of each reload that was not Unchanged; nil does nothing
	Recovered func(Event)                    // is told when the text in force was put back after a reload that was refused; nil does nothing
	Signals   <-chan os.Signal               // each asks for a reload, as SIGHUP should; nil: none does
	Settle    time.Duration                  // without a change of the file before it is read; 0 means 200 ms
	Poll      time.Duration                  // how often to look without notice, as on network file systems; 0 means 30 s

	current atomic.Pointer[Set]

	mu     sync.Mutex // held for a whole reload: one at a time
	tried  string     // the hash, or the error, of what was looked at last
	status atomic.Pointer[Status]
}

// Load reads the file for the first time. Without it there is nothing to reload.
func (w *Watcher) Load() (*Set, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	file, err := Read(w.Name, w.Lookup)
	if err != nil {
		return nil, err
	}
	set, err := file.Build(nil)
	if err != nil {
		return nil, err
	}
	w.adopt(set)
	return set, nil
}

// Adopt takes a set that was built elsewhere, as with [File.Register], for the first one. It stands for Load.
func (w *Watcher) Adopt(s *Set) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.adopt(s)
}

func (w *Watcher) adopt(s *Set) {
	w.tried = s.File.Hash
	w.current.Store(s)
	w.status.Store(&Status{Hash: s.File.Hash, Loaded: time.Now(), Good: true})
}

// Current returns the set in force; nil before Load.
func (w *Watcher) Current() *Set { return w.current.Load() }

// Status returns the state of the configuration; the zero value before Load.
func (w *Watcher) Status() Status {
	if v := w.status.Load(); v != nil {
		return *v
	}
	return Status{}
}

// errNotLoaded is a mistake of the caller.
var errNotLoaded = errors.New("reload before the first load")

// Reload reads the file again and applies it. The source is how the wish came, the actor whose it is.
func (w *Watcher) Reload(source, actor string) Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reload(source, actor)
}

// reload does the work. mu is held, so that of two reloads the one that reads later wins.
func (w *Watcher) reload(source, actor string) Event {
	current := w.current.Load()
	if current == nil {
		return Event{At: time.Now(), Source: source, Actor: actor, Result: Refused, Err: errNotLoaded}
	}
	e := Event{At: time.Now(), Source: source, Actor: actor, Result: Refused, Before: current.File.Hash}
	e.Err = w.apply(&e, current)
	before := w.Status()
	status := before
	switch {
	case e.Err != nil:
		w.tried = e.Hash + e.Err.Error()
		status.Good, status.Failures, status.Errors = false, status.Failures+1, complaints(e.Err)
	case e.Result == Unchanged:
		w.tried = e.Hash
		status.Good, status.Errors = true, nil // a bad file was put back
	default:
		w.tried = e.Hash
		status = Status{Hash: e.Hash, Loaded: e.At, Good: true, Reloads: status.Reloads + 1, Failures: status.Failures}
	}
	w.status.Store(&status)
	if e.Result == Unchanged && !before.Good && w.Recovered != nil {
		w.Recovered(e)
	}
	if e.Result != Unchanged && w.Audit != nil {
		w.Audit(e)
	}
	return e
}

// apply goes through the steps: parse and validate, compare, look whether it may change, build, publish.
func (w *Watcher) apply(e *Event, current *Set) error {
	e.Hash, _ = w.hash()
	file, err := Read(w.Name, w.Lookup)
	if err != nil {
		return err
	}
	e.Hash = file.Hash
	if file.Hash == current.File.Hash {
		e.Result = Unchanged
		return nil
	}
	e.Changes = Diff(&current.File.Content, &file.Content)
	if fixed := slices.DeleteFunc(slices.Clone(e.Changes), func(c Change) bool { return !c.Restart }); len(fixed) > 0 {
		return &NeedsRestart{fixed}
	}
	next, err := file.Build(current)
	if err != nil {
		return err
	}
	if w.Publish != nil {
		if err := w.Publish(next, *e); err != nil {
			return err
		}
	}
	next.Commit()
	w.current.Store(next)
	e.Result = Applied
	return nil
}

// complaints are lines for people.
func complaints(err error) []string {
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok {
		return []string{err.Error()}
	}
	var lines []string
	for _, m := range invalid.List {
		if !m.Warning && len(lines) < 20 {
			lines = append(lines, fmt.Sprintf("%s:%d:%d: %s", filepath.Base(invalid.File), m.Line, m.Column, m.text()))
		}
	}
	return lines
}

// hash returns that of the file's text.
func (w *Watcher) hash() (string, error) {
	data, err := os.ReadFile(w.Name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// changed says whether the file has another text than what was looked at last.
func (w *Watcher) changed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	hash, err := w.hash()
	if err != nil {
		return !strings.HasSuffix(w.tried, err.Error())
	}
	return !strings.HasPrefix(w.tried, hash)
}

// Run reloads when the file changes, when Signals says so, and looks each Poll whether it missed something. It
// returns the cause when ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	name, err := filepath.Abs(w.Name)
	if err != nil {
		return err
	}
	notices, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.Name, err)
	}
	defer notices.Close()
	trail := follow(name)
	watchAll(notices, trail)
	settle, poll := w.Settle, w.Poll
	if settle <= 0 {
		settle = DefaultSettle
	}
	if poll <= 0 {
		poll = DefaultPoll
	}
	timer := time.NewTimer(settle) // what changed between Load and here
	defer timer.Stop()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	var since time.Time // the first notice that was not acted on
	gone := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.Signals:
			w.Reload("signal", "")
		case e := <-notices.Events:
			now := follow(name)
			if !slices.Contains(trail, filepath.Clean(e.Name)) && slices.Equal(now, trail) {
				continue // of another file
			}
			trail = now
			watchAll(notices, trail)
			if since.IsZero() {
				since = time.Now()
			}
			if time.Since(since) < 10*settle { // a file that is written all the time is read nevertheless
				timer.Reset(settle)
			}
		case <-notices.Errors: // such as more changes than could be told
			timer.Reset(settle)
		case <-ticker.C:
			trail = follow(name)
			watchAll(notices, trail) // a directory may have been made anew
			if w.changed() {
				timer.Reset(settle)
			}
		case <-timer.C:
			since = time.Time{}
			if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && gone < 5 {
				gone++ // between the two halves of a replacement
				timer.Reset(settle)
				continue
			}
			gone = 0
			if w.changed() {
				w.Reload("file", "")
			}
		}
	}
}

// follow returns the file and what it is a link to, step by step, and in the end the file behind all links.
func follow(name string) []string {
	trail := []string{name}
	for range 40 {
		target, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		name = filepath.Clean(target)
		trail = append(trail, name)
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		trail = append(trail, real)
	}
	return trail
}

// watchAll asks for notices from the directories of all files: editors and Kubernetes replace files by renaming.
func watchAll(notices *fsnotify.Watcher, trail []string) {
	for _, name := range trail {
		notices.Add(filepath.Dir(name)) // one that is not there is tried again
	}
}

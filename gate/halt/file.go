package halt

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

// The state file is a line that names its format and the SHA-256 of the rest, and the rest, which is JSON. A
// file that was cut, torn or edited is not believed.
const header = "relent-halt 1 "

// mostFile is how long a state file may be.
const mostFile = 64 << 20

// A state is what a state file holds.
type state struct {
	FirstEpoch uint64       `json:"first_epoch,omitempty"` // of scopes without a record
	Damaged    bool         `json:"damaged,omitempty"`     // a file before this one could not be read, and nobody resumed global since
	Scopes     []savedScope `json:"scopes"`
}

type savedScope struct {
	Scope    Scope            `json:"scope"`
	Epoch    uint64           `json:"epoch"`
	Stops    map[State]*entry `json:"stops,omitempty"`
	Stoppers []string         `json:"stoppers,omitempty"`
	Lifted   [kinds]doors     `json:"lifted,omitzero"` // what is being let go again
}

// state returns what is worth saving of the tree, as it will be when lift has been let go; nil for as it is.
// mu is held.
func (t *Tree) state(lift *node) *state {
	s := &state{FirstEpoch: t.firstEpoch, Damaged: t.conditions[damaged] != nil && lift != t.root}
	t.root.each(func(n *node) {
		scope := savedScope{Scope: n.scope, Epoch: n.epoch}
		if n.ramp != nil {
			scope.Lifted = n.ramp.lifted
		}
		if n == lift {
			scope.Epoch++
			for k, d := range t.lifts(n) {
				scope.Lifted[k] |= d
			}
		} else {
			scope.Stoppers = slices.Clone(n.stoppers)
			scope.Stops = n.stops()
		}
		if scope.Epoch != t.firstEpoch || scope.Lifted != [kinds]doors{} {
			s.Scopes = append(s.Scopes, scope)
		}
	})
	slices.SortFunc(s.Scopes, func(a, b savedScope) int { return strings.Compare(string(a.Scope), string(b.Scope)) })
	return s
}

// encode returns the contents of a state file.
func (s *state) encode() []byte {
	body, _ := json.MarshalIndent(s, "", "\t") // all of it can be marshalled
	return append(fmt.Appendf(nil, "%s%x\n", header, sha256.Sum256(body)), body...)
}

// parse reads the contents of a state file.
func parse(data []byte) (*state, error) {
	line, body, _ := bytes.Cut(data, []byte("\n"))
	sum, ok := strings.CutPrefix(string(line), header)
	if !ok {
		return nil, fmt.Errorf("begins with %.40q; want %q", line, header)
	}
	if fmt.Sprintf("%x", sha256.Sum256(body)) != sum {
		return nil, errors.New("is not as it was written: the checksum differs")
	}
	return parseBody(body)
}

func parseBody(body []byte) (*state, error) {
	s := &state{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil {
		return nil, err
	}
	seen := make(map[Scope]bool)
	for i := range s.Scopes {
		scope := &s.Scopes[i]
		path, err := scope.Scope.Path()
		switch name := At(path...); {
		case err != nil:
			return nil, err
		case seen[name]:
			return nil, fmt.Errorf("has %.200q twice", name)
		default:
			seen[name], scope.Scope = true, name
		}
		for state, e := range scope.Stops {
			if e == nil || state == Running || state == Stopped && !e.Until.IsZero() {
				return nil, fmt.Errorf("has an impossible stop on %.200q", scope.Scope)
			}
		}
	}
	return s, nil
}

// load claims and reads the state file, if there is one. saving and mu are held, and the tree is empty.
func (t *Tree) load() {
	if t.File == "" {
		return
	}
	if err := t.claim(); err != nil {
		t.share(err)
	}
	data, print, err := t.fingerprint()
	t.wrote = print
	if print == "" {
		return
	}
	var s *state
	if err == nil {
		s, err = parse(data)
	}
	if err != nil {
		// The epochs are gone, too. Those from now on are none that anybody has seen.
		t.firstEpoch = uint64(max(0, time.Now().Unix()))
		t.root.epoch = t.firstEpoch
		t.harm(fmt.Errorf("state file %s: %w", t.File, err))
		return
	}
	if s.Damaged {
		t.harm(fmt.Errorf("state file %s: an earlier one could not be read", t.File))
	}
	t.take(s)
}

// take puts a state into the tree, which is empty. mu is held.
func (t *Tree) take(s *state) {
	now := time.Now()
	t.firstEpoch, t.root.epoch = s.FirstEpoch, s.FirstEpoch
	for _, scope := range s.Scopes {
		n := t.place(scope.Scope)
		n.epoch, n.stoppers = scope.Epoch, scope.Stoppers
		for state, e := range scope.Stops {
			n.hold(state, e.monotonic(now))
		}
		n.ramp = t.Ramp.begin(n.scope, n.epoch, scope.Lifted)
	}
}

// monotonic returns the entry with an end that passes by the monotonic clock from here on.
func (e *entry) monotonic(now time.Time) entry {
	m := *e
	if !m.Until.IsZero() {
		m.Until = now.Add(m.Until.Sub(now))
	}
	return m
}

// place returns the scope of a state file, however many there may be. mu is held.
func (t *Tree) place(s Scope) *node {
	n := t.root
	path, _ := s.Path()
	for i, segment := range path {
		if n.below[segment] == nil {
			t.grow(n, segment, At(path[:i+1]...))
		}
		n = n.below[segment]
	}
	return n
}

// harmed is how strict a state is that nobody knows.
var harmed = [kinds]State{Orders: Stopped, Other: NoRetries, Reads: NoRetries}

// harm makes the tree as strict as a state that nobody knows may have been. mu is held.
func (t *Tree) harm(err error) []end {
	t.damage = err
	r := t.news(ActionLost, "the state file could not be read", err)
	r.State = Stopped
	t.pending = append(t.pending, r)
	return t.worsen(damaged, harmed, "tree", err, nil)
}

// unsaved is a version that no tree has.
const unsaved = 1<<64 - 1

// save writes the state, unless that has been done or force says to do it again.
func (t *Tree) save(force bool) error {
	if t.File == "" {
		return nil
	}
	t.saving.Lock() // commands that wait here find that the first of them saves for all
	defer t.saving.Unlock()
	t.mu.Lock()
	due := force || t.version != t.saved || t.conditions[shared] != nil
	t.mu.Unlock()
	if !due {
		return nil
	}
	if err := t.own(); err != nil {
		return err
	}
	t.mu.Lock()
	version := t.version
	s := t.state(nil)
	t.mu.Unlock()
	err := t.write(s)
	if err == nil {
		t.saved = version
	}
	return err
}

// write replaces the state file: after a crash there is the old one or the new one. saving is held, and the file is
// this tree's.
func (t *Tree) write(s *state) error {
	if t.File == "" {
		return nil
	}
	data := s.encode()
	err := durable.Replace(t.File, data)
	if err == nil {
		t.wrote = sum(data)
	}
	return err
}

// missing says that there is no file in a directory that there is. Without the directory, or as a link that leads
// nowhere, there may be a file on a volume that is not mounted.
func missing(name string) bool {
	_, err := os.Lstat(name)
	dir, dirErr := os.Stat(filepath.Dir(name))
	return errors.Is(err, fs.ErrNotExist) && dirErr == nil && dir.IsDir()
}

// readFile reads a regular file that is not longer than most.
func readFile(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe could wait for ever
		return nil, fmt.Errorf("%s is no regular file: %v", name, info.Mode())
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%d bytes are more than the %d that it may have", info.Size(), most)
	}
	return os.ReadFile(name)
}

package halt

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

// ErrLocked is what errors match that come of two trees with one File: the second one can save nothing.
var ErrLocked = errors.New("another tree has the state file")

// claim locks the state file until Close or the end of the process. saving is held.
func (t *Tree) claim() error {
	if t.lock != nil {
		return nil
	}
	// Where files cannot be locked, a tree notices before it writes that another one has written.
	lock, err := durable.LockIfPossible(t.File + ".lock")
	if errors.Is(err, durable.ErrHeld) {
		err = fmt.Errorf("%w: %w", ErrLocked, err)
	}
	if err != nil {
		return fmt.Errorf("state file %s: %w", t.File, err)
	}
	t.lock = lock
	return nil
}

// release lets go of the state file.
func (t *Tree) release() {
	t.saving.Lock()
	defer t.saving.Unlock()
	if t.lock != nil {
		t.lock.Close()
		t.lock = nil
	}
}

// share makes the tree stricter while another one may change the state. mu is held.
func (t *Tree) share(err error) {
	t.shared = err
	t.worsen(shared, harmed, "tree", err, nil)
	t.pending = append(t.pending, t.news(ActionLost, "the state file could not be locked", err))
}

// own claims the state file before it is written. What another tree has written since is taken over first: a stop that
// was acknowledged is not to be lost. saving is held.
func (t *Tree) own() error {
	if err := t.claim(); err != nil {
		return err
	}
	data, print, err := t.fingerprint()
	if print != t.wrote && err != nil {
		return fmt.Errorf("state file %s: %w", t.File, err)
	}
	t.mu.Lock()
	var ends []end
	if print != t.wrote && print != "" {
		if s, err := parse(data); err != nil {
			ends = t.harm(fmt.Errorf("state file %s: %w", t.File, err))
		} else {
			ends = t.adopt(s)
		}
		t.version++
	}
	t.wrote = print
	if t.conditions[shared] != nil {
		t.ease(shared)
		t.shared = nil
		t.version++
		t.pending = append(t.pending, t.news(ActionBack, "the state file is locked", nil))
	}
	t.mu.Unlock()
	t.wake(ends)
	return nil
}

// fingerprint reads the state file. print tells contents apart, and reasons why there are none; it is empty if there
// is no file.
func (t *Tree) fingerprint() (data []byte, print string, err error) {
	if missing(t.File) {
		return nil, "", nil
	}
	if data, err = readFile(t.File, mostFile); err != nil {
		return nil, err.Error(), err
	}
	return data, sum(data), nil
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// adopt puts the stops of another tree in force, too. It ends none. mu is held.
func (t *Tree) adopt(s *state) (ends []end) {
	if s.Damaged {
		ends = t.harm(fmt.Errorf("state file %s: an earlier one could not be read", t.File))
	}
	t.firstEpoch = max(t.firstEpoch, s.FirstEpoch)
	for _, scope := range s.Scopes {
		n := t.place(scope.Scope)
		n.epoch = max(n.epoch, scope.Epoch)
		n.stoppers = append(n.stoppers, scope.Stoppers...)
		for state, e := range scope.Stops {
			n.engage(state, *e)
		}
		n.letGo(scope.Lifted, t.Ramp)
	}
	t.pending = append(t.pending, t.news(ActionAlert, "another tree wrote the state file, and its stops were taken over", nil))
	return t.refresh(t.root, ends)
}

// news is a record of what happened to the state file. mu is held.
func (t *Tree) news(action Action, why string, err error) Record {
	return Record{
		Action: action, Scope: Global, Who: "tree", Source: "tree", Epoch: t.root.epoch,
		At: time.Now(), Why: why, Err: err,
	}
}

// isShared says that the state file is another tree's.
func (t *Tree) isShared() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shared != nil
}

package halt

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrSnapshot is what errors about a snapshot match that cannot be read.
var ErrSnapshot = errors.New("not a snapshot of stops")

// ErrUsed is returned by Restore for a tree in which something has happened.
var ErrUsed = errors.New("the tree is in use")

// Snapshot returns the scopes that were ever stopped, with their epochs and stops, in the form of a state file. Trees that
// share it by [Tree.Restore] or [Tree.Follow] have the same epochs. With scopes it is of those only, for a tree that follows
// and has the others already.
func (t *Tree) Snapshot(only ...Scope) []byte {
	t.open()
	t.mu.Lock()
	s := t.state(nil)
	t.mu.Unlock()
	if len(only) > 0 {
		s.Scopes = slices.DeleteFunc(s.Scopes, func(one savedScope) bool { return !slices.Contains(only, one.Scope) })
	}
	return s.encode()
}

// Restore puts a snapshot into a tree in which nothing has happened yet, as the state file does at a start. A control
// plane that keeps its stops elsewhere makes a tree for each command: Restore, the command, Snapshot.
func (t *Tree) Restore(snapshot []byte) error {
	s, err := parse(snapshot)
	if err != nil {
		return fmt.Errorf("%w: it %w", ErrSnapshot, err)
	}
	t.open()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version != 0 || t.state(nil).Scopes != nil {
		return ErrUsed
	}
	t.take(s)
	if s.Damaged {
		t.harm(errors.New("the snapshot is of a tree that could not read its state"))
	}
	t.version++
	t.refresh(t.root, nil)
	return nil
}

// Follow takes over the stops of a snapshot, as a process of a fleet does with that of its control plane. It puts in
// force what is missing, and never lifts anything: that takes [Tree.Resume]. Following the same snapshot again does
// nothing. Scopes in which the tree had no command of its own then have the snapshot's epochs, so that a release of
// the control plane can be repeated here.
//
// When it has returned, nothing starts that the stops do not let through. Records are made of stops that are new here, with
// the source fleet. An error says that the snapshot could not be read and nothing was changed ([ErrSnapshot]), or
// that the stops are in force and were not saved ([ErrSave]) or written down ([ErrRecord]).
func (t *Tree) Follow(snapshot []byte) ([]Record, error) {
	began := time.Now()
	s, err := parse(snapshot)
	if err != nil {
		return nil, fmt.Errorf("%w: it %w", ErrSnapshot, err)
	}
	t.open()
	t.mu.Lock()
	var records []Record
	var ends []end
	before := t.version
	for i := range s.Scopes {
		if r, n := t.follow(&s.Scopes[i], began); n != nil {
			records = append(records, r...)
			ends = t.refresh(n, ends)
			t.version++
		}
	}
	changed := t.version != before
	t.mu.Unlock()
	t.wake(ends)
	if !changed {
		return nil, nil
	}
	t.hurry() // some may expire
	err = wrap(ErrSave, t.save(false))
	for i := range records {
		r := &records[i]
		r.Took, r.Saved, r.Err = time.Since(began), time.Since(began), err
		err = errors.Join(err, wrap(ErrRecord, t.record(*r)))
	}
	return records, err
}

// follow takes over what is missing of one scope, and returns the scope if anything was. mu is held.
func (t *Tree) follow(s *savedScope, at time.Time) (records []Record, changed *node) {
	n := t.place(s.Scope)
	for state, e := range s.Stops {
		if held := n.held[state]; held == nil || held.Until != (time.Time{}) && e.Until.IsZero() {
			records = append(records, Record{
				Action: ActionStop, Scope: n.scope, State: state, Who: e.Who, Why: e.Why, Ticket: e.Ticket,
				Source: "fleet", At: at, Until: e.Until, Gates: n.gates(),
			})
		}
	}
	switch {
	case len(records) > 0:
		to := max(s.Epoch, n.epoch+1)
		for _, r := range records {
			n.epoch = to - 1
			n.engage(r.State, s.Stops[r.State].monotonic(at))
		}
		for i := range records {
			records[i].Epoch = to
		}
	case s.Epoch > n.epoch:
		n.epoch = s.Epoch
	default:
		return nil, nil
	}
	for _, who := range s.Stoppers {
		if !slices.ContainsFunc(n.stoppers, func(known string) bool { return samePerson(known, who) }) {
			n.stoppers = append(n.stoppers, who)
		}
	}
	n.stoppers = n.stoppers[max(0, len(n.stoppers)-mostStoppers):]
	return records, n
}

package halt

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Release is what it takes to end the stops of a scope.
type Release struct {
	Scope     Scope  // the zero value is Global
	Epoch     uint64 // of the scope, as both persons have seen it
	Requester string
	Approver  string // somebody else, who did not stop the scope
	Why       string
	Drill     bool // check everything, and change nothing
}

// Why a release was refused, beside [ErrScope]. All refusals match [ErrRefused], too.
var (
	ErrEpoch      = errors.New("the scope has changed since: look again, then decide again")
	ErrTwoPersons = errors.New("it takes two persons, and the one who approves must not have stopped the scope")
	ErrApprover   = errors.New("not one of those who may approve")
	ErrNoStop     = errors.New("the scope itself is not stopped")
)

// Resume ends all stops of a scope, and of that scope only: those above and below it stay. Then a ramp begins:
// see [Ramp]. Unlike a stop, it must be recorded and saved before it takes effect; if it cannot be, or
// if a newer stop comes meanwhile, the scope stays as it is.
//
// What a trip stopped that does not heal needs an approver among Designated. Resume starts its counts anew.
func (t *Tree) Resume(c Release) (Record, error) {
	began := time.Now()
	t.open()
	t.resuming.Lock()
	defer t.resuming.Unlock()
	c.Requester, c.Approver, c.Why = clip(c.Requester, mostName), clip(c.Approver, mostName), clip(c.Why, mostText)
	r := Record{
		Action: ActionResume, Scope: c.Scope, Who: c.Requester, Approver: c.Approver, Why: c.Why,
		Source: "api", Drill: c.Drill, At: began,
	}
	if r.Scope == "" {
		r.Scope = Global
	}
	refuse := func(err error) (Record, error) {
		r.Err, r.Took = fmt.Errorf("%w: %w", ErrRefused, err), time.Since(began)
		return r, errors.Join(r.Err, wrap(ErrRecord, t.record(r)))
	}
	t.mu.Lock()
	n, err := t.find(c.Scope)
	if err == nil {
		r.Scope, r.Epoch, r.State, r.Gates = n.scope, n.epoch, t.worst(n), n.gates()
		err = t.permits(n, c)
	}
	t.mu.Unlock()
	if err != nil {
		return refuse(err)
	}
	if !c.Drill {
		r.Epoch++ // as it will be
	}
	r.Took = time.Since(began)
	if err := t.record(r); err != nil {
		r.Epoch = t.epoch(n)
		return refuse(wrap(ErrRecord, err)) // nobody may know of it, so it does not happen
	}
	if c.Drill {
		return r, wrap(ErrSave, t.save(true))
	}
	if err := t.lift(n, c.Epoch); err != nil {
		t.save(false)
		r.Epoch = t.epoch(n)
		return refuse(err)
	}
	return r, nil
}

func (t *Tree) epoch(n *node) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.epoch
}

// find returns a scope that exists. mu is held.
func (t *Tree) find(s Scope) (*node, error) {
	path, err := s.Path()
	if err != nil {
		return nil, err
	}
	n := t.root
	for _, segment := range path {
		if n = n.below[segment]; n == nil {
			return nil, ErrNoStop
		}
	}
	return n, nil
}

// worst returns the most severe state that a resume of the scope would end. mu is held.
func (t *Tree) worst(n *node) State {
	if n == t.root && t.conditions[damaged] != nil {
		return Stopped
	}
	for s := Stopped; s > Running; s-- {
		if n.held[s] != nil {
			return s
		}
	}
	return Running
}

// permits says why a release may not be. mu is held.
func (t *Tree) permits(n *node, c Release) error {
	switch {
	case t.worst(n) == Running:
		return ErrNoStop
	case n.epoch != c.Epoch:
		return fmt.Errorf("%w: its epoch is %d, not %d", ErrEpoch, n.epoch, c.Epoch)
	case samePerson(c.Requester, "") || samePerson(c.Approver, "") || samePerson(c.Requester, c.Approver):
		return ErrTwoPersons
	case slices.ContainsFunc(n.stoppers, func(who string) bool { return samePerson(who, c.Approver) }):
		return ErrTwoPersons
	}
	named := t.Approvers
	if slices.ContainsFunc(n.held[:], func(e *entry) bool { return e != nil && e.Held }) {
		if len(t.Designated) > 0 {
			named = t.Designated
		}
	} else if len(named) == 0 {
		return nil
	}
	if !slices.ContainsFunc(named, func(who string) bool { return samePerson(who, c.Approver) }) {
		return ErrApprover
	}
	return nil
}

// lift saves a scope as let go, and then lets it go.
func (t *Tree) lift(n *node, epoch uint64) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	if t.File != "" {
		if err := t.own(); err != nil {
			return wrap(ErrSave, err)
		}
	}
	var after *state
	var version uint64
	err := t.unless(n, epoch, func() { after, version = t.state(n), t.version })
	if err != nil {
		return err
	}
	t.saved = version
	if err := t.write(after); err != nil {
		t.saved = unsaved // the file may hold the one or the other
		return wrap(ErrSave, err)
	}
	// A stop that comes while the file is written saves itself after this.
	return t.unless(n, epoch, func() { t.letGo(n) })
}

// unless does something to a scope under the lock, unless a command came since it had an epoch.
func (t *Tree) unless(n *node, epoch uint64, do func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n.epoch != epoch {
		return ErrEpoch
	}
	do()
	return nil
}

// letGo ends all stops of a scope. mu is held.
func (t *Tree) letGo(n *node) {
	lifted := t.lifts(n)
	if n == t.root {
		t.conditions[damaged], t.damage = nil, nil
		t.restate()
	}
	n.held, n.stoppers = [states]*entry{}, nil
	n.epoch++
	t.version++
	n.letGo(lifted, t.Ramp)
	n.watch.forgive()
	t.refresh(n, nil)
}

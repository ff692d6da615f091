package halt

import (
	"errors"
	"fmt"
	"time"
)

// A Command stops a scope. Anyone may give one, and a word is enough: the zero Command stops everything.
type Command struct {
	Scope   Scope         // the zero value is Global
	State   State         // the zero value is Stopped
	Who     string        // empty counts as unknown
	Why     string        //
	Ticket  string        //
	Source  string        // by which way it came; empty means api
	Expires time.Duration // after which the scope is let go again, with a ramp, by Run; not positive means never. See the package's "Time"
	Cancel  bool          // cancel the contexts of Bind, too; with Stopped only, else it is ignored
	Drill   bool          // do everything that it takes, and stop nothing

	trip string // the limit that stops by itself
	held bool   // only a designated person may approve its end
}

// Errors of commands.
var (
	ErrRefused = errors.New("command refused") // nothing was changed
	ErrExpiry  = errors.New("a scope that is stopped stays stopped until it is resumed: expiry is for the lower states")
	ErrSave    = errors.New("the state could not be saved")
	ErrRecord  = errors.New("the command could not be recorded")
)

// Most bytes of what a command says.
const (
	mostName = 128
	mostText = 1024
)

// bounded returns c with texts of bounded length and the usual values in place of zeros.
func (c Command) bounded() Command {
	if c.State == Running || c.State > Stopped {
		c.State = Stopped
	}
	if c.Who == "" {
		c.Who = "unknown"
	}
	if c.Source == "" {
		c.Source = "api"
	}
	c.Who, c.Source, c.Ticket, c.Why = clip(c.Who, mostName), clip(c.Source, mostName), clip(c.Ticket, mostName), clip(c.Why, mostText)
	c.Cancel = c.Cancel && c.State == Stopped
	return c
}

// Stop puts a stop in force. When it has returned, no attempt in the scope starts that the state does not let
// through, and calls that wait for such a retry are being woken. It is idempotent, several stops on one scope
// are merged column by column, and each raises the scope's epoch.
//
// The stop is in force as soon as memory is; then the state is saved, and recorded, and Stop returns. An
// error that matches [ErrRefused] says that nothing was changed: an expiry on Stopped ([ErrExpiry]), or a
// scope that is none ([ErrScope]). Any other error comes with a stop that is in force: [ErrSave] and
// [ErrRecord] if it would not survive or was not written down, ErrScope if there was no room for the scope, so
// that the closest one above it was stopped.
//
// Look at Gates of the record: a stop that covers none is often a name misspelt.
func (t *Tree) Stop(c Command) (Record, error) { return t.stop(c, ActionStop, time.Now()) }

func (t *Tree) stop(c Command, action Action, at time.Time) (Record, error) {
	began := time.Now()
	t.open()
	c = c.bounded()
	if err := c.check(); err != nil {
		r := c.record(action, at)
		r.Err = fmt.Errorf("%w: %w", ErrRefused, err)
		r.Took = time.Since(began)
		t.mu.Lock()
		r.Epoch = t.root.epoch
		t.mu.Unlock()
		return r, errors.Join(r.Err, wrap(ErrRecord, t.record(r)))
	}
	t.mu.Lock()
	var r Record
	var ends []end
	if c.Drill {
		r = t.rehearse(c, action, at)
	} else {
		r, ends = t.engage(c, action, at)
	}
	t.mu.Unlock()
	r.Took = time.Since(began)
	t.wake(ends)
	if !r.Until.IsZero() {
		t.hurry() // to expire it in time
	}
	r.Err = errors.Join(r.Err, wrap(ErrSave, t.save(c.Drill)))
	r.Saved = time.Since(began)
	return r, errors.Join(r.Err, wrap(ErrRecord, t.record(r)))
}

// check says why a command cannot be obeyed.
func (c Command) check() error {
	if c.State == Stopped && c.Expires > 0 {
		return ErrExpiry
	}
	_, err := c.Scope.Path()
	return err
}

// wrap adds what failed.
func wrap(what, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", what, err)
}

// record begins the record of a command.
func (c Command) record(action Action, at time.Time) Record {
	r := Record{
		Action: action, Scope: c.Scope, State: c.State, Who: c.Who, Why: c.Why, Ticket: c.Ticket,
		Source: c.Source, Drill: c.Drill, At: at,
	}
	if r.Scope == "" {
		r.Scope = Global
	}
	if c.Expires > 0 {
		r.Until = at.Add(c.Expires)
	}
	return r
}

// engage puts a stop in force. mu is held; the caller wakes, saves and records.
func (t *Tree) engage(c Command, action Action, at time.Time) (Record, []end) {
	r := c.record(action, at)
	path, _ := c.Scope.Path()
	n, err := t.reach(path)
	n.engage(c.State, entry{
		Who: c.Who, Why: c.Why, Ticket: c.Ticket, Since: at, Until: r.Until,
		Cancel: c.Cancel, Trip: c.trip, Held: c.held,
	})
	t.version++
	ends := t.refresh(n, nil)
	r.Scope, r.Epoch, r.Gates, r.Err = n.scope, n.epoch, n.gates(), err
	return r, ends
}

// rehearse does what engage does, and changes nothing. mu is held.
func (t *Tree) rehearse(c Command, action Action, at time.Time) Record {
	r := c.record(action, at)
	path, _ := c.Scope.Path()
	n := t.root
	for _, segment := range path {
		if n.below[segment] == nil {
			break
		}
		n = n.below[segment]
	}
	practice := node{scope: n.scope, epoch: n.epoch}
	practice.engage(c.State, entry{Who: c.Who, Why: c.Why, Ticket: c.Ticket, Since: at, Until: r.Until})
	n.each(func(n *node) {
		for k := Orders; k < kinds; k++ {
			practice.over(n.views[k], k)
		}
		if n.leaf != nil {
			n.leaf.touch()
		}
	})
	r.Scope, r.Epoch, r.Gates = At(path...), n.epoch, n.gates() // of the scope that was asked for, which there may not be yet
	return r
}

// gates counts the scopes with gates, here and below.
func (n *node) gates() (count int) {
	n.each(func(n *node) {
		if n.leaf != nil {
			count++
		}
	})
	return count
}

// expire ends the stops whose time has come. It returns records of that, and when the next one's time comes. mu
// is held.
func (t *Tree) expire(now time.Time) (records []Record, next time.Time) {
	t.root.each(func(n *node) {
		for s, e := range n.held {
			switch {
			case e == nil || e.Until.IsZero():
			case e.Until.After(now):
				if next.IsZero() || e.Until.Before(next) {
					next = e.Until
				}
			default:
				n.held[s] = nil
				n.epoch++
				t.version++
				closed := State(s).closed()
				n.letGo([kinds]doors{Orders: closed, Other: closed, Reads: closed}, t.Ramp)
				if !n.stopped() {
					n.stoppers = nil
				}
				t.refresh(n, nil)
				records = append(records, Record{
					Action: ActionExpire, Scope: n.scope, State: State(s), Who: e.Who, Why: e.Why, Ticket: e.Ticket,
					Source: "tree", Epoch: n.epoch, At: now, Until: e.Until, Gates: n.gates(),
				})
			}
		}
	})
	return records, next
}

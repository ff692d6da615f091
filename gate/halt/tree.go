package halt

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// A Tree is an emergency stop for everything below it: a tree of scopes, each of which can be stopped by
// itself, and gates that attempts pass through.
//
// The zero value is ready: nothing is stopped, and nothing is saved. The fields are not modified after first use.
// [Tree.Check] names mistakes in them. A Tree is safe for concurrent use and must not be copied.
type Tree struct {
	File     string   // holds the state across restarts, in a directory that exists; and File.lock beside it; one tree per file; empty: in memory only
	Recorder Recorder // receives every command; nil: nobody does

	Approvers  []string // who may approve that a stop ends; empty: anyone but the requester and those who stopped
	Designated []string // who may approve that a trip ends that does not heal; empty: Approvers, and if there are none, nobody

	Ramp      Ramp          // how a scope is let go again
	Lease     time.Duration // without a heartbeat for so long, the control plane is lost; 0: there is none; negative: lost from the start. See Run
	Lost      Lost          // what scopes are while it is
	MaxScopes int           // that the tree holds; 0 means 1024, negative means 1
	Active    bool          // count attempts that run, for Status: a second atomic addition for each

	Trigger string        // a file whose presence stops: see Run
	Poll    time.Duration // how often to look for it; not positive means 250 ms
	Signals []os.Signal   // each of which stops everything: see Run
	Env     string        // an environment variable that may hold a stop at the start, in the form of a line of Trigger; empty: none

	once sync.Once

	saving sync.Mutex // held while the file is written; before mu
	saved  uint64     // the version that is on disk; guarded by saving, as what follows
	lock   *os.File   // nil unless the file is this tree's
	wrote  string     // what the file looked like when it was last read or written: see fingerprint

	resuming sync.Mutex // one resume at a time; before saving

	mu            sync.Mutex // held for arithmetic only; what follows is guarded by it
	root          *node
	scopes        int
	firstEpoch    uint64 // of new scopes
	version       uint64 // raised by everything that is saved
	damage        error  // of the state file, when it was read
	shared        error  // why it is not this tree's
	conditions    [conditions]*condition
	base          [kinds]*view // the conditions
	pending       []Record     // of what was found while opening
	sinkFails     bool
	recorderFails bool
	running       bool      // so is Run
	heard         bool      // it listens
	until         time.Time // the lease runs out
	nudge         chan struct{}
	empty         bool      // so was the trigger file; only Run uses it
	waking        int       // goroutines that end waits
	awake         sync.Cond // there are none
}

// Open reads the state file, unless that has happened, and returns what is wrong with it: the tree is then as
// strict as its state may have been. So it is while another tree has the file ([ErrLocked]), and can save nothing; Run
// looks whether the file is free, and so does each command. All other methods open the tree, too, so Open is for those who want to
// see the error before the first attempt does.
func (t *Tree) Open() error {
	t.open()
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.damage, t.shared)
}

func (t *Tree) open() {
	t.once.Do(t.read)
	t.mu.Lock()
	found := t.pending
	t.pending = nil
	t.mu.Unlock()
	if len(found) == 0 {
		return
	}
	err := t.save(false)
	for _, r := range found {
		r.Err = errors.Join(r.Err, err)
		t.record(r)
	}
}

// read makes the tree, as it was when it was last saved.
func (t *Tree) read() {
	t.saving.Lock()
	defer t.saving.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nudge = make(chan struct{}, 1)
	t.awake.L = &t.mu
	t.root = &node{scope: Global}
	t.scopes = 1
	t.restate()
	t.refresh(t.root, nil)
	t.load()
	if t.Lease != 0 {
		t.worsen(lease, t.Lost.rule(), "tree", errNoLease, nil)
	}
	t.refresh(t.root, nil)
	now := time.Now()
	for _, c := range t.environment() {
		r, _ := t.engage(c.bounded(), ActionStop, now)
		t.pending = append(t.pending, r)
	}
}

// reach returns the scope at a path, which is made if it is new. When there is no room it returns the closest
// scope above, and an error. mu is held.
func (t *Tree) reach(path []string) (*node, error) {
	n := t.root
	for i, segment := range path {
		next := n.below[segment]
		if next == nil {
			switch most := t.maxScopes(); {
			case i == MaxDepth:
				return n, fmt.Errorf("%w: %.200q is deeper than %d", ErrScope, At(path...), MaxDepth)
			case t.scopes >= most:
				return n, fmt.Errorf("%w: %.200q is one more than the %d that the tree may hold", ErrScope, At(path...), most)
			}
			next = t.grow(n, segment, At(path[:i+1]...))
		}
		n = next
	}
	return n, nil
}

// grow adds a scope. mu is held.
func (t *Tree) grow(n *node, segment string, scope Scope) *node {
	next := &node{scope: scope, parent: n, epoch: t.firstEpoch}
	if n.below == nil {
		n.below = make(map[string]*node)
	}
	n.below[segment] = next
	t.scopes++
	t.refresh(next, nil)
	return next
}

func (t *Tree) maxScopes() int {
	if t.MaxScopes == 0 {
		return DefaultMaxScopes
	}
	return max(1, t.MaxScopes)
}

var errNoGate = refuseAll(errors.New("the gate does not come from a tree"))

// refuseAll is the refusal of a gate that has no scope.
func refuseAll(err error) *Error {
	return &Error{Scope: Global, State: Stopped, Who: "tree", Err: err}
}

// Gate returns a gate of the scope at a path; look it up once. A path that is no scope, and one scope too
// many, give a gate that refuses everything and says why: see [Gate.Err]. Without a path it is the gate
// of everything.
func (t *Tree) Gate(path ...string) *Gate {
	t.open()
	path = below(path)
	err := check(path)
	t.mu.Lock()
	defer t.mu.Unlock()
	var n *node
	if err == nil {
		n, err = t.reach(path)
	}
	if err != nil {
		l := newLeaf(false)
		v := &view{}
		v.close(Stopped.closed(), refuseAll(err))
		for _, e := range l.set(v, nil) {
			e.cancel(e.why)
		}
		return &Gate{lanes: l.lanes, leaf: l, tree: t, scope: At(path...), err: err}
	}
	if n.leaf == nil {
		n.leaf = newLeaf(t.Active)
		n.leaf.set(n.views[n.effective], nil)
	}
	return &Gate{lanes: n.leaf.lanes, leaf: n.leaf, tree: t, scope: n.scope}
}

// Mark says what kind of scope is at a path, and below it. Of two marks on one scope the more cautious one
// holds. It returns an error, and changes nothing, if there is no such scope.
func (t *Tree) Mark(k Kind, path ...string) error {
	t.open()
	path = below(path)
	if err := check(path); err != nil {
		return err
	}
	t.mu.Lock()
	n, err := t.reach(path)
	if err != nil {
		t.mu.Unlock()
		return err
	}
	if k < Orders || k > Reads {
		k = Orders
	}
	var ends []end
	if n.kind == 0 || k < n.kind {
		n.kind = k
		ends = t.refresh(n, nil)
	}
	t.mu.Unlock()
	t.wake(ends)
	return nil
}

// wake ends waits, in a goroutine: the more of them there are the longer it takes, and nobody who stops should
// wait for that. Calls that are woken later can start nothing, either. Close waits for it.
func (t *Tree) wake(ends []end) {
	if len(ends) == 0 {
		return
	}
	t.mu.Lock()
	t.waking++
	t.mu.Unlock()
	go func() {
		for _, e := range ends {
			e.cancel(e.why)
		}
		t.mu.Lock()
		if t.waking--; t.waking == 0 {
			t.awake.Broadcast()
		}
		t.mu.Unlock()
	}()
}

// Close returns when all waits that stops have ended so far have been told, and lets go of the state file, so that
// another tree may have it. The tree and its gates go on working: the next command claims the file again, if it is
// free, and takes over the stops in it.
func (t *Tree) Close() error {
	t.open()
	t.mu.Lock()
	for t.waking > 0 {
		t.awake.Wait()
	}
	t.mu.Unlock()
	t.release()
	return nil
}

// finish removes a ramp that is over.
func (t *Tree) finish(r *ramp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.root.each(func(n *node) {
		if n.ramp == r {
			n.ramp = nil
			t.version++
			t.refresh(n, nil)
		}
	})
}

// each visits a scope and those below it.
func (n *node) each(visit func(*node)) {
	visit(n)
	for _, below := range n.below {
		below.each(visit)
	}
}

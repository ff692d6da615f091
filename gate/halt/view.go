package halt

import "slices"

// A view is what the gates of a scope go by: the strictest, way by way, of all that holds on its path. It is
// not modified once a gate may see it, and shared by scopes between which nothing differs.
type view struct {
	deny    [ways]*Error // why a way in is closed; nil if it is open
	cancel  *Error       // why running attempts are cancelled; nil if they are not
	ramps   []easing     // of scopes that are let go again
	watches []*Watch     // to be told of attempts
}

// An easing is a ramp, and the ways in that it holds back.
type easing struct {
	*ramp
	ways doors
}

// close closes ways in, and sees to it that the gravest reason for each is named.
func (v *view) close(ways doors, why *Error) {
	for way := range v.deny {
		if ways.has(way) && why.graver(v.deny[way]) {
			v.deny[way] = why
		}
	}
}

// closed returns the ways in that are closed.
func (v *view) closed() (d doors) {
	for way, why := range v.deny {
		if why != nil {
			d |= 1 << way
		}
	}
	return d
}

// plain says that attempts need nothing but to be counted.
func (v *view) plain() bool {
	return v.closed() == 0 && v.cancel == nil && len(v.ramps) == 0 && len(v.watches) == 0
}

// over returns the view of a scope whose parent has the view base, for scopes of kind k.
func (n *node) over(base *view, k Kind) *view {
	if !n.stopped() && n.ramp == nil && n.watch == nil {
		return base
	}
	v := *base
	for s, e := range n.held {
		if e == nil {
			continue
		}
		v.close(State(s).closed(), e.err)
		if e.Cancel && e.err.graver(v.cancel) {
			v.cancel = e.err
		}
	}
	if n.ramp != nil && n.ramp.lifted[k] != 0 {
		v.ramps = append(slices.Clip(v.ramps), easing{n.ramp, n.ramp.lifted[k]})
	}
	if n.watch != nil {
		v.watches = append(slices.Clip(v.watches), n.watch)
	}
	return &v
}

// refresh brings the gates of a scope and of those below it up to date, and returns the waits to end. mu is held.
func (t *Tree) refresh(n *node, ends []end) []end {
	base, kind := &t.base, Other
	if n.parent != nil {
		base, kind = &n.parent.views, n.parent.effective
	}
	if n.kind != 0 {
		kind = n.kind
	}
	n.effective = kind
	for k := Orders; k < kinds; k++ {
		n.views[k] = n.over(base[k], k)
	}
	if n.leaf != nil {
		ends = n.leaf.set(n.views[kind], ends)
	}
	for _, below := range n.below {
		ends = t.refresh(below, ends)
	}
	return ends
}

// A condition is something that the tree itself found wrong. It holds everywhere, for each kind in its own way.
type condition struct {
	rule [kinds]State
	why  [kinds]*Error
}

// The conditions.
const (
	lease   = iota // the control plane is not heard
	audit          // the audit sink fails
	damaged        // the state file could not be read
	shared         // it is another tree's

	conditions
)

// restate computes what holds for everything, before any stop. mu is held.
func (t *Tree) restate() {
	for k := Orders; k < kinds; k++ {
		v := &view{}
		for _, c := range t.conditions {
			if c != nil {
				v.close(c.rule[k].closed(), c.why[k])
			}
		}
		t.base[k] = v
	}
}

// worsen sets a condition, by who for the sake of errors. mu is held.
func (t *Tree) worsen(which int, rule [kinds]State, who string, err error, ends []end) []end {
	c := &condition{rule: rule}
	for k, s := range rule {
		c.why[k] = &Error{Scope: Global, State: s, Who: who, Err: err, Epoch: t.root.epoch}
	}
	t.conditions[which] = c
	t.restate()
	return t.refresh(t.root, ends)
}

// ease ends a condition, with a ramp for what it had closed. mu is held.
func (t *Tree) ease(which int) {
	lifted := t.conditions[which].lifts()
	t.conditions[which] = nil
	t.restate()
	t.root.letGo(lifted, t.Ramp)
	t.refresh(t.root, nil)
}

// lifts returns what the end of a condition opens: nothing if there is none.
func (c *condition) lifts() (d [kinds]doors) {
	if c == nil {
		return d
	}
	for k, s := range c.rule {
		d[k] = s.closed()
	}
	return d
}

package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/gate/budget/profile"
	"github.com/relent-go/relent/retry"
)

// A Learning among the gates of an operation's policy says that the learner of its registry follows the operation, from the
// mode Shadow on, and what a call is worth.
//
//	fetch := &retry.Policy{Name: "binance.get_balance", Idempotent: true, Gates: []retry.Gate{purse, &control.Learning{}}}
//
// It is data: the registry puts a gate of package adaptive in its place, behind all others. In a policy that is no
// operation it lets everything pass. An operation without one is as with the mode Off.
//
// The mode and the numbers of Terms are the field adaptive of [Tune], whose text [Learning.String] prints. Active needs a
// budget among the gates: without one a learner makes an overload worse.
type Learning struct {
	Mode     adaptive.Mode  // to begin with; Shadow by default
	Terms    adaptive.Terms // of a call; Control is not used
	Promote  bool           // from Shadow to Active by itself, once it is proven: see Registry.Rehearse
	Control  []retry.Gate   // of the control arm, the calls that stay as configured, whose budget is a slice of the usual one; nil: it has the gates of the policy
	Budgeted bool           // a gate of the program's own bounds the retries; those of package budget are known
}

var _ retry.Gate = (*Learning)(nil)

// Admit implements [retry.Gate]: it lets everything pass.
func (*Learning) Admit(context.Context, *retry.Attempt) error { return nil }

// Settle implements [retry.Gate].
func (*Learning) Settle(*retry.Attempt, *retry.Outcome) {}

// mode is Off where there is no learning.
func (l *Learning) mode() adaptive.Mode {
	if l == nil {
		return adaptive.Off
	}
	return min(l.Mode, adaptive.Off)
}

// errUnbounded says why an operation cannot be active.
var errUnbounded = errors.New("active needs a budget among the gates of the operation: without one, a learner makes an overload worse; shadow needs none")

// checkLearning returns what is wrong with the learning of a policy.
func checkLearning(p *retry.Policy) error {
	l := learningOf(p)
	if l == nil {
		return nil
	}
	var errs []error
	if err := l.Terms.Check(); err != nil {
		errs = append(errs, fmt.Errorf("adaptive: %w", err))
	}
	if l.mode() == adaptive.Active && !budgeted(p) {
		errs = append(errs, fmt.Errorf("adaptive: %w", errUnbounded))
	}
	return errors.Join(errs...)
}

// learningOf returns the learning of a policy, or nil.
func learningOf(p *retry.Policy) *Learning {
	for _, g := range p.Gates {
		if l, ok := g.(*Learning); ok && l != nil {
			return l
		}
	}
	return nil
}

// taught returns the gates of a policy with another learning.
func taught(gates []retry.Gate, l *Learning) []retry.Gate {
	return append(untaught(gates), l)
}

// untaught returns a copy of gates without learnings.
func untaught(gates []retry.Gate) []retry.Gate {
	return slices.DeleteFunc(slices.Clone(gates), func(g retry.Gate) bool { _, ok := g.(*Learning); return ok })
}

// attempts are those of a policy whose learning is no gate: one that no gate can end is not unlimited.
func attempts(p *retry.Policy) int {
	bare := *p
	bare.Gates = untaught(p.Gates)
	return bare.Attempts()
}

// teach returns a policy with the gate of the learner, and where there is a control arm what yields the policies of both arms.
func (r *Registry) teach(p *retry.Policy, l *Learning) (*retry.Policy, *adaptive.Source) {
	terms := l.Terms
	terms.Control = nil
	learner := &r.live.learner
	watched := learner.Source(p, terms).Current()
	r.recall(p.Name)
	if l.Control == nil {
		return watched, nil
	}
	aside := *p
	aside.Gates = untaught(l.Control)
	terms.Control = &aside
	return watched, learner.Source(p, terms)
}

// leadable returns why the learner cannot lead the operation of a row that says so.
func (r *Registry) leadable(w *row) error {
	name := w.policy.Name
	if w.learning.mode() == adaptive.Active && (r.live.learner.Mode(name) == adaptive.Off || name == adaptive.Others) {
		return fmt.Errorf("adaptive: %w: the first %d operations that learn have models of their own", adaptive.ErrShared, adaptive.DefaultMaxOperations)
	}
	return nil
}

// lead tells the learner the mode of an operation. While that is Off, no new call has the gate of the learner, and those under
// way are only watched. changing is held.
func (r *Registry) lead(w *row) {
	mode := adaptive.Shadow
	if w.learning.mode() == adaptive.Active && !w.removed {
		mode = adaptive.Active
	}
	if w.learning.mode() == adaptive.Off || w.removed {
		r.live.learner.ProveAnew(w.policy.Name) // of which it is not told
	}
	r.live.learner.SetMode(w.policy.Name, mode) // fails for those that share a model, which are never Active
}

// budgeted says that something bounds the retries of all calls together.
func budgeted(p *retry.Policy) bool {
	return slices.ContainsFunc(p.Gates, func(g retry.Gate) bool {
		switch g := g.(type) {
		case *budget.Budget, *budget.Window, *budget.Spend, *lease.Lease, profile.Profile:
			return true
		case *Learning:
			return g != nil && g.Budgeted
		}
		return false
	})
}

package breaker

import (
	"context"

	"github.com/relent-go/relent/retry"
)

// A Keyed is a gate that finds its breaker in a tree anew for each attempt, for policies whose calls go to many places. It
// costs a look-up more than [Tree.Gate], which is to be preferred where the place is known beforehand.
type Keyed struct {
	Tree *Tree // nil admits everything

	// Key returns the path for an attempt, its parts separated by slashes. It must be quick, and return few different ones:
	// an instrument, but not an order. nil takes the name of the policy, a dot for a slash.
	Key func(context.Context, *retry.Attempt) string
}

var _ retry.Rechecker = Keyed{}

// Admit implements [retry.Gate].
func (k Keyed) Admit(ctx context.Context, a *retry.Attempt) error {
	if k.Tree == nil {
		return nil
	}
	return k.find(ctx, a).Admit(ctx, a)
}

// Recheck implements [retry.Rechecker].
func (k Keyed) Recheck(ctx context.Context, a *retry.Attempt) error {
	if b := k.found(a); b != nil {
		return b.Recheck(ctx, a)
	}
	return nil
}

// Settle implements [retry.Gate].
func (k Keyed) Settle(a *retry.Attempt, o *retry.Outcome) {
	if b := k.found(a); b != nil {
		b.Settle(a, o)
	}
}

// found returns the breaker that admitted a, by the note that it kept; nil if there is none.
func (k Keyed) found(a *retry.Attempt) *Breaker {
	if k.Tree == nil {
		return nil
	}
	return k.Tree.numbered(word(a.Kept()).number())
}

func (k Keyed) find(ctx context.Context, a *retry.Attempt) *Breaker {
	if k.Key != nil {
		return k.Tree.Gate(k.Key(ctx, a))
	}
	name := ""
	if a.Policy != nil {
		name = a.Policy.Name
	}
	return k.Tree.Named(name)
}

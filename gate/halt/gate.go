package halt

import (
	"context"

	"github.com/relent-go/relent/retry"
)

// A Gate is a [retry.Gate] that a [Tree] can close: put it first among the gates of a policy, so that it has
// the last word before an attempt begins. It never waits, and its refusals are [*Error].
//
// Gates come from [Tree.Gate]; the zero value refuses everything. A Gate is safe for concurrent use.
type Gate struct {
	lanes    []lane // of the leaf: the path of nearly all attempts needs nothing else
	leaf     *leaf
	tree     *Tree
	scope    Scope
	reducing int // 0, or riskReducing
	err      error
}

var _ retry.Halter = (*Gate)(nil)

// What the note of an attempt says.
const (
	drawn = 1 << iota // the ramp let it pass
	begun             // it was counted
)

// RiskReducing returns the gate of the same scope for operations that can only reduce risk: cancel, reduce,
// flatten. It lets them pass while the scope is RiskReducingOnly, and does not slow them down afterwards.
func (g *Gate) RiskReducing() *Gate {
	r := *g
	r.reducing = riskReducing
	return &r
}

// Scope returns the place of the gate.
func (g *Gate) Scope() Scope { return g.scope }

// Err returns what is wrong with the gate's scope, such as one too many. A gate with an error refuses everything.
func (g *Gate) Err() error { return g.err }

// lane returns the words of an attempt, or nil if the gate has none.
func (g *Gate) lane(a *retry.Attempt) *lane {
	if i := int(a.Lane) & (len(g.lanes) - 1); uint(i) < uint(len(g.lanes)) {
		return &g.lanes[i]
	}
	return nil
}

// Admit refuses an attempt that would not be let begin now, so that nobody waits for it.
func (g *Gate) Admit(_ context.Context, a *retry.Attempt) error {
	if l := g.lane(a); l != nil && l.begun.Load() >= 0 {
		return nil
	}
	return g.ask(a, a.Note != nil) // without a note the draw of a ramp could not be remembered
}

// Start lets an attempt begin, or refuses it. When [Tree.Stop] has returned, every attempt in its scope has
// either passed Start before, or is refused.
func (g *Gate) Start(ctx context.Context, a *retry.Attempt) error {
	l := g.lane(a)
	if l != nil && l.begun.Add(1) >= 0 {
		return nil
	}
	return g.begin(ctx, a, l)
}

// Settle costs nothing unless the scope is being let go again, or running attempts are counted.
func (g *Gate) Settle(a *retry.Attempt, o *retry.Outcome) {
	if l := g.lane(a); l != nil && l.begun.Load() < 0 {
		g.conclude(a, o, l)
	}
}

// Halted returns a context that ends when a call through this gate must end that waits with an attempt like a,
// with an [*Error] as its cause. It is not ended any more once the scope lets such attempts pass again.
func (g *Gate) Halted(a *retry.Attempt) context.Context {
	if g.leaf == nil {
		e := newEnding()
		e.cancel(errNoGate)
		return e.ctx
	}
	return g.leaf.halted[g.way(a)].Load().ctx
}

// Bind returns a context for the work of one attempt that also ends, with an [*Error] as its cause, when a stop
// asks for running attempts to be cancelled. The user's function opts in with it:
//
//	ctx, cancel := gate.Bind(ctx)
//	defer cancel()
//
// An attempt that is cancelled may have had its effect, so its error should not say otherwise.
func (g *Gate) Bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cancel := context.WithCancelCause(ctx)
	if g.leaf == nil {
		cancel(errNoGate)
		return bound, func() {}
	}
	work := g.leaf.work.Load().ctx
	leave := context.AfterFunc(work, func() { cancel(context.Cause(work)) })
	return bound, func() {
		leave()
		cancel(context.Canceled)
	}
}

// begin is Start for a scope that is not plainly running. The attempt is counted already, which comes before
// the look at the view: see leaf.
func (g *Gate) begin(ctx context.Context, a *retry.Attempt, l *lane) error {
	if l == nil {
		return errNoGate
	}
	err := g.ask(a, a.Kept()&drawn == 0)
	if watches := g.leaf.view.Load().watches; err == nil && len(watches) > 0 {
		err = g.watched(ctx, a, watches)
	}
	if err != nil {
		l.begun.Add(-1)
		return err
	}
	a.Keep(a.Kept() | begun)
	return nil
}

// watched tells the watches of an attempt, and returns the first refusal.
func (g *Gate) watched(ctx context.Context, a *retry.Attempt, watches []*Watch) (err error) {
	n, of := nth(ctx, a)
	begins := a.Begins // after all other gates, whatever they waited for
	if begins.IsZero() {
		begins = a.At.Add(a.Wait)
	}
	for _, w := range watches {
		if err = w.begin(n, of, begins); err != nil && g.reducing != 0 {
			err = g.ask(a, false) // as the limit left the scope
		}
		if err != nil {
			break
		}
	}
	return err
}

// way is the way in that an attempt takes.
func (g *Gate) way(a *retry.Attempt) int {
	if a.Number > 1 {
		return g.reducing + again
	}
	return g.reducing + first
}

// ask decides by the state of the scope, and draws from its ramps if told to.
func (g *Gate) ask(a *retry.Attempt, draw bool) error {
	if g.leaf == nil {
		return errNoGate
	}
	v := g.leaf.view.Load()
	way := g.way(a)
	if why := v.deny[way]; why != nil {
		return why
	}
	if !draw || len(v.ramps) == 0 {
		return nil
	}
	share, by := 1.0, (*ramp)(nil)
	for _, r := range v.ramps {
		s, over := r.share(a.At)
		if over {
			g.tree.finish(r.ramp)
		}
		if r.ways.has(way) && s < share {
			share, by = s, r.ramp
		}
	}
	if by == nil || spread(g.leaf.draws.Add(1)) < share {
		a.Keep(a.Kept() | drawn)
		return nil
	}
	return by.refusal(share)
}

// conclude is Settle for a scope that is not plainly running.
func (g *Gate) conclude(a *retry.Attempt, o *retry.Outcome, l *lane) {
	for _, r := range g.leaf.view.Load().ramps {
		r.learn(o)
	}
	if g.leaf.counted && (a.Kept()&begun != 0 || a.Note == nil && o.State != retry.NotStarted) {
		l.ended.Add(1)
	}
	a.Keep(0)
}

// spread maps 0, 1, 2 … to [0, 1) so that any run of them is spread evenly, yet in no simple rhythm that a
// loop over several operations could fall in with: multiples of the golden ratio (Weyl's sequence).
func spread(n uint64) float64 { return float64(n*0x9e3779b97f4a7c15>>11) / (1 << 53) }

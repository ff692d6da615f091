package halt

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// Limits are what a scope may do before it is stopped by itself. What a limit stops stays stopped until one of the
// designated persons approves a [Tree.Resume]; only Messages may heal.
type Limits struct {
	Attempts   int           // for one parent order: see WithParent; 0 means 16, None means no limit, less means 16
	Messages   int           // begun attempts in any second, first attempts and retries together, at most 100 000; 0 means no limit, negative means 1
	Heal       time.Duration // after which a trip of Messages ends by itself, with a ramp; not positive means never
	Executions int           // automated ones without a person in between (RTS 6 Art. 15(3)); 0 means no limit, negative that the first one trips
	Spend      int64         // in the user's unit; 0 means no limit, negative that nothing may be spent
	Duplicates int           // acknowledged by a venue that stop the scope; 0 means 1, None means no limit, less means 1
	Skew       bool          // stop, too, when nodes run different versions, and not only alert
	State      State         // that a limit puts in force; Running means RiskReducingOnly
}

// None, as Attempts or Duplicates, means no limit.
const None = -1

// Defaults of Limits.
const (
	DefaultAttempts   = 16
	DefaultDuplicates = 1
	mostMessages      = 100_000
)

// Trips, as they are named in errors and records.
const (
	TripAttempts   = "attempts per parent"
	TripMessages   = "messages per second"
	TripExecutions = "repeated automated executions"
	TripSpend      = "spend"
	TripDuplicates = "duplicates acknowledged"
	TripSkew       = "version skew"
)

// A Watch counts what happens in a scope, and stops it at a limit. What attempts show it learns from the
// gates; the rest it is told. It is safe for concurrent use.
type Watch struct {
	tree   *Tree
	scope  Scope
	limits Limits

	mu         sync.Mutex
	window     window // of messages
	executions int
	spent      int64
	duplicates int
}

// Watch sets limits for a scope and what is below it, in place of earlier ones for the same scope. Its gates
// need a lock for each attempt from then on. An attempt that passes a limit is refused, unless it is a
// risk-reducing one and the state that the limit puts in force lets it through.
func (t *Tree) Watch(s Scope, l Limits) (*Watch, error) {
	t.open()
	path, err := s.Path()
	if err != nil {
		return nil, err
	}
	if l.Attempts == 0 || l.Attempts < None {
		l.Attempts = DefaultAttempts
	}
	if l.Duplicates == 0 || l.Duplicates < None {
		l.Duplicates = DefaultDuplicates
	}
	if l.State == Running {
		l.State = RiskReducingOnly
	}
	l.State = min(l.State, Stopped)
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.reach(path)
	if err != nil {
		return nil, err
	}
	w := &Watch{tree: t, scope: n.scope, limits: l}
	if l.Messages != 0 {
		w.window.times = make([]time.Time, min(max(1, l.Messages), mostMessages))
	}
	n.watch = w
	t.refresh(n, nil)
	return w, nil
}

// A Parent counts the attempts that all calls for one parent order begin. The zero value is ready; it is safe
// for concurrent use and must not be copied.
type Parent struct {
	ID       string // in records
	attempts atomic.Int64
}

type parentKey struct{}

// WithParent returns a context whose calls are counted for p. Without a parent each call counts for itself.
func WithParent(ctx context.Context, p *Parent) context.Context {
	return context.WithValue(ctx, parentKey{}, p)
}

// nth counts an attempt for its parent, or for its call if there is no parent.
func nth(ctx context.Context, a *retry.Attempt) (int64, *Parent) {
	if p, _ := ctx.Value(parentKey{}).(*Parent); p != nil {
		return p.attempts.Add(1), p
	}
	return int64(a.Number), nil
}

// begin counts an attempt that is about to begin, the nth of its parent, or refuses it.
func (w *Watch) begin(n int64, of *Parent, at time.Time) error {
	if most := w.limits.Attempts; most > 0 && n > int64(most) {
		whose := "one call"
		if of != nil {
			whose = "parent " + clip(of.ID, mostName)
		}
		return w.trip(TripAttempts, fmt.Sprintf("attempt %d of %s; at most %d", n, whose, most), at)
	}
	if len(w.window.times) > 0 {
		w.mu.Lock()
		full := w.window.add(at)
		w.mu.Unlock()
		if full {
			return w.trip(TripMessages, fmt.Sprintf("more than %d in a second", len(w.window.times)), at)
		}
	}
	return nil
}

// Executed says that a strategy acted without a person in between.
func (w *Watch) Executed() error {
	w.mu.Lock()
	w.executions++
	n := w.executions
	w.mu.Unlock()
	if most := w.limits.Executions; most != 0 && n > most {
		return w.trip(TripExecutions, fmt.Sprintf("execution %d; at most %d", n, max(0, most)), time.Now())
	}
	return nil
}

// Spent says what an operation cost. A negative amount counts as 0: what is paid back is not a licence.
func (w *Watch) Spent(amount int64) error {
	w.mu.Lock()
	w.spent += max(0, amount)
	if w.spent < 0 {
		w.spent = 1<<63 - 1
	}
	spent := w.spent
	w.mu.Unlock()
	if most := w.limits.Spend; most != 0 && spent > max(0, most) {
		return w.trip(TripSpend, fmt.Sprintf("spent %d; at most %d", spent, max(0, most)), time.Now())
	}
	return nil
}

// Duplicate says that a venue acknowledged an order twice.
func (w *Watch) Duplicate(order string) error {
	w.mu.Lock()
	w.duplicates++
	n := w.duplicates
	w.mu.Unlock()
	if most := w.limits.Duplicates; most > 0 && n >= most {
		return w.trip(TripDuplicates, fmt.Sprintf("duplicate %d: %s", n, clip(order, mostName)), time.Now())
	}
	return nil
}

// Skew says what version and configuration a node runs, and what it should. If they differ it is an alert, and a
// stop if the limits say so.
func (w *Watch) Skew(node, have, want string) error {
	if have == want {
		return nil
	}
	why := fmt.Sprintf("node %s runs %s; want %s", clip(node, mostName), clip(have, mostName), clip(want, mostName))
	if w.limits.Skew {
		return w.trip(TripSkew, why, time.Now())
	}
	return wrap(ErrRecord, w.tree.record(Record{
		Action: ActionAlert, Scope: w.scope, Who: TripSkew, Why: why, Source: "trip", At: time.Now(),
	}))
}

// trip stops the scope, unless the same limit has done so, and returns the refusal: an [*Error].
func (w *Watch) trip(name, why string, at time.Time) error {
	c := Command{
		Scope: w.scope, State: w.limits.State, Who: name, Why: why, Source: "trip", trip: name, held: true,
	}
	if name == TripMessages && w.limits.Heal > 0 && c.State != Stopped {
		c.Expires, c.held = w.limits.Heal, false
	}
	refusal := &Error{Scope: w.scope, State: c.State, Who: name, Why: why, Since: at}
	w.tree.mu.Lock()
	n, _ := w.tree.find(w.scope)
	if e := n.held[c.State]; e != nil && e.Trip == name {
		w.tree.mu.Unlock()
		return e.err
	}
	w.tree.mu.Unlock()
	r, err := w.tree.stop(c, ActionTrip, at)
	refusal.Epoch, refusal.Until = r.Epoch, r.Until
	refusal.Err = err
	return refusal
}

// forgive starts the counts anew.
func (w *Watch) forgive() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.window.clear()
	w.executions, w.spent, w.duplicates = 0, 0, 0
}

// A window holds the times of the latest messages, as many as a second may have.
type window struct {
	times  []time.Time
	next   int
	filled bool
}

// add takes in a message, unless there were too many in the second before it.
func (w *window) add(at time.Time) (full bool) {
	if w.filled && at.Sub(w.times[w.next]) < time.Second {
		return true
	}
	w.times[w.next] = at
	if w.next++; w.next == len(w.times) {
		w.next, w.filled = 0, true
	}
	return false
}

func (w *window) clear() { w.next, w.filled = 0, false }

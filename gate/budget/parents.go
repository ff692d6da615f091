package budget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relent-go/relent/retry"
)

// What zero fields of [Parents] and [Spend] mean.
const (
	DefaultAttemptsPerParent = 100
	DefaultRemembered        = 1 << 16
)

// longestParent is the longest id, in bytes, so that what is remembered is bounded.
const longestParent = 256

var (
	errNoParent   = errors.New("the context has none: use budget.WithParent, or set Loose")
	errLongParent = fmt.Errorf("the id is longer than %d bytes", longestParent)
	errManyNames  = errors.New("as many are remembered as may be, and none is forgotten; set Remembered higher")
)

// Parents is a [retry.Gate] that bounds the attempts made for one parent over its whole life: first attempts,
// retries and hedges, each counted before it is sent. Nothing that happens raises the bound or lowers the count again, no
// success, no time and no restart if there is a Store. An attempt that was admitted but never began is
// taken out of the count; with a Store it stays in.
//
// A parent that asks for more than it may is stopped for good, and the call ends with an [*Error] marked
// [retry.Permanent]. Calls take their parent from [WithParent].
//
// Share one Parents among all policies that work on the same objects, and put it last among the gates if there is a
// Store, so that nothing is counted that another gate refuses. The zero value is ready. The fields are not modified while
// in use; odd values mean fewer attempts. It is safe for concurrent use, and must not be copied.
type Parents struct {
	Name       string // in errors
	Max        int    // attempts of one parent; 0 means 100, negative means none
	Remembered int    // parents in memory, beyond which new ones are refused; 0 means 65536, negative means none; with a Store only those that were stopped, and none is refused for lack of room
	Loose      bool   // calls without a parent pass uncounted; otherwise they are refused
	Store      Counts // keeps the counts over restarts and between processes; nil keeps them in memory

	// OnTrip is told when a parent is stopped, once for each parent that is remembered; for an audit. It runs in the
	// goroutine of the call, which goes on when it returns.
	OnTrip func(context.Context, Trip)

	mu      sync.Mutex
	index   map[string]int // into parents
	parents []parent       // none is ever removed
	tripped int64
	denied  int64
	defects int64
}

var _ retry.Gate = (*Parents)(nil)

// parent is what is known of one.
type parent struct {
	attempts int64
	stopped  bool
}

// Counts keeps the number of attempts of each parent where it outlives the process. It must be safe for concurrent use.
type Counts interface {
	// CountAttempt adds one to the attempts of parent, and returns how many there are now. The new count must
	// be durable before it returns. After an error no attempt is made, whether or not it was counted.
	CountAttempt(ctx context.Context, parent string) (int64, error)
}

// A Trip is the stop of a parent.
type Trip struct {
	Parent string
	Policy string    // of the call that asked for one attempt too many
	Max    int       // attempts that the parent could make
	At     time.Time // when it was asked for
}

// What the note of an attempt says: the place of its parent and counted, if it can be taken back.
const (
	uncounted = 1 // here; maybe in the store
	counted   = 2
)

// Admit counts an attempt, or refuses it. It waits for the Store, if there is one, until ctx ends or a stop ends the wait.
func (p *Parents) Admit(ctx context.Context, a *retry.Attempt) error {
	id := Parent(ctx)
	a.Keep(uncounted)
	switch {
	case id == "" && p.Loose:
		return nil
	case id == "":
		return p.refuse(id, 0, a, errNoParent)
	case len(id) > longestParent:
		return p.refuse(id[:longestParent], 0, a, errLongParent)
	case p.Store != nil:
		return p.ask(ctx, id, a)
	}
	p.mu.Lock()
	i, ok := p.find(id)
	if !ok {
		p.mu.Unlock()
		return p.refuse(id, 0, a, errManyNames)
	}
	x := &p.parents[i]
	if !x.stopped && x.attempts < p.most() {
		x.attempts++
		p.mu.Unlock()
		a.Keep(uint64(i) + counted)
		return nil
	}
	first := p.stop(x)
	p.mu.Unlock()
	return p.trip(ctx, id, a, first)
}

// ask is Admit with a store.
func (p *Parents) ask(ctx context.Context, id string, a *retry.Attempt) error {
	p.mu.Lock()
	_, stopped := p.index[id] // with a store, nobody else is in it
	p.mu.Unlock()
	if stopped {
		return p.trip(ctx, id, a, false)
	}
	ctx, done := until(ctx, a.Halted())
	n, err := p.Store.CountAttempt(ctx, id)
	ended := context.Cause(ctx)
	done()
	switch {
	case err != nil && ended != nil:
		return ended
	case err != nil:
		return p.refuse(id, p.most(), a, err)
	case n <= p.most() && n > 0: // a count that makes no sense is none to go on with
		return nil
	}
	p.mu.Lock()
	first := true
	if i, ok := p.find(id); ok {
		first = p.stop(&p.parents[i])
	} else {
		p.tripped++
	}
	p.mu.Unlock()
	return p.trip(ctx, id, a, first)
}

// find returns the place of a parent, a new one if there is room. The caller holds mu.
func (p *Parents) find(id string) (int, bool) {
	if i, ok := p.index[id]; ok {
		return i, true
	}
	if len(p.parents) >= cmp.Or(p.Remembered, DefaultRemembered) {
		return 0, false
	}
	if p.index == nil {
		p.index = make(map[string]int)
	}
	p.parents = append(p.parents, parent{})
	p.index[id] = len(p.parents) - 1
	return len(p.parents) - 1, true
}

// stop ends the life of a parent, and says whether it was alive. The caller holds mu.
func (p *Parents) stop(x *parent) bool {
	if x.stopped {
		return false
	}
	x.stopped = true
	p.tripped++
	return true
}

func (p *Parents) most() int64 { return max(0, int64(cmp.Or(p.Max, DefaultAttemptsPerParent))) }

// trip refuses an attempt of a stopped parent.
func (p *Parents) trip(ctx context.Context, id string, a *retry.Attempt, first bool) error {
	if first && p.OnTrip != nil {
		p.OnTrip(ctx, Trip{Parent: id, Policy: policy(a).Name, Max: int(p.most()), At: a.At})
	}
	return p.refuse(id, p.most(), a, nil)
}

func (p *Parents) refuse(id string, limit int64, a *retry.Attempt, why error) error {
	p.mu.Lock()
	p.denied++
	p.mu.Unlock()
	return retry.Mark(&Error{
		Budget: p.Name, Policy: policy(a).Name, Rule: RuleParent, Cost: 1, Limit: limit, Parent: id, Err: why,
	}, retry.Permanent)
}

// Settle takes an attempt that never began out of the count, if that is in memory.
func (p *Parents) Settle(a *retry.Attempt, o *retry.Outcome) {
	note := a.Kept()
	a.Keep(settled)
	switch {
	case a.Note == nil: // nobody knows whose it was: it stays counted
	case note == 0, note == settled:
		p.mu.Lock()
		p.defects++
		p.mu.Unlock()
	case note >= counted && o.State == retry.NotStarted:
		p.mu.Lock()
		p.parents[note-counted].attempts--
		p.mu.Unlock()
	}
}

// ParentsStats is what [Parents] knows and did.
type ParentsStats struct {
	Remembered int   // parents in memory
	Tripped    int64 // parents stopped, those that are not remembered once for each refusal
	Denied     int64 // attempts refused
	Defects    int64 // attempts that were settled twice, or never admitted; always 0 under package retry
}

// Stats returns a snapshot.
func (p *Parents) Stats() ParentsStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ParentsStats{Remembered: len(p.parents), Tripped: p.tripped, Denied: p.denied, Defects: p.defects}
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil.
func (p *Parents) Check() error {
	var errs []error
	if p.Max < 0 {
		errs = append(errs, fmt.Errorf("Max: %d is negative and admits nothing", p.Max))
	}
	if p.Remembered < 0 {
		errs = append(errs, fmt.Errorf("Remembered: %d is negative and counts as 0", p.Remembered))
	}
	return errors.Join(errs...)
}

// until returns ctx, ended also when halted ends.
func until(ctx, halted context.Context) (context.Context, func()) {
	if halted.Done() == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(halted, func() { cancel(context.Cause(halted)) })
	return ctx, func() { stop(); cancel(nil) }
}

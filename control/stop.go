package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
)

var _ Commander = (*Registry)(nil)

// ErrNoStops is returned where there is no emergency stop to command.
var ErrNoStops = errors.New("no emergency stop is registered: see Registry.AddStops")

// ErrKey is returned for an idempotency key that came with another command before.
var ErrKey = errors.New("the key belongs to another command")

const mostKept = 1024 // idempotency keys and sources of stops that are remembered

// commands is what is remembered of commands.
type commands struct {
	mu      sync.Mutex      // held for whole stops with a key
	done    map[string]done // by key
	order   []string        // of keys, oldest first
	noted   sync.Mutex
	sources map[halt.Scope]string // how each scope was stopped the last time; guarded by noted
	drills  []StopView            // that were made lately; guarded by noted
}

// A done is a stop that was carried out.
type done struct {
	asked Stop
	view  StopView
	err   error
}

// Stop implements [Commander]: when it has returned, no attempt in the scope starts that the state does not let through. It
// is recorded by the tree, as are all other ways to stop.
//
// Of commands with the same Key the first engages; the others return what it did, and are recorded as repeated. A
// key is remembered for as long as the process lives and fewer than 1,024 others came after it. A stop that is in force but
// could not be saved or recorded returns both its view and an error.
func (r *Registry) Stop(ctx context.Context, c Stop) (StopView, error) {
	s := r.state()
	c.Scope = cmp.Or(c.Scope, string(halt.Global))
	record := audit.Record{
		Decision: audit.Stop, Actor: c.Actor, Scope: clip(c.Scope), State: clip(c.State), Why: c.Reason, Ticket: c.Ticket, Rule: Rule(c.Source, c.Claimed),
	}
	tree, state, err := r.stoppable(c)
	if err != nil {
		return StopView{}, r.refuse(ctx, record, fmt.Errorf("stop %s: %w", c.Scope, err))
	}
	if c.Key == "" {
		return r.engage(tree, state, c)
	}
	s.commands.mu.Lock()
	defer s.commands.mu.Unlock()
	before, repeated := s.commands.done[c.Key]
	switch {
	case repeated && before.asked != c:
		return StopView{}, r.refuse(ctx, record, fmt.Errorf("stop %s: %w: %q", c.Scope, ErrKey, c.Key))
	case repeated:
		record.Rule, record.Epoch = strings.TrimSpace(record.Rule+" repeated"), before.view.Epoch
		return before.view, errors.Join(before.err, r.record(ctx, record))
	}
	v, err := r.engage(tree, state, c)
	if !errors.Is(err, halt.ErrRefused) {
		s.commands.keep(c, v, err)
	}
	return v, err
}

// stoppable says what is wrong with a command that the tree would not be able to say.
func (r *Registry) stoppable(c Stop) (*halt.Tree, halt.State, error) {
	s := &r.live
	s.mu.Lock()
	tree := s.stops
	s.mu.Unlock()
	if tree == nil {
		return nil, 0, ErrNoStops
	}
	state, err := halt.ParseState(cmp.Or(c.State, halt.Stopped.String()))
	if err == nil && state == halt.Running {
		err = errors.New("running is no state to stop in: resume the scope instead")
	}
	return tree, state, err
}

func (r *Registry) engage(tree *halt.Tree, state halt.State, c Stop) (StopView, error) {
	scope := halt.Scope(c.Scope)
	record, err := tree.Stop(halt.Command{
		Scope: scope, State: state, Who: c.Actor, Why: c.Reason, Ticket: c.Ticket, Source: Rule(c.Source, c.Claimed), Expires: c.Expires, Cancel: c.Cancel, Drill: c.Drill,
	})
	if err != nil {
		err = fmt.Errorf("stop %s: %w", scope, err)
		if errors.Is(err, halt.ErrRefused) {
			return StopView{}, err
		}
	}
	v := StopView{
		Scope: string(record.Scope), State: state.String(), Drill: record.Drill, Epoch: record.Epoch, Actor: record.Who, Source: c.Source,
		Reason: record.Why, Ticket: record.Ticket, Since: record.At, Expires: record.Until,
	}
	if v.Drill {
		v.Reached, v.Processes, v.Took = 1, 1, record.Saved
	}
	return v, err
}

func (c *commands) keep(asked Stop, v StopView, err error) {
	if c.done == nil {
		c.done = make(map[string]done)
	}
	c.done[asked.Key] = done{asked, v, err}
	c.order = append(c.order, asked.Key)
	if len(c.order) > mostKept {
		delete(c.done, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
}

// Resume implements [Commander]: it takes two persons, of whom the one who approves did not stop the scope, and the epoch
// that both saw. It ends the stops of that scope only, and a ramp begins.
func (r *Registry) Resume(ctx context.Context, c Resume) (StopView, error) {
	s := r.state()
	s.mu.Lock()
	tree := s.stops
	s.mu.Unlock()
	scope := halt.Scope(cmp.Or(c.Scope, string(halt.Global)))
	if tree == nil {
		record := audit.Record{
			Decision: audit.Resume, Actor: c.Actor, Approver: c.Approver, Scope: clip(string(scope)), Why: c.Reason, Rule: Rule(c.Source, c.Claimed), Epoch: c.Epoch,
		}
		return StopView{}, r.refuse(ctx, record, fmt.Errorf("resume %s: %w", scope, ErrNoStops))
	}
	if _, err := tree.Resume(halt.Release{Scope: scope, Epoch: c.Epoch, Requester: c.Actor, Approver: c.Approver, Why: c.Reason}); err != nil {
		return StopView{}, fmt.Errorf("resume %s: %w", scope, err)
	}
	status, err := tree.Look(scope)
	return r.stopView(status), err
}

// A clerk hands the records of a tree on: to the registry's Recorder, to the live tail, and to who had the place before.
type clerk struct {
	registry *Registry
	next     halt.Recorder
}

// Record implements [halt.Recorder].
func (k *clerk) Record(c halt.Record) error {
	record := audit.Record{
		Decision: audit.Decision(c.Action), Time: c.At, Actor: c.Who, Approver: c.Approver, Why: c.Why, Ticket: c.Ticket,
		Scope: clip(string(c.Scope)), State: c.State.String(), Epoch: c.Epoch, Rule: c.Source,
	}
	if c.Drill {
		record.Decision, record.Rule = audit.Drill, strings.TrimSpace(string(c.Action)+" "+c.Source)
		if c.Action == halt.ActionStop && !errors.Is(c.Err, halt.ErrRefused) {
			k.registry.live.commands.drill(c, strings.TrimSuffix(c.Source, claimed))
		}
	}
	text := fmt.Sprintf("%s %s by %s: %s", c.Action, c.Scope, c.Who, c.Why)
	if c.Err != nil {
		record.Outcome, record.Validation = audit.Failed, clip(c.Err.Error())
		text += ": " + c.Err.Error()
		if errors.Is(c.Err, halt.ErrRefused) {
			record.Rule, record.Decision = strings.TrimSpace(string(record.Decision)+" "+record.Rule), audit.Deny
		}
	} else if !c.Drill {
		k.registry.live.commands.note(c.Scope, strings.TrimSuffix(c.Source, claimed))
	}
	k.registry.live.study.stop(c)
	k.registry.logStop(c)
	k.registry.Note(Note{Kind: "stop", At: c.At, Target: string(c.Scope), Text: text})
	err := k.registry.record(context.Background(), record)
	if k.next != nil {
		err = errors.Join(err, k.next.Record(c))
	}
	return err
}

// note remembers how a scope was stopped. A tree holds few scopes; should there be many, all are forgotten.
func (c *commands) note(s halt.Scope, by string) {
	c.noted.Lock()
	defer c.noted.Unlock()
	if c.sources == nil || len(c.sources) >= mostKept {
		c.sources = make(map[halt.Scope]string)
	}
	c.sources[s] = by
}

// stopView returns how a scope is.
func (r *Registry) stopView(s halt.Status) StopView {
	v := StopView{Scope: string(s.Scope), State: halt.Running.String(), Epoch: s.Epoch}
	if s.Share < 1 {
		v.Ramp = s.Share
	}
	if len(s.Stops) == 0 {
		return v
	}
	worst := s.Stops[0]
	v.State, v.Actor, v.Reason, v.Ticket, v.Since, v.Expires = worst.State.String(), worst.Who, worst.Why, worst.Ticket, worst.Since, worst.Until
	c := &r.live.commands
	c.noted.Lock()
	defer c.noted.Unlock()
	v.Source = c.sources[s.Scope]
	if worst.Trip != "" {
		v.Source, v.Reason = "trip", cmp.Or(v.Reason, worst.Trip)
	}
	return v
}

// shown says that a scope belongs into a view: it is stopped, or let go again, or was.
func shown(s halt.Status) bool { return len(s.Stops) > 0 || s.Share < 1 || s.Epoch > 0 }

// stopsView returns the scopes that belong into a view, the global one first and the strictest before others, and
// behind them the drills.
func (r *Registry) stopsView(tree *halt.Tree) (views []StopView, more int) {
	views = []StopView{}
	if tree == nil {
		return views, 0
	}
	for _, s := range tree.Status() {
		if shown(s) {
			views = append(views, r.stopView(s))
		}
	}
	slices.SortStableFunc(views, func(a, b StopView) int { return cmp.Compare(rank(b), rank(a)) })
	drills := r.live.commands.drilled(time.Now())
	if len(views) <= MostScopes {
		return append(views, drills...), 0
	}
	rest := views[MostScopes-1:]
	other := rest[0] // the strictest of them
	other.Scope, other.Epoch, other.Expires, more = Other, 0, time.Time{}, len(rest)
	return append(append(views[:MostScopes-1:MostScopes-1], other), drills...), more
}

// rank puts the global scope first, and then the strictest; drills come last.
func rank(v StopView) int {
	if v.Drill {
		return -1
	}
	if v.Scope == string(halt.Global) {
		return int(halt.Stopped) + 1
	}
	return int(severity(v))
}

func severity(v StopView) halt.State {
	s, _ := halt.ParseState(v.State)
	return s
}

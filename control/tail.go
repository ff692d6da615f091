package control

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// DefaultTail is how many notes a subscription holds unless it says otherwise, MostTail how many it may.
const (
	DefaultTail = 2000
	MostTail    = 100_000
)

// A Filter chooses notes: those that match each field that is set. The zero value chooses all.
type Filter struct {
	Kinds    []string
	Policies []string
	Classes  []string
	Outcomes []string
	Call     uint64 // of one call
}

func (f *Filter) match(n *Note) bool {
	for _, one := range []struct {
		want []string
		have string
	}{{f.Kinds, n.Kind}, {f.Policies, n.Policy}, {f.Classes, n.Class}, {f.Outcomes, n.Outcome}} {
		if len(one.want) > 0 && !slices.Contains(one.want, one.have) {
			return false
		}
	}
	return f.Call == 0 || f.Call == n.Call
}

// tail hands notes to who wants them. While nobody does, an event costs one atomic load.
type tail struct {
	instance string
	redact   func(error) string
	trace    func(context.Context) string
	wanted   atomic.Int32 // subscriptions
	dropped  atomic.Uint64

	mu   sync.Mutex
	seq  uint64                     // guarded by mu
	subs map[*Subscription]struct{} // guarded by mu
}

// event makes a note of what a call did.
func (t *tail) event(ctx context.Context, e retry.Event, o Outcome, r Reason) {
	if t.wanted.Load() == 0 {
		return
	}
	n := Note{At: e.At, Policy: e.Policy.Name, Call: e.Call, Attempt: e.Attempts, Elapsed: e.Elapsed}
	err := e.Err
	switch {
	case e.Kind == retry.Retrying:
		n.Kind, n.Wait = "retrying", e.Wait
	case o == SuccessAfterRetry:
		n.Kind, n.Outcome = "recovered", o.String()
	case o == UnknownOutcome:
		n.Kind, n.Outcome, n.Reason = "unknown", o.String(), r.String()
	case o == BudgetDenied, o == BreakerDenied, o == Stopped:
		n.Kind, n.Outcome, n.Reason, err = "refused", o.String(), r.String(), e.Reason
	default:
		n.Kind, n.Outcome, n.Reason = "failed", o.String(), r.String()
		if err == nil {
			err = e.Reason
		}
	}
	if e.Err != nil {
		n.Class = e.Class.String()
	}
	if err != nil {
		n.Text = clip(t.redact(err))
	}
	if t.trace != nil {
		n.Trace = t.trace(ctx)
	}
	t.publish(n)
}

func (t *tail) publish(n Note) {
	if t.wanted.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	n.Seq = t.seq
	if n.Instance == "" { // one that has a name is passed on for another process
		n.Instance = t.instance
	}
	for s := range t.subs {
		if s.filter.match(&n) && !s.add(n) {
			t.dropped.Add(1)
		}
	}
}

// clip bounds a text.
func clip(s string) string {
	const most = 512
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len("…")], "") + "…"
}

// A Subscription receives notes from the moment of [Registry.Subscribe] on. It holds a bounded number, and drops the
// oldest when its reader is slow. It is safe for concurrent use.
type Subscription struct {
	tail   *tail
	filter Filter
	ready  chan struct{} // holds a token while there may be something to read
	done   chan struct{} // closed by Close

	mu      sync.Mutex
	ring    []Note // guarded by mu, as are the others
	first   int
	held    int
	dropped uint64
}

// Subscribe begins to collect notes that match f, up to size of them: 0 means 2,000, and more than 100,000 that. A negative
// size is one. Close it when it is not needed any more: while there is a subscription, each event costs a note.
//
// Calls that succeed at once yield no notes. Texts are redacted.
func (r *Registry) Subscribe(f Filter, size int) *Subscription {
	t := &r.state().tail
	if size == 0 {
		size = DefaultTail
	}
	s := &Subscription{tail: t, filter: f, ready: make(chan struct{}, 1), done: make(chan struct{}), ring: make([]Note, min(max(1, size), MostTail))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subs == nil {
		t.subs = make(map[*Subscription]struct{})
	}
	t.subs[s] = struct{}{}
	t.wanted.Add(1)
	return s
}

// add keeps a note, and says whether that dropped none.
func (s *Subscription) add(n Note) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.held == len(s.ring)
	if full {
		s.first = (s.first + 1) % len(s.ring)
		s.held--
		s.dropped++
	}
	s.ring[(s.first+s.held)%len(s.ring)] = n
	s.held++
	select {
	case s.ready <- struct{}{}:
	default:
	}
	return !full
}

// Next returns the notes that came since the last call, oldest first, and how many were dropped in all. It waits for at
// least one until ctx ends or the subscription is closed, and then returns none.
func (s *Subscription) Next(ctx context.Context) (notes []Note, dropped uint64) {
	for {
		s.mu.Lock()
		for range s.held {
			notes = append(notes, s.ring[s.first])
			s.ring[s.first] = Note{}
			s.first = (s.first + 1) % len(s.ring)
		}
		s.held, dropped = 0, s.dropped
		s.mu.Unlock()
		if len(notes) > 0 {
			return notes, dropped
		}
		select {
		case <-s.ready:
		case <-s.done:
			return nil, dropped
		case <-ctx.Done():
			return nil, dropped
		}
	}
}

// Close ends the subscription: Next returns what is left, and then nothing at once. It may be called again.
func (s *Subscription) Close() {
	t := s.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, open := t.subs[s]; !open {
		return
	}
	delete(t.subs, s)
	t.wanted.Add(-1)
	close(s.done)
}

// Note publishes a line of the live tail, for parts that have no calls: orders, streams, findings. Seq is filled in,
// and so are Instance and At where they are not given. The text is for people; what must not be seen must not be in it.
func (r *Registry) Note(n Note) {
	if n.At.IsZero() {
		n.At = time.Now()
	}
	n.Text = clip(n.Text)
	r.state().tail.publish(n)
}

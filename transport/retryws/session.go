package retryws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	errAuthTimeout = errors.New("no answer to the authentication")
	errBegin       = errors.New("the session begins")
)

// A Session keeps a set of topics flowing to its consumers over one link at a time, which it opens
// again when it breaks, and replaces before it ends of old age. Make one with [New]. It is safe for concurrent use.
type Session struct {
	given   *Config
	c       Config // with defaults
	stats   counters
	turn    chan struct{} // asks for a turnover
	poke    chan struct{} // wakes the supervisor
	books   chan struct{} // wakes the reconciler
	renewed chan struct{} // new credentials
	done    chan struct{} // closed when Run has returned
	pace    pace          // the supervisor's

	mu        sync.Mutex
	begun     bool
	closing   bool
	stop      context.CancelCauseFunc
	want      map[Topic]struct{}
	flows     map[Topic]*flow
	consumers []*Consumer
	active    *link // whose events consumers get
	older     *link // that is being drained after a turnover
	cred      Credentials
	credAt    time.Time
	links     uint64
	ids       uint64
	last      time.Time // of the last event of an account
	dirty     bool
	reading   bool // the account
	late      bool
	notes     []Change
	flushing  bool
}

// New returns a session that is not running.
func New(c Config) *Session {
	return &Session{
		given: &c, c: c.settle(), turn: make(chan struct{}, 1), poke: make(chan struct{}, 1), books: make(chan struct{}, 1),
		renewed: make(chan struct{}, 1), done: make(chan struct{}), want: make(map[Topic]struct{}), flows: make(map[Topic]*flow),
	}
}

// Run connects, and stays connected, until ctx ends or Close is called, or authentication has been refused
// twice. It returns after the last goroutine of the session has ended: nil after Close, else the cause of ctx, or an
// error that is ErrAuth, or what is wrong with the configuration. A session runs once.
func (s *Session) Run(ctx context.Context) error {
	if err := s.given.Check(); err != nil {
		return fmt.Errorf("session %s: %w", s.c.Name, err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.mu.Lock()
	if s.begun || s.closing {
		s.mu.Unlock()
		return fmt.Errorf("session %s: runs or has run: %w", s.c.Name, ErrClosed)
	}
	s.begun, s.stop = true, stop
	s.soil(errBegin)
	s.mu.Unlock()
	s.flush()

	var helpers sync.WaitGroup
	if s.c.Account != nil {
		helpers.Go(func() { s.reconciler(ctx) })
	}
	if s.c.Credentials != nil {
		helpers.Go(func() { s.renewer(ctx) })
	}
	err := s.supervise(ctx)
	stop(err)
	helpers.Wait()

	s.mu.Lock()
	if !errors.Is(err, ErrAuth) {
		s.set(Closed)
	}
	s.closing = true
	s.mu.Unlock()
	s.flush()
	s.dismiss()
	close(s.done)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}

// Close ends the session, and returns after its last goroutine has ended. It must not be called by a
// hook of the session.
func (s *Session) Close() {
	s.mu.Lock()
	s.closing = true
	begun, stop := s.begun, s.stop
	s.mu.Unlock()
	if !begun {
		s.dismiss()
		return
	}
	stop(ErrClosed)
	<-s.done
}

// dismiss lets go of the consumers.
func (s *Session) dismiss() {
	s.mu.Lock()
	consumers := s.consumers
	s.consumers = nil
	s.mu.Unlock()
	for _, c := range consumers {
		c.detach()
	}
}

// Want makes topics the set that is wanted. What is new is subscribed, what is missing unsubscribed. It
// fails, and changes nothing, if there are more than one link may hold.
func (s *Session) Want(topics ...Topic) error {
	want := make(map[Topic]struct{}, len(topics))
	bytes := 0
	for _, t := range topics {
		if _, ok := want[t]; !ok {
			bytes += size(t)
		}
		want[t] = struct{}{}
	}
	if n := s.c.Limits.Topics; n > 0 && len(want) > n {
		return fmt.Errorf("session %s: %d topics are more than the %d of a link: spread them with a Group", s.c.Name, len(want), n)
	}
	if n := s.c.Limits.LinkBytes; n > 0 && bytes > n {
		return fmt.Errorf("session %s: topics of %d bytes are more than the %d of a link: spread them with a Group", s.c.Name, bytes, n)
	}
	s.mu.Lock()
	s.want = want
	s.update(time.Now())
	active := s.active
	s.mu.Unlock()
	s.flush()
	if active != nil {
		active.wake()
	}
	s.wakeUp()
	return nil
}

// size is what a topic takes of Limits.LinkBytes.
func size(t Topic) int { return len(t.String()) + 3 }

// Attach lets c receive the events of the topics that it matches, from now on. A topic that is live
// already begins with a Live of its own.
func (s *Session) Attach(c *Consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.attach()
	if s.closing {
		c.detach()
		return
	}
	s.consumers = append(s.consumers, c)
	for t, fl := range s.flows {
		if c.Match != nil && !c.Match(t) {
			continue
		}
		fl.consumers = append(fl.consumers, c)
		if fl.live && s.active != nil {
			c.push(&Event{Kind: Live, Topic: t, At: time.Now(), Link: s.active.number})
		}
	}
}

// Reconnect asks for a new link: beside the old one, which it then replaces, or instead of it
// where a second one is impossible. It does not wait.
func (s *Session) Reconnect() {
	raise(s.turn)
}

// raise puts a token into a channel that has room for one, unless there is one.
func raise(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wakeUp lets the supervisor look again.
func (s *Session) wakeUp() {
	raise(s.poke)
}

// set changes the state.
func (s *Session) set(state State) {
	if State(s.stats.state.Swap(uint32(state))) != state {
		s.note(Change{Kind: StateChanged, State: state})
	}
}

// move changes the state when the mutex is free.
func (s *Session) move(state State) {
	s.mu.Lock()
	s.set(state)
	s.mu.Unlock()
	s.flush()
}

// update finds out how far the links are, after anything has changed.
func (s *Session) update(now time.Time) {
	l := s.active
	if l == nil || l.over {
		return
	}
	subscribed := l.authed && l.heard && l.complete()
	if subscribed && s.c.Account != nil && !l.clean && !s.reading {
		raise(s.books)
	}
	was := l.ready
	l.ready = subscribed && (s.c.Account == nil || l.clean)
	switch {
	case !l.authed:
		s.set(Auth)
	case !l.ready:
		l.stable = l.stable || was && now.Sub(l.readyAt) >= stableAfter
		s.set(Subscribing)
	default:
		if !was {
			l.readyAt = now
		}
		s.set(Ready)
	}
}

// soil makes the account dirty, unless it is.
func (s *Session) soil(why error) {
	if s.c.Account != nil && !s.dirty {
		s.dirty = true
		s.note(Change{Kind: AccountDirty, Err: why})
	}
}

// note keeps a change for the observer, to be told by flush when the mutex is free.
func (s *Session) note(c Change) {
	c.At, c.Session = time.Now(), s.c.Name
	s.notes = append(s.notes, c)
}

// tellOf is note and flush.
func (s *Session) tellOf(c Change) {
	s.mu.Lock()
	s.note(c)
	s.mu.Unlock()
	s.flush()
}

// flush tells the hooks what has changed, in order. If another goroutine is doing so it does the rest.
func (s *Session) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushing {
		return
	}
	s.flushing = true
	for len(s.notes) > 0 {
		notes := s.notes
		s.notes = nil
		s.mu.Unlock()
		for _, c := range notes {
			s.hook(c)
		}
		s.mu.Lock()
	}
	s.flushing = false
}

func (s *Session) hook(c Change) {
	switch c.Kind {
	case AccountDirty:
		s.c.Account.Dirty(c.Err)
	case AccountClean:
		s.c.Account.Clean()
	}
	if s.c.Observe != nil {
		s.c.Observe(c)
	}
}

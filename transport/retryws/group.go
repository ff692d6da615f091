package retryws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A Group spreads topics over as many sessions as they need: each has its own link, and the loss of one does
// not move the others. Make one with [NewGroup]. It is safe for concurrent use.
type Group struct {
	c     Config
	rate  func(Topic) float64
	most  int
	ended chan struct{} // closed when Run has returned

	wanting   sync.Mutex // held by Want, so that hooks of sessions may ask the group
	mu        sync.Mutex
	sessions  []*Session // nil where a link has no topics
	topics    [][]Topic
	made      int
	consumers []*Consumer
	running   context.Context // of Run; nil before
	stop      context.CancelCauseFunc
	closed    bool
	wg        sync.WaitGroup
	errs      []error
}

// NewGroup returns a group of at most most sessions with the configuration c, whose names get a number; not positive
// means no limit. rate says how busy a topic is, in any unit; nil means that all are alike.
func NewGroup(c Config, most int, rate func(Topic) float64) *Group {
	return &Group{c: c, rate: rate, most: most, ended: make(chan struct{})}
}

// Want makes topics the set that is wanted. Topics stay on their links. It fails, and changes
// nothing, if they need more links than there may be.
func (g *Group) Want(topics ...Topic) error {
	g.wanting.Lock()
	defer g.wanting.Unlock()
	for _, t := range topics {
		if n := g.c.Limits.LinkBytes; n > 0 && size(t) > n {
			return fmt.Errorf("group %s: topic %v alone is more than the %d bytes of a link", g.c.Name, t, n)
		}
	}
	g.mu.Lock()
	spread := Spread(topics, g.rate, g.c.Limits, g.topics)
	links := 0
	for _, t := range spread {
		if len(t) > 0 {
			links++
		}
	}
	if g.most > 0 && links > g.most {
		g.mu.Unlock()
		return fmt.Errorf("group %s: %d topics need %d links, and only %d are allowed", g.c.Name, len(topics), links, g.most)
	}
	var empty []*Session
	for i, t := range spread {
		if i == len(g.sessions) {
			g.sessions = append(g.sessions, nil)
		}
		if len(t) == 0 {
			if g.sessions[i] != nil {
				empty = append(empty, g.sessions[i])
				g.sessions[i] = nil
			}
			continue
		}
		if g.sessions[i] == nil {
			g.sessions[i] = g.session()
		}
	}
	g.topics = spread
	sessions := slices.Clone(g.sessions)
	g.mu.Unlock()
	for i, s := range sessions {
		if s != nil {
			s.Want(spread[i]...) // which fits
		}
	}
	for _, s := range empty {
		s.Close()
	}
	return nil
}

// session makes one, and starts it if the group runs.
func (g *Group) session() *Session {
	c := g.c
	g.made++
	c.Name = fmt.Sprintf("%s/%d", c.Name, g.made)
	s := New(c)
	for _, consumer := range g.consumers {
		s.Attach(consumer)
	}
	if g.running != nil && !g.closed {
		g.start(s)
	}
	return s
}

func (g *Group) start(s *Session) {
	ctx := g.running
	g.wg.Go(func() {
		if err := s.Run(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
			g.mu.Lock()
			g.errs = append(g.errs, err)
			g.mu.Unlock()
		}
	})
}

// Attach lets c receive the events of all sessions, also of those to come.
func (g *Group) Attach(c *Consumer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.attach() // so that it outlives each session
	if g.closed {
		c.detach()
		return
	}
	g.consumers = append(g.consumers, c)
	for _, s := range g.sessions {
		if s != nil {
			s.Attach(c)
		}
	}
}

// Run keeps the sessions running until ctx ends or Close is called, and returns after the last of their
// goroutines: nil after Close, else the cause of ctx, joined with the errors of sessions that ended by themselves. A
// group runs once.
func (g *Group) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	g.mu.Lock()
	if g.running != nil || g.closed {
		g.mu.Unlock()
		return fmt.Errorf("group %s: runs or has run: %w", g.c.Name, ErrClosed)
	}
	g.running, g.stop = ctx, stop
	for _, s := range g.sessions {
		if s != nil {
			g.start(s)
		}
	}
	g.mu.Unlock()

	<-ctx.Done()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
	for _, c := range g.consumers {
		c.detach()
	}
	close(g.ended)
	err := context.Cause(ctx)
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	return errors.Join(append([]error{err}, g.errs...)...)
}

// Close ends all sessions, and returns after the last goroutine has ended.
func (g *Group) Close() {
	g.mu.Lock()
	running, stop := g.running != nil, g.stop
	g.closed = true
	consumers := g.consumers
	g.mu.Unlock()
	if running {
		stop(ErrClosed)
		<-g.ended
		return
	}
	for _, s := range g.Sessions() {
		s.Close()
	}
	for _, c := range consumers {
		c.detach()
	}
}

// Sessions returns those with topics, for their states and counters.
func (g *Group) Sessions() []*Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.sessions), func(s *Session) bool { return s == nil })
}

package retryws

import (
	"context"
	"iter"
	"sync"
)

// DefaultQueue is what a zero Consumer.Size means.
const DefaultQueue = 1024

// An Overflow says what a full queue does with what comes next.
type Overflow uint8

// The ways.
const (
	MakeHole Overflow = iota // messages are dropped, and a Hole stands in their place: trades
	Conflate                 // only the newest message of a topic is kept: states, such as tickers and whole books
	Cut                      // the link is ended, so that what is missing is read again: private streams
)

// A Consumer receives the events of the sessions it is attached to, through a bounded queue of its
// own. Whoever is slow never slows a reader, or another consumer. Live and Broken are never lost: of
// several for one topic that do not fit the newest is kept. The zero value is ready to be attached; it
// is safe for concurrent use, and must not be copied or changed then.
type Consumer struct {
	Size     int                    // of the queue; not positive means 1,024
	Overflow Overflow               // what a full queue does
	Match    func(topic Topic) bool // what it wants; nil means everything; asked once for each topic

	mu      sync.Mutex
	ring    []Event // grows to Size
	head, n int
	debts   map[Topic]*debt // what did not fit, by topic
	debtors []Topic         // in order of their debts
	missed  uint64
	sources int
	ended   bool
	ready   chan struct{} // holds one token while there may be something to take
}

// A debt is what a topic will get when there is room: the hole, the state and the newest message.
type debt struct {
	hole, state, message Event
	has                  [3]bool
}

// Next returns the next event. It blocks until there is one, and fails with the cause of ctx, or with
// ErrClosed after the last event when all sessions have ended or the consumer is closed.
func (c *Consumer) Next(ctx context.Context) (Event, error) {
	for {
		c.mu.Lock()
		e, ok := c.pop()
		ended, ready := c.ended, c.signal()
		if ok && c.n > 0 || ended {
			c.raise()
		}
		c.mu.Unlock()
		switch {
		case ok:
			return e, nil
		case ended:
			return Event{}, ErrClosed
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// Events yields what Next returns, until it fails.
func (c *Consumer) Events(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for {
			e, err := c.Next(ctx)
			if err != nil || !yield(e) {
				return
			}
		}
	}
}

// Close ends the consumer: it takes no more events. What is in its queue can still be read.
func (c *Consumer) Close() {
	c.mu.Lock()
	c.end()
	c.mu.Unlock()
}

// Len returns how many events wait.
func (c *Consumer) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// Missed returns how many messages did not fit.
func (c *Consumer) Missed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed
}

func (c *Consumer) attach() {
	c.mu.Lock()
	c.sources++
	c.mu.Unlock()
}

// detach ends the consumer with its last session.
func (c *Consumer) detach() {
	c.mu.Lock()
	if c.sources--; c.sources == 0 {
		c.end()
	}
	c.mu.Unlock()
}

func (c *Consumer) end() {
	c.ended = true
	c.signal()
	c.raise()
}

func (c *Consumer) signal() chan struct{} {
	if c.ready == nil {
		c.ready = make(chan struct{}, 1)
	}
	return c.ready
}

func (c *Consumer) raise() {
	raise(c.ready)
}

// push takes an event, and says whether that was possible. It never blocks.
func (c *Consumer) push(e *Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return true
	}
	if c.put(e) {
		c.signal()
		c.raise()
		return true
	}
	if e.Kind == Message {
		c.missed++
		if c.Overflow == Cut {
			return false
		}
	}
	c.owe(e)
	return true
}

// put appends to the ring if there is room and nothing of the ring's is owed.
func (c *Consumer) put(e *Event) bool {
	if c.n == len(c.ring) {
		size := positive(c.Size, DefaultQueue)
		if c.n >= size {
			return false
		}
		larger := make([]Event, min(size, max(16, 2*c.n)))
		k := copy(larger, c.ring[c.head:])
		copy(larger[k:], c.ring[:c.head])
		c.ring, c.head = larger, 0
	}
	i := c.head + c.n
	if i >= len(c.ring) {
		i -= len(c.ring)
	}
	c.ring[i] = *e
	c.n++
	return true
}

func (c *Consumer) pop() (Event, bool) {
	if c.n == 0 {
		return Event{}, false
	}
	e := c.ring[c.head]
	c.ring[c.head] = Event{} // lets go of Data
	if c.head++; c.head == len(c.ring) {
		c.head = 0
	}
	c.n--
	c.pay()
	return e, true
}

// owe merges an event that did not fit into the debt of its topic.
func (c *Consumer) owe(e *Event) {
	d := c.debts[e.Topic]
	if d == nil {
		if c.debts == nil {
			c.debts = make(map[Topic]*debt)
		}
		d = &debt{}
		c.debts[e.Topic] = d
		c.debtors = append(c.debtors, e.Topic)
	}
	switch {
	case e.Kind != Message:
		d.state, d.has[1] = *e, true
		d.message, d.has[2] = Event{}, false // it was of the time before
	case c.Overflow == Conflate:
		missed := 0
		if d.has[2] {
			missed = d.message.Missed + 1
		}
		d.message, d.has[2] = *e, true
		d.message.Missed = missed
	case d.has[0]:
		d.hole.Last, d.hole.At = e.Last, e.At
		d.hole.Missed++
	default:
		d.hole, d.has[0] = *e, true
		d.hole.Kind, d.hole.Data, d.hole.Missed = Hole, nil, 1
	}
}

// pay moves what is owed into the ring, as far as there is room. Since it is called whenever an
// event leaves, nothing is owed while there is room.
func (c *Consumer) pay() {
	for len(c.debtors) > 0 {
		d := c.debts[c.debtors[0]]
		for i, e := range []*Event{&d.hole, &d.state, &d.message} {
			if d.has[i] {
				if !c.put(e) {
					return
				}
				d.has[i] = false
			}
		}
		delete(c.debts, c.debtors[0])
		c.debtors = c.debtors[1:]
	}
}

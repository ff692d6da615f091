package dashboard

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// A client is one stream. The hub fills its queue, the goroutine of its request empties it.
type client struct {
	wants    map[string]bool
	all      bool // it wants every topic
	filter   filter
	snapshot *frame // to send first
	last     uint64 // frame that the browser has, once all before it are written
	wake     chan struct{}

	mu      sync.Mutex
	queue   []*frame
	dropped uint64 // events since the last frame of events
	bye     string // why it ends
}

func newClient(names []string, f filter) *client {
	c := &client{wants: map[string]bool{}, filter: f, wake: make(chan struct{}, 1)}
	for _, n := range names {
		c.wants[n] = true
	}
	if len(names) == 0 {
		for _, t := range topics {
			c.wants[t] = true
		}
		c.wants[events], c.all = true, true
	}
	return c
}

// push queues a frame and returns how many events had to go for it.
func (c *client) push(f *frame) (lost uint64) {
	if !f.wanted(c.wants) {
		return 0
	}
	c.mu.Lock()
	c.queue = append(c.queue, f)
	if len(c.queue) > queueLimit {
		c.conflate()
		for len(c.queue) > queueLimit {
			lost += c.shed()
		}
	}
	c.mu.Unlock()
	c.poke()
	return lost
}

// conflate merges all waiting patches into the last one. States may skip what lay between.
func (c *client) conflate() {
	var merged patch
	at := -1
	rest := c.queue[:0:0]
	for _, f := range c.queue {
		if f.patch == nil {
			rest = append(rest, f)
			continue
		}
		merged = merge(merged, f.patch)
		if at >= 0 {
			rest = append(rest[:at], rest[at+1:]...)
		}
		at = len(rest)
		rest = append(rest, &frame{seq: f.seq})
	}
	if at >= 0 {
		rest[at] = patchFrame(rest[at].seq, merged)
	}
	c.queue = rest
}

// shed drops the oldest frame of events. At most one frame is not of events.
func (c *client) shed() uint64 {
	i := 0
	if c.queue[i].patch != nil {
		i = 1
	}
	n := c.queue[i].dropped + uint64(len(c.queue[i].notes))
	c.queue = append(c.queue[:i:i], c.queue[i+1:]...)
	c.dropped += n
	return n
}

func (c *client) end(why string) {
	c.mu.Lock()
	c.bye = why
	c.mu.Unlock()
	c.poke()
}

func (c *client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next takes the oldest frame, and says why the stream ends, if it does.
func (c *client) next() (f *frame, dropped uint64, bye string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return nil, 0, c.bye
	}
	f, c.queue = c.queue[0], c.queue[1:]
	if f.patch == nil {
		dropped, c.dropped = c.dropped+f.dropped, 0
	}
	return f, dropped, ""
}

// message returns a frame as the client gets it, in two parts, or nothing if none of its events match.
// The second part is shared between clients.
func (c *client) message(epoch string, f *frame, dropped uint64) (head, rest []byte) {
	head = fmt.Appendf(nil, "id: %s-%d\n", epoch, f.seq)
	from := c.last
	if f.patch != nil {
		c.last = f.seq
		return fmt.Appendf(head, `event: delta`+"\n"+`data: {"seq":%d,"from":%d,`, f.seq, from), f.state(c)
	}
	b := fmt.Appendf(head, `event: events`+"\n"+`data: {"seq":%d,"from":%d,"dropped":%d,"items":[`, f.seq, from, dropped)
	n := 0
	for i := range f.notes {
		if c.filter.match(&f.notes[i].Note) {
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = append(b, f.notes[i].raw...)
		}
	}
	if n == 0 && dropped == 0 {
		return nil, nil
	}
	c.last = f.seq
	return append(b, "]}\n\n"...), nil
}

// hello and snapshot are what a client gets first.
func (c *client) hello(h *hub, interval, heartbeat int64, server string) []byte {
	name, _ := json.Marshal(server) // text
	return fmt.Appendf(nil, "retry: 2000\nevent: hello\ndata: {\"epoch\":%s,\"seq\":%d,\"interval_ms\":%d,\"heartbeat_ms\":%d,\"server\":%s}\n\n",
		strconv.Quote(h.epoch), c.last, interval, heartbeat, name)
}

func (c *client) whole(epoch string) (head, rest []byte) {
	if c.snapshot == nil {
		return nil, nil
	}
	head = fmt.Appendf(nil, "id: %s-%d\nevent: snapshot\ndata: {\"seq\":%d,", epoch, c.snapshot.seq, c.snapshot.seq)
	rest = c.snapshot.state(c)
	c.snapshot = nil
	return head, rest
}

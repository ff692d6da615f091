package dashboard

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/relent-go/relent/control"
)

const (
	ringFrames = 256  // that a client may have missed
	ringNotes  = 2000 // events that are kept
	burst      = 500  // most events of one frame
	maxClients = 64
	queueLimit = 64 // frames that wait for one client
)

// Stats are the streams that are open, and the events that were dropped for them.
type Stats struct {
	Clients int    `json:"clients"`
	Dropped uint64 `json:"dropped"`
}

// A hub numbers the frames, keeps the last ones, and hands them to the clients.
type hub struct {
	epoch string

	mu       sync.Mutex
	seq      uint64
	state    state
	snapshot *frame // of state, made when somebody asks
	ring     []*frame
	notes    []note
	waiting  []note // for the next frame
	shed     uint64 // since the last frame
	dropped  uint64
	clients  map[*client]struct{}
	closed   string // why, once it is
}

func newHub(epoch string) *hub {
	return &hub{epoch: epoch, state: state{}, clients: map[*client]struct{}{}}
}

// update publishes what changed.
func (h *hub) update(next state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := diff(h.state, next)
	h.state = next
	if len(p) > 0 {
		h.snapshot = nil
		h.seq++
		h.publish(patchFrame(h.seq, p))
	}
}

// tell keeps events for the next frame. When they are too many, the oldest go.
func (h *hub) tell(notes []control.Note, dropped uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shed += dropped
	for _, n := range notes {
		e := noteOf(n)
		h.notes, _ = keep(h.notes, e, ringNotes)
		var lost int
		h.waiting, lost = keep(h.waiting, e, burst)
		h.shed += uint64(lost)
	}
}

// keep appends an event, and returns how many went for it: when there are too many the oldest tenth
// goes at once, so that not every event moves all others.
func keep(notes []note, n note, most int) ([]note, int) {
	lost := 0
	if len(notes) >= most {
		lost = most / 10
		notes = slices.Delete(notes, 0, lost)
	}
	return append(notes, n), lost
}

// flush publishes the events that wait.
func (h *hub) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return
	}
	h.seq++
	h.dropped += h.shed
	h.publish(&frame{seq: h.seq, notes: h.waiting, dropped: h.shed})
	h.waiting, h.shed = nil, 0
}

// publish hands a frame to all clients. It never waits for one. The caller holds mu.
func (h *hub) publish(f *frame) {
	if len(h.ring) == ringFrames {
		h.ring = append(h.ring[:0:0], h.ring[1:]...)
	}
	h.ring = append(h.ring, f)
	for c := range h.clients {
		h.dropped += c.push(f)
	}
}

// join registers a client and gives it what it missed: the frames after the last one it had if they
// are still there, else the whole state and the last events. It reports why not, if not.
func (h *hub) join(c *client, epoch string, last uint64) (why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed != "" {
		return h.closed
	}
	if len(h.clients) >= maxClients {
		return "too many clients"
	}
	c.last = h.seq
	if epoch == h.epoch && last <= h.seq && h.seq-last < uint64(len(h.ring)+1) {
		c.last = last
		for _, f := range h.ring[len(h.ring)-int(h.seq-last):] {
			h.dropped += c.push(f)
		}
	} else {
		if h.snapshot == nil {
			h.snapshot = patchFrame(h.seq, patch(h.state))
		}
		c.snapshot = h.snapshot
		if notes := c.filter.last(h.notes, burst); len(notes) > 0 && c.wants[events] {
			c.push(&frame{seq: h.seq, notes: notes})
		}
	}
	h.clients[c] = struct{}{}
	return ""
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// end says good-bye to all clients and takes no more.
func (h *hub) end(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = why
	for c := range h.clients {
		c.end(why)
	}
}

func (h *hub) stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{len(h.clients), h.dropped + h.shed}
}

// recent returns the last events that a filter selects, oldest first.
func (h *hub) recent(f filter, most int) []json.RawMessage {
	h.mu.Lock()
	defer h.mu.Unlock()
	raw := []json.RawMessage{}
	for _, n := range f.last(h.notes, most) {
		raw = append(raw, n.raw)
	}
	return raw
}

// last returns the newest events that match, oldest first.
func (f filter) last(notes []note, most int) (found []note) {
	for i := len(notes) - 1; i >= 0 && len(found) < most; i-- {
		if f.match(&notes[i].Note) {
			found = append(found, notes[i])
		}
	}
	slices.Reverse(found)
	return found
}

package dashboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
)

// A page is what a browser does with frames.
type page struct {
	t       *testing.T
	seq     uint64
	topics  map[string]map[string]any
	notes   []uint64
	dropped uint64
}

func (p *page) take(message string) {
	p.t.Helper()
	for block := range strings.SplitSeq(strings.TrimSpace(message), "\n\n") {
		fields := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			k, v, _ := strings.Cut(line, ": ")
			fields[k] = v
		}
		var d struct {
			Seq, From, Dropped uint64
			Topics             map[string]map[string]any
			Items              []struct{ Seq uint64 }
		}
		if err := json.Unmarshal([]byte(fields["data"]), &d); err != nil {
			p.t.Fatalf("%v in %q", err, block)
		}
		if _, n, _ := strings.Cut(fields["id"], "-"); fields["event"] != "hello" && n != strconv.FormatUint(d.Seq, 10) {
			p.t.Fatalf("id %s of frame %d", fields["id"], d.Seq)
		}
		switch fields["event"] {
		case "hello":
		case "snapshot":
			p.topics, p.seq = d.Topics, d.Seq
		default:
			if d.From != p.seq {
				p.t.Fatalf("frame %d follows %d, and the page has %d", d.Seq, d.From, p.seq)
			}
			p.seq = d.Seq
			for topic, values := range d.Topics {
				if p.topics[topic] == nil {
					p.topics[topic] = map[string]any{}
				}
				for k, v := range values {
					if v == nil {
						delete(p.topics[topic], k)
					} else {
						p.topics[topic][k] = v
					}
				}
			}
			for _, n := range d.Items {
				p.notes = append(p.notes, n.Seq)
			}
			p.dropped += d.Dropped
		}
	}
}

// drain gives a page all that waits for it.
func (p *page) drain(h *hub, c *client) {
	p.t.Helper()
	if head, rest := c.whole(h.epoch); head != nil {
		p.take(string(head) + string(rest))
	}
	for {
		f, dropped, _ := c.next()
		if f == nil {
			return
		}
		if head, rest := c.message(h.epoch, f, dropped); head != nil {
			p.take(string(head) + string(rest))
		}
	}
}

func stateOf(topics map[string]map[string]int) state {
	s := state{}
	for t, values := range topics {
		s[t] = map[string]json.RawMessage{}
		for k, v := range values {
			s[t][k] = fmt.Append(nil, v)
		}
	}
	return s
}

func plain(s state) map[string]map[string]any {
	out := map[string]map[string]any{}
	for t, values := range s {
		out[t] = map[string]any{}
		for k, v := range values {
			n, _ := strconv.Atoi(string(v))
			out[t][k] = float64(n)
		}
	}
	return out
}

// However fast or slow a page is, and whenever it joins or reconnects, it ends with the state of the
// hub, and with every event once or counted as dropped.
func TestPagesAgreeWithTheHub(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := newHub("e")
		now := map[string]map[string]int{"policies": {}, "budgets": {}}
		p := &page{t: t, topics: map[string]map[string]any{}}
		var c *client
		var told, told0 uint64
		for range 400 {
			switch rng.IntN(8) {
			case 0, 1, 2:
				topic := []string{"policies", "budgets"}[rng.IntN(2)]
				next := maps.Clone(now[topic])
				if k := fmt.Sprint(rng.IntN(9)); rng.IntN(3) == 0 {
					delete(next, k)
				} else {
					next[k] = rng.IntN(100)
				}
				now[topic] = next
				h.update(stateOf(now))
			case 3, 4, 5:
				told++
				h.tell([]control.Note{{Seq: told}}, 0)
				h.flush()
			case 6:
				if c != nil && rng.IntN(4) == 0 {
					p.drain(h, c)
				}
			case 7:
				if rng.IntN(12) > 0 {
					break
				}
				if c != nil { // the connection breaks, with what was on its way
					h.leave(c)
				}
				c = newClient(nil, nil)
				seq := p.seq
				if why := h.join(c, "e", seq); why != "" {
					t.Fatal(why)
				}
				if told0 == 0 {
					told0 = told + 1
				}
			}
		}
		if c == nil {
			continue
		}
		p.drain(h, c)
		if want := plain(h.state); !reflect.DeepEqual(p.topics, want) && len(p.topics) > 0 {
			t.Fatalf("seed %d: the page has %v; the hub %v", seed, p.topics, want)
		}
		for i := 1; i < len(p.notes); i++ {
			if p.notes[i] <= p.notes[i-1] && p.notes[i] > told0 {
				t.Logf("seed %d: event %d came after %d", seed, p.notes[i], p.notes[i-1]) // after a snapshot: the page leaves out what it has
				break
			}
		}
	}
}

// A client that reads nothing costs one state and at most 64 frames; the rest is counted.
func TestSlowClient(t *testing.T) {
	h := newHub("e")
	c := newClient(nil, nil)
	h.join(c, "", 0)
	for i := range 1000 {
		h.update(stateOf(map[string]map[string]int{"policies": {"a": i, fmt.Sprint(i % 7): i}}))
		h.tell([]control.Note{{Seq: uint64(i)}}, 0)
		h.flush()
	}
	if len(c.queue) > queueLimit {
		t.Fatalf("%d frames wait; want at most %d", len(c.queue), queueLimit)
	}
	p := &page{t: t, topics: map[string]map[string]any{}}
	p.drain(h, c)
	if want := plain(h.state); !reflect.DeepEqual(p.topics, want) {
		t.Errorf("the page has %v; want %v", p.topics, want)
	}
	if uint64(len(p.notes))+p.dropped != 1000 || p.dropped == 0 || h.stats().Dropped != p.dropped {
		t.Errorf("%d events came, %d are said to be dropped, %d in all; want 1000 together", len(p.notes), p.dropped, h.stats().Dropped)
	}
	if p.notes[len(p.notes)-1] != 999 {
		t.Errorf("the last event is %d; want the newest kept", p.notes[len(p.notes)-1])
	}
}

// Only events wait: the oldest go first.
func TestSlowClientOfEvents(t *testing.T) {
	h := newHub("e")
	c := newClient([]string{events}, nil)
	h.join(c, "", 0)
	h.update(stateOf(map[string]map[string]int{"policies": {"a": 1}}))
	for i := range 100 {
		h.tell([]control.Note{{Seq: uint64(i)}}, 0)
		h.flush()
	}
	p := &page{t: t, topics: map[string]map[string]any{}}
	p.drain(h, c)
	if len(p.notes) != queueLimit || p.dropped != 100-queueLimit || len(p.topics["policies"]) > 0 {
		t.Errorf("%d events, %d dropped, topics %v", len(p.notes), p.dropped, p.topics)
	}
}

// A state waits before many events: it stays, the oldest events go.
func TestSlowClientKeepsTheState(t *testing.T) {
	h := newHub("e")
	c := newClient(nil, nil)
	h.join(c, "", 0)
	h.update(stateOf(map[string]map[string]int{"policies": {"a": 1}}))
	for i := range 100 {
		h.tell([]control.Note{{Seq: uint64(i)}}, 0)
		h.flush()
	}
	p := &page{t: t, topics: map[string]map[string]any{}}
	p.drain(h, c)
	if p.topics["policies"]["a"] != 1.0 || len(p.notes) != queueLimit-1 || p.dropped != 100-queueLimit+1 {
		t.Errorf("topics %v, %d events, %d dropped", p.topics, len(p.notes), p.dropped)
	}
}

func TestReplay(t *testing.T) {
	h := newHub("e")
	h.update(stateOf(map[string]map[string]int{"policies": {"a": 1}}))
	for i := range 300 {
		h.update(stateOf(map[string]map[string]int{"policies": {"a": i + 2}}))
	}
	for _, test := range []struct {
		epoch  string
		last   uint64
		replay int // frames, -1 for a snapshot
	}{{"e", 301, 0}, {"e", 300, 1}, {"e", 301 - ringFrames, 1}, {"e", 301 - ringFrames - 1, -1}, {"e", 302, -1}, {"other", 300, -1}, {"", 0, -1}} {
		c := newClient(nil, nil)
		h.join(c, test.epoch, test.last)
		got := len(c.queue)
		if c.snapshot != nil {
			got = -1
		}
		if test.last == 301-ringFrames && test.epoch == "e" { // 256 missed frames of state are one
			got = len(c.queue[:1])
		}
		if got != test.replay {
			t.Errorf("after %s-%d: %d frames; want %d", test.epoch, test.last, got, test.replay)
		}
	}
}

// What comes faster than a browser could show is shed before it is sent, and counted.
func TestBurst(t *testing.T) {
	h := newHub("e")
	c := newClient(nil, parseFilter("kind:x"))
	h.join(c, "", 0)
	for i := range 5000 {
		h.tell([]control.Note{{Seq: uint64(i), Kind: "x"}}, 1)
	}
	h.flush()
	h.flush() // nothing more
	p := &page{t: t, topics: map[string]map[string]any{}}
	p.drain(h, c)
	if len(p.notes) > burst || uint64(len(p.notes))+p.dropped != 10_000 {
		t.Errorf("%d events, %d dropped; want 10000 together, at most %d shown", len(p.notes), p.dropped, burst)
	}
	if got := len(h.recent(nil, 9999)); got > ringNotes {
		t.Errorf("%d events are kept; want at most %d", got, ringNotes)
	}
	late := newClient(nil, parseFilter("kind:x"))
	h.join(late, "", 0)
	if len(late.queue) != 1 || len(late.queue[0].notes) != burst {
		t.Errorf("who joins later gets %d frames; want one with the last events", len(late.queue))
	}
	other := newClient(nil, parseFilter("kind:y"))
	h.join(other, "", 0)
	h.tell([]control.Note{{Seq: 1, Kind: "x"}}, 0)
	h.flush()
	f, dropped, _ := other.next()
	if b, _ := other.message("e", f, dropped); b != nil {
		t.Errorf("a frame without a matching event is sent: %s", b)
	}
}

func TestClientsAreLimited(t *testing.T) {
	h := newHub("e")
	for i := range maxClients {
		if why := h.join(newClient(nil, nil), "", 0); why != "" {
			t.Fatalf("client %d: %s", i, why)
		}
	}
	if why := h.join(newClient(nil, nil), "", 0); why != "too many clients" {
		t.Errorf("one too many: %q", why)
	}
	h.end("bye now")
	if why := h.join(newClient(nil, nil), "", 0); why != "bye now" {
		t.Errorf("after the end: %q", why)
	}
}

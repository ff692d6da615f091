package breaker

import "time"

// A Delta is what one process counted in one bucket, so far. Deltas are cumulative and are merged by the larger
// number (a G-counter: Shapiro et al., "Conflict-free replicated data types", 2011), so they may be lost, repeated and
// reordered. They carry no time: their age is when they came.
type Delta struct {
	Key         string `json:"key"`         // Name of the breaker
	Node        string `json:"node"`        // the process
	Incarnation uint64 `json:"incarnation"` // of the process: larger after each of its starts
	Bucket      uint64 `json:"bucket"`      // counts up, from anywhere
	Counts
}

const (
	mostPeers = 256
	mostName  = 256     // bytes of a Node
	mostCount = 1 << 48 // of a kind in one bucket, so that sums do not overflow
)

// Deltas returns what b counted in each bucket of the window, in the name of a process, for others to
// [Breaker.Merge]. Send it as often as there is news, best each second; sending too much does no harm.
func (b *Breaker) Deltas(node string, incarnation uint64) []Delta {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	b.peers.self = node
	if h.load() == 0 {
		return nil
	}
	var deltas []Delta
	first, last := h.span(h.seen())
	for t := max(first, 1); t <= last; t++ {
		n := h.sum(t, t)
		n.Refused = 0
		if n.Total() > 0 {
			deltas = append(deltas, Delta{b.Name, node, incarnation, uint64(t), n})
		}
	}
	return deltas
}

// Merge takes in what other processes counted. at is when it came, by this process's own clock, and now if it is ahead of that; the
// zero time means the time of the last attempt seen, and that nothing is taken in before the first. What is about another key, from this process itself, older than the window of its sender, or
// in a name of more than 256 bytes is left out, and so are new processes beyond the 256th.
//
// What others saw can halve the number of samples that b needs, and a quorum of them can make it throttle, or open if
// Rules.QuorumOpen says so. It can never make b less careful; nor does silence.
func (b *Breaker) Merge(at time.Time, deltas ...Delta) {
	at = notAhead(at)
	u := b.draw()
	h := &b.health
	h.mu.Lock()
	defer b.unlock()
	if !b.prepare(at, Closed) {
		return
	}
	ns := h.see(h.since(at))
	for _, d := range deltas {
		if d.Key == b.Name && d.Node != b.peers.self && len(d.Node) <= mostName {
			b.peers.merge(d, ns, int64(h.limits.Window))
		}
	}
	b.pass(ns, u)
	if soft(b.own()) {
		b.decide(ns, u)
	}
}

// Peers returns what the other processes counted in the window, as it is known here.
func (b *Breaker) Peers() map[string]Counts {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	m := make(map[string]Counts)
	if h.load() == 0 {
		return m
	}
	for name, p := range b.peers.known {
		if n := p.fresh(h.seen() - int64(h.limits.Window)); n != (Counts{}) {
			m[name] = n
		}
	}
	return m
}

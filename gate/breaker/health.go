package breaker

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Health is what is known of one dependency: its attempts of the last seconds, each counted once, and the detectors of
// change. Budgets, limits, hedges and dashboards read it. Every [Breaker] fills one of its own, see
// [Breaker.Health]; elsewhere a [Feed] does.
//
// The zero value is ready. A Health must not be copied; it is safe for concurrent use. Reads are as of the last attempt
// that it saw: it never looks at a clock.
type Health struct {
	Rules Rules // of a Health without a breaker; not to be modified once in use

	_ [64]byte // what follows is read by every attempt, and seldom written

	word   atomic.Uint64           // see word
	parent atomic.Pointer[Breaker] // in a Tree
	edge   atomic.Int64            // the end of the present bucket, in ns since epoch
	tick   atomic.Int64            // its number, from 1
	epoch  time.Time               // the first time seen; constant while the word passes
	counters
	limits  limits
	recent  *recent      // nil without Rules.Calls
	streak  atomic.Int32 // failures in a row
	lagging atomic.Bool  // latency has risen
	owned   atomic.Bool  // by a breaker

	_ [64]byte

	mu       sync.Mutex
	latest   int64   // the latest time seen
	from     int64   // the bucket in which the window began anew
	base     Counts  // of that bucket, before
	shed     uint64  // refused by h itself in that bucket, before
	latency  latency // durations
	children atomic.Pointer[[]*Breaker]
	cache    cache
}

// load returns the present word, 0 before the first attempt.
func (h *Health) load() word { return word(h.word.Load()) }

// prepare makes h ready in state s and under the number n, unless it is, and says whether it is now. An attempt without a
// time does not begin anything. The lock is held.
func (h *Health) prepare(r Rules, at time.Time, n int, s State) bool {
	w := h.load()
	if h.epoch.IsZero() && !w.passes() {
		h.epoch = at
	}
	if w != 0 || at.IsZero() && s == Closed {
		return w != 0
	}
	h.limits = r.limits()
	h.shards = make([]shard, lanes())
	if n := h.limits.Calls; n > 0 {
		h.recent = &recent{outcomes: make([]atomic.Uint32, n)}
	}
	h.tick.Store(1)
	h.edge.Store(h.limits.width)
	w = word(n) << numberShift
	if h.limits.Latency || h.limits.SlowAfter > 0 || h.recent != nil {
		w |= watched
	}
	h.word.Store(uint64(w.with(s)))
	return true
}

// since is a time in ns since epoch: never negative, and 0 for the zero time. A century is as good as for ever, and leaves
// room for arithmetic.
func (h *Health) since(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return min(max(0, int64(t.Sub(h.epoch))), 1<<61)
}

// see returns ns, or the latest time seen if that is later. The lock is held.
func (h *Health) see(ns int64) int64 {
	h.latest = max(h.latest, ns, h.edge.Load()-h.limits.width)
	return h.latest
}

// seen returns the latest time that h or anything below it has seen. The lock is held.
func (h *Health) seen() int64 {
	ns := h.see(0)
	for _, c := range h.below() {
		ns = max(ns, c.health.reached())
	}
	return ns
}

// reached is seen to the precision of a bucket, without a lock.
func (h *Health) reached() int64 {
	if h.load() == 0 {
		return 0
	}
	ns := h.edge.Load() - h.limits.width
	for _, c := range h.below() {
		ns = max(ns, c.health.reached())
	}
	return ns
}

// advance goes on to the bucket of ns. Several may do so at once; the number moves before the edge, so that nobody counts
// in a bucket that is over.
func (h *Health) advance(ns int64) {
	for edge := h.edge.Load(); ns >= edge; edge = h.edge.Load() {
		tick := ns/h.limits.width + 1
		for t := h.tick.Load(); t < tick && !h.tick.CompareAndSwap(t, tick); t = h.tick.Load() {
		}
		h.edge.CompareAndSwap(edge, tick*h.limits.width)
	}
}

// record counts one attempt.
func (h *Health) record(k kind, lane uint32, ns int64) {
	h.advance(ns)
	h.count(k, lane, h.tick.Load())
	if h.recent != nil && k != refused {
		h.recent.put(k)
	}
}

// relax lowers the CUSUM by a success, as long as every attempt passes, and says whether it did.
func (h *Health) relax() bool {
	for {
		w := h.load()
		s := w.score()
		if !w.passes() {
			return false
		}
		if s == 0 || h.word.CompareAndSwap(uint64(w), uint64(w.scored(max(0, s-h.limits.down)))) {
			return true
		}
	}
}

// step moves the CUSUM by one outcome and returns the new word. The lock is held, so that no transition comes between, but
// relax may.
func (h *Health) step(k kind) word {
	for {
		w := h.load()
		s := max(0, w.score()-h.limits.down)
		if k.failure() {
			s = min(w.score()+h.limits.up, scoreCap)
		}
		if n := w.scored(s); h.word.CompareAndSwap(uint64(w), uint64(n)) {
			return n
		}
	}
}

// sum returns what h and its children counted in the buckets from first to last.
func (h *Health) sum(first, last int64) Counts {
	if h.load() == 0 {
		return Counts{}
	}
	n := h.window(first, last)
	for _, c := range h.below() {
		n = n.plus(c.health.sum(first, last))
	}
	return n
}

// below returns the children in the tree.
func (h *Health) below() []*Breaker {
	if c := h.children.Load(); c != nil {
		return *c
	}
	return nil
}

// span returns the first and the last bucket of the window at ns.
func (h *Health) span(ns int64) (first, last int64) {
	last = max(h.tick.Load(), ns/h.limits.width+1)
	return last - buckets + 1, last
}

// totals returns the counts of the window at ns. The lock is held.
func (h *Health) totals(ns int64) Counts {
	first, last := h.span(ns)
	if h.recent != nil && h.below() == nil {
		n := h.recent.counts()
		n.Refused = h.window(first, last).Refused
		return n
	}
	if n, ok := h.cache.get(h, ns); ok {
		return n
	}
	n := h.sum(max(first, h.from), last)
	if h.from >= first {
		n = n.minus(h.base)
	}
	h.cache.put(n, ns)
	return n
}

// refusals returns how many attempts of the window at ns h refused itself, not those below. The lock is held.
func (h *Health) refusals(ns int64) uint64 {
	first, last := h.span(ns)
	n := h.window(max(first, h.from), last).Refused
	if h.from >= first {
		n -= min(n, h.shed)
	}
	return n
}

// clear begins the window anew. The counters stay as they are: others have merged them. The lock is held.
func (h *Health) clear(ns int64) {
	h.advance(ns)
	h.from = h.tick.Load()
	h.base = h.sum(h.from, h.from)
	h.shed = h.bucket(h.from).Refused
	h.cache = cache{}
	if h.recent != nil {
		h.recent.clear()
	}
}

// Counts returns the attempts of the window, as of the last attempt seen.
func (h *Health) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.load() == 0 {
		return Counts{}
	}
	return h.totals(h.seen())
}

// CUSUM returns the value of the error detector, from 0 to 20. It suspects at 7 and acts at 10.
func (h *Health) CUSUM() float64 {
	if s := h.load().score(); s > 1 { // 1 is a mark of classic rules
		return float64(s) / micro
	}
	return 0
}

// Lagging says that latency has risen. It is false without Rules.Latency.
func (h *Health) Lagging() bool { return h.lagging.Load() }

// Suspect says that the dependency may be failing: its CUSUM is at 7 or above, its latency has risen, or its own breaker
// is in any state but Closed and ForcedClosed. It is one or two atomic loads.
func (h *Health) Suspect() bool {
	w := h.load()
	return w != 0 && (w.state().Degraded() || w.state() == Closed && w.score() >= suspectAt || h.Lagging())
}

// A cache keeps the sum over many children for a hundredth of a bucket: a storm of failures shall not pay for reading
// thousands of counters each time. Few children are read afresh.
type cache struct {
	counts Counts
	at     int64
	valid  bool
}

const many = 16 // children

func (c *cache) get(h *Health, ns int64) (Counts, bool) {
	return c.counts, c.valid && len(h.below()) > many && ns-c.at < h.limits.width/100
}

func (c *cache) put(n Counts, ns int64) { *c = cache{n, ns, true} }

package breaker

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultMaxKeys is how many breakers a [Tree] has at most unless it says otherwise; Overflow is the name of the breaker for
// whatever is beyond that.
const (
	DefaultMaxKeys = 1000
	Overflow       = "overflow"

	mostKeys = 1<<(64-numberShift) - 2
)

// A Tree is a family of breakers for what can fail separately within something that can fail as a whole: operations
// within a venue, shards within an operation.
//
//	venues := &breaker.Tree{}
//	gate := venues.Gate("binance", "orders", "BTC") // once, when the policy is made
//
// An attempt through a gate counts for it and for the groups above it, "binance/orders" and "binance". It passes only if all of
// these let it. A group leaves Closed only if its own evidence says so and enough of its children with traffic are bad themselves (see
// Rules.MinBad): one bad shard closes that shard, and not the service. Nothing is above the first name.
//
// The zero value is ready. A Tree must not be copied; its fields must not be changed once it is in use. It is safe
// for concurrent use.
type Tree struct {
	Rules    Rules                         // of all breakers; Calls, SlowAfter and Latency are for gates only
	MaxKeys  int                           // gates and groups: up to 65 534; not positive means 1000
	Rand     func() float64                // as in Breaker
	OnChange func(Change)                  // as in Breaker, but for all of them: safe for concurrent use
	OnRefuse func(context.Context, *Error) // as in Breaker

	mu     sync.RWMutex
	gates  map[string]*Breaker
	groups map[string]*Breaker
	names  map[string]*Breaker // gates by operation
	all    []*Breaker          // by number, from 1; the one for the overflow last
	over   *Breaker
	clock  sync.Mutex
	epoch  time.Time // guarded by clock: that of all breakers, so that their buckets are the same
}

// Gate returns the gate for a path, such as "binance", "orders", "BTC"; or "binance/orders/BTC", which is the same. It is a
// breaker like any other, and always the same one. When the tree is full, it is one gate for all further
// paths, named [Overflow], with nothing above it.
//
// A gate is looked up once. Through it, an attempt costs what it costs through a single breaker, and an atomic load for each
// group above.
func (t *Tree) Gate(path ...string) *Breaker {
	key := strings.Join(path, "/")
	t.mu.RLock()
	b := t.gates[key]
	t.mu.RUnlock()
	if b != nil {
		return b
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gates[key] == nil { // still
		need := 1
		for k := key; ; need++ {
			i := strings.LastIndexByte(k, '/')
			if i < 0 || t.groups[k[:i]] != nil {
				break
			}
			k = k[:i]
		}
		if len(t.all)+need > t.most() {
			return t.overflow()
		}
		b := t.add(key, false)
		t.gates[key] = b
		t.hang(b, t.groupOf(key))
	}
	return t.gates[key]
}

// Named returns the gate for the name of an operation, as [Tree.Gate] does for its path: "binance.place_order" is
// "binance/place_order".
func (t *Tree) Named(operation string) *Breaker {
	t.mu.RLock()
	b := t.names[operation]
	t.mu.RUnlock()
	if b != nil {
		return b
	}
	b = t.Gate(strings.ReplaceAll(operation, ".", "/"))
	if b.Name != Overflow {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.names[operation] = b
	}
	return b
}

// Group returns the breaker of all that is below a path, for people to look at and to override. It is no gate: attempts
// go through gates. When the tree is full, it is nil unless it exists.
func (t *Tree) Group(path ...string) *Breaker {
	key := strings.Join(path, "/")
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[key]; g != nil || len(t.all)+1+strings.Count(key, "/") > t.most() {
		return g
	}
	return t.group(key)
}

// All returns the breakers by name, groups before gates of the same name.
func (t *Tree) All() iter.Seq2[string, *Breaker] {
	return func(yield func(string, *Breaker) bool) {
		t.mu.RLock()
		all := slices.Clone(t.all)
		t.mu.RUnlock()
		slices.SortStableFunc(all, func(a, b *Breaker) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(rank(a), rank(b)))
		})
		for _, b := range all {
			if !yield(b.Name, b) {
				return
			}
		}
	}
}

func rank(b *Breaker) int {
	if b.inner {
		return 0
	}
	return 1
}

// numbered returns the breaker with a number, nil if there is none.
func (t *Tree) numbered(n int) *Breaker {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if n < 1 || n > len(t.all) {
		return nil
	}
	return t.all[n-1]
}

// begin says when time began: at the first time that any breaker saw.
func (t *Tree) begin(at time.Time) time.Time {
	t.clock.Lock()
	defer t.clock.Unlock()
	if t.epoch.IsZero() {
		t.epoch = at
	}
	return t.epoch
}

func (t *Tree) most() int {
	if t.MaxKeys <= 0 {
		return DefaultMaxKeys
	}
	return min(t.MaxKeys, mostKeys)
}

// add makes a breaker. The lock is held, as by all that follow.
func (t *Tree) add(name string, inner bool) *Breaker {
	if t.gates == nil {
		t.gates, t.groups, t.names = make(map[string]*Breaker), make(map[string]*Breaker), make(map[string]*Breaker)
	}
	b := &Breaker{Name: name, Rules: t.Rules, Rand: t.Rand, OnChange: t.OnChange, OnRefuse: t.OnRefuse}
	b.tree, b.number, b.inner = t, len(t.all)+1, inner
	t.all = append(t.all, b)
	return b
}

func (t *Tree) overflow() *Breaker {
	if t.over == nil {
		t.over = t.add(Overflow, false)
	}
	return t.over
}

// groupOf returns the group that a gate or group of this name hangs in, nil for none: its own for a gate that
// has one.
func (t *Tree) groupOf(key string) *Breaker {
	if g := t.groups[key]; g != nil {
		return g
	}
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return t.group(key[:i])
	}
	return nil
}

// group returns a group, new or not. A gate of that name moves into it.
func (t *Tree) group(key string) *Breaker {
	if g := t.groups[key]; g != nil {
		return g
	}
	above := t.groupOf(key)
	g := t.add(key, true)
	t.groups[key] = g
	t.hang(g, above)
	if b := t.gates[key]; b != nil {
		if above != nil {
			children := slices.DeleteFunc(slices.Clone(above.health.below()), func(c *Breaker) bool { return c == b })
			above.health.children.Store(&children)
		}
		t.hang(b, g)
	}
	return g
}

// hang makes b a child of g. Those who read the children see a list that only grows, so appending is safe.
func (t *Tree) hang(b, g *Breaker) {
	if g == nil {
		return
	}
	children := append(g.health.below(), b)
	g.health.children.Store(&children)
	b.health.parent.Store(g)
}

package inference

// An lru keeps what was used last, bounded by number and by size. It is not safe for concurrent use. The bounds are given with
// each put, so that the zero value is ready.
type lru[K comparable, V any] struct {
	nodes   map[K]*node[K, V]
	ring    node[K, V] // ring.next was used last, ring.prev will be dropped first
	size    int64
	evicted uint64
}

type node[K comparable, V any] struct {
	next, prev *node[K, V]
	key        K
	value      V
	size       int64
}

// get returns what was put under k, and counts as use of it. It is the lru's: it may be changed, but not kept.
func (l *lru[K, V]) get(k K) *V {
	n := l.nodes[k]
	if n == nil {
		return nil
	}
	n.unlink()
	l.link(n)
	return &n.value
}

// put keeps v, and drops what was not used for longest until there are at most entries with at most bytes in all. What
// is larger than that is not kept.
func (l *lru[K, V]) put(k K, v V, size int64, entries int, bytes int64) {
	l.drop(k)
	if size > bytes || entries < 1 {
		return
	}
	if l.nodes == nil {
		l.nodes = map[K]*node[K, V]{}
		l.ring.next, l.ring.prev = &l.ring, &l.ring
	}
	for len(l.nodes) >= entries || l.size > bytes-size {
		l.drop(l.ring.prev.key)
		l.evicted++
	}
	n := &node[K, V]{key: k, value: v, size: size}
	l.nodes[k] = n
	l.size += size
	l.link(n)
}

func (l *lru[K, V]) drop(k K) {
	if n := l.nodes[k]; n != nil {
		n.unlink()
		delete(l.nodes, k)
		l.size -= n.size
	}
}

func (l *lru[K, V]) clear() { l.nodes, l.size = nil, 0 }

func (l *lru[K, V]) link(n *node[K, V]) {
	n.prev, n.next = &l.ring, l.ring.next
	n.prev.next, n.next.prev = n, n
}

func (n *node[K, V]) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

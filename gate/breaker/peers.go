package breaker

// peers are the other processes' counts.
type peers struct {
	self  string
	known map[string]*peer
}

// A peer is one other process, in its latest incarnation.
type peer struct {
	incarnation uint64
	newest      uint64 // bucket
	heard       int64  // when it last said something new
	buckets     map[uint64]heard
}

type heard struct {
	counts Counts
	at     int64 // when they last grew
}

// merge takes in a delta that came at ns.
func (p *peers) merge(d Delta, ns, window int64) {
	q := p.known[d.Node]
	if q == nil || d.Incarnation > q.incarnation {
		if q == nil && len(p.known) >= mostPeers && !p.forget(ns-window) {
			return
		}
		q = &peer{incarnation: d.Incarnation, newest: d.Bucket, buckets: make(map[uint64]heard)}
		if p.known == nil {
			p.known = make(map[string]*peer)
		}
		p.known[d.Node] = q
	}
	if d.Incarnation < q.incarnation {
		return
	}
	if q.newest = max(q.newest, d.Bucket); q.newest-d.Bucket >= buckets {
		return
	}
	for n := range q.buckets {
		if q.newest-n >= buckets {
			delete(q.buckets, n)
		}
	}
	d.Refused = 0
	old := q.buckets[d.Bucket].counts
	if n := old.atLeast(d.Counts.atMost(mostCount)); n != old {
		q.buckets[d.Bucket] = heard{n, ns}
		q.heard = ns
	}
}

// forget makes room by dropping a process that was last heard before ns, if there is one.
func (p *peers) forget(ns int64) bool {
	for name, q := range p.known {
		if q.heard < ns {
			delete(p.known, name)
			return true
		}
	}
	return false
}

// fresh returns what came after ns.
func (q *peer) fresh(ns int64) Counts {
	var n Counts
	for _, h := range q.buckets {
		if h.at > ns {
			n = n.plus(h.counts)
		}
	}
	return n
}

// votes counts the processes whose fresh evidence would open b, had it seen that itself. What came before b last opened
// or probed is out of date. The lock of b is held.
func (p *peers) votes(b *Breaker, ns int64) int {
	l := &b.health.limits
	if len(p.known) == 0 || l.Quorum == 0 {
		return 0
	}
	after := ns - int64(l.Window)
	if b.floorAt > 0 {
		after = max(after, b.floorAt)
	}
	votes := 0
	for _, q := range p.known {
		n := q.fresh(after)
		if n.Total() >= uint64(l.MinSamples) && n.LowerBound() > l.FailureRate {
			votes++
		}
	}
	return votes
}

func (p *peers) quorum(b *Breaker, ns int64) bool {
	q := b.health.limits.Quorum
	return q > 0 && p.votes(b, ns) >= q
}

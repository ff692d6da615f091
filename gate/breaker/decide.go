package breaker

// decide goes to the state that the evidence bears, if that is stricter than the present one. The lock is held.
func (b *Breaker) decide(ns int64, u float64) {
	h := &b.health
	from := h.load().state()
	if from == ForcedClosed {
		return
	}
	to, cause := b.verdict(ns)
	switch {
	case !to.worse(from):
		if soft(from) && from != Closed && b.calm(ns) {
			b.change(Closed, ByCalm, ns)
		}
	case !b.widespread(ns):
	case to == Open:
		b.open(cause, ns, u)
	default:
		b.change(to, cause, ns)
	}
}

// verdict is what the evidence bears. The lock is held.
func (b *Breaker) verdict(ns int64) (State, Cause) {
	h := &b.health
	l := &h.limits
	s := h.load().score()
	votes := b.peers.votes(b, ns)
	quorum := l.Quorum > 0 && votes >= l.Quorum
	streak := int(h.streak.Load()) >= inARow
	switch {
	case quorum && l.QuorumOpen:
		return Open, ByQuorum
	case l.Classic:
		n := h.totals(ns)
		switch {
		case n.Total() < uint64(l.MinSamples):
		case n.FailureRate() >= l.FailureRate:
			return Open, ByFailureRate
		case l.SlowRate > 0 && n.SlowRate() >= l.SlowRate:
			return Open, BySlowRate
		}
	case s >= throttleAt || streak:
		need := uint64(l.MinSamples)
		if votes > 0 {
			need = max(1, need/quorumShare)
		}
		n := h.totals(ns)
		demand := n.Total()
		if h.load().state() == Throttling {
			// What was shed would have been a sample. Else a breaker that meets an outage before it has samples would shed, have
			// hardly any ever after, and come back as slowly as shedding does.
			demand += h.refusals(ns)
		}
		switch {
		case s >= throttleAt && demand >= need && n.LowerBound() > l.FailureRate:
			return Open, ByOpenTest
		case s >= throttleAt && n.Total() >= need:
			return Throttling, ByCUSUM
		// The mean of the posterior: few samples weigh less than the uniform prior's two.
		case streak && n.Total() < need && float64(n.Failures()+1)/float64(n.Total()+2) > l.FailureRate:
			return Throttling, ByStreak
		}
	}
	switch {
	case quorum:
		return Throttling, ByQuorum
	case s >= suspectAt:
		return Suspect, ByCUSUM
	case h.Lagging():
		return Suspect, ByLatency
	}
	return Closed, ""
}

// mark makes the word of a breaker with classic rules say whether a good success may bring about a change, as the sample
// that completes the least number: where others keep the CUSUM, which these rules do not need. The lock is held.
func (h *Health) mark(ns int64) {
	n := h.totals(ns)
	s := int64(0)
	if n.Total() < uint64(h.limits.MinSamples) && n.Failures()+n.Slow > 0 {
		s = 1
	}
	for {
		w := h.load()
		if h.word.CompareAndSwap(uint64(w), uint64(w.scored(s))) {
			return
		}
	}
}

// widespread says whether the trouble is that of a parent: enough of its children with traffic are bad themselves. What has
// no children has only its own word to go by. The lock is held.
func (b *Breaker) widespread(ns int64) bool {
	h := &b.health
	children := h.below()
	if !b.inner {
		return true
	}
	bad := 0
	for _, c := range children {
		if c.bad() {
			bad++
		}
	}
	if bad < max(1, h.limits.MinBad) {
		return false // without the labour of counting
	}
	first, last := h.span(ns)
	active, badActive := 0, 0
	var traffic, badTraffic uint64
	for _, c := range children {
		n := c.health.sum(first, last)
		if n.Total()+n.Refused == 0 {
			continue
		}
		active++
		traffic += n.Total() + n.Refused
		if c.bad() {
			badActive++
			badTraffic += n.Total() + n.Refused
		}
	}
	switch l := &h.limits; {
	case l.BadShare > 0:
		return float64(badTraffic) >= l.BadShare*float64(traffic)
	case l.MinBad > 0:
		return badActive >= l.MinBad
	}
	return badActive >= max(2, (active+1)/2)
}

// bad says that a breaker is evidence against its parent: by what it saw, and not by what a person said.
func (b *Breaker) bad() bool {
	s := b.own()
	return s == Throttling || s == Open || s == HalfOpen
}

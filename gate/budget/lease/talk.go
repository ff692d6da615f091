package lease

import "time"

// Request returns what to send to the coordinator now. While the last one is not answered and could still be, it is
// the same again, so it may be sent as often as somebody likes. What it takes along cannot be
// spent here any more.
func (l *Lease) Request(now time.Time) Request {
	t := l.time(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	t = l.advance(t)
	l.asked = t
	if l.pending.Seq != 0 && t < l.sent+valid(l.Valid) {
		return l.pending
	}
	l.burnt += l.pending.Deposit + l.pending.Return // nobody knows whether they arrived
	l.seq++
	l.serial++
	l.sent, l.greeted = t, false
	r := Request{Budget: l.Budget, Process: l.Process, Epoch: l.epoch, Seq: l.seq, Want: max(l.want(), 2*l.demand)}
	if !l.cutOff(t) {
		slot := l.slot(t)
		r.Deposit = l.earned.take(slot, l.earned.sum(slot))
	}
	r.Return, l.tokens, l.demand = l.tokens, 0, 0
	l.pending = r
	return r
}

// Accept takes the answer to a request. It ignores one to another request than the last, one that is too late, and
// one of an older epoch; a newer epoch voids the lease in any case.
func (l *Lease) Accept(g Grant, now time.Time) {
	t := l.time(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	t = l.advance(t)
	if g.Budget != l.Budget || g.Process != l.Process || g.Epoch < l.epoch {
		return
	}
	answered := l.pending.Seq != 0 && g.Seq == l.pending.Seq
	asked := l.pending
	if g.Epoch > l.epoch {
		l.epoch, l.greeted, l.pending = g.Epoch, true, Request{}
		l.void()
	}
	if !answered {
		return
	}
	l.pending = Request{}
	l.contact, l.heard = l.sent, true
	if until := l.sent + min(valid(g.Valid), valid(l.Valid)); t < until && g.Epoch == asked.Epoch {
		l.void()
		l.tokens, l.until = min(max(0, g.Tokens), asked.Want), until
	}
}

// Next returns when to ask the coordinator next, spread by a random u in [0, 1): three quarters to seven eighths of
// Valid after the last request, a quarter after it as long as there is no answer, and at once in
// a new epoch. It is the zero time, so at once, for the first request.
func (l *Lease) Next(u float64) time.Time {
	first := l.first.Load()
	if first == nil {
		return time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	period := valid(l.Valid)
	spread := period / 8 // as long as it may be, for an odd u
	if u >= 0 && u < 1 {
		spread = time.Duration(u * float64(spread))
	}
	switch {
	case l.seq == 0:
		return time.Time{}
	case l.greeted:
		return first.time.Add(l.asked)
	case l.pending.Seq != 0:
		return first.time.Add(l.asked + period/4 + spread)
	}
	return first.time.Add(l.sent + period*3/4 + spread)
}

package retryws

import (
	"sync/atomic"
	"time"
)

// counters are read without locks.
type counters struct {
	state      atomic.Uint32
	reconnects [reasons]atomic.Uint64
	dials      atomic.Uint64
	frames     atomic.Uint64
	other      atomic.Uint64
	unexpected atomic.Uint64
	delivered  atomic.Uint64
	duplicates atomic.Uint64
	resubs     atomic.Uint64
	asked      atomic.Uint64
	turnovers  atomic.Uint64
	kept       atomic.Uint64
	cuts       atomic.Uint64
	differ     atomic.Uint64
	lost       atomic.Uint64
	lag        atomic.Int64
	heard      atomic.Int64 // Unix nanoseconds
}

// Stats is what a session has done. Counters only grow.
type Stats struct {
	State        State
	Reconnects   [reasons]uint64 // links that ended and dials that failed, by Reason
	Dials        uint64
	Frames       uint64 // messages read
	Other        uint64 // that the Protocol did not know
	Unexpected   uint64 // of topics that are not subscribed
	Delivered    uint64
	Duplicates   uint64        // dropped, since another link had brought them
	Resubscribed uint64        // topics, because they were silent
	AskedAgain   uint64        // confirmations that did not come
	Turnovers    uint64        // in which the second link took over
	Kept         uint64        // in which it did not
	Cuts         uint64        // links ended for a full consumer
	Differences  uint64        // found by reads after a new link
	Lost         uint64        // found by reads when nothing seemed wrong
	Lag          time.Duration // of the last message with a time
	Heard        time.Time     // the last message or heartbeat
}

// Stats returns the counters. It takes no lock.
func (s *Session) Stats() Stats {
	c := &s.stats
	r := Stats{
		State: State(c.state.Load()), Dials: c.dials.Load(), Frames: c.frames.Load(), Other: c.other.Load(),
		Unexpected: c.unexpected.Load(), Delivered: c.delivered.Load(), Duplicates: c.duplicates.Load(),
		Resubscribed: c.resubs.Load(), AskedAgain: c.asked.Load(), Turnovers: c.turnovers.Load(), Kept: c.kept.Load(),
		Cuts: c.cuts.Load(), Differences: c.differ.Load(), Lost: c.lost.Load(), Lag: time.Duration(c.lag.Load()),
	}
	for i := range r.Reconnects {
		r.Reconnects[i] = c.reconnects[i].Load()
	}
	if n := c.heard.Load(); n != 0 {
		r.Heard = time.Unix(0, n)
	}
	return r
}

// State returns the state. It takes no lock.
func (s *Session) State() State { return State(s.stats.state.Load()) }

// ByReason calls f with each label and its count, zero included, for exporters of metrics.
func (r Stats) ByReason(f func(reason string, n uint64)) {
	for i, n := range r.Reconnects {
		f(Reason(i).String(), n)
	}
}

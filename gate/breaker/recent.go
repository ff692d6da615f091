package breaker

import "sync/atomic"

// recent is a window of the last so many calls. While nothing changes, a success that takes the place of a success writes
// nothing but the shared position.
type recent struct {
	calls    atomic.Uint64
	outcomes []atomic.Uint32 // kind + 1; 0 for none yet
	sums     [kinds]atomic.Int64
}

func (r *recent) put(k kind) {
	o := &r.outcomes[(r.calls.Add(1)-1)%uint64(len(r.outcomes))]
	if o.Load() == uint32(k)+1 {
		return
	}
	if old := o.Swap(uint32(k) + 1); old != 0 {
		r.sums[old-1].Add(-1)
	}
	r.sums[k].Add(1)
}

func (r *recent) counts() Counts {
	n := func(k kind) uint64 { return uint64(max(0, r.sums[k].Load())) }
	return Counts{OK: n(ok) + n(slow), Slow: n(slow), Transient: n(transient), Throttled: n(throttled), Ambiguous: n(ambiguous)}
}

func (r *recent) clear() {
	for i := range r.outcomes {
		if old := r.outcomes[i].Swap(0); old != 0 {
			r.sums[old-1].Add(-1)
		}
	}
}

package budget

// Change puts the settings of next in force, while calls run: Ratio, Max, Costs, Ceiling, CeilingMin,
// Floors, Trickle, Load and Health, but not the Name. Of next only these fields are read. Nil changes nothing.
//
// The balance stays as it is, cut to the new Max: a change never fills the bucket. Retries in flight go on,
// also above a lower ceiling, and what they reserved comes back as it was taken. Ask [Budget.Check] of next first.
func (b *Budget) Change(next *Budget) {
	if next == nil {
		return
	}
	t := next.resolve()
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.terms()
	for {
		missing := b.missing.Load()
		balance := min(old.capacity-missing, t.capacity)
		if b.missing.CompareAndSwap(missing, t.capacity-balance) {
			break
		}
	}
	b.live.Store(t)
	b.clock = clock{} // the time since the last attempt belongs to neither trickle
}

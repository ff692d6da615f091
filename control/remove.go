package control

import "slices"

// RemoveCircuit takes a circuit out of views and health, and says whether it was there: the one with this Breaker or Tree. Its
// series end. It is for breakers that nothing uses any more, as after a change of configuration.
func (r *Registry) RemoveCircuit(c Circuit) bool {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.circuits)
	s.circuits = slices.DeleteFunc(slices.Clone(s.circuits), func(one *circuit) bool { return one.Breaker == c.Breaker && one.Tree == c.Tree })
	return len(s.circuits) < before
}

// RemoveBudget takes a budget out of views, and says whether it was there. Its series end.
func (r *Registry) RemoveBudget(name string) bool {
	s := r.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.budgets.by[name]
	delete(s.budgets.by, name)
	return there
}

package control

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"time"
)

// View returns everything that can be seen of the process. It starts checks of components that are due, and does not wait
// for them. Counters are read without a lock; breakers, budgets and stops are asked one by one, each of which takes its own for
// a moment. The functions of venues, budgets, findings and sinks run in the caller's goroutine, and should be quick.
func (r *Registry) View() View {
	s := r.state()
	at := time.Now()
	v := View{Instance: r.Instance, Epoch: s.epoch, Since: s.since, At: at, Build: r.Build}
	v.Build.Go = cmp.Or(v.Build.Go, runtime.Version())
	r.refresh(func(*component) bool { return true })
	v.Components = r.look().Components

	s.mu.Lock()
	operations, stops, findings, auditing := s.present(), s.stops, s.findings, s.auditing
	budgets, venues, drops := maps.Clone(s.budgets.by), maps.Clone(s.venues.by), maps.Clone(s.drops)
	if s.configured || !s.config.Good {
		config := s.config
		v.Config = &config
	}
	v.Overflow = map[string]uint64{"policy": s.counted["policy"]}
	s.mu.Unlock()

	v.Policies = r.policies(operations)
	v.Circuits, v.Overflow["target"] = circuits(r.facts().circuits)
	v.Budgets = named(budgets, func(b *BudgetView, name string) { b.Name = name })
	var more int
	v.Venues, more = capped(named(venues, func(v *VenueView, name string) { v.Name = name }))
	v.Overflow["venue"] = uint64(more)
	v.Stops, more = r.stopsView(stops)
	v.Overflow["scope"] = uint64(more)
	v.Findings = []FindingView{}
	if findings != nil {
		v.Findings = append(v.Findings, findings()...)
	}
	if auditing != nil {
		a := auditing()
		v.Audit = &a
	}
	v.Dropped = map[string]uint64{"tail": s.tail.dropped.Load()}
	for sink, count := range drops {
		v.Dropped[sink] = count()
	}
	return v
}

// policies returns the views of operations, and one for all those that have no counters of their own.
func (r *Registry) policies(operations []*Operation) []PolicyView {
	views := []PolicyView{}
	hidden := 0
	for _, o := range operations {
		if o.hidden {
			hidden++
			continue
		}
		views = append(views, o.View())
	}
	if hidden > 0 {
		v := PolicyView{Name: Other, Policy: "operations beyond the first 500"}
		r.live.other.view(&v)
		views = append(views, v)
	}
	return views
}

// circuits returns the views of circuits, and how many became one.
func circuits(links []link) ([]CircuitView, uint64) {
	views := make([]CircuitView, 0, len(links))
	for _, l := range links {
		views = append(views, l.CircuitView)
	}
	more := 0
	if len(views) > MostTargets {
		rest := views[MostTargets-1:]
		other := CircuitView{Policy: Other, Target: Other, State: circuitStates[0], Transitions: make(map[string]uint64)}
		for _, v := range rest {
			other = addCircuits(other, v)
		}
		other.History = nil
		views, more = append(views[:MostTargets-1], other), len(rest)
	}
	slices.SortStableFunc(views, func(a, b CircuitView) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Target, b.Target))
	})
	single := views[:0]
	for _, v := range views { // two of one name are one for who reads it
		if n := len(single); n > 0 && single[n-1].Policy == v.Policy && single[n-1].Target == v.Target {
			single[n-1] = addCircuits(single[n-1], v)
			continue
		}
		single = append(single, v)
	}
	return single, uint64(more)
}

// named asks sources, in the order of their names.
func named[V any](by map[string]func() V, name func(*V, string)) []V {
	all := make([]V, 0, len(by))
	for _, n := range slices.Sorted(maps.Keys(by)) {
		v := by[n]()
		name(&v, n)
		all = append(all, v)
	}
	return all
}

// capped makes one of all venues beyond the cap.
func capped(venues []VenueView) ([]VenueView, int) {
	if len(venues) <= MostVenues {
		return venues, 0
	}
	rest := venues[MostVenues-1:]
	other := VenueView{Name: Other}
	for _, v := range rest {
		other = addVenues(other, v)
	}
	return append(venues[:MostVenues-1:MostVenues-1], other), len(rest)
}

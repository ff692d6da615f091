package control

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mixed stands where the processes of a fleet differ: in Build and ConfigView.Hash.
const Mixed = "mixed"

// Merge makes one view of the views of several processes. Counters and levels are added; of states the worst counts, of
// times the earliest beginning and the latest moment. Each view becomes one of Instances, unless it is merged already. The views
// are not modified; one without an Instance is nobody's and left out.
//
// Counters count from each process's own start: whoever takes differences has to look at Epoch before.
func Merge(views ...View) View {
	m := View{Policies: []PolicyView{}, Circuits: []CircuitView{}, Budgets: []BudgetView{}, Stops: []StopView{}, Venues: []VenueView{},
		Components: []ComponentView{}, Findings: []FindingView{}}
	before := 0 // views that are of a process
	for _, v := range views {
		if v.Instance == "" && len(v.Instances) == 0 {
			continue // nobody's: what Merge makes of nothing
		}
		m.Since = earliest(m.Since, v.Since)
		m.At = latest(m.At, v.At)
		m.Build = Build{
			same(before, m.Build.Version, v.Build.Version), same(before, m.Build.Revision, v.Build.Revision), same(before, m.Build.Go, v.Build.Go),
		}
		before++
		m.Policies = joined(m.Policies, v.Policies, func(p PolicyView) string { return p.Name }, addPolicies)
		m.Circuits = joined(m.Circuits, v.Circuits, func(c CircuitView) string { return c.Policy + "\x00" + c.Target }, addCircuits)
		m.Budgets = joined(m.Budgets, v.Budgets, func(b BudgetView) string { return b.Name }, addBudgets)
		m.Stops = joined(m.Stops, v.Stops, func(s StopView) string { return strconv.FormatBool(s.Drill) + s.Scope }, addStops)
		m.Venues = joined(m.Venues, v.Venues, func(v VenueView) string { return v.Name }, addVenues)
		m.Components = joined(m.Components, v.Components, func(c ComponentView) string { return c.Name }, addComponents)
		m.Findings = joined(m.Findings, v.Findings, func(f FindingView) string { return f.Kind + "\x00" + f.Subject }, addFindings)
		m.Audit = both(m.Audit, v.Audit, addAudits)
		m.Config = both(m.Config, v.Config, addConfigs)
		m.Dropped, m.Overflow = addCounts(m.Dropped, v.Dropped), addCounts(m.Overflow, v.Overflow)
		m.Instances = append(m.Instances, v.Instances...)
		if len(v.Instances) == 0 {
			one := InstanceView{Name: v.Instance, Connected: true, Seen: v.At, Version: v.Build.Version}
			if v.Config != nil {
				one.Config = v.Config.Hash
			}
			m.Instances = append(m.Instances, one)
		}
	}
	slices.SortStableFunc(m.Instances, func(a, b InstanceView) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(m.Stops, func(a, b StopView) int { return cmp.Compare(rank(b), rank(a)) })
	return m
}

// joined adds the views of one process to those of others, in the order of their keys.
func joined[V any](all, more []V, key func(V) string, add func(V, V) V) []V {
	for _, v := range more {
		k := key(v)
		if i, found := slices.BinarySearchFunc(all, k, func(v V, k string) int { return strings.Compare(key(v), k) }); found {
			all[i] = add(all[i], v)
		} else {
			all = slices.Insert(all, i, v)
		}
	}
	return all
}

func both[V any](a, b *V, add func(V, V) V) *V {
	switch {
	case b == nil:
		return a
	case a == nil:
		return b
	}
	sum := add(*a, *b)
	return &sum
}

func addPolicies(a, b PolicyView) PolicyView {
	m := a
	if b.Version > a.Version {
		m = b // what it says of the policy; the counters follow
	}
	m.Outcomes, m.Failures, m.Suppressed = addCounts(a.Outcomes, b.Outcomes), addCounts(a.Failures, b.Failures), addCounts(a.Suppressed, b.Suppressed)
	m.Attempts, m.InFlight, m.Waiting = a.Attempts+b.Attempts, a.InFlight+b.InFlight, a.Waiting+b.Waiting
	m.Call, m.Attempt = addHistograms(a.Call, b.Call), addHistograms(a.Attempt, b.Attempt)
	m.Backoff, m.PerCall = addHistograms(a.Backoff, b.Backoff), addHistograms(a.PerCall, b.PerCall)
	m.Budgeted, m.Learning = a.Budgeted && b.Budgeted, both(a.Learning, b.Learning, addLearnings)
	return m
}

// addHistograms adds b to a. Where the bounds differ, as between two versions of the program, a value of b counts in the
// bucket of a that is sure to hold it.
func addHistograms(a, b Histogram) Histogram {
	if len(a.Counts) == 0 {
		return b
	}
	m := Histogram{Bounds: a.Bounds, Counts: slices.Clone(a.Counts), Sum: a.Sum + b.Sum}
	for i, n := range b.Counts {
		at := len(a.Bounds)
		if i < len(b.Bounds) {
			at, _ = slices.BinarySearch(a.Bounds, b.Bounds[i])
		}
		m.Counts[min(at, len(m.Counts)-1)] += n
	}
	return m
}

func addCircuits(a, b CircuitView) CircuitView {
	m := a
	if slices.Index(circuitStates, b.State) > slices.Index(circuitStates, a.State) {
		m = b
	}
	m.Policy, m.Target = a.Policy, a.Target
	m.FailureRate = max(a.FailureRate, b.FailureRate)
	m.Critical, m.Forced = a.Critical || b.Critical, a.Forced || b.Forced
	m.Transitions = addCounts(a.Transitions, b.Transitions)
	m.History = append(slices.Clone(a.History), b.History...)
	slices.SortStableFunc(m.History, func(a, b Transition) int { return a.At.Compare(b.At) })
	m.History = m.History[max(0, len(m.History)-mostHistory):]
	return m
}

func addBudgets(a, b BudgetView) BudgetView {
	policies := slices.Concat(a.Policies, b.Policies)
	slices.Sort(policies)
	return BudgetView{
		Name: a.Name, Policies: slices.Compact(policies), Level: a.Level + b.Level, Max: a.Max + b.Max, Refill: a.Refill + b.Refill,
		Granted: a.Granted + b.Granted, Denied: a.Denied + b.Denied,
	}
}

func addStops(a, b StopView) StopView {
	if a.Drill && a.Since.Equal(b.Since) { // one drill, of which several servers tell
		a.Reached, a.Processes, a.Took = a.Reached+b.Reached, a.Processes+b.Processes, max(a.Took, b.Took)
		return a
	}
	if cmp.Or(cmp.Compare(severity(b), severity(a)), cmp.Compare(b.Epoch, a.Epoch)) > 0 {
		return b
	}
	return a
}

func addVenues(a, b VenueView) VenueView {
	m := VenueView{
		Name: a.Name, Unknown: a.Unknown + b.Unknown, OldestUnknown: earliest(a.OldestUnknown, b.OldestUnknown), Parked: a.Parked + b.Parked,
		GuardTrips: a.GuardTrips + b.GuardTrips, Reconnects: addCounts(a.Reconnects, b.Reconnects), BannedUntil: latest(a.BannedUntil, b.BannedUntil),
		Headroom: make(map[string]float64),
	}
	maps.Copy(m.Headroom, a.Headroom)
	for limit, left := range b.Headroom {
		if other, known := m.Headroom[limit]; !known || left < other {
			m.Headroom[limit] = left
		}
	}
	return m
}

// componentStates are from the best to the worst.
var componentStates = []string{"up", "unknown", "degraded", "failing"}

func addComponents(a, b ComponentView) ComponentView {
	m := a
	if slices.Index(componentStates, b.State) > slices.Index(componentStates, a.State) {
		m = b
	}
	m.Critical = a.Critical || b.Critical
	m.Stuck = a.Stuck || b.Stuck
	return m
}

// severities are from the mildest to the worst.
var severities = []string{"info", "ticket", "page"}

func addFindings(a, b FindingView) FindingView {
	m := a
	if slices.Index(severities, b.Severity) > slices.Index(severities, a.Severity) {
		m = b
	}
	m.Since = earliest(a.Since, b.Since)
	return m
}

func addAudits(a, b AuditView) AuditView {
	return AuditView{
		Records: a.Records + b.Records, WriteErrors: a.WriteErrors + b.WriteErrors, Broken: a.Broken || b.Broken,
		Verified: earliest(a.Verified, b.Verified), // all of it was, at that time
	}
}

func addConfigs(a, b ConfigView) ConfigView {
	errs := append(slices.Clone(a.Errors), b.Errors...)
	slices.Sort(errs)
	return ConfigView{
		Hash: same(1, a.Hash, b.Hash), Loaded: latest(a.Loaded, b.Loaded), Good: a.Good && b.Good, Errors: slices.Compact(errs),
		Reloads: a.Reloads + b.Reloads, Failures: a.Failures + b.Failures,
	}
}

func addCounts(a, b map[string]uint64) map[string]uint64 {
	m := maps.Clone(a)
	if m == nil {
		m = make(map[string]uint64, len(b))
	}
	for k, n := range b {
		m[k] += n
	}
	return m
}

// same returns b if it is what the others before it, of which there are i, have in common, too.
func same(i int, a, b string) string {
	if i > 0 && a != b {
		return Mixed
	}
	return b
}

// earliest returns the earlier time, the zero one last.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

package dashboard

import (
	"cmp"
	"encoding/json"
	"math"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
)

// A state is all topics at one moment: of each, values by key, as JSON.
type state map[string]map[string]json.RawMessage

// A sampler turns views into what the page shows, and keeps the past.
type sampler struct {
	mu     sync.Mutex
	view   control.View
	at     time.Time // of the last sample
	total  *trail
	trails map[string]*trail // by policy
	denied map[string][]denial
	rows   map[string]Row
	totals Totals
}

// A denial is what a budget's counter and level said at one time.
type denial struct {
	at    time.Time
	n     uint64
	level float64
}

func newSampler() *sampler {
	s := &sampler{}
	s.reset()
	return s
}

func (s *sampler) reset() {
	s.total = &trail{step: totalStep}
	s.trails, s.denied = map[string]*trail{}, map[string][]denial{}
}

// take works one view in and returns the state of all topics.
func (s *sampler) take(v control.View, now time.Time, stats Stats) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Epoch != s.view.Epoch {
		s.reset() // the process is a new one: its counters begin anew
	}
	s.view, s.at = v, now
	st := state{}
	for _, t := range topics {
		st[t] = map[string]json.RawMessage{}
	}
	st["series"] = s.policies(v, now, st["policies"], st["trends"], st["learning"])
	for _, c := range v.Circuits {
		put(st["circuits"], c.Policy+"|"+c.Target, c)
	}
	for _, b := range s.budgets(v, now) {
		put(st["budgets"], b.Name, b)
	}
	for _, x := range v.Stops {
		key := x.Scope
		if x.Drill { // beside what is stopped there for real
			key += " (drill)"
		}
		put(st["stops"], key, x)
	}
	for _, x := range v.Venues {
		put(st["venues"], x.Name, x)
	}
	for _, x := range v.Components {
		put(st["components"], x.Name, x)
	}
	for _, x := range v.Findings {
		put(st["findings"], x.Kind+"|"+x.Subject, x)
	}
	for _, x := range v.Instances {
		put(st["instances"], x.Name, x)
	}
	s.totals.Unknown, s.totals.Open = 0, 0
	for _, x := range v.Venues {
		s.totals.Unknown += x.Unknown
	}
	for _, c := range v.Circuits {
		if c.State == "open" || c.State == "isolated" {
			s.totals.Open++
		}
	}
	overview(st["overview"], v, s.totals, stats)
	return st
}

func overview(o map[string]json.RawMessage, v control.View, t Totals, stats Stats) {
	put(o, "instance", v.Instance)
	put(o, "epoch", v.Epoch)
	put(o, "since", v.Since)
	put(o, "at", v.At)
	put(o, "build", v.Build)
	put(o, "totals", t)
	put(o, "stream", stats)
	put(o, "dropped", v.Dropped)
	put(o, "overflow", v.Overflow)
	put(o, "audit", v.Audit)
	put(o, "config", v.Config)
}

// policies fills in the rows and their trends, and returns the newest point of the totals, if there is a new one.
func (s *sampler) policies(v control.View, now time.Time, into, trends, learning map[string]json.RawMessage) map[string]json.RawMessage {
	series := map[string]json.RawMessage{}
	s.rows = make(map[string]Row, len(v.Policies))
	all := count{at: now}
	s.totals.InFlight, s.totals.Waiting = 0, 0
	for i := range v.Policies {
		p := &v.Policies[i]
		c := countOf(p, now)
		all = all.plus(c)
		s.totals.InFlight += p.InFlight
		s.totals.Waiting += p.Waiting
		t := s.trails[p.Name]
		if t == nil {
			if t = (&trail{step: policyStep}); len(s.trails) < maxTrails {
				s.trails[p.Name] = t
			}
		}
		t.add(c)
		r := row(p, c, t)
		r.fields = t.fieldsOf(p.Base, p.Override)
		s.rows[p.Name] = r
		if p.Learning != nil {
			put(learning, p.Name, LearningRow{p.Name, p.Learning})
		}
		into[p.Name], _ = r.MarshalJSON() // never fails
		trends[p.Name] = t.trend()
	}
	if len(v.Policies) > 0 {
		s.total.bounds = [2][]float64{v.Policies[0].Call.Bounds, v.Policies[0].Attempt.Bounds}
	}
	for name := range s.trails {
		if _, there := s.rows[name]; !there {
			delete(s.trails, name)
		}
	}
	if point, ok := s.total.add(all); ok {
		put(series, "last", point)
	}
	m := s.total.minute(all)
	l, secs := s.total.lately(all)
	s.totals.Calls, s.totals.Retries = Number(l.calls())/secs, Number(l.retries())/secs
	s.totals.Success, s.totals.FirstTry, s.totals.Amplification = m.success(), m.first(), m.amplification()
	s.totals.CallP50 = quantile(s.total.bounds[0], m.call, 0.5)
	s.totals.CallP99 = quantile(s.total.bounds[0], m.call, 0.99)
	s.totals.Suppressed = m.byReason()
	return series
}

func row(p *control.PolicyView, c count, t *trail) Row {
	m := t.minute(c)
	l, secs := t.lately(c)
	return Row{
		Name: p.Name, Component: p.Component, Policy: p.Policy, Version: p.Version, Base: p.Base, Override: p.Override,
		Calls: Number(l.calls()) / secs, Retries: Number(l.retries()) / secs,
		Success: m.success(), FirstTry: m.first(), Amplification: m.amplification(),
		CallP50: quantile(p.Call.Bounds, m.call, 0.5), CallP99: quantile(p.Call.Bounds, m.call, 0.99),
		AttemptP50: quantile(p.Attempt.Bounds, m.attempt, 0.5), AttemptP99: quantile(p.Attempt.Bounds, m.attempt, 0.99),
		InFlight: p.InFlight, Waiting: p.Waiting, Outcomes: m.byOutcome(), Suppressed: m.byReason(),
	}
}

// budgets adds to each how it moved in the last ten seconds.
func (s *sampler) budgets(v control.View, now time.Time) []BudgetRow {
	rows := make([]BudgetRow, 0, len(v.Budgets))
	seen := make(map[string][]denial, len(v.Budgets))
	for _, b := range v.Budgets {
		past := append(s.denied[b.Name], denial{now, b.Denied, b.Level})
		for len(past) > 2 && now.Sub(past[1].at) >= rateWindow {
			past = past[1:]
		}
		seen[b.Name] = past
		secs := now.Sub(past[0].at).Seconds()
		r := BudgetRow{BudgetView: b, Empty: Number(math.NaN()), DeniedRate: Number(float64(less(b.Denied, past[0].n)) / secs)}
		if sunk := (past[0].level - b.Level) / secs; sunk > 0 {
			r.Empty = Number(b.Level / sunk)
		}
		rows = append(rows, r)
	}
	s.denied = seen
	return rows
}

// history returns the points of one policy, or of all together, of the time before now.
func (s *sampler) history(policy string, span time.Duration) (History, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.total, true
	if policy != "" {
		if t, ok = s.trails[policy]; !ok {
			return History{}, false
		}
	}
	span = min(cmp.Or(max(span, 0), 5*time.Minute), historyLife)
	return History{policy, Number(t.step.Seconds()), outcomes[:], t.after(s.at.Add(-span))}, true
}

// now returns the last view and what was computed from it.
func (s *sampler) now() (control.View, map[string]Row, Totals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view, s.rows, s.totals
}

// put encodes a value under a key. What cannot be encoded, such as evidence that is a function, is
// shown as null.
func put(into map[string]json.RawMessage, key string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		b = []byte("null")
	}
	into[key] = b
}

package dashboardtest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// A world is a Source, a Commander and an Audit with figures as a busy afternoon has them. Its counters
// grow with each View by what would have happened meanwhile.
type world struct {
	control.Registry // tells the events

	mu       sync.Mutex
	rng      *rand.Rand
	view     control.View
	kinds    []trade
	stops    []control.Stop
	keys     map[string]bool
	resumes  []control.Resume
	tunes    []control.Tune
	slow     chan struct{} // Stop waits for it, if it is not nil
	records  []audit.Record
	broken   error
	frozen   bool // counters stand still
	outgoing func(*control.View)
}

// A trade is how one policy fares.
type trade struct {
	rate              float64 // calls a second
	again, lost       float64 // shares of the calls: needed retries, failed
	fail              string  // how it mostly fails
	reason            string
	median            float64 // seconds of an attempt
	inflight, waiting int64
}

var bounds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}

func zeros(keys ...string) map[string]uint64 {
	m := map[string]uint64{}
	for _, k := range keys {
		m[k] = 0
	}
	return m
}

func histogram(b ...float64) control.Histogram {
	return control.Histogram{Bounds: b, Counts: make([]uint64, len(b)+1)}
}

func newWorld() *world {
	now := time.Now()
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	w := &world{rng: rand.New(rand.NewPCG(1, 2)), keys: map[string]bool{}}
	w.view = control.View{
		Instance: "tokyo-1", Epoch: 7, Since: at(3 * time.Hour), Build: control.Build{Version: "v0.9.0", Revision: "5f32816", Go: "go1.26.8"},
		Circuits: []control.CircuitView{
			{Policy: "okx.place_order", Target: "www.okx.com", State: "open", Cause: "62 % of 148 calls failed", Since: at(14 * time.Second), FailureRate: .62, NextProbe: now.Add(9 * time.Second), Critical: true, Transitions: map[string]uint64{"open": 3},
				History: walk(now, "suspect", "throttling", "open", "half_open", "open", "half_open", "closed", "suspect", "open")},
			{Policy: "coinbase.fetch_book", Target: "api.exchange.coinbase.com", State: "half_open", Cause: "a probe is under way", Since: at(4 * time.Second), FailureRate: .31, Transitions: map[string]uint64{"half_open": 1}, History: walk(now, "open", "half_open")},
			{Policy: "binance.place_order", Target: "api.binance.com", State: "suspect", Cause: "failures drift upwards", Since: at(71 * time.Second), FailureRate: .042, Transitions: map[string]uint64{}, History: walk(now, "suspect", "closed", "suspect")},
			{Policy: "binance.fetch_book", Target: "api.binance.com", State: "closed", Since: at(3 * time.Hour), FailureRate: .004, Transitions: map[string]uint64{}},
			{Policy: "risk.score", Target: "model.internal:8443", State: "closed", Forced: true, Cause: "held closed by mara: probing by hand", Since: at(26 * time.Minute), FailureRate: .11, Transitions: map[string]uint64{}, History: walk(now, "open", "closed")},
			{Policy: "ledger.commit", Target: "ledger-primary", State: "closed", Since: at(3 * time.Hour), FailureRate: 0, Transitions: map[string]uint64{}},
		},
		Budgets: []control.BudgetView{
			{Name: "binance", Policies: []string{"binance.place_order", "binance.cancel_order", "binance.fetch_book"}, Level: 61, Max: 100, Refill: 14.2, Granted: 48211, Denied: 12},
			{Name: "okx", Policies: []string{"okx.place_order"}, Level: 3.4, Max: 50, Refill: 1.1, Granted: 9120, Denied: 1822},
			{Name: "coinbase", Policies: []string{"coinbase.fetch_book"}, Level: 18, Max: 50, Refill: 2.6, Granted: 3020, Denied: 44},
			{Name: "ledger", Policies: []string{"ledger.commit"}, Level: 20, Max: 20, Refill: 4, Granted: 81, Denied: 0},
		},
		Venues: []control.VenueView{
			{Name: "binance", Unknown: 0, GuardTrips: 3, Reconnects: map[string]uint64{"heartbeat": 2, "gap": 1}, Headroom: map[string]float64{"request weight": .71, "orders, 10 s": .88}},
			{Name: "okx", Unknown: 2, OldestUnknown: at(8 * time.Second), Parked: 1, GuardTrips: 11, Reconnects: map[string]uint64{"eof": 4, "timeout": 3}, Headroom: map[string]float64{"orders, 2 s": .24}},
		},
		Components: []control.ComponentView{
			{Name: "execution", Critical: true, DependsOn: []string{"binance", "okx", "ledger"}, State: "degraded", Cause: "okx is failing", Checked: at(2 * time.Second), Took: 2 * time.Millisecond},
			{Name: "binance", Critical: true, State: "up", Checked: at(2 * time.Second), Took: 41 * time.Millisecond},
			{Name: "okx", State: "failing", Cause: "circuit okx.place_order is open", Checked: at(2 * time.Second), Took: 500 * time.Millisecond},
			{Name: "ledger", Critical: true, DependsOn: []string{"postgres"}, State: "up", Checked: at(2 * time.Second), Took: 3 * time.Millisecond},
			{Name: "postgres", Critical: true, State: "up", Checked: at(2 * time.Second), Took: time.Millisecond},
			{Name: "pricing", DependsOn: []string{"risk model", "binance"}, State: "up", Checked: at(5 * time.Second), Took: 11 * time.Millisecond},
			{Name: "risk model", State: "up", Checked: at(5 * time.Second), Took: 9 * time.Millisecond},
		},
		Findings: []control.FindingView{
			{Kind: "retry_storm", Subject: "okx.place_order", Severity: "page", Summary: "Retries are 38 % of all attempts and rise while successes do not: they add load and help nobody.", Action: "Keep the circuit open. Lower max_attempts to 2 until okx reports recovery.", Evidence: map[string]any{"retry_share": .38, "success_gain": .004, "window": "5 min"}, Since: at(94 * time.Second)},
			{Kind: "hidden_failure", Subject: "coinbase.fetch_book", Severity: "ticket", Summary: "99.7 % succeed in the end, but only 91 % at the first try, and p99 has tripled since 14:20.", Action: "Look at the venue's status page; the retries hide it.", Evidence: map[string]any{"first_try": .91, "p99": "1.2 s"}, Since: at(31 * time.Minute)},
		},
		Audit:    &control.AuditView{Records: 48291, Head: "9a07a4c02b9ccd93", Verified: at(12 * time.Minute)},
		Config:   &control.ConfigView{Hash: "4fd1", Loaded: at(3 * time.Hour), Good: true, Reloads: 2},
		Dropped:  map[string]uint64{"tail": 0},
		Overflow: map[string]uint64{},
	}
	w.add("binance.place_order", "binance", trade{420, .028, .0006, "unknown_outcome", "unknown_outcome", .021, 9, 1})
	w.add("binance.cancel_order", "binance", trade{180, .012, .0001, "not_retryable", "not_retryable", .017, 3, 0})
	w.add("binance.fetch_book", "binance", trade{960, .004, .0002, "deadline_exceeded", "deadline", .009, 8, 0})
	w.add("okx.place_order", "okx", trade{64, .21, .118, "breaker_denied", "breaker", .31, 22, 14})
	w.add("coinbase.fetch_book", "coinbase", trade{88, .087, .0031, "budget_denied", "budget", .12, 11, 4})
	w.add("risk.score", "pricing", trade{310, .006, .0011, "exhausted", "limit", .006, 2, 0})
	w.add("ledger.commit", "ledger", trade{240, .0021, 0, "exhausted", "validate", .003, 1, 0})
	w.add("fix.logon", "fix", trade{0, 0, 0, "", "", .1, 0, 0})
	for i, r := range []audit.Record{
		{Decision: "stop", Actor: "mara", Scope: "okx/okx.place_order", State: "risk-reducing", Why: "fills are missing", Ticket: "OPS-411", Epoch: 3},
		{Decision: "resume", Actor: "ines", Approver: "jon", Scope: "okx/okx.place_order", Why: "venue confirmed all fills", Epoch: 4},
		{Decision: "retry", Operation: "binance.place_order", Rule: "class transient", Outcome: "retrying", Attempt: 2},
		{Decision: "deny", Operation: "okx.place_order", Rule: "breaker: open", Attempt: 2},
		{Decision: "tune", Actor: "ines", Operation: "risk.score", Why: "model is slow after the deploy", Ticket: "OPS-415"},
	} {
		r.Sequence, r.Time, r.Chain = uint64(48287+i), at(time.Duration(5-i)*time.Minute), "tokyo-1"
		w.records = append(w.records, r)
	}
	return w
}

func walk(now time.Time, states ...string) (h []control.Transition) {
	from := "closed"
	for i, s := range states {
		h = append(h, control.Transition{At: now.Add(-time.Duration(len(states)-i) * 14 * time.Second), From: from, To: s, Cause: "failure rate"})
		from = s
	}
	return h
}

func (w *world) add(name, component string, t trade) {
	w.kinds = append(w.kinds, t)
	w.view.Policies = append(w.view.Policies, control.PolicyView{
		Name: name, Component: component, Policy: "3 attempts, exponential(100ms, x2, max 30s, full)", Version: 1,
		Base:     map[string]string{"max_attempts": "3", "max_elapsed": "2s", "attempt_timeout": "800ms", "backoff": "exponential(100ms, x2, max 30s, full)", "priority": "normal"},
		Outcomes: zeros("success_first_try", "success_after_retry", "exhausted", "not_retryable", "deadline_exceeded", "budget_denied", "breaker_denied", "stopped", "cancelled", "unknown_outcome"),
		Failures: zeros("transient", "throttled", "ambiguous", "permanent"), Suppressed: zeros("budget", "breaker", "deadline", "not_retryable", "stopped", "unknown_outcome", "limit", "validate", "nested"),
		InFlight: t.inflight, Waiting: t.waiting, Call: histogram(bounds...), Attempt: histogram(bounds...), Backoff: histogram(bounds...), PerCall: histogram(1, 2, 3, 4, 5, 8, 13),
	})
}

// some draws how many of n, with a share of p, it was this time.
func (w *world) some(n, p float64) uint64 {
	x := n * p
	return uint64(math.Max(0, math.Floor(x+w.rng.NormFloat64()*math.Sqrt(x)/2+w.rng.Float64())))
}

func spread(h *control.Histogram, n uint64, median float64, rng *rand.Rand) {
	const draws = 24
	for i := range draws {
		x := median * math.Exp(rng.NormFloat64()*.7)
		slot, _ := slices.BinarySearch(h.Bounds, x)
		h.Counts[slot] += n / draws
		if uint64(i) < n%draws {
			h.Counts[slot]++
		}
	}
	h.Sum += float64(n) * median
}

// live lets some seconds pass.
func (w *world) live(secs, wave float64) {
	for i := range w.view.Policies {
		p, t := &w.view.Policies[i], w.kinds[i]
		n := t.rate * secs * (1 + .12*math.Sin(wave/37+float64(i)) + .05*math.Sin(wave/5))
		trouble := 1 + 2.5*math.Exp(-math.Pow(math.Mod(wave, 240)-170, 2)/900)
		lost := w.some(n, math.Min(.6, t.lost*trouble))
		again := w.some(n, math.Min(.3, t.again*trouble))
		first := uint64(math.Max(0, n-float64(lost)-float64(again)+w.rng.Float64()))
		p.Outcomes["success_first_try"] += first
		p.Outcomes["success_after_retry"] += again
		if t.fail != "" {
			p.Outcomes[t.fail] += lost * 3 / 4
			p.Outcomes["exhausted"] += lost - lost*3/4
			p.Suppressed[t.reason] += lost * 3 / 4
			p.Suppressed["limit"] += lost - lost*3/4
		}
		p.Attempts += first + again*2 + lost + lost/2
		spread(&p.Call, first, t.median, w.rng)
		spread(&p.Call, again, t.median*5, w.rng)
		spread(&p.Attempt, first+again*2+lost, t.median, w.rng)
	}
	for i := range w.view.Budgets {
		b := &w.view.Budgets[i]
		b.Granted += w.some(b.Refill, secs)
		if b.Level < b.Max/2 {
			b.Denied += w.some(30/(b.Level+1), secs)
		}
	}
}

// View implements dashboard.Source.
func (w *world) View() control.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if !w.view.At.IsZero() && !w.frozen {
		w.live(now.Sub(w.view.At).Seconds(), float64(now.UnixMilli())/1000)
	}
	w.view.At = now
	for i := range w.view.Circuits {
		if c := &w.view.Circuits[i]; !c.NextProbe.IsZero() && c.NextProbe.Before(now) {
			c.NextProbe = now.Add(20 * time.Second)
		}
	}
	v := w.view
	v.Policies = slices.Clone(v.Policies)
	for i := range v.Policies {
		p := &v.Policies[i]
		p.Outcomes, p.Suppressed, p.Override = maps.Clone(p.Outcomes), maps.Clone(p.Suppressed), maps.Clone(p.Override)
		p.Call.Counts, p.Attempt.Counts = slices.Clone(p.Call.Counts), slices.Clone(p.Attempt.Counts)
	}
	v.Stops, v.Circuits, v.Budgets, v.Venues = slices.Clone(v.Stops), slices.Clone(v.Circuits), slices.Clone(v.Budgets), slices.Clone(v.Venues)
	if w.outgoing != nil {
		w.outgoing(&v)
	}
	return v
}

// change edits what is seen.
func (w *world) change(f func(v *control.View)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.view)
}

// chatter publishes events as such an afternoon has them.
func (w *world) chatter(n int) {
	for i := range n {
		e := control.Note{At: time.Now().Add(time.Duration(i-n) * 173 * time.Millisecond), Kind: "retrying", Policy: "binance.place_order", Target: "api.binance.com", Call: uint64(48200 + i), Attempt: 1 + i%2, Class: "transient", Wait: time.Duration(40+i*13%400) * time.Millisecond, Elapsed: time.Duration(20+i*7%90) * time.Millisecond, Trace: fmt.Sprintf("%016x%016x", 0xa11ce0+i*7919, i), Text: "http 503: service unavailable, not processed"}
		switch i % 7 {
		case 1:
			e.Kind, e.Wait, e.Outcome, e.Text, e.Class = "recovered", 0, "success_after_retry", "", ""
		case 2:
			e.Kind, e.Policy, e.Target, e.Wait, e.Outcome, e.Reason, e.Text = "refused", "okx.place_order", "www.okx.com", 0, "breaker_denied", "breaker", "circuit is open: 62 % of 148 calls failed"
		case 4:
			e.Policy, e.Target, e.Class, e.Text = "coinbase.fetch_book", "api.exchange.coinbase.com", "throttled", "http 429: slow down, after 400 ms"
		case 5:
			e = control.Note{At: e.At, Kind: "order", Policy: "okx.place_order", Target: "okx", Text: "order of unknown outcome found at the venue: filled"}
		case 6:
			e.Kind, e.Wait, e.Outcome, e.Reason, e.Class, e.Text = "unknown", 0, "unknown_outcome", "unknown_outcome", "ambiguous", "post /api/v3/order: timeout after the request was sent"
		}
		w.Note(e)
	}
}

// Stop implements control.Commander.
func (w *world) Stop(ctx context.Context, s control.Stop) (control.StopView, error) {
	if w.slow != nil {
		select {
		case <-w.slow:
		case <-ctx.Done():
			return control.StopView{}, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, s)
	if w.keys[s.Key] {
		return w.view.Stops[0], nil
	}
	w.keys[s.Key] = true
	v := control.StopView{Scope: s.Scope, State: s.State, Drill: s.Drill, Epoch: uint64(len(w.keys)), Actor: s.Actor, Source: s.Source, Reason: s.Reason, Ticket: s.Ticket, Since: time.Now()}
	if s.Expires > 0 {
		v.Expires = v.Since.Add(s.Expires)
	}
	w.view.Stops = append(slices.DeleteFunc(slices.Clone(w.view.Stops), func(o control.StopView) bool { return o.Scope == s.Scope }), v)
	return v, nil
}

// Resume implements control.Commander.
func (w *world) Resume(_ context.Context, r control.Resume) (control.StopView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resumes = append(w.resumes, r)
	i := slices.IndexFunc(w.view.Stops, func(s control.StopView) bool { return s.Scope == r.Scope })
	switch {
	case i < 0:
		return control.StopView{}, fmt.Errorf("resume %s: it is not stopped", r.Scope)
	case w.view.Stops[i].Epoch != r.Epoch:
		return control.StopView{}, fmt.Errorf("resume %s: it was stopped again: epoch %d, not %d", r.Scope, w.view.Stops[i].Epoch, r.Epoch)
	case r.Approver == r.Actor || r.Approver == w.view.Stops[i].Actor:
		return control.StopView{}, fmt.Errorf("resume %s: %s may not approve: it takes somebody who neither asked nor stopped", r.Scope, r.Approver)
	}
	v := control.StopView{Scope: r.Scope, State: "running", Epoch: r.Epoch + 1, Actor: r.Actor, Source: r.Source, Reason: r.Reason, Since: time.Now(), Ramp: .1}
	w.view.Stops = slices.Clone(w.view.Stops)
	w.view.Stops[i] = v
	return v, nil
}

// Tune implements control.Commander.
func (w *world) Tune(_ context.Context, t control.Tune) (control.PolicyView, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tunes = append(w.tunes, t)
	for i := range w.view.Policies {
		if p := &w.view.Policies[i]; p.Name == t.Operation {
			if p.Version != t.Version {
				return *p, fmt.Errorf("tune %s: it is at version %d, not %d", p.Name, p.Version, t.Version)
			}
			p.Override = maps.Clone(p.Override)
			if p.Override == nil {
				p.Override = map[string]string{}
			}
			maps.Copy(p.Override, t.Fields)
			maps.DeleteFunc(p.Override, func(_, v string) bool { return v == "" })
			p.Version++
			return *p, nil
		}
	}
	return control.PolicyView{}, fmt.Errorf("tune %s: no such operation", t.Operation)
}

// Records implements dashboard.Audit.
func (w *world) Records(_ context.Context, q string, limit int) (found []audit.Record, err error) {
	for _, r := range slices.Backward(w.records) {
		if len(found) < limit && strings.Contains(fmt.Sprint(r), q) {
			found = append(found, r)
		}
	}
	return found, nil
}

// Verify implements dashboard.Audit.
func (w *world) Verify(context.Context) error { return w.broken }

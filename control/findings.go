package control

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// A study is what an analysis is told of a registry's calls. While there is none, an event costs an atomic load.
type study struct {
	registry *Registry
	by       atomic.Pointer[analytics.Analyzer]
	seen     map[*counters]tally // used by the analyzer's Run alone, as is asked
	asked    time.Time           // when it asked last
}

// A tally is what was counted of calls that succeeded at once when the analyzer asked last.
type tally struct{ calls, timed, nanos uint64 }

// AddAnalyzer has an analysis listen to all operations, circuits and stops, and shows what it finds in views, in the live
// tail and as dropped events. It must be called before a.Run, which somebody has to run. An operation depends on its
// component and on what that depends on, unless a.Config.Depends says otherwise.
//
// Calls that succeed at once cost nothing more: the analyzer asks for their number ten times a second. Operations beyond
// [MostPolicies] are not analysed.
func (r *Registry) AddAnalyzer(a *analytics.Analyzer) error {
	s := r.state()
	if a == nil {
		return fmt.Errorf("analyzer: is nil")
	}
	if err := a.Config.Check(); err != nil {
		return fmt.Errorf("analyzer: %w", err)
	}
	if !s.study.by.CompareAndSwap(nil, a) {
		return fmt.Errorf("an analyzer is %w", ErrDuplicate)
	}
	s.study.seen = make(map[*counters]tally)
	next := a.Poll
	a.Poll = func(now time.Time, feed func(*analytics.Record)) {
		s.study.poll(now, feed)
		if next != nil {
			next(now, feed)
		}
	}
	if a.Config.DependsOn == nil {
		a.Config.DependsOn = r.dependsOn
	}
	a.Sinks = append([]analytics.Sink{analytics.SinkFunc(r.noteFinding)}, a.Sinks...)
	r.SetFindings(func() []FindingView { return FindingsOf(a) })
	return r.AddDropped("analytics", a.Dropped)
}

// Analyze is AddAnalyzer and Run in one, for a program without wishes: go registry.Analyze(ctx). What is found is shown in
// views, and through a Fleet in those of the control plane; sinks are told besides. It returns when ctx ends, with its cause, or
// at once with an error that matches [ErrDuplicate] if there is an analyzer already.
func (r *Registry) Analyze(ctx context.Context, sinks ...analytics.Sink) error {
	a := &analytics.Analyzer{Sinks: sinks}
	if err := r.AddAnalyzer(a); err != nil {
		return err
	}
	return a.Run(ctx)
}

// FindingsOf returns what an analyzer finds, for [Registry.SetFindings].
func FindingsOf(a *analytics.Analyzer) []FindingView {
	list := []FindingView{}
	for _, f := range a.Findings() {
		list = append(list, FindingView{
			Kind: string(f.Kind), Subject: f.Subject.String(), Severity: f.Severity.String(), Summary: f.Text, Action: f.Action.String(),
			Evidence: f.Evidence.Map(), Since: f.Started,
		})
	}
	return list
}

// Finding returns what a view says of a finding as one for a sink: a control plane tells sinks of what its processes report.
// Its ID is of the kind, the subject and Since. Of an action there is the text alone.
func (v FindingView) Finding() analytics.Finding {
	kind := analytics.Kind(v.Kind)
	f := analytics.Finding{
		Kind: kind, Subject: kind.Subject(v.Subject), Severity: analytics.ParseSeverity(v.Severity), Started: v.Since,
		Evidence: analytics.EvidenceOf(v.Evidence), Action: analytics.Action{Text: v.Action}, Text: v.Summary,
	}
	f.ID = analytics.FindingID(f.Kind, f.Subject, f.Started)
	return f
}

// decisionFinding is what findings are recorded as.
const decisionFinding audit.Decision = "finding"

// AuditFindings is a sink that has findings recorded, with their kind as the rule and their severity as the state.
func AuditFindings(to Recorder) analytics.Sink {
	return analytics.SinkFunc(func(ctx context.Context, f analytics.Finding) error {
		record := audit.Record{
			Decision: decisionFinding, Operation: clip(f.Subject.String()), Rule: string(f.Kind), State: f.Severity.String(), Key: f.ID, Why: clip(f.Text),
			Validation: f.Action.String(),
		}
		if !f.Ended.IsZero() {
			record.State = "ended"
		}
		return to.Record(ctx, record)
	})
}

// noteFinding puts a finding into the live tail.
func (r *Registry) noteFinding(_ context.Context, f analytics.Finding) error {
	text := fmt.Sprintf("%v %s: %s %v", f.Severity, f.Kind, f.Text, f.Action)
	if !f.Ended.IsZero() {
		text = fmt.Sprintf("%s is over", f.Kind)
	}
	r.Note(Note{Kind: "finding", Policy: f.Subject.Name, Target: f.Subject.Part, Text: text})
	return nil
}

// dependsOn says what an operation, or a component, depends on directly.
func (r *Registry) dependsOn(name string) ([]string, bool) {
	s := &r.live
	s.mu.Lock()
	o := s.operations[name]
	s.mu.Unlock()
	if o != nil {
		if component := o.row().component; component != "" {
			return []string{component}, true
		}
		return nil, false
	}
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if c := s.health.components[name]; c != nil {
		return c.DependsOn, true
	}
	return nil, false
}

// event tells of an attempt or a call that did not succeed at once.
func (s *study) event(ctx context.Context, e *retry.Event) {
	if s == nil {
		return
	}
	if a := s.by.Load(); a != nil {
		a.Observe(ctx, *e)
	}
}

// poll tells of the calls that succeeded at once since it was asked last, each operation's as one record with their mean time.
func (s *study) poll(now time.Time, feed func(*analytics.Record)) {
	live := &s.registry.live
	live.mu.Lock()
	operations := live.present()
	live.mu.Unlock()
	var over time.Duration
	if !s.asked.IsZero() {
		over = now.Sub(s.asked)
	}
	s.asked = now
	for _, o := range operations {
		if o.hidden {
			continue
		}
		t, was := o.counters.tally(), s.seen[o.counters]
		s.seen[o.counters] = t
		if t.calls == was.calls {
			continue
		}
		r := analytics.Record{
			At: now, Policy: o.name, Attempt: 1, Ended: true, Last: true, OK: true, Orders: !o.Current().Idempotent, Count: uint32(min(t.calls-was.calls, 1<<31)), Over: over,
		}
		if t.timed > was.timed && t.nanos > was.nanos {
			r.Took = time.Duration((t.nanos - was.nanos) / (t.timed - was.timed))
		}
		feed(&r)
	}
}

// tally counts the calls that succeeded at once. The others come first: they are among all of them.
func (c *counters) tally() (t tally) {
	slowNanos, slow := c.slow.total()
	t.nanos, t.timed = c.call.total()
	t.nanos, t.timed = t.nanos-min(t.nanos, slowNanos), t.timed-min(t.timed, slow)
	t.calls = c.outcome[SuccessFirstTry].Load()
	return t
}

// total returns the sum of all values, and their number.
func (h *durations) total() (nanos, count uint64) {
	for i := range h.buckets {
		count += h.buckets[i].Load()
	}
	return h.nanos.Load(), count
}

// circuit tells of a transition.
func (s *study) circuit(policy string, t Transition) {
	if a := s.by.Load(); a != nil {
		a.Add(&analytics.Record{Event: analytics.Circuit, At: t.At, Policy: policy, State: t.To})
	}
}

var stopEvents = map[halt.Action]analytics.Event{
	halt.ActionStop: analytics.Stopped, halt.ActionTrip: analytics.Stopped, halt.ActionResume: analytics.Resumed, halt.ActionExpire: analytics.Resumed,
}

// stop tells of a stop and of its end, for each operation below it: in a stop, failures are no news.
func (s *study) stop(c halt.Record) {
	a := s.by.Load()
	event, ok := stopEvents[c.Action]
	if a == nil || !ok || c.Drill || c.Err != nil {
		return
	}
	r := analytics.Record{Event: event, At: c.At}
	if c.Scope == halt.Global {
		a.Add(&r)
		return
	}
	live := &s.registry.live
	live.mu.Lock()
	operations := live.present()
	live.mu.Unlock()
	for _, o := range operations {
		if path := strings.ReplaceAll(o.name, ".", "/"); path == string(c.Scope) || strings.HasPrefix(path, string(c.Scope)+"/") {
			r.Policy = o.name
			a.Add(&r)
		}
	}
}

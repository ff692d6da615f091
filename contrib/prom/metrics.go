package prom

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relent-go/relent/control"
)

// A metric is one name, and how its series come from a view.
type metric struct {
	name   string
	help   string
	desc   *prometheus.Desc
	labels []string
	kind   prometheus.ValueType
	each   func(s *scrape, emit func(value float64, labels ...string))
}

func counter(name, help string, each func(*scrape, func(float64, ...string)), labels ...string) metric {
	return metric{name, help, prometheus.NewDesc(name, help, labels, nil), labels, prometheus.CounterValue, each}
}

func gauge(name, help string, each func(*scrape, func(float64, ...string)), labels ...string) metric {
	return metric{name, help, prometheus.NewDesc(name, help, labels, nil), labels, prometheus.GaugeValue, each}
}

// States are those of relent_circuit_state.
var states = []string{"closed", "suspect", "throttling", "half_open", "open", "isolated"}

// reconnects are the reasons of relent_ws_reconnects_total.
var reconnects = []string{"eof", "timeout", "heartbeat", "refused", "auth", "gap", "requested"}

// sinks are those of relent_events_dropped_total, and overflowing the labels of relent_label_overflow_total.
var (
	sinks       = []string{"analytics", "tail", "spool"}
	overflowing = []string{"policy", "target", "venue", "scope", "subject"}
)

var metrics = []metric{
	counter("relent_calls_total", "Calls that ended, by what the caller got.", policies(func(p *control.PolicyView, emit func(float64, ...string)) {
		counts(p.Outcomes, control.Outcomes(), emit, p.Name)
	}), "policy", "outcome"),
	counter("relent_attempts_total", "Attempts, first ones included.", policies(func(p *control.PolicyView, emit func(float64, ...string)) {
		emit(float64(p.Attempts), p.Name)
	}), "policy"),
	counter("relent_attempt_failures_total", "Attempts that failed, by the class of the error.", policies(func(p *control.PolicyView, emit func(float64, ...string)) {
		counts(p.Failures, control.Classes(), emit, p.Name)
	}), "policy", "class"),
	counter("relent_retries_suppressed_total", "Failures that were not followed by a retry, by why not.", policies(func(p *control.PolicyView, emit func(float64, ...string)) {
		counts(p.Suppressed, control.Reasons(), emit, p.Name)
	}), "policy", "reason"),
	gauge("relent_inflight_calls", "Calls that have begun and not ended.", policies(func(p *control.PolicyView, emit func(float64, ...string)) {
		emit(float64(p.InFlight), p.Name)
	}), "policy"),
	gauge("relent_budget_remaining_ratio", "The share that is left of the retry budget, the emptiest of several.", budgets, "policy"),
	gauge("relent_circuit_state", "1 for the state that a circuit breaker is in.", circuits(func(c *control.CircuitView, emit func(float64, ...string)) {
		for _, state := range states {
			emit(one(c.State == state), c.Policy, c.Target, state)
		}
	}), "policy", "target", "state"),
	counter("relent_circuit_transitions_total", "Changes of a circuit breaker, by the state entered.", circuits(func(c *control.CircuitView, emit func(float64, ...string)) {
		counts(c.Transitions, states, emit, c.Policy, c.Target)
	}), "policy", "target", "to"),
	gauge("relent_emergency_stop_engaged", "1 while a scope is stopped, in whatever state; drills stop nothing.", stops(func(stop *control.StopView, emit func(float64, ...string)) {
		emit(one(engaged(stop)), stop.Scope)
	}), "scope"),
	gauge("relent_emergency_stop_since_timestamp_seconds", "When the stop of a scope began; 0 while it is not stopped.", stops(func(stop *control.StopView, emit func(float64, ...string)) {
		if engaged(stop) {
			emit(seconds(stop.Since), stop.Scope)
		} else {
			emit(0, stop.Scope)
		}
	}), "scope"),
	counter("relent_duplicate_guard_trips_total", "Orders whose repetition was blocked.", venues(func(v *control.VenueView, _ time.Time, emit func(float64, ...string)) {
		emit(float64(v.GuardTrips), v.Name)
	}), "venue"),
	gauge("relent_unknown_outcome_orders", "Orders of which nobody knows whether they exist.", venues(func(v *control.VenueView, _ time.Time, emit func(float64, ...string)) {
		emit(float64(v.Unknown), v.Name)
	}), "venue"),
	gauge("relent_unknown_outcome_oldest_age_seconds", "For how long the oldest of them has been unknown; 0 without any.", venues(func(v *control.VenueView, at time.Time, emit func(float64, ...string)) {
		age := time.Duration(0)
		if v.Unknown > 0 && !v.OldestUnknown.IsZero() {
			age = max(0, at.Sub(v.OldestUnknown))
		}
		emit(age.Seconds(), v.Name)
	}), "venue"),
	counter("relent_ws_reconnects_total", "Streams that were connected again, by what ended them.", venues(func(v *control.VenueView, _ time.Time, emit func(float64, ...string)) {
		counts(v.Reconnects, reconnects, emit, v.Name)
	}), "venue", "reason"),
	counter("relent_config_reloads_total", "Loads of the configuration.", func(s *scrape, emit func(float64, ...string)) {
		c := config(s)
		emit(float64(c.Reloads), "ok")
		emit(float64(c.Failures), "error")
	}, "result"),
	gauge("relent_config_last_reload_success", "1 if the last load of the configuration succeeded.", func(s *scrape, emit func(float64, ...string)) {
		emit(one(config(s).Good))
	}),
	gauge("relent_config_last_success_timestamp_seconds", "When the configuration in force was loaded.", func(s *scrape, emit func(float64, ...string)) {
		emit(seconds(config(s).Loaded))
	}),
	gauge("relent_component_up", "1 unless a component fails; one whose dependency fails is not its own failure.", func(s *scrape, emit func(float64, ...string)) {
		for _, c := range s.Components {
			emit(one(c.State != "failing"), c.Name, strconv.FormatBool(c.Critical))
		}
	}, "component", "critical"),
	gauge("relent_finding_active", "1 while the analysis sees a pattern.", func(s *scrape, emit func(float64, ...string)) {
		for _, key := range slices.SortedFunc(maps.Keys(s.findings), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
			emit(one(s.findings[key]), key[:]...)
		}
	}, "kind", "subject", "severity"),
	counter("relent_findings_total", "Patterns that the analysis has seen begin.", func(s *scrape, emit func(float64, ...string)) {
		for _, key := range slices.SortedFunc(maps.Keys(s.found), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			emit(s.found[key], key[:]...)
		}
	}, "kind", "severity"),
	counter("relent_audit_records_total", "Records in the audit log.", func(s *scrape, emit func(float64, ...string)) {
		emit(float64(auditLog(s).Records))
	}),
	counter("relent_audit_write_errors_total", "Audit records that could not be written.", func(s *scrape, emit func(float64, ...string)) {
		emit(float64(auditLog(s).WriteErrors))
	}),
	gauge("relent_audit_chain_broken", "1 if the audit log was found altered.", func(s *scrape, emit func(float64, ...string)) {
		emit(one(auditLog(s).Broken))
	}),
	gauge("relent_sse_clients", "Clients that watch live.", func(s *scrape, emit func(float64, ...string)) {
		emit(float64(s.clients))
	}),
	counter("relent_sse_dropped_total", "Events that slow watching clients lost.", func(s *scrape, emit func(float64, ...string)) {
		emit(float64(s.dropped))
	}),
	counter("relent_events_dropped_total", "Events that were dropped because their reader was slow.", func(s *scrape, emit func(float64, ...string)) {
		counts(s.Dropped, sinks, emit)
	}, "sink"),
	counter("relent_label_overflow_total", "Names that are shown as other because there were too many.", func(s *scrape, emit func(float64, ...string)) {
		counts(s.Overflow, overflowing, emit)
	}, "label"),
	gauge("relent_build_info", "1; the labels name the program.", func(s *scrape, emit func(float64, ...string)) {
		emit(1, s.Build.Version, s.Build.Revision, s.Build.Go)
	}, "version", "revision", "goversion"),
}

// policies, circuits, venues and stops make an each of something that looks at one of them.
func policies(of func(*control.PolicyView, func(float64, ...string))) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, emit func(float64, ...string)) {
		for i := range s.Policies {
			of(&s.Policies[i], emit)
		}
	}
}

func circuits(of func(*control.CircuitView, func(float64, ...string))) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, emit func(float64, ...string)) {
		for i := range s.Circuits {
			of(&s.Circuits[i], emit)
		}
	}
}

func venues(of func(*control.VenueView, time.Time, func(float64, ...string))) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, emit func(float64, ...string)) {
		for i := range s.Venues {
			of(&s.Venues[i], s.At, emit)
		}
	}
}

// stops shows each scope once, drills as what is not stopped, and the global scope even where nothing has been stopped yet.
func stops(of func(*control.StopView, func(float64, ...string))) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, emit func(float64, ...string)) {
		shown := map[string]bool{}
		for i := range s.Stops {
			if !s.Stops[i].Drill {
				shown[s.Stops[i].Scope] = true
				of(&s.Stops[i], emit)
			}
		}
		for _, scope := range append([]string{"global"}, drilled(s.Stops)...) {
			if !shown[scope] {
				shown[scope] = true
				of(&control.StopView{Scope: scope, State: "running"}, emit)
			}
		}
	}
}

func drilled(stops []control.StopView) (scopes []string) {
	for _, s := range stops {
		if s.Drill {
			scopes = append(scopes, s.Scope)
		}
	}
	return scopes
}

// engaged says that a scope is held back. One whose release ramps still is.
func engaged(s *control.StopView) bool {
	return s.State != "running" || s.Ramp > 0 && s.Ramp < 1
}

// budgets shows for each policy the emptiest of the budgets that it draws on.
func budgets(s *scrape, emit func(float64, ...string)) {
	left := map[string]float64{}
	for _, b := range s.Budgets {
		ratio := 0.0
		if b.Max > 0 {
			ratio = max(0, min(1, b.Level/b.Max))
		}
		for _, p := range b.Policies {
			if before, ok := left[p]; !ok || ratio < before {
				left[p] = ratio
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		emit(left[name], name)
	}
}

// counts shows a counter for each name of a closed list.
func counts(have map[string]uint64, names []string, emit func(float64, ...string), labels ...string) {
	labels = append(labels, "")
	for _, name := range names {
		labels[len(labels)-1] = name
		emit(float64(have[name]), labels...)
	}
}

func config(s *scrape) control.ConfigView {
	if s.Config == nil {
		return control.ConfigView{Good: true, Loaded: s.Since} // there is none that could be bad
	}
	return *s.Config
}

func auditLog(s *scrape) control.AuditView {
	if s.Audit == nil {
		return control.AuditView{}
	}
	return *s.Audit
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// Package prom shows what relent does to Prometheus.
//
//	registry.MustRegister(prom.New(controlRegistry, prom.Options{}))
//
// A server that shows nothing else does without a registry, which is quicker:
//
//	http.Handle("/metrics", promhttp.HandlerFor(prom.New(controlRegistry, prom.Options{}), promhttp.HandlerOpts{}))
//
// A scrape takes one [control.View] and turns it into metrics: no lock of the hot path is taken, and no counter
// lives here. Whoever serves many processes, as `relent serve` does, hands in the merged view of the fleet.
//
// # Metrics
//
// Names begin with relent_. Label values come from the configuration or from closed lists, never from requests: no
// order ids, symbols, URLs or error texts. Each series that can exist is there from the first scrape, at 0, because
// increase() cannot see a counter that is born at 1. Findings are the exception: their kinds and subjects are
// known when they are first found, and from then on they stay, at 0 when they are over.
//
//	calls, attempts              relent_calls_total{policy,outcome}, relent_attempts_total{policy},
//	                             relent_attempt_failures_total{policy,class}, relent_retries_suppressed_total{policy,reason},
//	                             relent_inflight_calls{policy}, relent_attempts_per_call{policy},
//	                             relent_call_duration_seconds{policy}, relent_attempt_duration_seconds{policy}, relent_backoff_seconds{policy}
//	gates                        relent_budget_remaining_ratio{policy}, relent_circuit_state{policy,target,state},
//	                             relent_circuit_transitions_total{policy,target,to}, relent_emergency_stop_engaged{scope},
//	                             relent_emergency_stop_since_timestamp_seconds{scope}
//	trading                      relent_duplicate_guard_trips_total{venue}, relent_unknown_outcome_orders{venue},
//	                             relent_unknown_outcome_oldest_age_seconds{venue}, relent_ws_reconnects_total{venue,reason}
//	configuration, health        relent_config_reloads_total{result}, relent_config_last_reload_success,
//	                             relent_config_last_success_timestamp_seconds, relent_component_up{component,critical}
//	analysis, audit              relent_finding_active{kind,subject,severity}, relent_findings_total{kind,severity},
//	                             relent_audit_records_total, relent_audit_write_errors_total, relent_audit_chain_broken
//	relent itself                relent_sse_clients, relent_sse_dropped_total, relent_events_dropped_total{sink},
//	                             relent_label_overflow_total{label}, relent_build_info{version,revision,goversion}
//
// The count of a duration histogram is one of timed calls, which in the timing modes sampled and off are not all.
package prom

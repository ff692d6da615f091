package rules

import "fmt"

// An alert is one of the list. Its expression, threshold and time are the contract.
type alert struct {
	name     string
	hold     string // how long it must be true; empty: at once
	severity string // page or ticket
	summary  string
	expr     func(Objective) string
}

func fixed(expr string) func(Objective) string { return func(Objective) string { return expr } }

// burn is the share of failures at which a budget is used up so many times as fast as it may be, over a long and a short window.
func burn(factor float64, long, short string, failedLong, failedShort int) func(Objective) string {
	return func(o Objective) string {
		return fmt.Sprintf(`policy:relent_call_errors:ratio_rate%[1]s > (%[3]v * %[4]s)
  and on (policy) policy:relent_call_errors:ratio_rate%[2]s > (%[3]v * %[4]s)
  and on (policy) policy:relent_call_errors:increase%[1]s >= %[5]d
  and on (policy) policy:relent_call_errors:increase%[2]s >= %[6]d`, long, short, factor, number(o.budget()), failedLong, failedShort)
	}
}

var alerts = []alert{
	{"RelentRetryStorm", "1m", "page", `{{ $labels.policy }} makes {{ $value | printf "%.2f" }} attempts for each call: retries multiply the load.`, fixed(
		`policy:relent_retry_amplification:ratio_rate1m > ` + number(Amplification) + `
  and on (policy) sum by (policy) (rate(relent_attempts_total[1m])) > 10`)},
	{"RelentBudgetExhausted", "1m", "page", `{{ $labels.policy }}: {{ $value | printf "%.0f" }} retries were refused in 2 minutes, and the retry budget is empty.`, fixed(
		`sum by (policy) (increase(relent_retries_suppressed_total{reason="budget"}[2m])) > 0
  and on (policy) min by (policy) (relent_budget_remaining_ratio) < ` + number(BudgetLeft))},
	{"RelentCircuitOpen", "30s", "page", `{{ $labels.policy }} is cut off from {{ $labels.target }}: its circuit is open.`, fixed(
		`max by (policy, target) (relent_circuit_state{state="open"}) == 1`)},
	{"RelentCircuitFlapping", "", "ticket", `The circuit of {{ $labels.policy }} to {{ $labels.target }} opened {{ $value | printf "%.0f" }} times in 10 minutes.`, fixed(
		`sum by (policy, target) (increase(relent_circuit_transitions_total{to="open"}[10m])) > ` + number(Openings))},
	{"RelentEmergencyStopEngaged", "", "page", `The emergency stop holds {{ $labels.scope }}.`, fixed(
		`max by (scope) (relent_emergency_stop_engaged) == 1`)},
	{"RelentEmergencyStopForgotten", "", "ticket", `{{ $labels.scope }} has been stopped for {{ $value | humanizeDuration }}.`, fixed(
		`max by (scope) ((time() - relent_emergency_stop_since_timestamp_seconds)
  and relent_emergency_stop_engaged == 1) > ` + number(StopHeldSeconds))},
	{"RelentRecoveryRateDrop", "5m", "ticket", `{{ $labels.policy }}: retries rescue only {{ $value | humanizePercentage }} of the calls that need them.`, fixed(
		`sum by (policy) (rate(relent_calls_total{outcome="success_after_retry"}[5m]))
  / (sum by (policy) (rate(relent_calls_total{
       outcome=~"success_after_retry|exhausted|budget_denied|deadline_exceeded"}[5m])) > 0.1) < ` + number(RecoveryRate))},
	{"RelentFirstTryFailures", "15m", "ticket", `{{ $labels.policy }}: {{ $value | humanizePercentage }} of first attempts fail, and retries hide it.`, fixed(
		`policy:relent_first_try_failures:ratio_rate5m > ` + number(FirstTryFailures) + `
  and on (policy) policy:relent_calls:rate5m > 0.5`)},
	{"RelentDuplicateOrderGuardTripped", "", "page", `{{ $labels.venue }}: an order would have been sent twice, and was blocked.`, fixed(
		`sum by (venue) (increase(relent_duplicate_guard_trips_total[5m])) > 0`)},
	{"RelentUnknownOutcomeOrdersPending", "", "page", `{{ $labels.venue }}: for {{ $value | humanizeDuration }} nobody has known whether an order exists.`, fixed(
		`max by (venue) (relent_unknown_outcome_oldest_age_seconds) > ` + number(UnknownAgeSeconds) + `
  and on (venue) sum by (venue) (relent_unknown_outcome_orders) > 0`)},
	{"RelentReconnectStorm", "1m", "page", `{{ $labels.venue }}: streams reconnect {{ $value | printf "%.0f" }} times a minute.`, fixed(
		`sum by (venue) (rate(relent_ws_reconnects_total[1m])) * 60 > ` + number(ReconnectsAMinute))},
	{"RelentErrorBudgetBurnFast", "2m", "page", `{{ $labels.policy }}: {{ $value | humanizePercentage }} of calls fail, 14.4 times what the objective allows.`,
		burn(FastBurn, "1h", "5m", 10, 3)},
	{"RelentErrorBudgetBurnSlow", "15m", "ticket", `{{ $labels.policy }}: {{ $value | humanizePercentage }} of calls fail, 6 times what the objective allows.`,
		burn(SlowBurn, "6h", "30m", 20, 3)},
	{"RelentLowVolumeFailing", "5m", "ticket", `{{ $labels.policy }} is seldom called and fails {{ $value | humanizePercentage }} of the time.`, fixed(
		`policy:relent_call_errors:ratio_rate1h > 0.5
  and on (policy) policy:relent_call_errors:increase1h >= 3
  and on (policy) policy:relent_call_errors:increase1h < 10`)},
	{"RelentFindingActive", "", "page", `The analysis sees {{ $labels.kind }} on {{ $labels.subject }}.`, fixed(
		`max by (kind, subject) (relent_finding_active{severity="page"}) == 1`)},
	{"RelentComponentFailing", "1m", "page", `The critical component {{ $labels.component }} is down.`, fixed(
		`min by (component) (relent_component_up{critical="true"}) == 0`)},
	{"RelentConfigReloadFailed", "5m", "ticket", `{{ $labels.instance }} runs on its previous configuration: the new one was refused.`, fixed(
		`max by (instance) (relent_config_last_reload_success) == 0`)},
	{"RelentLabelOverflow", "", "ticket", `{{ $value | printf "%.0f" }} names of {{ $labels.label }} are merged into "other" in the metrics.`, fixed(
		`sum by (label) (increase(relent_label_overflow_total[15m])) > 0`)},
	{"RelentAuditWriteFailing", "", "page", `Audit records cannot be written.`, fixed(
		`sum(increase(relent_audit_write_errors_total[5m])) > 0`)},
	{"RelentAuditChainBroken", "", "page", `The audit log was found altered.`, fixed(
		`max(relent_audit_chain_broken) == 1`)},
	{"RelentAbsent", "5m", "page", `Prometheus scrapes nothing of relent.`, fixed(
		`absent(relent_build_info)`)},
}

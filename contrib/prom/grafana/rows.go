package grafana

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/relent-go/relent/contrib/prom/rules"
	"github.com/relent-go/relent/control"
)

func rows(o rules.Objective) []row {
	return []row{overview(o), outcomes(o), suppressed(), circuits(), budgets(), stops(), orders(), streams(), auditLog(), self()}
}

// quantiles are the median and the 99th percentile of a histogram.
func quantiles(metric string) (all []query) {
	for _, q := range []string{"0.5", "0.99"} {
		all = append(all, query{fmt.Sprintf(`histogram_quantile(%s, sum by (policy, le) (rate(%s_bucket{policy=~"$policy"}[$__rate_interval])))`, q, metric), "{{policy}} " + q})
	}
	return all
}

func overview(o rules.Objective) row {
	return row{"Overview", []panel{
		{title: "Success, now", unit: units.PercentUnit, form: figure, width: 4, about: "The share of calls that succeeded over 5 minutes: after retries, and at the first try. What lies between them is what retries hide.",
			queries: []query{
				{`1 - sum(rate(relent_calls_total{policy=~"$policy",outcome!~"success.*|cancelled"}[5m])) / (sum(rate(relent_calls_total{policy=~"$policy",outcome!="cancelled"}[5m])) > 0)`, "after retries"},
				{`sum(rate(relent_calls_total{policy=~"$policy",outcome="success_first_try"}[5m])) / (sum(rate(relent_calls_total{policy=~"$policy",outcome!="cancelled"}[5m])) > 0)`, "first try"},
			}, below: []float64{1 - rules.FirstTryFailures}},
		{title: "Success after retries", unit: units.PercentUnit, about: "The share of calls that succeeded in the end, which is what the objective counts. The line is the rate at which the error budget burns fast.",
			queries: []query{{`1 - policy:relent_call_errors:ratio_rate5m{policy=~"$policy"}`, "{{policy}}"}}, below: []float64{1 - rules.FastBurn*o.Budget()}, width: 7},
		{title: "Success at the first try", unit: units.PercentUnit, about: "The share of calls that needed no retry: what callers would see without retries.",
			queries: []query{{`1 - policy:relent_first_try_failures:ratio_rate5m{policy=~"$policy"}`, "{{policy}}"}}, below: []float64{1 - rules.FirstTryFailures}, width: 7},
		{title: "Calls in flight", unit: units.Short, about: "Calls that have begun and not ended. A rising line means that calls take longer, or that nobody answers.",
			queries: []query{{`sum by (policy) (relent_inflight_calls{policy=~"$policy"})`, "{{policy}}"}}, width: 6},
		{title: "Calls", unit: units.RequestsPerSecond, about: "Calls a second over 5 minutes.",
			queries: []query{{`policy:relent_calls:rate5m{policy=~"$policy"}`, "{{policy}}"}}},
		{title: "Time of calls", unit: units.Seconds, about: "The median and the 99th percentile of timed calls, waits included. In the timing mode sampled, only one first-try success in 16 is timed.",
			queries: quantiles("relent_call_duration_seconds")},
		{title: "Time of attempts", unit: units.Seconds, about: "The median and the 99th percentile of timed attempts: the dependency without our waits.",
			queries: quantiles("relent_attempt_duration_seconds")},
	}}
}

func outcomes(o rules.Objective) row {
	return row{"Outcomes", []panel{
		{title: "What callers got", unit: units.RequestsPerSecond, form: stack, width: 12, about: "Ended calls a second, by outcome: each call has exactly one.",
			queries: []query{{`sum by (outcome) (rate(relent_calls_total{policy=~"$policy"}[$__rate_interval]))`, "{{outcome}}"}}},
		{title: "Failed attempts", unit: units.OpsPerSecond, form: stack, width: 12, about: "Attempts that failed, by the class of their error. Ambiguous ones may have had an effect.",
			queries: []query{{`sum by (class) (rate(relent_attempt_failures_total{policy=~"$policy"}[$__rate_interval]))`, "{{class}}"}}},
		{title: "Attempts for each call", unit: units.Short, about: "How much retries multiply the load; 1 is none. The line is that of a retry storm.",
			queries: []query{{`policy:relent_retry_amplification:ratio_rate1m{policy=~"$policy"}`, "{{policy}}"}}, above: []float64{rules.Amplification}},
		{title: "Attempts of the slowest calls", unit: units.Short, about: "How many attempts the 99th of 100 calls made.",
			queries: quantiles("relent_attempts_per_call")[1:]},
		{title: "Rescued by retries", unit: units.PercentUnit, about: "Of the calls whose first attempt failed retryably, the share that succeeded in the end. Below the line retries do not help.",
			queries: []query{{`sum by (policy) (rate(relent_calls_total{policy=~"$policy",outcome="success_after_retry"}[5m])) / (sum by (policy) (rate(relent_calls_total{policy=~"$policy",outcome=~"success_after_retry|exhausted|budget_denied|deadline_exceeded"}[5m])) > 0)`, "{{policy}}"}},
			below:   []float64{rules.RecoveryRate}},
		{title: "Burn of the error budget, fast", unit: units.Short, width: 12, about: "How many times faster than allowed the error budget is used up, over 1 hour and over 5 minutes. Both above the line page somebody, if enough calls failed.",
			queries: burn(o, "1h", "5m"), above: []float64{rules.FastBurn}},
		{title: "Burn of the error budget, slow", unit: units.Short, width: 12, about: "The same over 6 hours and 30 minutes. Both above the line open a ticket, if enough calls failed.",
			queries: burn(o, "6h", "30m"), above: []float64{rules.SlowBurn}},
	}}
}

func burn(o rules.Objective, windows ...string) (all []query) {
	for _, w := range windows {
		all = append(all, query{fmt.Sprintf(`policy:relent_call_errors:ratio_rate%s{policy=~"$policy"} / %v`, w, o.Budget()), "{{policy}} " + w})
	}
	return all
}

func suppressed() row {
	return row{"Retries not made", []panel{
		{title: "Why there was no retry", unit: units.OpsPerSecond, form: stack, width: 12, about: "Failures a second that no retry followed, by reason.",
			queries: []query{{`sum by (reason) (rate(relent_retries_suppressed_total{policy=~"$policy"}[$__rate_interval]))`, "{{reason}}"}}},
		{title: "Waits before retries", unit: units.Seconds, width: 12, about: "The median and the 99th percentile of the waits between attempts.",
			queries: quantiles("relent_backoff_seconds")},
	}}
}

// colors of the states of a circuit.
var colors = map[string]string{"closed": "green", "suspect": "yellow", "throttling": "orange", "half_open": "blue", "open": "red", "isolated": "purple"}

func circuits() row {
	var terms []string
	var values []value
	for i, state := range control.CircuitStates() {
		if i > 0 {
			terms = append(terms, fmt.Sprintf(`%d * relent_circuit_state{policy=~"$policy",state=%q}`, i, state))
		}
		values = append(values, value{state, colors[state]})
	}
	return row{"Circuits", []panel{
		{title: "State of circuits", unit: units.NoUnit, form: timeline, values: values, width: 16, about: "An open circuit cuts an operation off from a target. Of several instances in different states the worst is shown.",
			queries: []query{{"max by (policy, target) (" + strings.Join(terms, " or ") + ")", "{{policy}} to {{target}}"}}},
		{title: "Openings in 10 minutes", unit: units.Short, about: "How often each circuit opened. Above the line it flaps.",
			queries: []query{{`sum by (policy, target) (increase(relent_circuit_transitions_total{policy=~"$policy",to="open"}[10m]))`, "{{policy}} to {{target}}"}}, above: []float64{rules.Openings}},
	}}
}

func budgets() row {
	return row{"Budgets", []panel{
		{title: "Left of the retry budget", unit: units.PercentUnit, width: 24, about: "The emptiest budget that each operation draws on. Below the line, retries are refused.",
			queries: []query{{`min by (policy) (relent_budget_remaining_ratio{policy=~"$policy"})`, "{{policy}}"}}, below: []float64{rules.BudgetLeft}},
	}}
}

func stops() row {
	return row{"Emergency stop", []panel{
		{title: "Stopped scopes", unit: units.BoolOnOff, form: timeline, values: offOn, width: 16, about: "Whether each scope is held back, in whatever state. Drills do not show.",
			queries: []query{{`max by (scope) (relent_emergency_stop_engaged)`, "{{scope}}"}}},
		{title: "Held for", unit: units.Seconds, about: "For how long each scope has been stopped. Above the line somebody may have forgotten it.",
			queries: []query{{`max by (scope) ((time() - relent_emergency_stop_since_timestamp_seconds) and relent_emergency_stop_engaged == 1)`, "{{scope}}"}}, above: []float64{rules.StopHeldSeconds}},
	}}
}

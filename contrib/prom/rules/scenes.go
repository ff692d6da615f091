package rules

import (
	"fmt"
	"math"
	"strings"
)

// counter is a counter that grows evenly, from 0, for so many minutes.
func counter(series string, perSecond, minutes float64) Input {
	return Input{series, fmt.Sprintf("0+%sx%.0f", number(math.Round(perSecond*15*1e6)/1e6), minutes*4)}
}

// A pace is how quickly a counter grows, for how long.
type pace struct{ perSecond, minutes float64 }

// slowly is a counter of a test with one sample a minute, which grows at one pace after the other.
func slowly(outcome string, paces ...pace) Input {
	var parts []string
	sum := 0.0
	for _, p := range paces {
		step := math.Round(p.perSecond*60*1e6) / 1e6
		parts = append(parts, fmt.Sprintf("%s+%sx%.0f", number(math.Round(sum*1e6)/1e6), number(step), p.minutes-1))
		sum += step * p.minutes
	}
	return Input{fmt.Sprintf(`relent_calls_total{policy="p",outcome=%q}`, outcome), strings.Join(parts, " ")}
}

// steps is a counter that grows by one, so often in the minutes given, and first after after minutes.
func steps(series string, times, minutes, after int) Input {
	var values []string
	for i := range minutes * 4 {
		n := 0
		if i >= after*4 {
			n = min(times, 1+(i-after*4)*times/max(1, (minutes-after)*4))
		}
		values = append(values, fmt.Sprint(n))
	}
	return Input{series, strings.Join(values, " ")}
}

// level is a gauge that does not change for two hours.
func level(series string, value float64) Input {
	return Input{series, number(value) + "x480"}
}

// calls is relent_calls_total of one policy.
func calls(outcome string, perSecond, minutes float64) Input {
	return counter(fmt.Sprintf(`relent_calls_total{policy="p",outcome=%q}`, outcome), perSecond, minutes)
}

var (
	policy   = map[string]string{"policy": "p"}
	circuit  = map[string]string{"policy": "p", "target": "t"}
	scope    = map[string]string{"scope": "global"}
	ofVenue  = map[string]string{"venue": "v"}
	quietNow = map[string]string(nil)
)

func cases(o Objective) []scene {
	fast, slow := min(1, 2.3*FastBurn*o.budget()), min(1, 2.2*SlowBurn*o.budget())
	attempts := func(perSecond float64) Input {
		return counter(`relent_attempts_total{policy="p"}`, perSecond, 60)
	}
	refused := counter(`relent_retries_suppressed_total{policy="p",reason="budget"}`, 1, 60)
	left := `relent_budget_remaining_ratio{policy="p"}`
	open := `relent_circuit_state{policy="p",target="t",state="open"}`
	opened := `relent_circuit_transitions_total{policy="p",target="t",to="open"}`
	stopped := `relent_emergency_stop_engaged{scope="global",instance="%s"}`
	since := `relent_emergency_stop_since_timestamp_seconds{scope="global",instance="%s"}`
	trips := `relent_duplicate_guard_trips_total{venue="v"}`
	unknown := `relent_unknown_outcome_orders{venue="v"}`
	age := `relent_unknown_outcome_oldest_age_seconds{venue="v"}`
	reconnects := `relent_ws_reconnects_total{venue="v",reason="eof"}`
	finding := `relent_finding_active{kind="storm",subject="p",severity="page"}`
	up := `relent_component_up{component="c",critical="%s"}`
	reload := `relent_config_last_reload_success{instance="i"}`
	overflow := `relent_label_overflow_total{label="target"}`
	auditErrors := `relent_audit_write_errors_total`
	broken := `relent_audit_chain_broken`
	build := `relent_build_info{version="v1",revision="r",goversion="go"}`

	return []scene{
		{"RelentRetryStorm", "three attempts a call at 15/s", []Input{attempts(15), calls("success_after_retry", 5, 60)}, "5m", policy,
			"p makes 3.00 attempts for each call: retries multiply the load."},
		{"RelentRetryStorm", "one attempt a call at 100/s", []Input{attempts(100), calls("success_first_try", 100, 60)}, "5m", quietNow, ""},
		{"RelentRetryStorm", "three attempts a call at 5/s", []Input{attempts(5), calls("success_after_retry", 5.0/3, 60)}, "5m", quietNow, ""},

		{"RelentBudgetExhausted", "refusals, and hardly anything left", []Input{refused, level(left, 0.03)}, "5m", policy,
			"p: 120 retries were refused in 2 minutes, and the retry budget is empty."},
		{"RelentBudgetExhausted", "refusals, and a tenth left", []Input{refused, level(left, 0.1)}, "5m", quietNow, ""},

		{"RelentCircuitOpen", "open for five minutes", []Input{level(open, 1)}, "5m", circuit, "p is cut off from t: its circuit is open."},
		{"RelentCircuitOpen", "open for a moment", []Input{{open, "0x8 1 0x40"}}, "5m", quietNow, ""},

		{"RelentCircuitFlapping", "ten openings in ten minutes", []Input{steps(opened, 10, 11, 1)}, "11m", circuit,
			"The circuit of p to t opened 9 times in 10 minutes."},
		{"RelentCircuitFlapping", "one opening", []Input{steps(opened, 1, 11, 5)}, "11m", quietNow, ""},

		{"RelentEmergencyStopEngaged", "just stopped", []Input{{fmt.Sprintf(stopped, "a"), "0x20 1x20"}}, "6m", scope, "The emergency stop holds global."},
		{"RelentEmergencyStopEngaged", "never stopped", []Input{level(fmt.Sprintf(stopped, "a"), 0)}, "5m", quietNow, ""},
		{"RelentEmergencyStopEngaged", "released", []Input{{fmt.Sprintf(stopped, "a"), "1x10 0x20"}}, "5m", quietNow, ""},

		{"RelentEmergencyStopForgotten", "one instance since 40 minutes", []Input{
			level(fmt.Sprintf(stopped, "a"), 1), level(fmt.Sprintf(since, "a"), 1200), level(fmt.Sprintf(stopped, "b"), 0), level(fmt.Sprintf(since, "b"), 0),
		}, "60m", scope, "global has been stopped for 40m 0s."},
		{"RelentEmergencyStopForgotten", "not stopped", []Input{level(fmt.Sprintf(stopped, "b"), 0), level(fmt.Sprintf(since, "b"), 0)}, "60m", quietNow, ""},
		{"RelentEmergencyStopForgotten", "since ten minutes", []Input{level(fmt.Sprintf(stopped, "a"), 1), level(fmt.Sprintf(since, "a"), 3000)}, "60m", quietNow, ""},

		{"RelentRecoveryRateDrop", "one of six rescued", []Input{calls("success_after_retry", 0.05, 60), calls("exhausted", 0.25, 60)}, "20m", policy,
			"p: retries rescue only 16.67% of the calls that need them."},
		{"RelentRecoveryRateDrop", "15 of 18 rescued", []Input{calls("success_after_retry", 15, 60), calls("exhausted", 3, 60)}, "20m", quietNow, ""},
		{"RelentRecoveryRateDrop", "hardly any calls", []Input{calls("success_after_retry", 0.01, 60), calls("exhausted", 0.04, 60)}, "20m", quietNow, ""},

		{"RelentFirstTryFailures", "13 % need a retry", []Input{calls("success_first_try", 0.87, 60), calls("success_after_retry", 0.13, 60)}, "25m", policy,
			"p: 13% of first attempts fail, and retries hide it."},
		{"RelentFirstTryFailures", "3 % need a retry", []Input{calls("success_first_try", 9.7, 60), calls("success_after_retry", 0.3, 60)}, "25m", quietNow, ""},
		{"RelentFirstTryFailures", "the same share of few calls", []Input{calls("success_first_try", 0.26, 60), calls("success_after_retry", 0.04, 60)}, "25m", quietNow, ""},

		{"RelentDuplicateOrderGuardTripped", "one trip", []Input{{trips, "0x20 1x20"}}, "6m", ofVenue, "v: an order would have been sent twice, and was blocked."},
		{"RelentDuplicateOrderGuardTripped", "none", []Input{level(trips, 0)}, "6m", quietNow, ""},
		{"RelentDuplicateOrderGuardTripped", "old ones", []Input{level(trips, 7)}, "30m", quietNow, ""},

		{"RelentUnknownOutcomeOrdersPending", "one for 30 s", []Input{level(age, 30), level(unknown, 1)}, "1m", ofVenue,
			"v: for 30s nobody has known whether an order exists."},
		{"RelentUnknownOutcomeOrdersPending", "one for 5 s", []Input{level(age, 5), level(unknown, 1)}, "1m", quietNow, ""},
		{"RelentUnknownOutcomeOrdersPending", "none", []Input{level(age, 30), level(unknown, 0)}, "1m", quietNow, ""},

		{"RelentReconnectStorm", "20 a minute", []Input{counter(reconnects, 20.0/60, 60)}, "5m", ofVenue, "v: streams reconnect 20 times a minute."},
		{"RelentReconnectStorm", "five a minute", []Input{counter(reconnects, 5.0/60, 60)}, "5m", quietNow, ""},

		{"RelentErrorBudgetBurnFast", "failing for an hour", []Input{slowly("exhausted", pace{100 * fast, 70}), slowly("success_first_try", pace{100 * (1 - fast), 70})}, "65m", policy,
			fmt.Sprintf("p: %s of calls fail, 14.4 times what the objective allows.", percent(fast))},
		{"RelentErrorBudgetBurnFast", "all of 45", []Input{slowly("exhausted", pace{0.0125, 70}), slowly("success_first_try", pace{0, 70})}, "65m", policy,
			"p: 100% of calls fail, 14.4 times what the objective allows."},
		{"RelentErrorBudgetBurnFast", "one failure in a quiet hour", []Input{slowly("exhausted", pace{0, 57}, pace{1.0 / 60, 1}, pace{0, 10}), slowly("success_first_try", pace{240.0 / 3600, 70})}, "60m", quietNow, ""},
		{"RelentErrorBudgetBurnFast", "five failures in a quiet hour", []Input{slowly("exhausted", pace{0, 56}, pace{5.0 / 240, 14}), slowly("success_first_try", pace{0.05, 70})}, "62m", quietNow, ""},
		{"RelentErrorBudgetBurnFast", "almost over", []Input{slowly("exhausted", pace{300 * fast, 55}, pace{100 * fast / 5, 15}), slowly("success_first_try", pace{100, 70})}, "65m", quietNow, ""},
		{"RelentErrorBudgetBurnFast", "just begun", []Input{slowly("exhausted", pace{0, 60}, pace{100 * min(1, 3*fast), 10}), slowly("success_first_try", pace{100, 70})}, "65m", quietNow, ""},
		{"RelentErrorBudgetBurnFast", "a failure now and then", []Input{slowly("exhausted", pace{0.005, 70}), slowly("success_first_try", pace{0.045, 70})}, "65m", quietNow, ""},

		{"RelentErrorBudgetBurnSlow", "failing for six hours", []Input{slowly("exhausted", pace{100 * slow, 380}), slowly("success_first_try", pace{100 * (1 - slow), 380})}, "376m", policy,
			fmt.Sprintf("p: %s of calls fail, 6 times what the objective allows.", percent(slow))},
		{"RelentErrorBudgetBurnSlow", "all of 54", []Input{slowly("exhausted", pace{0.0025, 380}), slowly("success_first_try", pace{0, 380})}, "376m", policy,
			"p: 100% of calls fail, 6 times what the objective allows."},
		{"RelentErrorBudgetBurnSlow", "one failure in six quiet hours", []Input{slowly("exhausted", pace{0, 335}, pace{1.0 / 60, 1}, pace{0, 40}), slowly("success_first_try", pace{240.0 / 3600, 376})}, "360m", quietNow, ""},
		{"RelentErrorBudgetBurnSlow", "ten failures in six quiet hours", []Input{slowly("exhausted", pace{0, 350}, pace{10.0 / 1560, 30}), slowly("success_first_try", pace{0.05, 380})}, "379m", quietNow, ""},
		{"RelentErrorBudgetBurnSlow", "almost over", []Input{slowly("exhausted", pace{300 * slow, 320}, pace{100 * slow / 5, 60}), slowly("success_first_try", pace{100, 380})}, "376m", quietNow, ""},
		{"RelentErrorBudgetBurnSlow", "just begun", []Input{slowly("exhausted", pace{0, 340}, pace{100 * min(1, 3*slow), 40}), slowly("success_first_try", pace{100, 380})}, "376m", quietNow, ""},
		{"RelentErrorBudgetBurnSlow", "a failure now and then", []Input{slowly("exhausted", pace{0.001, 380}), slowly("success_first_try", pace{0.049, 380})}, "376m", quietNow, ""},

		{"RelentLowVolumeFailing", "all of six", []Input{slowly("exhausted", pace{6.0 / 3600, 75}), slowly("success_first_try", pace{0, 75})}, "70m", policy,
			"p is seldom called and fails 100% of the time."},
		{"RelentLowVolumeFailing", "4 of 240", []Input{slowly("exhausted", pace{4.0 / 3600, 75}), slowly("success_first_try", pace{236.0 / 3600, 75})}, "70m", quietNow, ""},
		{"RelentLowVolumeFailing", "6 of 20", []Input{slowly("exhausted", pace{6.0 / 3600, 75}), slowly("success_first_try", pace{14.0 / 3600, 75})}, "70m", quietNow, ""},
		{"RelentLowVolumeFailing", "one of one", []Input{slowly("exhausted", pace{1.0 / 3600, 75}), slowly("success_first_try", pace{0, 75})}, "70m", quietNow, ""},
		{"RelentLowVolumeFailing", "all of twenty", []Input{slowly("exhausted", pace{20.0 / 3600, 75}), slowly("success_first_try", pace{0, 75})}, "70m", quietNow, ""},

		{"RelentFindingActive", "a storm", []Input{level(finding, 1)}, "1m", map[string]string{"kind": "storm", "subject": "p"}, "The analysis sees storm on p."},
		{"RelentFindingActive", "over", []Input{level(finding, 0)}, "1m", quietNow, ""},

		{"RelentComponentFailing", "down", []Input{level(fmt.Sprintf(up, "true"), 0)}, "5m", map[string]string{"component": "c"}, "The critical component c is down."},
		{"RelentComponentFailing", "up", []Input{level(fmt.Sprintf(up, "true"), 1)}, "5m", quietNow, ""},
		{"RelentComponentFailing", "not critical", []Input{level(fmt.Sprintf(up, "false"), 0)}, "5m", quietNow, ""},

		{"RelentConfigReloadFailed", "refused", []Input{level(reload, 0)}, "10m", map[string]string{"instance": "i"},
			"i runs on its previous configuration: the new one was refused."},
		{"RelentConfigReloadFailed", "loaded", []Input{level(reload, 1)}, "10m", quietNow, ""},

		{"RelentLabelOverflow", "one name too many", []Input{steps(overflow, 1, 20, 10)}, "12m", map[string]string{"label": "target"},
			`1 names of target are merged into "other" in the metrics.`},
		{"RelentLabelOverflow", "old ones", []Input{level(overflow, 3)}, "30m", quietNow, ""},

		{"RelentAuditWriteFailing", "one record", []Input{steps(auditErrors, 1, 20, 10)}, "12m", map[string]string{}, "Audit records cannot be written."},
		{"RelentAuditWriteFailing", "old ones", []Input{level(auditErrors, 3)}, "30m", quietNow, ""},

		{"RelentAuditChainBroken", "altered", []Input{level(broken, 1)}, "1m", map[string]string{}, "The audit log was found altered."},
		{"RelentAuditChainBroken", "sound", []Input{level(broken, 0)}, "1m", quietNow, ""},

		{"RelentAbsent", "nothing", []Input{level("up", 1)}, "10m", map[string]string{}, "Prometheus scrapes nothing of relent."},
		{"RelentAbsent", "there", []Input{level("up", 1), level(build, 1)}, "10m", quietNow, ""},
	}
}

// percent is what the template function humanizePercentage makes of a share.
func percent(f float64) string { return fmt.Sprintf("%.4g%%", f*100) }

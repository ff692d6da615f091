package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/relent-go/relent/contrib/prom/rules"
)

func orders() row {
	return row{"Orders", []panel{
		{title: "Orders of unknown outcome", unit: units.Short, about: "Orders of which nobody knows whether they exist. They are never sent again before that is known.",
			queries: []query{{`sum by (venue) (relent_unknown_outcome_orders{venue=~"$venue"})`, "{{venue}}"}}},
		{title: "Oldest unknown outcome", unit: units.Seconds, about: "For how long the oldest of them has been unknown. Above the line somebody is paged.",
			queries: []query{{`max by (venue) (relent_unknown_outcome_oldest_age_seconds{venue=~"$venue"})`, "{{venue}}"}}, above: []float64{rules.UnknownAgeSeconds}},
		{title: "Blocked duplicates in 5 minutes", unit: units.Short, about: "Orders whose repetition was blocked. One is enough to find out why it was tried.",
			queries: []query{{`sum by (venue) (increase(relent_duplicate_guard_trips_total{venue=~"$venue"}[5m]))`, "{{venue}}"}}, above: []float64{0}},
	}}
}

func streams() row {
	return row{"Streams", []panel{
		{title: "Reconnects of each venue", unit: units.OpsPerMinute, width: 12, about: "How often a minute streams connect again. Above the line it is a storm.",
			queries: []query{{`sum by (venue) (rate(relent_ws_reconnects_total{venue=~"$venue"}[1m])) * 60`, "{{venue}}"}}, above: []float64{rules.ReconnectsAMinute}},
		{title: "Why streams reconnect", unit: units.OpsPerMinute, form: stack, width: 12, about: "Reconnects a minute, by what ended the connection.",
			queries: []query{{`sum by (reason) (rate(relent_ws_reconnects_total{venue=~"$venue"}[$__rate_interval])) * 60`, "{{reason}}"}}},
	}}
}

func auditLog() row {
	return row{"Audit", []panel{
		{title: "Records", unit: units.OpsPerMinute, about: "Audit records a minute.",
			queries: []query{{`sum(rate(relent_audit_records_total[$__rate_interval])) * 60`, "records"}}},
		{title: "Records not written in 5 minutes", unit: units.Short, about: "Audit records that could not be written. One is enough to be paged.",
			queries: []query{{`sum(increase(relent_audit_write_errors_total[5m]))`, "not written"}}, above: []float64{0}},
		{title: "Chain", unit: units.Bool, form: timeline, values: []value{{"whole", "green"}, {"broken", "red"}}, about: "Broken means that the audit log was found altered.",
			queries: []query{{`max(relent_audit_chain_broken)`, "chain"}}},
	}}
}

package grafana

import "github.com/grafana/grafana-foundation-sdk/go/units"

func self() row {
	return row{"Relent itself", []panel{
		{title: "Components", unit: units.Bool, form: timeline, values: downUp, width: 12, about: "Whether each component is up. One whose dependency fails is not down itself.",
			queries: []query{{`min by (component, critical) (relent_component_up)`, "{{component}}, critical: {{critical}}"}}},
		{title: "Findings", unit: units.Bool, form: timeline, values: quietly, width: 12, about: "Patterns that the analysis sees. Those of severity page page somebody.",
			queries: []query{{`max by (kind, subject, severity) (relent_finding_active)`, "{{kind}} on {{subject}} ({{severity}})"}}},
		{title: "Findings that began", unit: units.Short, about: "How many patterns began in an hour, by kind.",
			queries: []query{{`sum by (kind, severity) (increase(relent_findings_total[1h]))`, "{{kind}} ({{severity}})"}}},
		{title: "Configuration", unit: units.Bool, form: timeline, values: []value{{"refused", "red"}, {"loaded", "green"}}, about: "Whether the last load of the configuration succeeded on each instance. If not, it runs on the one before.",
			queries: []query{{`max by (instance) (relent_config_last_reload_success)`, "{{instance}}"}}},
		{title: "Age of the configuration", unit: units.Seconds, about: "How long ago the configuration in force was loaded.",
			queries: []query{{`max by (instance) (time() - relent_config_last_success_timestamp_seconds)`, "{{instance}}"}}},
		{title: "Loads of the configuration", unit: units.Short, about: "Loads in 15 minutes, by how they ended.",
			queries: []query{{`sum by (result) (increase(relent_config_reloads_total[15m]))`, "{{result}}"}}},
		{title: "Who watches live", unit: units.Short, about: "Clients of the live stream.",
			queries: []query{{`sum(relent_sse_clients)`, "clients"}}},
		{title: "Dropped events", unit: units.OpsPerSecond, about: "Events that slow readers lost. Counters are exact regardless.",
			queries: []query{
				{`sum by (sink) (rate(relent_events_dropped_total[$__rate_interval]))`, "{{sink}}"},
				{`sum(rate(relent_sse_dropped_total[$__rate_interval]))`, "live clients"},
			}},
		{title: "Names without a metric of their own", unit: units.Short, about: "Names in 15 minutes that are shown as other because there were too many.",
			queries: []query{{`sum by (label) (increase(relent_label_overflow_total[15m]))`, "{{label}}"}}, above: []float64{0}},
		{title: "Versions", unit: units.Short, form: figure, about: "How many instances run each version.",
			queries: []query{{`count by (version, revision, goversion) (relent_build_info)`, "{{version}} {{revision}} {{goversion}}"}}},
	}}
}

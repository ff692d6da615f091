package grafana

import (
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/relent-go/relent/contrib/prom/rules"
)

// Dashboard returns the dashboard for an objective, as JSON to import.
func Dashboard(o rules.Objective) ([]byte, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	b := dashboard.NewDashboardBuilder("Relent").
		Uid("relent").
		Description("What retries do: what callers get, what is held back, and why.").
		Tags([]string{"relent"}).
		Time("now-1h", "now").
		Refresh("30s").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(variable("policy", "Operation", "label_values(relent_attempts_total, policy)")).
		WithVariable(variable("venue", "Venue", "label_values(relent_unknown_outcome_orders, venue)"))
	id := uint32(0)
	for _, r := range rows(o) {
		id++
		b.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for _, p := range r.panels {
			id++
			b.WithPanel(p.build(id))
		}
	}
	made, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	text, err := json.MarshalIndent(made, "", "  ")
	return append(text, '\n'), err
}

// source is the Prometheus that was chosen.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// variable lets people choose values of a label: all of them at first.
func variable(name, label, query string) *dashboard.QueryVariableBuilder {
	all := []string{"$__all"}
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source).
		Query(dashboard.StringOrMap{String: &query}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{Selected: cog.ToPtr(true),
			Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: dashboard.StringOrArrayOfString{ArrayOfString: all}})
}

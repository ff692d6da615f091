package grafana

import (
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// A row is a heading and what is below it.
type row struct {
	title  string
	panels []panel
}

// A panel answers one question.
type panel struct {
	title   string
	about   string // what it shows, and when to worry
	unit    string
	form    form
	queries []query
	above   []float64 // alerts fire above these lines
	below   []float64 // alerts fire below these lines
	values  []value   // of a timeline, from 0
	width   uint32    // of 24; 0 means 8
}

// A form is how a panel draws.
type form int

const (
	lines form = iota
	stack
	figure   // one number for each series, the newest
	timeline // bars of states
)

// A query is one expression, and what its series are called.
type query struct{ expr, legend string }

// A value is what a number stands for in a timeline.
type value struct{ text, color string }

var (
	offOn   = []value{{"off", "green"}, {"on", "red"}}
	downUp  = []value{{"down", "red"}, {"up", "green"}}
	quietly = []value{{"over", "transparent"}, {"active", "orange"}}
)

const height = 8

func (p panel) build(id uint32) cog.Builder[dashboard.Panel] {
	width := p.width
	if width == 0 {
		width = 8
	}
	switch p.form {
	case figure:
		b := stat.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Unit(p.unit).Datasource(source).Span(width).Height(height).
			Thresholds(p.thresholds()).ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
		if len(p.queries) == 1 {
			b.TextMode(common.BigValueTextModeValueAndName)
		}
		for i, q := range p.queries {
			b.WithTarget(q.build(i))
		}
		return b
	case timeline:
		b := statetimeline.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Unit(p.unit).Datasource(source).Span(width).Height(height).
			Thresholds(p.thresholds()).Mappings(p.mappings()).MergeValues(true).ShowValue(common.VisibilityModeAuto)
		for i, q := range p.queries {
			b.WithTarget(q.build(i))
		}
		return b
	}
	style := common.GraphThresholdsStyleModeOff
	if len(p.above)+len(p.below) > 0 {
		style = common.GraphThresholdsStyleModeDashed
	}
	b := timeseries.NewPanelBuilder().Id(id).Title(p.title).Description(p.about).Unit(p.unit).Datasource(source).Span(width).Height(height).
		Thresholds(p.thresholds()).ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(style)).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	if p.form == stack {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal)).FillOpacity(40)
	}
	for i, q := range p.queries {
		b.WithTarget(q.build(i))
	}
	return b
}

// thresholds are the lines of the alerts. A colour holds from its number upwards, the first one from below all.
func (p panel) thresholds() *dashboard.ThresholdsConfigBuilder {
	first, then, at := "green", "red", p.above
	if len(p.below) > 0 {
		first, then, at = "red", "green", p.below
	}
	steps := []dashboard.Threshold{{Color: first}}
	for _, v := range at {
		steps = append(steps, dashboard.Threshold{Value: cog.ToPtr(v), Color: then})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

// mappings name the numbers of a timeline.
func (p panel) mappings() []dashboard.ValueMapping {
	m := dashboard.NewValueMap()
	m.Options = map[string]dashboard.ValueMappingResult{}
	for i, v := range p.values {
		m.Options[strconv.Itoa(i)] = dashboard.ValueMappingResult{Text: cog.ToPtr(v.text), Color: cog.ToPtr(v.color), Index: cog.ToPtr(int32(i))}
	}
	return []dashboard.ValueMapping{{ValueMap: m}}
}

func (q query) build(i int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(string(rune('A' + i))).Datasource(source).
		Expr(q.expr).LegendFormat(q.legend).EditorMode(prometheus.QueryEditorModeCode).Range()
}

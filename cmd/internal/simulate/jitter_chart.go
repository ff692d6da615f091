package simulate

import (
	"fmt"
	"io"

	"github.com/go-analyze/charts"
)

// WriteSVG draws the calls and the time of each backoff.
func (r JitterReport) WriteSVG(w io.Writer) error {
	const top = header - 30 // there is no legend
	p := page(top+panel, fmt.Sprintf("%s write one row that they read before", count(r.jitter.Clients, "client")),
		fmt.Sprintf("means of %s, by the jitter of the backoff; contention costs nothing but calls here", count(r.jitter.Runs, "run")))
	for i, c := range []struct {
		title, label, axis string
		of                 func(JitterRow) float64
	}{
		{"Calls: writes, successful or not", "%.0f", "%.0f", func(r JitterRow) float64 { return r.Calls }},
		{"Time: until the last client was done", "%.1f s", "%.0f s", func(r JitterRow) float64 { return r.MS / 1000 }},
	} {
		place := part(p, i*width/2, top, (i+1)*width/2, top+panel)
		if err := place.BarChart(r.bars(i, c.title, c.label, c.axis, c.of)); err != nil {
			return err
		}
	}
	return write(w, p)
}

// bars is one bar for each backoff, with its number on it.
func (r JitterReport) bars(i int, title, label, axis string, of func(JitterRow) float64) charts.BarChartOption {
	var names []string
	var values []float64
	for _, row := range r.Rows {
		names, values = append(names, row.Jitter), append(values, of(row))
	}
	show := func(x float64) string { return fmt.Sprintf(label, x) }
	o := charts.NewBarChartOptionWithSeries(charts.BarSeriesList{{Values: values, Label: charts.SeriesLabel{
		Show: charts.Ptr(true), ValueFormatter: show, FontStyle: letters(small, ink),
	}}})
	o.Theme = theme().WithSeriesColors([]charts.Color{color(i)})
	o.Title = charts.TitleOption{Text: title, FontStyle: letters(14, ink)}
	o.CategoryAxis = charts.CategoryAxisOption{Labels: names, LabelCount: len(names), LabelFontStyle: letters(small-1, ink)}
	o.ValueAxis = []charts.ValueAxisOption{{Min: charts.Ptr(0.), ValueFormatter: func(x float64) string { return fmt.Sprintf(axis, x) }}}
	o.Legend = charts.LegendOption{Show: charts.Ptr(false)}
	return o
}

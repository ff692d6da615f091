package simulate

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-analyze/charts"

	"github.com/relent-go/relent/sim"
)

// smooth is over how many seconds the curves are averaged.
const smooth = 5

// WriteSVG draws load, goodput and queue over time, of the first run of each policy.
func (r StormReport) WriteSVG(w io.Writer) error {
	title := fmt.Sprintf("A server at %s utilisation by %s stalls for %.0f s",
		percent(r.storm.Utilisation), count(r.storm.Clients, "client"), sim.DefaultStall.Seconds())
	p := page(header+3*panel, title, fmt.Sprintf("first run of each policy, means of %d s; the server is stalled in the grey band", smooth))
	r.keys(p)
	for i, c := range []struct {
		title string
		of    func(sim.Result) []int
		log   bool
	}{
		{"Load: attempts sent per second", func(r sim.Result) []int { return r.Load }, false},
		{"Goodput: operations answered in time per second", func(r sim.Result) []int { return r.Goodput }, false},
		{"Queue: requests in line at the server, logarithmic", func(r sim.Result) []int { return r.Queue }, true},
	} {
		top := header + i*panel
		if err := part(p, 0, top, width, top+panel).LineChart(r.panel(p, c.title, c.of, c.log)); err != nil {
			return err
		}
	}
	return write(w, p)
}

// keys says once for all panels which color is whose, below the title.
func (r StormReport) keys(p *charts.Painter) {
	x, y := margin, header-30
	for i, name := range r.storm.Policies {
		style := letters(small+1, ink)
		long := key + p.MeasureText(name, 0, style).Width()*5/4 // fonts of other systems are wider
		if x > margin && x+long > width-margin {
			x, y = margin, y+line
		}
		p.FilledRect(x, y, x+18, y+4, color(i), charts.ColorTransparent, 0)
		p.Text(name, x+key, y+7, 0, style)
		x += long + margin
	}
}

// color is that of the i-th policy.
func color(i int) charts.Color { return theme().GetSeriesColor(i + 1) }

// panel is one curve of each policy over time, with the stall behind it.
func (r StormReport) panel(p *charts.Painter, title string, of func(sim.Result) []int, log bool) charts.LineChartOption {
	seconds := len(r.first[0].Load)
	stalled, labels := make([]float64, seconds+1), make([]string, seconds+1)
	for t := range labels {
		labels[t] = strconv.Itoa(t) + " s"
		stalled[t] = charts.GetNullValue()
		if from := int(sim.DefaultTrigger.Seconds()); t >= from && t <= from+int(sim.DefaultStall.Seconds()) {
			stalled[t] = 1
		}
	}
	series := charts.LineSeriesList{{Values: stalled}}
	most := 0.
	for _, result := range r.first {
		values := mean(of(result), seconds+1)
		for i, x := range values {
			if log {
				values[i] = math.Log10(max(1, x))
			}
			most = max(most, values[i])
		}
		series = append(series, charts.LineSeries{Values: values, YAxisIndex: 1})
	}
	o := charts.NewLineChartOptionWithSeries(series)
	o.Theme = theme()
	o.StackSeries = charts.Ptr(true) // fills what is on the first axis: the stall
	o.Title = charts.TitleOption{Text: title, FontStyle: letters(14, ink)}
	o.XAxis = charts.XAxisOption{Labels: labels, LabelCount: seconds/step(seconds) + 1, BoundaryGap: charts.Ptr(false)}
	unit := 1.0
	if !log {
		unit = tick(most)
	}
	ticks := max(1, math.Ceil(most/unit))
	y := charts.YAxisOption{
		Min: charts.Ptr(0.), Max: charts.Ptr(ticks * unit), LabelCount: int(ticks) + 1, Position: charts.PositionLeft,
		ValueFormatter: func(x float64) string {
			if log {
				x = math.Pow(10, x)
			}
			return pad(p, fmt.Sprintf("%.0f", x))
		},
	}
	o.YAxis = []charts.YAxisOption{{Show: charts.Ptr(false), Min: charts.Ptr(0.), Max: charts.Ptr(1.)}, y}
	o.Legend = charts.LegendOption{Show: charts.Ptr(false)}
	o.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	o.LineStrokeWidth = 1.5
	return o
}

// step is how many seconds apart the labels of so many seconds are.
func step(seconds int) int {
	if seconds <= 400 {
		return 50
	}
	return 200
}

// tick is a round number that most is at most five times of.
func tick(most float64) float64 {
	unit := 1.0
	for i := 0; unit*5 < most; i++ {
		unit *= []float64{2, 2.5, 2}[i%3] // 1, 2, 5, 10, 20, 50 …
	}
	return unit
}

// pad makes the label of an axis as wide as that of any other panel, so that the panels are in line.
func pad(p *charts.Painter, label string) string {
	style := letters(small, ink)
	for most := p.MeasureText("1000000", 0, style).Width(); p.MeasureText(label, 0, style).Width() < most; {
		label = "\u00a0" + label
	}
	return label
}

// mean averages a series of numbers per second, and makes it n long.
func mean(list []int, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		from, to := max(0, i-smooth/2), min(len(list), i+smooth/2+1)
		for _, x := range list[from:to] {
			out[i] += float64(x)
		}
		out[i] = math.Round(10*out[i]/float64(to-from)) / 10
	}
	return out
}

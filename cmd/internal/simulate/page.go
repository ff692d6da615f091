package simulate

import (
	"io"

	"github.com/go-analyze/charts"
)

// The size of a picture, and of its letters, in pixels.
const (
	width  = 960
	panel  = 260
	header = 96
	small  = 12
	margin = 20
	line   = 18 // from one line of keys to the next
	key    = 24 // from the color of a key to its name
)

// colors tell policies apart, also for those who do not see red and green: the palette of Okabe and Ito,
// Color Universal Design, 2008.
var colors = []charts.Color{
	charts.ColorFromHex("#0072B2"), charts.ColorFromHex("#D55E00"), charts.ColorFromHex("#009E73"), charts.ColorFromHex("#CC79A7"),
	charts.ColorFromHex("#E69F00"), charts.ColorFromHex("#56B4E9"), charts.ColorFromHex("#000000"), charts.ColorFromHex("#8C8C00"),
	charts.ColorFromHex("#7A3E9D"), charts.ColorFromHex("#A6761D"),
}

// band is the color of what went wrong.
var band = charts.ColorFromHex("#C8C8C8")

func theme() charts.ColorPalette {
	return charts.GetTheme(charts.ThemeLight).WithSeriesColors(append([]charts.Color{band}, colors...))
}

// ink is for letters, faint for what may be overlooked.
var (
	ink   = charts.ColorFromHex("#303030")
	faint = charts.ColorFromHex("#606060")
)

// page is an empty picture with a title.
func page(height int, title, about string) *charts.Painter {
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height, Theme: theme()})
	p.FilledRect(0, 0, width, height, charts.ColorWhite, charts.ColorTransparent, 0)
	p.Text(title, margin, 30, 0, letters(18, ink))
	p.Text(about, margin, 50, 0, letters(small, faint))
	return p
}

func letters(size float64, color charts.Color) charts.FontStyle {
	return charts.NewFontStyleWithSize(size).WithColor(color)
}

// part is a place on a page.
func part(p *charts.Painter, left, top, right, bottom int) *charts.Painter {
	return p.Child(charts.PainterBoxOption(charts.Box{Left: left, Top: top, Right: right, Bottom: bottom, IsSet: true}))
}

func write(w io.Writer, p *charts.Painter) error {
	svg, err := p.Bytes()
	if err == nil {
		_, err = w.Write(svg)
	}
	return err
}

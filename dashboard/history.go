package dashboard

import (
	"encoding/json"
	"maps"
	"time"
)

const (
	historyLife = time.Hour
	totalStep   = time.Second
	policyStep  = 5 * time.Second
	rateWindow  = 10 * time.Second
	rowWindow   = time.Minute
	maxTrails   = 1000 // policies with a history of their own
)

// A Point is what happened in one step of a history.
type Point struct {
	At       int64                 `json:"t"`        // end, in Unix milliseconds
	Outcomes [len(outcomes)]uint32 `json:"outcomes"` // calls, in the order of Outcomes of the History
	Attempts uint32                `json:"attempts"`
}

// A History is a row of points, oldest first.
type History struct {
	Policy   string   `json:"policy,omitempty"` // empty: all together
	Step     Number   `json:"step"`             // seconds
	Outcomes []string `json:"outcomes"`
	Points   []Point  `json:"points"`
}

// A trail is the past of one policy, or of all: points of an hour, and counts of the last minute.
type trail struct {
	step   time.Duration
	points []Point // a ring, once it is full
	next   int     // the oldest, once it is full
	from   count   // where the point in the making began
	recent []count // at most one a second, oldest first; the first is the base of the row's window
	bounds [2][]float64
	told   json.RawMessage // the trend, until the next point
	toldAt time.Time

	base, override map[string]string // of the last row
	fields         []byte            // those in its JSON
}

// add takes what the counters say now, and returns the point that it completes, if any. Points have
// the width of a step or more: when nobody looked for longer, the point says so by its time.
func (t *trail) add(c count) (p Point, ok bool) {
	if t.from.at.IsZero() {
		t.from, t.recent = c, append(t.recent, c)
		return p, false
	}
	if n := len(t.recent); c.at.Sub(t.recent[n-1].at) >= totalStep-totalStep/10 {
		t.recent = append(t.recent, c)
		drop := 0
		for drop+1 < len(t.recent) && c.at.Sub(t.recent[drop+1].at) >= rowWindow {
			drop++
		}
		t.recent = append(t.recent[:0], t.recent[drop:]...)
	}
	if c.at.Sub(t.from.at) < t.step-t.step/10 {
		return p, false
	}
	d := c.since(t.from)
	p = Point{At: c.at.UnixMilli(), Attempts: uint32(d.attempts)}
	for i, n := range d.outcomes {
		p.Outcomes[i] = uint32(n)
	}
	t.from = c
	if most := int(historyLife / t.step); len(t.points) < most {
		t.points = append(t.points, p)
	} else {
		t.points[t.next] = p
		t.next = (t.next + 1) % most
	}
	return p, true
}

// minute returns what happened in the last minute.
func (t *trail) minute(c count) count { return c.since(t.recent[0]) }

// lately returns what happened in the last ten seconds, and how many seconds those were.
func (t *trail) lately(c count) (count, Number) {
	base := t.recent[0]
	for _, r := range t.recent {
		if c.at.Sub(r.at) < rateWindow {
			break
		}
		base = r
	}
	return c.since(base), Number(c.at.Sub(base.at).Seconds())
}

// trend returns the calls a second of the last two minutes, a number for each point, as JSON.
func (t *trail) trend() json.RawMessage {
	const most = 24
	if t.told != nil && t.from.at.Equal(t.toldAt) {
		return t.told
	}
	rates := []byte{'['}
	for i := max(0, len(t.points)-most); i < len(t.points); i++ {
		var calls uint32
		for _, n := range t.points[(t.next+i)%len(t.points)].Outcomes {
			calls += n
		}
		if len(rates) > 1 {
			rates = append(rates, ',')
		}
		rates = appendNumber(rates, Number(float64(calls)/t.step.Seconds()))
	}
	t.told, t.toldAt = append(rates, ']'), t.from.at
	return t.told
}

// fieldsOf returns base and override as in the JSON of a row, encoded anew when they changed.
func (t *trail) fieldsOf(base, override map[string]string) []byte {
	if t.fields == nil || !maps.Equal(t.base, base) || !maps.Equal(t.override, override) {
		t.base, t.override, t.fields = base, override, fieldsOf(base, override)
	}
	return t.fields
}

// after returns the points later than a time.
func (t *trail) after(at time.Time) []Point {
	points := []Point{}
	for i := range t.points {
		if p := t.points[(t.next+i)%len(t.points)]; p.At > at.UnixMilli() {
			points = append(points, p)
		}
	}
	return points
}

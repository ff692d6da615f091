package prom

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A series is one line of a scrape. Its labels are made once: with a thousand operations they would be most of the work.
type series struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []*dto.LabelPair // in the order of their names
	value  float64
}

// Desc implements [prometheus.Metric].
func (s *series) Desc() *prometheus.Desc { return s.desc }

// Write implements [prometheus.Metric].
func (s *series) Write(m *dto.Metric) error {
	m.Label = s.labels
	if s.kind == prometheus.CounterValue {
		m.Counter = &dto.Counter{Value: &s.value}
	} else {
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}

// A labeller remembers the labels of series.
type labeller struct {
	names []string
	known map[string][]*dto.LabelPair
	key   []byte
}

// mostLabels are the sets that a labeller remembers. Those of a scrape beyond it are made anew each time.
const mostLabels = 1 << 16

// of returns the labels with these values.
func (l *labeller) of(values []string) []*dto.LabelPair {
	l.key = l.key[:0]
	for _, v := range values {
		l.key = append(append(l.key, v...), 0xff) // which no UTF-8 has
	}
	if pairs, ok := l.known[string(l.key)]; ok {
		return pairs
	}
	pairs := make([]*dto.LabelPair, len(values))
	for i := range values {
		value := strings.ToValidUTF8(values[i], "\ufffd")
		pairs[i] = &dto.LabelPair{Name: &l.names[i], Value: &value}
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	if len(l.known) < mostLabels {
		l.known[string(l.key)] = pairs
	}
	return pairs
}

package prom

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A series is one of a scrape that a registry collects.
type series struct {
	desc *prometheus.Desc
	from *dto.Metric
}

// Desc implements [prometheus.Metric].
func (s series) Desc() *prometheus.Desc { return s.desc }

// Write implements [prometheus.Metric].
func (s series) Write(m *dto.Metric) error {
	m.Label, m.Counter, m.Gauge, m.Histogram = s.from.Label, s.from.Counter, s.from.Gauge, s.from.Histogram
	return nil
}

// Labels are those of one series.
type labels struct {
	pairs []*dto.LabelPair // in the order of their names
	seen  uint64           // the number of the last scrape that had them
}

// A labeller remembers the labels of series: with a thousand operations making them would be most of the work.
type labeller struct {
	names []string
	known map[string]*labels
	key   []byte
}

// mostLabels are the sets that a labeller remembers. Those of a scrape beyond it are made anew each time.
const mostLabels = 1 << 16

// of returns the labels with these values, and whether they were there in this scrape already.
func (l *labeller) of(scrape uint64, values []string) (pairs []*dto.LabelPair, again bool) {
	l.key = l.key[:0]
	for _, v := range values {
		l.key = append(append(l.key, v...), 0xff) // which no UTF-8 has
	}
	one, ok := l.known[string(l.key)]
	if !ok {
		one = &labels{pairs: l.pairs(values)}
		if len(l.known) < mostLabels {
			l.known[string(l.key)] = one
		}
	}
	again = one.seen == scrape
	one.seen = scrape
	return one.pairs, again
}

func (l *labeller) pairs(values []string) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(values))
	for i := range values {
		value := strings.ToValidUTF8(values[i], "\ufffd")
		pairs[i] = &dto.LabelPair{Name: &l.names[i], Value: &value}
	}
	slices.SortFunc(pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return pairs
}

// A room gives out what scrapes consist of, many at a time.
type room struct {
	cells []cell
	slots []slot
	refs  []*dto.Bucket
}

// A cell is a series with one value.
type cell struct {
	metric  dto.Metric
	counter dto.Counter
	gauge   dto.Gauge
	value   float64
}

// A heap is a histogram without its buckets.
type heap struct {
	histogram dto.Histogram
	count     uint64
	sum       float64
}

func (r *room) histogram(count uint64, sum float64) *dto.Histogram {
	h := &heap{count: count, sum: sum}
	h.histogram.SampleCount, h.histogram.SampleSum = &h.count, &h.sum
	return &h.histogram
}

// A slot is a bucket of a histogram.
type slot struct {
	bucket dto.Bucket
	count  uint64
}

// many are made at a time.
const many = 512

func (r *room) single(kind prometheus.ValueType, value float64, pairs []*dto.LabelPair) *dto.Metric {
	if len(r.cells) == 0 {
		r.cells = make([]cell, many)
	}
	c := &r.cells[0]
	r.cells = r.cells[1:]
	c.value, c.metric.Label = value, pairs
	if kind == prometheus.CounterValue {
		c.counter.Value, c.metric.Counter = &c.value, &c.counter
	} else {
		c.gauge.Value, c.metric.Gauge = &c.value, &c.gauge
	}
	return &c.metric
}

// buckets returns n of them, each with a count.
func (r *room) buckets(n int) []*dto.Bucket {
	if len(r.slots) < n {
		r.slots, r.refs = make([]slot, max(n, many)), make([]*dto.Bucket, max(n, many))
	}
	list := r.refs[:n:n]
	for i := range list {
		s := &r.slots[i]
		s.bucket.CumulativeCount = &s.count
		list[i] = &s.bucket
	}
	r.slots, r.refs = r.slots[n:], r.refs[n:]
	return list
}

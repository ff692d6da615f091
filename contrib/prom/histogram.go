package prom

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/relent-go/relent/control"
)

// A histogram is one name, and which of a policy's histograms it shows.
type histogram struct {
	desc *prometheus.Desc
	of   func(*control.PolicyView) *control.Histogram
}

var histograms = []histogram{
	{prometheus.NewDesc("relent_call_duration_seconds", "How long calls took, waits included. Counts timed calls, not all calls.", []string{"policy"}, nil),
		func(p *control.PolicyView) *control.Histogram { return &p.Call }},
	{prometheus.NewDesc("relent_attempt_duration_seconds", "How long attempts took. Counts timed attempts, not all attempts.", []string{"policy"}, nil),
		func(p *control.PolicyView) *control.Histogram { return &p.Attempt }},
	{prometheus.NewDesc("relent_backoff_seconds", "How long calls waited before a retry.", []string{"policy"}, nil),
		func(p *control.PolicyView) *control.Histogram { return &p.Backoff }},
	{prometheus.NewDesc("relent_attempts_per_call", "How many attempts a call made.", []string{"policy"}, nil),
		func(p *control.PolicyView) *control.Histogram { return &p.PerCall }},
}

// histogram makes a metric of a view's histogram, in the form that was asked for.
func (c *Collector) histogram(desc *prometheus.Desc, h control.Histogram, labels ...string) prometheus.Metric {
	total := uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	if c.o.NativeHistograms {
		return native(desc, h, total, labels...)
	}
	buckets := make(map[float64]uint64, len(h.Bounds))
	sum := uint64(0)
	for i, bound := range h.Bounds {
		if i < len(h.Counts) {
			sum += h.Counts[i]
		}
		buckets[bound] = sum
	}
	return prometheus.MustNewConstHistogram(desc, total, h.Sum, buckets, labels...)
}

// schema is the resolution of native histograms: each bucket is 2^(1/8) times as wide as the one before.
const schema = 3

// native puts each classic bucket's count where its upper bound lies.
func native(desc *prometheus.Desc, h control.Histogram, total uint64, labels ...string) prometheus.Metric {
	positive := map[int]int64{}
	for i, n := range h.Counts {
		if n == 0 || len(h.Bounds) == 0 {
			continue
		}
		bound := h.Bounds[min(i, len(h.Bounds)-1)]
		if i >= len(h.Bounds) {
			bound *= 2 // beyond the last bound
		}
		positive[bucket(bound)] += int64(n)
	}
	return prometheus.MustNewConstNativeHistogram(desc, total, h.Sum, positive, nil, 0, schema, 1e-9, time.Time{}, labels...)
}

// bucket is the number of the native bucket that holds v: number 0 ends at 1.
func bucket(v float64) int { return int(math.Ceil(math.Log2(v) * (1 << schema))) }

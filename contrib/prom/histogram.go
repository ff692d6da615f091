package prom

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/relent-go/relent/control"
)

// A histogram is one name, and which of a policy's histograms it shows.
type histogram struct {
	name, help string
	desc       *prometheus.Desc
	of         func(*control.PolicyView) *control.Histogram
}

func ofPolicy(name, help string, of func(*control.PolicyView) *control.Histogram) histogram {
	return histogram{name, help, prometheus.NewDesc(name, help, []string{"policy"}, nil), of}
}

var histograms = []histogram{
	ofPolicy("relent_call_duration_seconds", "How long calls took, waits included. Counts timed calls, not all calls.", func(p *control.PolicyView) *control.Histogram { return &p.Call }),
	ofPolicy("relent_attempt_duration_seconds", "How long attempts took. Counts timed attempts, not all attempts.", func(p *control.PolicyView) *control.Histogram { return &p.Attempt }),
	ofPolicy("relent_backoff_seconds", "How long calls waited before a retry.", func(p *control.PolicyView) *control.Histogram { return &p.Backoff }),
	ofPolicy("relent_attempts_per_call", "How many attempts a call made.", func(p *control.PolicyView) *control.Histogram { return &p.PerCall }),
}

// histogram makes what Prometheus reads of a view's histogram, in the form that was asked for.
func (c *Collector) histogram(h *control.Histogram, room *room) *dto.Histogram {
	total := uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	if c.o.NativeHistograms {
		var m dto.Metric
		_ = native(h, total).Write(&m) // never fails
		return m.Histogram
	}
	made, sum := room.histogram(total, h.Sum), uint64(0)
	made.Bucket = room.buckets(len(h.Bounds))
	for i := range h.Bounds {
		if i < len(h.Counts) {
			sum += h.Counts[i]
		}
		made.Bucket[i].UpperBound = &h.Bounds[i]
		*made.Bucket[i].CumulativeCount = sum
	}
	return made
}

// schema is the resolution of native histograms: each bucket is 2^(1/8) times as wide as the one before.
const schema = 3

// nameless stands for the name and the labels, which are put around the histogram.
var nameless = prometheus.NewDesc("relent", "", nil, nil)

// native puts each classic bucket's count where its upper bound lies.
func native(h *control.Histogram, total uint64) prometheus.Metric {
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
	return prometheus.MustNewConstNativeHistogram(nameless, total, h.Sum, positive, nil, 0, schema, 1e-9, time.Time{})
}

// bucket is the number of the native bucket that holds v: number 0 ends at 1.
func bucket(v float64) int { return int(math.Ceil(math.Log2(v) * (1 << schema))) }

package prom

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/relent-go/relent/control"
)

// A Source has the view that a scrape shows. A [control.Registry] is one.
type Source interface{ View() control.View }

// Options say what else a Collector shows. The zero value is ready.
type Options struct {
	// Streams says how many clients watch live, and how many events slow ones lost. Nil counts none.
	Streams func() (clients int, dropped uint64)

	// NativeHistograms shows durations in native histograms, whose buckets Prometheus chooses, instead of classic ones:
	// never both, since some versions then drop one of them. The resolution is that of the classic buckets.
	NativeHistograms bool
}

// A Collector is a [prometheus.Collector]. It is safe for concurrent use.
type Collector struct {
	source Source
	o      Options

	mu       sync.Mutex
	labels   []labeller            // by metric
	findings map[[3]string]bool    // kind, subject and severity that were seen, and whether they were active then
	found    map[[2]string]float64 // how often one became active, by kind and severity
}

// New returns a Collector that shows what source has.
func New(source Source, o Options) *Collector {
	c := &Collector{source: source, o: o, findings: map[[3]string]bool{}, found: map[[2]string]float64{}}
	for i := range metrics {
		c.labels = append(c.labels, labeller{names: metrics[i].labels, known: map[string][]*dto.LabelPair{}})
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range metrics {
		ch <- metrics[i].desc
	}
	for i := range histograms {
		ch <- histograms[i].desc
	}
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.scrape()
	var all []series
	c.mu.Lock()
	for i := range metrics {
		m := &metrics[i]
		m.each(s, func(value float64, labels ...string) {
			all = append(all, series{m.desc, m.kind, c.labels[i].of(labels), value})
		})
	}
	c.mu.Unlock()
	for i := range all {
		ch <- &all[i]
	}
	for i := range histograms {
		h := &histograms[i]
		for _, p := range s.Policies {
			ch <- c.histogram(h.desc, *h.of(&p), p.Name)
		}
	}
}

// A scrape is what one scrape shows.
type scrape struct {
	control.View
	clients  int
	dropped  uint64
	findings map[[3]string]bool
	found    map[[2]string]float64
}

// most are the findings that are remembered; beyond them new ones are not shown. Their kinds are a closed list and
// their subjects capped names, so that this is a belt for braces.
const most = 4096

func (c *Collector) scrape() *scrape {
	s := &scrape{View: c.source.View(), findings: map[[3]string]bool{}, found: map[[2]string]float64{}}
	if c.o.Streams != nil {
		s.clients, s.dropped = c.o.Streams()
	}
	active := map[[3]string]bool{}
	for _, f := range s.Findings {
		active[[3]string{f.Kind, f.Subject, f.Severity}] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range active {
		was, known := c.findings[key]
		if !known && len(c.findings) >= most {
			continue
		}
		if !was {
			c.found[[2]string{key[0], key[2]}]++
		}
		c.findings[key] = true
	}
	for key := range c.findings {
		c.findings[key] = active[key]
		s.findings[key] = active[key]
	}
	for key, n := range c.found {
		s.found[key] = n
	}
	return s
}

package prom

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/relent-go/relent/control"
)

// A Source has the view that a scrape shows. A [control.Registry] is one.
type Source interface {
	// View returns what can be seen now. What it returned must not change later.
	View() control.View
}

// Options say what else a Collector shows. The zero value is ready.
type Options struct {
	// Streams says how many clients watch live, and how many events slow ones lost. Nil counts none.
	Streams func() (clients int, dropped uint64)

	// NativeHistograms shows durations in native histograms, whose buckets Prometheus chooses, instead of classic ones:
	// never both, since some versions then drop one of them. The resolution is that of the classic buckets.
	NativeHistograms bool
}

// A Collector is a [prometheus.Collector], for a registry, and a [prometheus.Gatherer] by itself, for a server that shows
// nothing else: with a thousand operations a registry takes as long again to sort and to check what is in order. It is safe
// for concurrent use.
type Collector struct {
	source Source
	o      Options

	mu       sync.Mutex
	count    uint64                // of scrapes; guarded by mu, as is what follows
	labels   []labeller            // by metric, and then by histogram
	findings map[[3]string]bool    // kind, subject and severity that were seen, and whether they were active then
	found    map[[2]string]float64 // how often one became active, by kind and severity
}

// New returns a Collector that shows what source has.
func New(source Source, o Options) *Collector {
	c := &Collector{source: source, o: o, findings: map[[3]string]bool{}, found: map[[2]string]float64{}}
	for i := range metrics {
		c.labels = append(c.labels, labeller{names: metrics[i].labels, known: map[string]*labels{}})
	}
	for range histograms {
		c.labels = append(c.labels, labeller{names: []string{"policy"}, known: map[string]*labels{}})
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
	list, _ := c.families() // a registry finds what is there twice, too
	for _, f := range list {
		for _, m := range f.Metric {
			ch <- series{f.desc, m}
		}
	}
}

// Gather implements [prometheus.Gatherer]. The error says which series the source has twice; they are shown once.
func (c *Collector) Gather() ([]*dto.MetricFamily, error) {
	list, err := c.families()
	var all []*dto.MetricFamily
	for _, f := range list {
		if len(f.Metric) > 0 {
			all = append(all, &f.MetricFamily)
		}
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all, err
}

// A family is all series of one name.
type family struct {
	dto.MetricFamily
	desc *prometheus.Desc
}

// families makes a scrape.
func (c *Collector) families() (list []*family, err error) {
	s := c.scrape()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	var room room
	var errs []error
	add := func(name, help string, kind dto.MetricType, desc *prometheus.Desc) *family {
		f := &family{dto.MetricFamily{Name: &name, Help: &help, Type: &kind}, desc}
		list = append(list, f)
		return f
	}
	twice := func(name string, values []string) {
		errs = append(errs, fmt.Errorf("%s%q is there twice", name, values))
	}
	for i := range metrics {
		m := &metrics[i]
		kind := dto.MetricType_GAUGE
		if m.kind == prometheus.CounterValue {
			kind = dto.MetricType_COUNTER
		}
		f := add(m.name, m.help, kind, m.desc)
		m.each(s, func(value float64, values ...string) {
			pairs, again := c.labels[i].of(c.count, values)
			if again {
				twice(m.name, slices.Clone(values))
				return
			}
			f.Metric = append(f.Metric, room.single(m.kind, value, pairs))
		})
	}
	for i := range histograms {
		h := &histograms[i]
		f := add(h.name, h.help, dto.MetricType_HISTOGRAM, h.desc)
		for p := range s.Policies {
			policy := &s.Policies[p]
			pairs, again := c.labels[len(metrics)+i].of(c.count, []string{policy.Name})
			if again {
				twice(h.name, []string{policy.Name})
				continue
			}
			f.Metric = append(f.Metric, &dto.Metric{Label: pairs, Histogram: c.histogram(h.of(policy), &room)})
		}
	}
	return list, errors.Join(errs...)
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

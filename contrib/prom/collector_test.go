package prom_test

import (
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/relent-go/relent/contrib/prom"
	"github.com/relent-go/relent/control"
)

type source func() control.View

func (s source) View() control.View { return s() }

var at = time.Unix(1_800_000_000, 0)

// full is a view in which everything is there.
func full() control.View {
	h := control.Histogram{Bounds: []float64{0.001, 0.01}, Counts: []uint64{1, 2, 1}, Sum: 0.5}
	return control.View{
		Since: at.Add(-time.Hour), At: at,
		Build: control.Build{Version: "v1.0.0", Revision: "abc", Go: "go1.26"},
		Policies: []control.PolicyView{{
			Name: "binance.fetch_book", Outcomes: map[string]uint64{"success_first_try": 5}, Failures: map[string]uint64{"transient": 2},
			Suppressed: map[string]uint64{"budget": 1}, Attempts: 7, InFlight: 1, Call: h, Attempt: h, Backoff: h,
			PerCall: control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{5, 1, 0}, Sum: 7},
		}, {Name: "binance.place_order"}},
		Circuits: []control.CircuitView{{Policy: "binance.fetch_book", Target: "binance", State: "open", Transitions: map[string]uint64{"open": 2}}},
		Budgets: []control.BudgetView{
			{Name: "reads", Policies: []string{"binance.fetch_book"}, Level: 5, Max: 10},
			{Name: "all", Policies: []string{"binance.fetch_book", "binance.place_order"}, Level: 9, Max: 10},
			{Name: "odd", Policies: []string{"binance.place_order"}},
		},
		Stops: []control.StopView{
			{Scope: "binance", State: "stopped", Since: at.Add(-time.Minute)},
			{Scope: "drilled", State: "stopped", Drill: true, Since: at},
			{Scope: "binance", State: "stopped", Drill: true, Since: at},
			{Scope: "easing", State: "running", Ramp: 0.5, Since: at.Add(-time.Minute)},
		},
		Venues: []control.VenueView{
			{Name: "binance", Unknown: 2, OldestUnknown: at.Add(-30 * time.Second), GuardTrips: 1, Reconnects: map[string]uint64{"eof": 3}},
			{Name: "okx", OldestUnknown: at.Add(-time.Hour)},
		},
		Components: []control.ComponentView{
			{Name: "binance", Critical: true, State: "failing"}, {Name: "dns", State: "up"}, {Name: "ws", State: "degraded"},
		},
		Findings: []control.FindingView{{Kind: "storm", Subject: "binance", Severity: "page"}},
		Audit:    &control.AuditView{Records: 9, WriteErrors: 1, Broken: true},
		Config:   &control.ConfigView{Loaded: at.Add(-time.Hour), Reloads: 2, Failures: 1},
		Dropped:  map[string]uint64{"tail": 4}, Overflow: map[string]uint64{"policy": 2},
	}
}

func TestExposition(t *testing.T) {
	for name, test := range map[string]struct {
		view    control.View
		options prom.Options
	}{
		"full":  {full(), prom.Options{Streams: func() (int, uint64) { return 2, 3 }}},
		"empty": {control.View{At: at, Since: at}, prom.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			c := prom.New(source(func() control.View { return test.view }), test.options)
			problems, err := testutil.CollectAndLint(c)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range problems {
				t.Errorf("%s: %s", p.Metric, p.Text)
			}
			want, err := os.Open("testdata/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			if err := testutil.CollectAndCompare(c, want); err != nil {
				t.Error(err)
			}
		})
	}
}

// A finding that is over stays, at 0, and counts again when it is back.
func TestFindings(t *testing.T) {
	v := full()
	c := prom.New(source(func() control.View { return v }), prom.Options{})
	check := func(active, total string) {
		t.Helper()
		want := "# HELP relent_finding_active 1 while the analysis sees a pattern.\n# TYPE relent_finding_active gauge\n" +
			`relent_finding_active{kind="storm",severity="page",subject="binance"} ` + active + "\n" +
			"# HELP relent_findings_total Patterns that the analysis has seen begin.\n# TYPE relent_findings_total counter\n" +
			`relent_findings_total{kind="storm",severity="page"} ` + total + "\n"
		if err := testutil.CollectAndCompare(c, strings.NewReader(want), "relent_finding_active", "relent_findings_total"); err != nil {
			t.Error(err)
		}
	}
	check("1", "1")
	check("1", "1")
	v.Findings = nil
	check("0", "1")
	v = full()
	check("1", "2")

	v.Findings = nil
	for i := range 10_000 {
		v.Findings = append(v.Findings, control.FindingView{Kind: "k", Subject: strings.Repeat("s", i%5000), Severity: "info"})
	}
	if n := testutil.CollectAndCount(c, "relent_finding_active"); n != 4096 {
		t.Errorf("%d findings are shown; want a bound of 4096", n)
	}
}

// Prometheus gets native histograms instead of classic ones, never both.
func TestNativeHistograms(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(prom.New(source(full), prom.Options{NativeHistograms: true}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range families {
		for _, m := range f.Metric {
			h := m.Histogram
			if h == nil {
				continue
			}
			seen++
			if len(h.Bucket) != 0 || h.Schema == nil {
				t.Errorf("%s has classic buckets: %v", f.GetName(), h)
			}
		}
		if f.GetName() == "relent_call_duration_seconds" {
			h := f.Metric[0].Histogram
			total := int64(0)
			delta := int64(0)
			for _, d := range h.PositiveDelta {
				delta += d
				total += delta
			}
			if h.GetSampleCount() != 4 || total != 4 || h.GetSampleSum() != 0.5 {
				t.Errorf("call durations: %v", h)
			}
		}
	}
	if seen != 8 {
		t.Errorf("%d histograms; want 8", seen)
	}
}

// Alone a collector shows the same as through a registry, to the byte.
func TestGatherAlone(t *testing.T) {
	for name, v := range map[string]control.View{"full": full(), "empty": {}, "odd": odd()} {
		for _, o := range []prom.Options{{}, {NativeHistograms: true}} {
			c := prom.New(source(func() control.View { return v }), o)
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(c)
			want, got := text(t, registry), text(t, c)
			if !o.NativeHistograms && got != want || strings.Count(got, "\n") != strings.Count(want, "\n") {
				t.Errorf("%s, %+v: alone\n%s\nand through a registry\n%s", name, o, got, want)
			}
		}
	}
}

// odd is a view with names that need care.
func odd() control.View {
	v := full()
	v.Policies[0].Name = "b\xffad \"name\"\n"
	v.Policies[1].Name = "zz"
	return v
}

// text is a scrape, its lines in order.
func text(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	lines := strings.Split(w.Body.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// What a source has twice fails a scrape, as it does through a registry, and says what it is.
func TestTwice(t *testing.T) {
	v := full()
	v.Policies = append(v.Policies, v.Policies[0])
	c := prom.New(source(func() control.View { return v }), prom.Options{})
	list, err := c.Gather()
	if err == nil || !strings.Contains(err.Error(), `relent_call_duration_seconds["`+v.Policies[0].Name+`"] is there twice`) || len(list) == 0 {
		t.Errorf("%d families, %v; want them, and the error", len(list), err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	v = full()
	if _, err := registry.Gather(); err != nil {
		t.Errorf("after that: %v", err)
	}
}

// Scrapes at one time do not share what they show.
func TestGatherAtOnce(t *testing.T) {
	c := prom.New(source(full), prom.Options{})
	want := text(t, c)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if got := text(t, c); got != want {
					t.Errorf("at once:\n%s\nwant\n%s", got, want)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkScrape(b *testing.B) {
	v := full()
	p := v.Policies[0]
	v.Policies = nil
	for i := range 1000 {
		p.Name = "operation." + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		v.Policies = append(v.Policies, p)
	}
	collector := prom.New(source(func() control.View { return v }), prom.Options{})
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	for name, g := range map[string]prometheus.Gatherer{"registry": registry, "alone": collector} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("served", func(b *testing.B) {
		h := promhttp.HandlerFor(collector, promhttp.HandlerOpts{})
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
		}
	})
}

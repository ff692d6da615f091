package grafana

import (
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/relent-go/relent/contrib/prom"
	"github.com/relent-go/relent/contrib/prom/rules"
	"github.com/relent-go/relent/control"
)

type view control.View

func (v view) View() control.View { return control.View(v) }

// seeded has one of everything.
func seeded() view {
	at := time.Unix(1_800_000_000, 0)
	h := control.Histogram{Bounds: []float64{1, 2}, Counts: []uint64{1, 1, 1}, Sum: 5}
	return view{
		Since: at, At: at, Build: control.Build{Version: "v1.0.0", Revision: "abc", Go: "go1.26"},
		Policies:   []control.PolicyView{{Name: "binance.fetch_book", Call: h, Attempt: h, Backoff: h, PerCall: h}},
		Circuits:   []control.CircuitView{{Policy: "binance.fetch_book", Target: "binance", State: "closed"}},
		Budgets:    []control.BudgetView{{Name: "all", Policies: []string{"binance.fetch_book"}, Level: 1, Max: 1}},
		Venues:     []control.VenueView{{Name: "binance"}},
		Components: []control.ComponentView{{Name: "binance", Critical: true, State: "up"}},
		Findings:   []control.FindingView{{Kind: "storm", Subject: "binance", Severity: "page"}},
	}
}

// A scraped series group: a metric's type, and the values that each of its labels has.
type metric struct {
	kind   string
	values map[string][]string
}

var (
	typeLine  = regexp.MustCompile(`^# TYPE (\S+) (\S+)$`)
	sample    = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? \S+$`)
	labelPair = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)

// scraped is what Prometheus would read of a process that has one of everything.
func scraped(t *testing.T) (series map[string]metric, families []string) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(prom.New(seeded(), prom.Options{}))
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	series = map[string]metric{}
	kind := ""
	for line := range strings.Lines(answer.Body.String()) {
		line = strings.TrimSpace(line)
		if m := typeLine.FindStringSubmatch(line); m != nil {
			families, kind = append(families, m[1]), m[2]
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		s, ok := series[m[1]]
		if !ok {
			s = metric{kind, map[string][]string{}}
			series[m[1]] = s
		}
		for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
			s.values[pair[1]] = append(s.values[pair[1]], pair[2])
		}
	}
	if len(families) < 30 {
		t.Fatalf("%d metrics are scraped: %s", len(families), answer.Body)
	}
	return series, families
}

// expressions are all those of dashboard and rules, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, g := range rules.Groups(rules.Objective{}) {
		for _, r := range g.Rules {
			all["rule "+r.Alert+r.Record] = r.Expr
		}
	}
	panels, _ := parsed(t)
	for _, p := range panels {
		for i, q := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$policy", ".*", "$venue", ".*").Replace(q.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %s: an unknown variable in %s", p.Title, q.Expr)
			}
			all["panel "+p.Title+" "+string(rune('A'+i))] = expr
		}
	}
	return all
}

// target are labels that Prometheus adds to what it scrapes.
var target = []string{"instance", "job"}

// closed are the labels with a closed list of values, as the scrape has to show them.
var closed = map[string][]string{
	"outcome": control.Outcomes(), "class": control.Classes(), "state": control.CircuitStates(), "to": control.CircuitStates(),
	"critical": {"true", "false"}, "severity": {"page", "ticket", "info"},
}

// values are the closed list of a label of a metric.
func values(name, label string) []string {
	if label == "reason" && strings.HasPrefix(name, "relent_retries_") {
		return control.Reasons()
	}
	if label == "reason" {
		return []string{"eof", "timeout", "heartbeat", "refused", "auth", "gap", "requested"}
	}
	return closed[label]
}

// Every metric and every label that a panel or a rule uses is there, every value can be, and a counter has a rate.
func TestNothingDrifts(t *testing.T) {
	series, families := scraped(t)
	recorded := map[string]bool{}
	for _, g := range rules.Groups(rules.Objective{}) {
		for _, r := range g.Rules {
			recorded[r.Record] = true
		}
	}
	used := map[string]bool{}
	for where, text := range expressions(t) {
		problems := check(text, series, recorded, used)
		for _, p := range problems {
			t.Errorf("%s: %s\n%s", where, p, text)
		}
	}
	for _, name := range families {
		shown := used[name] || used[name+"_bucket"] || used[name+"_count"]
		if why := unused[name]; shown == (why != "") {
			t.Errorf("%s: used by a panel or a rule: %v; why it need not be: %q", name, shown, why)
		}
	}
}

// unused are metrics that no panel and no rule needs, and why.
var unused = map[string]string{}

// check says what is wrong with an expression, and notes which metrics it uses.
func check(text string, series map[string]metric, recorded, used map[string]bool) (problems []string) {
	expr, err := parser.ParseExpr(text)
	if err != nil {
		return []string{err.Error()}
	}
	say := func(parts ...string) { problems = append(problems, strings.Join(parts, " ")) }
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			used[n.Name] = true
			m, ok := series[n.Name]
			if !ok && !recorded[n.Name] {
				say("no metric", n.Name)
				return nil
			}
			for _, match := range n.LabelMatchers {
				if match.Name == labels.MetricName {
					continue
				}
				if !has(n, match.Name, series, recorded) {
					say(n.Name, "has no label", match.Name)
				}
				if list := values(n.Name, match.Name); list != nil && !canMatch(match, list) {
					say(n.Name, match.String(), "matches none of", strings.Join(list, ", "))
				}
			}
			if ok && m.kind == "counter" && !rated(path) {
				say(n.Name, "is a counter and has no rate")
			}
		case *parser.AggregateExpr:
			for _, s := range selectors(n.Expr) {
				for _, label := range n.Grouping {
					if !has(s, label, series, recorded) {
						say(s.Name, "has no label", label, "to group by")
					}
				}
			}
		case *parser.BinaryExpr:
			if n.VectorMatching == nil {
				return nil
			}
			for _, s := range selectors(n) {
				for _, label := range n.VectorMatching.MatchingLabels {
					if !has(s, label, series, recorded) {
						say(s.Name, "has no label", label, "to match on")
					}
				}
			}
		}
		return nil
	})
	return problems
}

// has says whether a selector's series have a label. Those of the recording rules have only policy.
func has(s *parser.VectorSelector, label string, series map[string]metric, recorded map[string]bool) bool {
	if recorded[s.Name] {
		return label == "policy"
	}
	m, ok := series[s.Name]
	return !ok || m.values[label] != nil || slices.Contains(target, label) // a metric that is missing is told already
}

// canMatch says whether a matcher's value is of the list: any of them for a regular expression.
func canMatch(m *labels.Matcher, list []string) bool {
	if m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual {
		return slices.Contains(list, m.Value)
	}
	for _, part := range strings.Split(m.Value, "|") { // each alternative: one that is gone would hide behind the others
		alternative := labels.MustNewMatcher(labels.MatchRegexp, m.Name, part)
		if !slices.ContainsFunc(list, alternative.Matches) {
			return false
		}
	}
	return true
}

// rated says whether a function that takes differences is above a selector.
func rated(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(n parser.Node) bool {
		call, ok := n.(*parser.Call)
		return ok && slices.Contains([]string{"rate", "increase"}, call.Func.Name)
	})
}

func selectors(expr parser.Expr) (all []*parser.VectorSelector) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

// Names of series use labels that their expression leaves.
func TestLegends(t *testing.T) {
	name := regexp.MustCompile(`\{\{(\w+)\}\}`)
	panels, _ := parsed(t)
	for _, p := range panels {
		for _, q := range p.Targets {
			for _, m := range name.FindAllStringSubmatch(q.LegendFormat, -1) {
				by := regexp.MustCompile(`(by \([^)]*\b` + m[1] + `\b[^)]*\)|policy:relent_)`)
				if !by.MatchString(q.Expr) {
					t.Errorf("%s: %s is no label of %s", p.Title, m[0], q.Expr)
				}
			}
		}
	}
}

// The scrape has exactly the values of the closed lists.
func TestClosedLists(t *testing.T) {
	series, _ := scraped(t)
	for _, name := range slices.Sorted(maps.Keys(series)) {
		for label, got := range series[name].values {
			want := values(name, label)
			if want == nil || label == "critical" || label == "severity" { // which depend on what there is
				continue
			}
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
				t.Errorf("%s: %s has %v; want %v", name, label, got, want)
			}
		}
	}
}

// What the drift test is for, it finds.
func TestDriftIsFound(t *testing.T) {
	series, _ := scraped(t)
	for _, text := range []string{
		`sum(rate(`,
		`rate(relent_call_total[5m])`,
		`rate(relent_calls_total{operation="a"}[5m])`,
		`sum by (venue) (rate(relent_calls_total[5m]))`,
		`rate(relent_calls_total{outcome="succeeded"}[5m])`,
		`rate(relent_calls_total{outcome!~"success.*|canceled"}[5m])`,
		`rate(relent_retries_suppressed_total{reason="eof"}[5m])`,
		`relent_circuit_state{state="opened"}`,
		`relent_calls_total`,
		`relent_inflight_calls and on (venue) relent_unknown_outcome_orders`,
		`policy:relent_calls:rate5m{venue="a"}`,
		`policy:relent_calls:rate5min`,
	} {
		if problems := check(text, series, map[string]bool{"policy:relent_calls:rate5m": true}, map[string]bool{}); len(problems) == 0 {
			t.Errorf("nothing is found wrong with %s", text)
		}
	}
}

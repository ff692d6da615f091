package rules

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// An Objective is the share of calls that should succeed.
type Objective struct {
	SLO    float64 // percent, above 93.1 and below 100; 0 means 99.99
	Window string  // over which it is meant, for people; empty means 30d
}

// DefaultSLO is what a zero Objective.SLO means.
const DefaultSLO = 99.99

// Check says what is wrong with o, or nil. Below 93.1 % even a total failure burns no budget 14.4 times too fast.
func (o Objective) Check() error {
	if o.SLO != 0 && !(o.SLO > 93.1 && o.SLO < 100) {
		return errors.New("SLO: a percentage above 93.1 and below 100 is needed, such as 99.9")
	}
	return nil
}

// budget is the share of calls that may fail, without the noise of binary fractions.
func (o Objective) budget() float64 {
	slo := o.SLO
	if slo == 0 {
		slo = DefaultSLO
	}
	return math.Round((100-slo)*1e7) / 1e9
}

func (o Objective) window() string {
	if o.Window == "" {
		return "30d"
	}
	return o.Window
}

// number writes a share as people do.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// A Group is a list of rules that are evaluated together.
type Group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval"`
	Rules    []Rule `yaml:"rules"`
}

// A Rule records a series or raises an alert.
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// Groups returns all rules for an objective.
func Groups(o Objective) []Group {
	return []Group{
		{"relent-recording", "15s", recording()},
		{"relent-alerts", "15s", alerting(o)},
	}
}

// windows are those over which failures are recorded.
var windows = []string{"5m", "30m", "1h", "6h"}

func recording() []Rule {
	rules := []Rule{
		{Record: "policy:relent_calls:rate5m", Expr: `sum by (policy) (rate(relent_calls_total[5m]))`},
		{Record: "policy:relent_retry_amplification:ratio_rate1m", Expr: `sum by (policy) (rate(relent_attempts_total[1m]))
  / (sum by (policy) (rate(relent_calls_total[1m])) > 0)`},
		{Record: "policy:relent_first_try_failures:ratio_rate5m", Expr: `1 - sum by (policy) (rate(relent_calls_total{outcome="success_first_try"}[5m]))
  / (sum by (policy) (rate(relent_calls_total{outcome!="cancelled"}[5m])) > 0)`},
	}
	for _, w := range windows {
		rules = append(rules, Rule{Record: "policy:relent_call_errors:ratio_rate" + w,
			Expr: fmt.Sprintf(`sum by (policy) (rate(relent_calls_total{outcome!~"success.*|cancelled"}[%s]))
  / (sum by (policy) (rate(relent_calls_total{outcome!="cancelled"}[%s])) > 0)`, w, w)})
	}
	for _, w := range windows {
		rules = append(rules, Rule{Record: "policy:relent_call_errors:increase" + w,
			Expr: fmt.Sprintf(`sum by (policy) (increase(relent_calls_total{outcome!~"success.*|cancelled"}[%s]))`, w)})
	}
	return rules
}

func alerting(o Objective) (rules []Rule) {
	for _, a := range alerts {
		rules = append(rules, Rule{
			Alert: a.name, Expr: a.expr(o), For: a.hold,
			Labels:      map[string]string{"severity": a.severity},
			Annotations: map[string]string{"summary": a.summary, "runbook": Runbook(a.name)},
		})
	}
	return rules
}

// Names returns the names of all alerts, in their order.
func Names() (names []string) {
	for _, a := range alerts {
		names = append(names, a.name)
	}
	return names
}

// Runbook is where the page of an alert lies in the repository.
func Runbook(alert string) string { return "docs/runbooks/" + kebab(alert) + ".md" }

func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// File writes the rules as a file of Prometheus.
func File(o Objective) []byte {
	return document(o, "", struct {
		Groups []Group `yaml:"groups"`
	}{Groups(o)})
}

// document writes YAML under a line that says how it was made.
func document(o Objective, flags string, content any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Made by: relent policy rules --slo %s --window %s%s\n", number(100-o.budget()*100), o.window(), flags)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(content); err != nil {
		panic(err) // of structs and texts only
	}
	return b.Bytes()
}

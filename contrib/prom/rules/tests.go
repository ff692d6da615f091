package rules

// A Test is one test of an alert, as promtool reads it.
type Test struct {
	Name     string      `yaml:"name"`
	Interval string      `yaml:"interval"`
	Input    []Input     `yaml:"input_series"`
	Alerts   []AlertTest `yaml:"alert_rule_test"`
}

// An Input is a series and its values.
type Input struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

// An AlertTest says which alerts must be firing at a time: none if Expected is empty.
type AlertTest struct {
	At       string     `yaml:"eval_time"`
	Name     string     `yaml:"alertname"`
	Expected []Expected `yaml:"exp_alerts"`
}

// An Expected is one alert that fires.
type Expected struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// Tests writes the unit tests of the rules that [File] writes, for promtool, which finds those in ruleFile.
func Tests(o Objective, ruleFile string) []byte {
	return document(o, " --tests", struct {
		Files    []string `yaml:"rule_files"`
		Interval string   `yaml:"evaluation_interval"`
		Tests    []Test   `yaml:"tests"`
	}{[]string{ruleFile}, "1m", Cases(o)})
}

// Cases returns the tests: for each alert at least one in which it fires, and one with the same series in which it is quiet.
func Cases(o Objective) (tests []Test) {
	for _, c := range cases(o) {
		expected := []Expected{}
		if c.says != "" {
			labels := map[string]string{"severity": c.severity()}
			for name, value := range c.labels {
				labels[name] = value
			}
			expected = append(expected, Expected{labels, map[string]string{"summary": c.says, "runbook": Runbook(c.alert)}})
		}
		tests = append(tests, Test{c.alert + ": " + c.name, c.interval(), c.input, []AlertTest{{c.at, c.alert, expected}}})
	}
	return tests
}

// A scene is one test, in short. It is quiet if it says nothing.
type scene struct {
	alert, name string
	input       []Input
	at          string
	labels      map[string]string
	says        string
}

// interval is that of the samples. Those of hours are a minute apart, or the tests would take minutes.
func (c scene) interval() string {
	switch c.alert {
	case "RelentErrorBudgetBurnFast", "RelentErrorBudgetBurnSlow", "RelentLowVolumeFailing":
		return "1m"
	}
	return "15s"
}

func (c scene) severity() string {
	for _, a := range alerts {
		if a.name == c.alert {
			return a.severity
		}
	}
	return ""
}

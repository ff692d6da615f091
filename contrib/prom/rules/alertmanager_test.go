package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

const example = root + "/deploy/prometheus/alertmanager.example.yaml"

// Alertmanager takes the example.
func TestAlertmanagerExample(t *testing.T) {
	program, err := exec.LookPath("amtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("amtool is not installed: apt-get install prometheus-alertmanager")
		}
		t.Skip("amtool is not installed: apt-get install prometheus-alertmanager")
	}
	if out, err := exec.Command(program, "check-config", filepath.FromSlash(example)).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The example silences what an alert explains, and nothing else: least of all what can lose money.
func TestInhibitions(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string `yaml:"equal"`
		} `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		source, target, equal []string
	}{
		{[]string{`alertname="RelentEmergencyStopEngaged"`, `scope="global"`}, []string{"RelentRetryStorm", "RelentBudgetExhausted", "RelentRecoveryRateDrop",
			"RelentFirstTryFailures", "RelentErrorBudgetBurnFast", "RelentErrorBudgetBurnSlow", "RelentLowVolumeFailing"}, nil},
		{[]string{`alertname="RelentCircuitOpen"`}, []string{"RelentRetryStorm", "RelentErrorBudgetBurnFast"}, []string{"policy"}},
	}
	if len(config.Rules) != len(want) {
		t.Fatalf("%d inhibitions; want %d", len(config.Rules), len(want))
	}
	for i, rule := range config.Rules {
		if !slices.Equal(rule.Source, want[i].source) || !slices.Equal(rule.Equal, want[i].equal) || len(rule.Target) != 1 {
			t.Errorf("inhibition %d is %+v; want %+v", i+1, rule, want[i])
			continue
		}
		matcher := regexp.MustCompile(`^alertname=~"(.*)"$`).FindStringSubmatch(rule.Target[0])
		if matcher == nil {
			t.Errorf("inhibition %d: target %q is no alertname=~", i+1, rule.Target[0])
			continue
		}
		silenced := regexp.MustCompile("^(?:" + matcher[1] + ")$") // as Alertmanager anchors it
		for _, name := range Names() {
			if silenced.MatchString(name) != slices.Contains(want[i].target, name) {
				t.Errorf("inhibition %d: %s is silenced: %v", i+1, name, silenced.MatchString(name))
			}
		}
	}
}

package policy_test

import (
	"slices"
	"testing"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/config/policy"
)

// An explanation says what a learner does with the policy.
func TestExplainLearning(t *testing.T) {
	file, err := config.Read("../testdata/good/adaptive.yaml", func(string) (string, bool) { return "state", true })
	if err != nil {
		t.Fatal(err)
	}
	set, err := file.Preview()
	if err != nil {
		t.Fatal(err)
	}
	const active, shadow = "a learner chooses waits, and ends calls whose retries do not pay: adaptive active", "a learner watches, and changes nothing: adaptive shadow(promote)"
	for name, want := range map[string]string{"binance.get_account": active, "binance.get_book": shadow, "binance.place_order": ""} {
		e := policy.Explain(set, set.Policies[name])
		if want != "" && !slices.Contains(e.Limits, want) || want == "" && (slices.Contains(e.Limits, active) || slices.Contains(e.Limits, shadow)) {
			t.Errorf("%s: %q; want %q", name, e.Limits, want)
		}
	}
}

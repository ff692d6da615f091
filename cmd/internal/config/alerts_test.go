package config

import (
	"slices"
	"testing"

	"github.com/relent-go/relent/observe/analytics"
)

// The kinds that a file may name are those that there are.
func TestKindsOfAlerts(t *testing.T) {
	var want []string
	for _, k := range analytics.Kinds() {
		want = append(want, string(k))
	}
	if got := tableFor(Alert{}).byName["kinds"].words; !slices.Equal(got, want) {
		t.Errorf("the enum of kinds is %q; want %q", got, want)
	}
}

func TestLeast(t *testing.T) {
	for text, want := range map[string]analytics.Severity{"": analytics.Info, "info": analytics.Info, "ticket": analytics.Ticket, "page": analytics.Page} {
		if got := (&Alert{Severity: text}).Least(); got != want {
			t.Errorf("Least of %q = %v; want %v", text, got, want)
		}
	}
}

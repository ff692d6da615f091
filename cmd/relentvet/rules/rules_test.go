package rules_test

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/relent-go/relent/cmd/relentvet/rules"
)

// Each rule finds all that bad.go in the package of its name has of it, and no rule finds anything in good.go.
func TestRules(t *testing.T) {
	var packages []string
	for _, a := range rules.All {
		packages = append(packages, a.Name)
	}
	analysistest.Run(t, analysistest.TestData(), rules.Together(), packages...)
}

// Two rules mend what they find, where another sign is all that is needed.
func TestFixes(t *testing.T) {
	for _, a := range []*analysis.Analyzer{rules.Shadow, rules.Verb} {
		analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), a, a.Name)
	}
}

package rules_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/relent-go/relent/cmd/relentvet/rules"
)

// Each rule finds what package a has of it, and only that; and nothing in package clean.
func TestRules(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), rules.Together(), "a", "clean")
}

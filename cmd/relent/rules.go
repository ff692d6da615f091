package main

import (
	"github.com/spf13/cobra"

	alerts "github.com/relent-go/relent/contrib/prom/rules"
)

const rulesHelp = `Print recording and alerting rules for Prometheus, or their unit tests for promtool.

The objective sets the two alerts about how quickly an error budget burns.`

func newRules() *cobra.Command {
	var o alerts.Objective
	var tests bool
	cmd := &cobra.Command{
		Use: "rules", Short: "print alerting rules for Prometheus", Long: rulesHelp, Args: cobra.NoArgs,
		Example: "  relent policy rules > relent.rules.yaml\n  relent policy rules --slo 99.9 --tests > relent.rules_test.yaml && promtool test rules relent.rules_test.yaml",
	}
	cmd.Flags().Float64Var(&o.SLO, "slo", alerts.DefaultSLO, "`PERCENT` of calls that should succeed, above 93.1")
	cmd.Flags().StringVar(&o.Window, "window", "30d", "`TIME` over which it is meant; for people")
	cmd.Flags().BoolVar(&tests, "tests", false, "print the unit tests of the rules instead, for a file relent.rules.yaml")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("policy rules", err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.Check(); err != nil {
			return usage("policy rules", err)
		}
		text := alerts.File(o)
		if tests {
			text = alerts.Tests(o, "relent.rules.yaml")
		}
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	return cmd
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/cmd/internal/explain"
	"github.com/relent-go/relent/retry"
)

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "look at retry policies",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExplain())
	return cmd
}

const explainHelp = `Print when the attempts of a policy begin, if every one fails at once, and what it retries.

A wait of "0s to 400ms" is drawn anew for each attempt of each call; MIDDLE is its middle. FITS says
whether the attempt begins within --max-elapsed: a wait that would not leave enough time for an
attempt is not begun, and the call ends at once.`

const explainExample = `  relent policy explain
  relent policy explain --attempts 6 --backoff 'exponential(50ms, x2, max 2s, full)' --max-elapsed 5s
  relent policy explain --backoff 'fibonacci(1s, max 1m, none)' -o json`

func newExplain() *cobra.Command {
	var p retry.Policy
	var strategy, output string
	cmd := &cobra.Command{
		Use:     "explain",
		Short:   "print what a policy does, attempt by attempt",
		Long:    explainHelp,
		Example: explainExample,
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.IntVar(&p.MaxAttempts, "attempts", retry.DefaultMaxAttempts, "attempts in all, the first included")
	flags.StringVar(&strategy, "backoff", fmt.Sprint(backoff.Default()), "how long to wait between attempts")
	flags.DurationVar(&p.AttemptTimeout, "attempt-timeout", 0, "limit of each attempt (default none)")
	flags.DurationVar(&p.MaxElapsed, "max-elapsed", 0, "limit of the whole call, waits included (default none)")
	flags.BoolVar(&p.Idempotent, "idempotent", false, "an attempt that may have acted may be made again")
	flags.StringVarP(&output, "output", "o", "table", "table or json")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("policy explain", err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var mistakes []error
		if p.MaxAttempts < 1 {
			mistakes = append(mistakes, fmt.Errorf("--attempts: %d is less than 1", p.MaxAttempts))
		}
		if p.AttemptTimeout < 0 {
			mistakes = append(mistakes, fmt.Errorf("--attempt-timeout: %v is negative", p.AttemptTimeout))
		}
		if p.MaxElapsed < 0 {
			mistakes = append(mistakes, fmt.Errorf("--max-elapsed: %v is negative", p.MaxElapsed))
		}
		var err error
		if p.Backoff, err = backoff.Parse(strategy); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--backoff: %w", err))
		}
		if output != "table" && output != "json" {
			mistakes = append(mistakes, fmt.Errorf("--output: %q is neither table nor json", output))
		}
		if len(mistakes) > 0 {
			return usage("policy explain", errors.Join(mistakes...))
		}
		schedule := explain.New(&p)
		if output == "json" {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(schedule)
		}
		return schedule.WriteText(cmd.OutOrStdout(), columns(cmd.OutOrStdout()))
	}
	return cmd
}

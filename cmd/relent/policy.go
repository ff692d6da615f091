package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/config/policy"
	"github.com/relent-go/relent/cmd/internal/operate"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/retry"
)

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "check, explain and compare retry policies",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCheck(), newExplain(), newDiff(), newSchema(), newRules(), operate.NewApply(program()), operate.NewMode(program()))
	return cmd
}

// answer writes the answer of a command: as one document of JSON, or as text.
func answer(cmd *cobra.Command, document any, write func(w io.Writer) error) error {
	if text(cmd, "output") != "table" {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(document)
	}
	return write(cmd.OutOrStdout())
}

const checkHelp = `Say everything that is wrong with configuration files, each mistake with its place.

Without FILE the one of --config is checked. The exit code is 3 if a file is not valid. Warnings do not make it so.`

func newCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check [FILE...]",
		Short:   "say what is wrong with configuration files",
		Long:    checkHelp,
		Example: "  relent policy check\n  relent policy check staging.yaml production.yaml\n  relent policy check -o json | jq '.files[].mistakes[].message'",
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("policy check", err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{configFile(cmd)}
		}
		report := policy.Check(args, os.LookupEnv)
		err := answer(cmd, report, func(w io.Writer) error { return report.WriteText(w, config.Style{Color: colored(cmd, w)}) })
		if bad := report.Bad(); err == nil && bad > 0 {
			return &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("policy check: %d of %d files not valid", bad, len(report.Files))}
		}
		return err
	}
	return cmd
}

const explainHelp = `Print when the attempts of a policy begin, if every one fails at once, and what it retries.

With NAME it is a policy of the configuration file, with its gates and what is known of the venue that its
name begins with; flags change fields of it. Without NAME the flags are the policy.

A wait of "0s to 400ms" is drawn anew for each attempt of each call; MIDDLE is its middle. FITS says
whether the attempt begins within --max-elapsed: a wait that would not leave enough time for an
attempt is not begun, and the call ends at once.

With --live it is an operation of a server: what its learner knows, and its last choices with their reasons.`

const explainExample = `  relent policy explain binance.place_order -c relent.yaml
  relent policy explain --attempts 6 --backoff 'exponential(50ms, x2, max 2s, full)' --max-elapsed 5s
  relent policy explain --backoff 'fibonacci(1s, max 1m, none)' -o json
  relent policy explain --live binance.get_balance`

func newExplain() *cobra.Command {
	var given retry.Policy
	var strategy string
	var live bool
	cmd := &cobra.Command{
		Use:     "explain [NAME]",
		Short:   "print what a policy does, attempt by attempt",
		Long:    explainHelp,
		Example: explainExample,
		Args:    cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	flags.BoolVar(&live, "live", false, "what a learner knows about an operation, from a server")
	flags.IntVar(&given.MaxAttempts, "attempts", retry.DefaultMaxAttempts, "attempts in all, the first included")
	flags.StringVar(&strategy, "backoff", fmt.Sprint(backoff.Default()), "how long to wait between attempts")
	flags.DurationVar(&given.AttemptTimeout, "attempt-timeout", 0, "limit of each attempt (default none)")
	flags.DurationVar(&given.MaxElapsed, "max-elapsed", 0, "limit of the whole call, waits included (default none)")
	flags.BoolVar(&given.Idempotent, "idempotent", false, "an attempt that may have acted may be made again")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("policy explain", err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var mistakes []error
		if given.MaxAttempts < 1 {
			mistakes = append(mistakes, fmt.Errorf("--attempts: %d is less than 1", given.MaxAttempts))
		}
		if given.AttemptTimeout < 0 {
			mistakes = append(mistakes, fmt.Errorf("--attempt-timeout: %v is negative", given.AttemptTimeout))
		}
		if given.MaxElapsed < 0 {
			mistakes = append(mistakes, fmt.Errorf("--max-elapsed: %v is negative", given.MaxElapsed))
		}
		var err error
		if given.Backoff, err = backoff.Parse(strategy); err != nil {
			mistakes = append(mistakes, fmt.Errorf("--backoff: %w", err))
		}
		if live {
			mistakes = append(mistakes, aloneLive(cmd, args))
		}
		if errors.Join(mistakes...) != nil {
			return usage("policy explain", errors.Join(mistakes...))
		}
		if live {
			return operate.ExplainLive(program(), cmd, args[0])
		}
		if len(args) == 0 {
			schedule := policy.NewSchedule(&given)
			return answer(cmd, schedule, func(w io.Writer) error { return schedule.WriteText(w, columns(w)) })
		}
		set, p, err := namedPolicy(cmd, args[0])
		if err != nil {
			return err
		}
		changed := *p
		override(&changed, &given, flags.Changed)
		explanation := policy.Explain(set, &changed)
		return answer(cmd, explanation, func(w io.Writer) error { return explanation.WriteText(w, columns(w)) })
	}
	return cmd
}

// aloneLive says what does not go with --live.
func aloneLive(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("--live: say which operation")
	}
	for _, flag := range []string{"attempts", "backoff", "attempt-timeout", "max-elapsed", "idempotent"} {
		if cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s: is for what would be; --live shows what is: leave one of them out", flag)
		}
	}
	return nil
}

// override puts the fields that flags gave into a policy.
func override(p, given *retry.Policy, changed func(flag string) bool) {
	if changed("attempts") {
		p.MaxAttempts = given.MaxAttempts
	}
	if changed("backoff") {
		p.Backoff = given.Backoff
	}
	if changed("attempt-timeout") {
		p.AttemptTimeout = given.AttemptTimeout
	}
	if changed("max-elapsed") {
		p.MaxElapsed = given.MaxElapsed
	}
	if changed("idempotent") {
		p.Idempotent = given.Idempotent
	}
}

// standingPolicy returns a policy for one command, which obeys the emergency stop and does not keep it.
func standingPolicy(cmd *cobra.Command, name string) (*retry.Policy, error) {
	_, p, err := findPolicy(cmd, name, (*config.File).Standing)
	return p, err
}

// namedPolicy returns a policy to look at.
func namedPolicy(cmd *cobra.Command, name string) (*config.Set, *retry.Policy, error) {
	return findPolicy(cmd, name, (*config.File).Preview)
}

// findPolicy reads the configuration and returns a policy of it.
func findPolicy(cmd *cobra.Command, name string, build func(*config.File) (*config.Set, error)) (*config.Set, *retry.Policy, error) {
	file, err := readConfig(cmd, configFile(cmd))
	if err != nil {
		return nil, nil, err
	}
	set, err := build(file)
	if err != nil {
		return nil, nil, &rerun.Exit{Code: exitInvalid, Err: fmt.Errorf("%s: %s: %w", commandPath(cmd), file.Name, err)}
	}
	p, err := set.Policy(name)
	if err != nil {
		return nil, nil, usage(commandPath(cmd), fmt.Errorf("%s: %w", file.Name, err))
	}
	return set, p, nil
}

func newDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "diff A B",
		Short:   "print how two configuration files differ, and whether a change needs a restart",
		Example: "  relent policy diff relent.yaml new.yaml\n  relent policy diff -o json relent.yaml new.yaml | jq '.needs_restart'",
		Args:    cobra.ExactArgs(2),
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("policy diff", err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var files [2]*config.File
		for i, name := range args {
			var err error
			if files[i], err = readConfig(cmd, name); err != nil {
				return err
			}
		}
		difference := policy.Diff(files[0], files[1])
		return answer(cmd, difference, difference.WriteText)
	}
	return cmd
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "print the JSON Schema of the configuration file",
		Long:    "Print the JSON Schema of the configuration file, draft 2020-12. An editor checks a file whose first line is\n\n  # yaml-language-server: $schema=./relent.schema.json",
		Example: "  relent policy schema > relent.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}

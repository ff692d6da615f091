//go:build unix

package rerun

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

const runHelp = `Run COMMAND until it succeeds, or until the attempts or the time are used up.

Everything after -- is the command, untouched. Without --, the first word that is not a flag
starts it. The exit code is the one of the last attempt, 128+n if signal n ended it, 127 or 126 if
it could not be started, 124 if --max-elapsed passed, 4 if an emergency stop and 5 if a budget, breaker
or limit of --policy refused.

Retried is any non-zero exit code except 126, 127 and those of INT, TERM, HUP and QUIT (129, 130,
131, 143), and an attempt that took longer than --attempt-timeout. Attempts must be safe to repeat:
the command may run twice.

The command's environment has RELENT_ATTEMPT (1, 2, …), RELENT_MAX_ATTEMPTS, RELENT_LAST_EXIT (from
the second attempt on) and RELENT_CALL_ID.

With -o json the last line on stderr is a report; stdout belongs to the command.`

const runExample = `  relent run -- curl -fsS https://example.com/prices
  relent run --attempts 5 --attempt-timeout 10s -- rsync -a data/ backup:/data/
  relent run --retry-on-exit 75 --backoff 'constant(1s, none)' -- sendmail -q`

// NewCobra returns the command "run" with its flags. It returns an [*Exit] as its error unless
// the command it ran ended with code 0.
//
// policies finds the policy of --policy; without it there is no such flag.
//
// A persistent flag of a parent named "quiet" is obeyed. A parent's flag for the output format should be
// called "output" and "o", as here.
func NewCobra(policies func(cmd *cobra.Command, name string) (*retry.Policy, error)) *cobra.Command {
	var (
		c        Command
		giveUp   int
		policy   string
		output   = "table"
		strategy = strategy(&c.Backoff)
	)
	cmd := &cobra.Command{
		Use:                   "run [flags] -- COMMAND [ARG…]",
		Short:                 "run a command with retries",
		Long:                  runHelp,
		Example:               runExample,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // the command's own flags are not ours
	add := func(name, kind, text, usage string, read func(string) error) {
		flags.Var(&value{kind: kind, text: text, read: read}, name, usage)
	}
	if policies != nil {
		flags.StringVar(&policy, "policy", "", "attempts, waits, limits and gates of the policy `NAME` of the configuration; flags change fields of it")
	}
	add("attempts", "N", strconv.Itoa(DefaultAttempts), "how often to run the command at most, the first time included", count(&c.Attempts, 1, math.MaxInt32))
	add("backoff", "STRATEGY", fmt.Sprint(backoff.Default()), "how long to wait between attempts", strategy)
	add("attempt-timeout", "DURATION", "", "end an attempt that takes longer: TERM, then KILL", duration(&c.AttemptTimeout))
	add("max-elapsed", "DURATION", "", "end everything after this time, with exit code 124", duration(&c.MaxElapsed))
	add("kill-after", "DURATION", "5s", "time between TERM and KILL", duration(&c.KillAfter))
	add("retry-on-exit", "CODES", "", "retry only these exit codes, such as 1,75,100-110", codes(&c.RetryOnExit))
	add("no-retry-on-exit", "CODES", "", "never retry these exit codes", codes(&c.NoRetryOnExit))
	add("until-match", "RE", "", "success only if a line of stdout or stderr matches", expression(&c.UntilMatch))
	add("fail-match", "RE", "", "failure if a line of stdout or stderr matches", expression(&c.FailMatch))
	add("stdin", "MODE", "", "none, buffer (each attempt reads all of it) or pass (the first has it to itself); default none on a terminal, else buffer", choice(&c.Stdin, StdinNone, StdinBuffer, StdinPass))
	add("stdin-max", "SIZE", FormatSize(DefaultStdinMax), "how much stdin is kept for later attempts; a larger one is not retried", size(&c.StdinMax))
	add("stdout", "MODE", "", "once (only the last attempt's, at its end) or stream (as it comes); default stream on a terminal, else once", choice(&c.Stdout, StdoutOnce, StdoutStream))
	flags.StringVar(&c.FailCmd, "fail-cmd", "", "shell `COMMAND` to run once after giving up; its stdout goes to stderr")
	add("notify-fd", "N", "", "write events to this descriptor, one JSON object a line", count(&c.NotifyFD, 2, math.MaxInt32))
	add("exit-code-on-give-up", "N", "", "exit code after giving up, instead of the command's", count(&giveUp, 0, 255))
	flags.VarP(&value{kind: "FORMAT", text: output, read: choice(&output, "table", "json", "ndjson")}, "output", "o", "json: a report as the last line on stderr")

	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(flagError(err)) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if flags.Changed("timeout") { // a flag of all commands
			return usage(errors.New("--timeout: is how long a server may take to answer, and run asks none: say --attempt-timeout, of each attempt, or --max-elapsed, of all of them together"))
		}
		c.Args = args
		if flags.Changed("exit-code-on-give-up") {
			c.ExitCodeOnGiveUp = &giveUp
		}
		c.JSON = output != "table"
		if quiet := flags.Lookup("quiet"); quiet != nil && quiet.Value.String() == "true" {
			c.Quiet = true
		}
		if policy != "" {
			p, err := policies(cmd, policy)
			if err != nil {
				return err
			}
			c.follow(p, flags.Changed)
		}
		code, err := c.Run(cmd.Context())
		switch {
		case err != nil:
			return usage(err)
		case code != 0:
			return &Exit{Code: code}
		}
		return nil
	}
	return cmd
}

// follow takes from a policy what no flag says.
func (c *Command) follow(p *retry.Policy, changed func(flag string) bool) {
	c.Policy, c.Gates = p.Name, p.Gates
	if !changed("attempts") {
		c.Attempts = min(p.Attempts(), math.MaxInt32)
	}
	if !changed("backoff") {
		c.Backoff = p.Backoff
	}
	if !changed("attempt-timeout") {
		c.AttemptTimeout = p.AttemptTimeout
	}
	if !changed("max-elapsed") {
		c.MaxElapsed = p.MaxElapsed
	}
}

// usage wraps what is wrong with the command line.
func usage(err error) *Exit {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	return &Exit{Code: codeUsage, Err: fmt.Errorf("run: %s\ntry: relent run --help", text)}
}

// flagError says what is wrong in our words rather than pflag's.
func flagError(err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return fmt.Errorf("--%s %q: %w", e.GetFlag().Name, e.GetValue(), e.Unwrap())
	}
	return err
}

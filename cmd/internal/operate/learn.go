package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/control"
)

const modeHelp = `Set what a learner may do with an operation:
  shadow  predict how retries end, score itself, and change nothing
  active  also choose the waits, end calls whose retries do not pay, and let callers wait for an outage together
  off     see nothing

With relent serve the mode is in force in every process that has the operation, and stays so when they start again. It
takes the role operator, and is recorded. Active needs a budget among the gates of the operation. The costs and limits
of the learner, which its program or the configuration sets, stay as they are.

What it has learned so far says relent policy explain --live OPERATION.`

// A moded is what setting a mode led to.
type moded struct {
	V         int    `json:"v"`
	Server    string `json:"server"`
	Operation string `json:"operation"`
	From      string `json:"from"` // in the text form, with the terms
	To        string `json:"to"`
	Version   uint64 `json:"version"`
}

// NewMode returns the command policy mode.
func NewMode(p Program) *cobra.Command {
	p = p.complete()
	var reason string
	cmd := strict(&cobra.Command{
		Use: "mode OPERATION MODE", Short: "set what a learner may do with an operation", Long: modeHelp,
		Example: "  relent policy mode binance.get_balance shadow --reason 'see how it would do'\n  relent policy mode binance.get_balance active --reason 'proven for a week' --token-file ann.token",
	}, exactly("OPERATION", "MODE"))
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for whoever reads the audit log (required)")
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return control.Modes(), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(control.Modes(), args[1]) {
			return usage(cmd, fmt.Errorf("MODE: %.60q is none of %s", args[1], strings.Join(control.Modes(), ", ")))
		}
		why, err := because(reason)
		if err != nil {
			return usage(cmd, err)
		}
		return settings{p, cmd}.mode(args[0], args[1], why)
	}
	return cmd
}

func (s settings) mode(operation, mode, why string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	ctx := s.cmd.Context()
	_, p, err := c.operation(ctx, operation)
	if err != nil {
		return s.nowhere(err)
	}
	base, from := p.Base["adaptive"], learns(p)
	to := mode
	if _, terms, more := strings.Cut(from, "("); more {
		to += "(" + terms
	}
	done := moded{1, c.base, operation, from, to, p.Version}
	if from != to {
		field := to
		if to == base {
			field = "" // the override ends
		}
		tune := control.Tune{Operation: operation, Version: p.Version, Fields: map[string]string{"adaptive": field}, Reason: why}
		var after control.PolicyView
		if err := c.ask(ctx, "POST", "/api/v1/tune", "", tune, &after); err != nil {
			return failed(s.cmd, err, next(err, "relent policy explain --live "+quoted(operation)))
		}
		done.Version = after.Version
	}
	out := s.cmd.OutOrStdout()
	if format(s.cmd) != "table" {
		return document(out, done)
	}
	t := &table{Color: s.color(out)}
	if from == to {
		t.add(bold(operation), text(to), dim("as before"))
	} else {
		t.add(bold(operation), text(from+" -> "+to), dim(fmt.Sprintf("version %d", done.Version)))
	}
	return t.write(out, 0)
}

// learns is what a learner may do with an operation, in its text form.
func learns(p *control.PolicyView) string {
	if text, ok := p.Override["adaptive"]; ok {
		return text
	}
	return p.Base["adaptive"]
}

// operation asks for the view, and finds an operation in it. One that was added a moment ago may take a second to be seen.
func (c *client) operation(ctx context.Context, name string) (*control.View, *control.PolicyView, error) {
	v, err := c.view(ctx)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for i := range v.Policies {
		p := &v.Policies[i]
		if p.Name == name && p.Base["adaptive"] != "" {
			return v, p, nil
		}
		if p.Base["adaptive"] != "" {
			names = append(names, p.Name)
		}
	}
	return nil, nil, fmt.Errorf("%s: %w", c.base, &config.UnknownPolicy{Name: name, Names: names})
}

// nowhere is why an operation is not found.
func (s settings) nowhere(err error) error {
	if errors.Is(err, config.ErrUnknownPolicy) {
		return failed(s.cmd, err, "relent status")
	}
	return s.unseen(err)
}

// stood says in words what stands behind the last advice.
var stood = map[string]string{
	"configured": "the terms have a mistake, so that nothing is advised",
	"cold":       "too little is known yet, or too little of it is recent",
	"fallback":   "its forecasts came true less often than the base rate's: the configured policy serves",
	"guard":      "stops were found to do harm, and are left away",
	"control":    "the last call was one of those that stay as configured, for comparison",
	"model":      "its advice counts",
	"shared":     "it shares a model with operations beyond the bound, and is never active",
	"mixed":      "processes differ",
}

// modesInWords say what a mode means.
var modesInWords = map[string]string{"shadow": "it changes nothing", "active": "it acts", "mixed": "processes differ"}

// brief is a duration for people who look at waits.
func brief(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/control"
)

const statusHelp = `Show what a fleet, or one process, does: stops, findings, policies, circuits, budgets, venues, components.

Rates take two looks, a second apart. Success and amplification are of the calls between them; where there were none,
they are of all calls since the start, and marked with *. With --watch they are of the last minute.

In ndjson each object has a kind and the part of that name: status, stop, finding, policy, circuit, budget, venue,
component, instance. In both JSON formats times are RFC 3339, rates are a second, and shares are between 0 and 1.`

// between two looks.
const defaultEvery = time.Second

func newStatus(p Program) *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := strict(&cobra.Command{
		Use: "status", Short: "show policies, circuits, budgets, stops and findings", Long: statusHelp,
		Example: "  relent status\n  relent status --watch\n  relent status -o json --server http://127.0.0.1:8470",
	}, exactly())
	cmd.Flags().BoolVar(&watch, "watch", false, "look again and again, until ^C")
	cmd.Flags().DurationVar(&every, "every", defaultEvery, "how long between two looks, at least 200ms")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every < 200*time.Millisecond || every > time.Minute {
			return usage(cmd, fmt.Errorf("--every: %v is not between 200ms and 1m", every))
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		settings := settings{p, cmd}
		c, err := settings.connect()
		if err != nil {
			return err
		}
		if watch {
			return settings.watch(ctx, c, every)
		}
		return settings.once(ctx, c, every)
	}
	return cmd
}

func (c *client) view(ctx context.Context) (*control.View, error) {
	v := &control.View{}
	return v, c.get(ctx, "/api/v1/view", v)
}

// once looks twice, and prints what it saw.
func (s settings) once(ctx context.Context, c *client, every time.Duration) error {
	before, err := c.view(ctx)
	if err != nil {
		return s.unseen(err)
	}
	progress := isTerminal(s.cmd.ErrOrStderr()) && !is(s.cmd, "quiet")
	if progress {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "\rlooking for %v, for the rates ", every)
	}
	now, err := c.later(ctx, before, every)
	if progress {
		fmt.Fprint(s.cmd.ErrOrStderr(), "\r\x1b[K")
	}
	if ctx.Err() != nil {
		return failed(s.cmd, errors.New("interrupted"), "")
	}
	if err != nil {
		return s.unseen(err)
	}
	return s.print(s.cmd.OutOrStdout(), s.status(c, before, now))
}

// later looks again after a while, and then until there is something newer: a dashboard that nobody watches looks once a
// second. After two seconds more the answer is what there is.
func (c *client) later(ctx context.Context, before *control.View, every time.Duration) (*control.View, error) {
	const often = 250 * time.Millisecond
	for n, wait := 0, every; ; n, wait = n+1, often {
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
		now, err := c.view(ctx)
		if err != nil || now.Epoch != before.Epoch || now.At.After(before.At) || n == 8 {
			return now, err
		}
	}
}

// unseen is why there is nothing to show.
func (s settings) unseen(err error) error {
	try := next(err, "the same with --server URL of relent serve, or of a process that mounts the dashboard")
	if errors.Is(err, errAbsent) {
		try = "relent serve, or the same with --server URL"
	}
	return failed(s.cmd, err, try)
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s settings) status(c *client, before, now *control.View) *status {
	st := compare(before, now)
	st.Server = c.base
	if is(s.cmd, "verbose") {
		st.Settings = s.all()
	}
	return st
}

// all are the settings that decide what is shown, and who said so.
func (s settings) all() []setting {
	server, _ := s.server() // it was found before
	_, timeout := s.timeout()
	list := []setting{server, s.tokenFile(), timeout}
	if file, name, source, err := s.program.Config(s.cmd); err == nil {
		if file == nil {
			name = ""
		}
		list = append(list, setting{"config", name, source})
	}
	for _, name := range []string{"output", "color"} {
		value, given := given(s.cmd, name)
		source := byDefault
		if given {
			source = "--" + name
		}
		if name == "color" && !given {
			for _, variable := range []string{"NO_COLOR", "CLICOLOR_FORCE"} {
				if os.Getenv(variable) != "" {
					source = variable
					break
				}
			}
		}
		list = append(list, setting{name, value, source})
	}
	return list
}

// print writes a status in the format that was asked for.
func (s settings) print(out io.Writer, st *status) error {
	switch format(s.cmd) {
	case "json":
		return document(out, st)
	case "ndjson":
		return objects(out, st)
	}
	width, _ := size(out)
	for _, line := range s.page(st, width) {
		if _, err := io.WriteString(out, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) page(st *status, width int) []string {
	p := &page{status: st, width: width, color: s.color(s.cmd.OutOrStdout()), verbose: is(s.cmd, "verbose")}
	return p.lines()
}

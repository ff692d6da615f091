package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/rerun"
	play "github.com/relent-go/relent/cmd/internal/simulate"
	"github.com/relent-go/relent/sim"
)

func newSimulate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "see what retries do to a server in trouble",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStorm(), newJitter(), newAdaptive())
	return cmd
}

const stormHelp = `Stall a simulated server for 10 s under several retry policies, and see how long the way back takes.

One server can do 100 requests per second. Clients give an attempt up after 1 s, but it stays in the queue. The
policies are relent's own code, in virtual time:

%s
RECOVERY is the time from the end of the stall until 95 %% of what the clients want is done in time again. The model ranks
policies; it is no forecast for a real server.`

const stormExample = `  relent simulate storm
  relent simulate storm --policy retry3,relent,finagle --clients 100 --svg storm.svg
  relent simulate storm --policy none --policy relent --utilisation 0.9 --json | jq '.rows[].recovery_s'`

func newStorm() *cobra.Command {
	var s play.Storm
	var out output
	cmd := &cobra.Command{
		Use:     "storm",
		Short:   "one stall of a server, several policies",
		Long:    fmt.Sprintf(stormHelp, policies()),
		Example: stormExample,
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&s.Policies, "policy", []string{"none", "retry3", "relent"}, "`NAME`s of policies, with commas between; may be given again")
	flags.IntVar(&s.Clients, "clients", 1, "that share the load, each with budgets of its own")
	flags.Float64Var(&s.Utilisation, "utilisation", 0.8, "load without retries, as a part of what the server can do")
	flags.IntVar(&s.Seeds, "seeds", 5, "runs of each policy")
	out.flags(cmd, "simulate storm")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s.Progress = out.progress(cmd)
		return out.deliver(cmd, s.Check(), func(ctx context.Context) (report, error) { return s.Run(ctx) })
	}
	return cmd
}

// policies is a list for people.
func policies() string {
	var b strings.Builder
	for _, name := range sim.Names() {
		p, _ := sim.Find(name)
		fmt.Fprintf(&b, "  %-15s %s\n", p.Name, p.About)
	}
	return b.String()
}

const jitterHelp = `Let clients write one row that each read before, with several kinds of backoff: from 5 ms to 2 s, doubling.

Whoever is too late waits and begins anew. It is the experiment of "Exponential Backoff And Jitter", AWS Architecture
Blog, 2015. Contention costs nothing but calls here, so calls are what counts.`

const jitterExample = `  relent simulate jitter
  relent simulate jitter --clients 190 --runs 20 --svg jitter.svg`

func newJitter() *cobra.Command {
	var j play.Jitter
	var out output
	cmd := &cobra.Command{
		Use:     "jitter",
		Short:   "many writers of one row, several kinds of jitter",
		Long:    jitterHelp,
		Example: jitterExample,
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.IntVar(&j.Clients, "clients", 100, "that write")
	flags.IntVar(&j.Runs, "runs", 100, "of each kind, whose mean is printed")
	out.flags(cmd, "simulate jitter")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		j.Progress = out.progress(cmd)
		return out.deliver(cmd, j.Check(), func(ctx context.Context) (report, error) { return j.Run(ctx) })
	}
	return cmd
}

const adaptiveHelp = `Play an hour of calls in worlds that go wrong in known ways, with a learner and with others that retry, and compare what a
call was worth: 1 if it succeeds, less a cost for each attempt and for the time until its end.

Policies, gates and learner are relent's own code, in virtual time. Each rival meets the same calls and the same trouble. A scenario
is one of these, "trace" with --trace, "all", or a FILE.json with a world of your own (package sim, type World):

%s
RIVALS:

%s`

const adaptiveExample = `  relent simulate adaptive --scenario outages --seeds 4
  relent simulate adaptive --scenario all --seeds 24 --json >scores.json
  relent simulate adaptive --scenario overload --rival none,exp+gate,learn+B20 --stretch 0.25`

func newAdaptive() *cobra.Command {
	var a play.Adaptive
	var out output
	var worlds, rivals strings.Builder
	for _, w := range append(sim.Worlds(), sim.Mixtures()...) {
		fmt.Fprintf(&worlds, "  %-12s %s\n", w.Name, w.About)
	}
	for _, name := range sim.Rivals() {
		r, _ := sim.FindRival(name)
		fmt.Fprintf(&rivals, "  %-23s %s\n", r.Name, r.About)
	}
	cmd := &cobra.Command{
		Use:     "adaptive",
		Short:   "a learner and others, in worlds that go wrong",
		Long:    fmt.Sprintf(adaptiveHelp, worlds.String(), strings.TrimSuffix(rivals.String(), "\n")),
		Example: adaptiveExample,
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&a.Scenarios, "scenario", []string{"all"}, "`NAME`s or files, with commas between; may be given again")
	flags.StringSliceVar(&a.Rivals, "rival", sim.Rivals(), "`NAME`s, with commas between; the reference is always there")
	flags.StringVar(&a.Trace, "trace", "", "CSV `FILE` of declared incidents, with the columns downtime_start, downtime_end and impact")
	flags.IntVar(&a.Seeds, "seeds", 24, "runs of each")
	flags.Uint64Var(&a.FirstSeed, "first-seed", 1, "of the runs; the rules were tuned with 1000 to 1007, 3000 to 3015 and 4000 to 4007")
	flags.DurationVar(&a.Horizon, "horizon", time.Hour, "of the arrivals in each run")
	flags.Float64Var(&a.Stretch, "stretch", 0, "factor of all times in the scenarios")
	flags.Float64Var(&a.Busy, "busy", 0, "factor of all rates")
	flags.Float64Var(&a.AttemptCost, "attempt-cost", 0, "of an attempt, in successes; 0 means 0.02")
	flags.BoolVar(&a.Variants, "variants", false, "play the learner with other times, rates and costs, and in mixtures, too")
	cmd.Flags().BoolVar(&out.json, "json", false, "print one JSON object")
	out.command = "simulate adaptive"
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(out.command, err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a.Progress = out.progress(cmd)
		return out.deliver(cmd, a.Check(), func(ctx context.Context) (report, error) { return a.Run(ctx) })
	}
	return cmd
}

// A report can be shown to people.
type report interface {
	WriteText(io.Writer) error
}

// A picture can be drawn.
type picture interface {
	WriteSVG(io.Writer) error
}

// output is where the results of a simulation go.
type output struct {
	command string
	json    bool
	svg     string
	drawn   bool // there is a line of progress on the terminal
}

func (o *output) flags(cmd *cobra.Command, command string) {
	o.command = command
	cmd.Flags().StringVar(&o.svg, "svg", "", "draw a picture into `FILE`, too")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(command, err) })
}

// progress returns what to tell of the runs; nil if nobody looks.
func (o *output) progress(cmd *cobra.Command) func(done, of int) {
	stderr := cmd.ErrOrStderr()
	if quiet, _ := cmd.Flags().GetBool("quiet"); quiet || !isTerminal(stderr) {
		return nil
	}
	return func(done, of int) {
		o.drawn = true
		fmt.Fprintf(stderr, "\rrelent %s: %d of %d runs\x1b[K", o.command, done, of) // erase the rest of the line (ECMA-48, EL)
	}
}

// deliver runs a simulation and writes what it found.
func (o *output) deliver(cmd *cobra.Command, mistakes error, run func(context.Context) (report, error)) error {
	if mistakes != nil {
		return usage(o.command, mistakes)
	}
	ctx, release := signalled(cmd.Context())
	defer release()
	r, err := run(ctx)
	if o.drawn {
		fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
	}
	if err == nil && o.svg != "" {
		err = draw(o.svg, r.(picture)) // reports of commands with --svg are
	}
	if s, ok := errors.AsType[*stopped](err); ok {
		return &rerun.Exit{Code: 128 + int(s.signal), Err: fmt.Errorf("%s: %w", o.command, err)}
	}
	if err != nil {
		return &rerun.Exit{Code: 1, Err: fmt.Errorf("%s: %w", o.command, err)}
	}
	if o.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	return r.WriteText(cmd.OutOrStdout())
}

// draw writes a picture into a file.
func draw(name string, r picture) error {
	var svg bytes.Buffer
	err := r.WriteSVG(&svg)
	if err == nil {
		err = os.WriteFile(name, svg.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("--svg: %w", err)
	}
	return nil
}

// stopped is the cause of a context that a signal ended.
type stopped struct{ signal syscall.Signal }

func (s *stopped) Error() string { return "stopped by signal: " + s.signal.String() }

// signalled returns a context that the first INT or TERM ends. A second one kills the program, as ever.
func signalled(parent context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var listening sync.WaitGroup
	listening.Go(func() {
		select {
		case <-ctx.Done():
		case s := <-signals:
			cancel(&stopped{s.(syscall.Signal)})
		}
		signal.Stop(signals)
	})
	return ctx, func() {
		cancel(nil)
		listening.Wait()
	}
}

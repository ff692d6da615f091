package main

import (
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

	"github.com/relent-go/relent/cmd/internal/demo"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/cmd/internal/venue"
)

const demoHelp = `Trade on a misbehaving exchange through relent, with the unmodified Go SDK of Binance: orders through the order machine,
with a log in SQLite; prices from order books that are right or marked stale; what happened from the account's stream.

A dashboard opens beside it, on this machine: it shows what is retried, refused and in doubt, and its Stop button stops the orders.

Without --venue, an exchange is simulated on this machine's loopback, in the weather that --faults names:

  calm       nothing happens
  lossy      answers get lost, requests are dropped and held, 503, 502, cut bodies
  late       requests arrive and are answered late, reads lag
  ratelimit  429 with and without a hint, overload, and bans
  storm      all of it, at high rates
  outage     nothing answers for 10 s; then a brown-out
  ws         streams are refused, cut, half-open, garbled
  clock      the venue's clock is 2 s ahead, then 2 s behind, by turns

or as a file of rules in JSON says. In each weather but calm the venue also has no candles for some seconds and loses the answers of two
orders, so that a circuit, a budget and a reconciled order can be seen. Its own account of the orders then judges what relent did.

After --for, or the first ^C, no new orders are made, and orders whose fate is open are settled by
asking the venue for them; this can take half a minute. A second ^C leaves at once.

The exit code is 0 only if no order was duplicated or lost and every invariant of the venue's oracle holds; with --json, in the default
weather and for 10 s or more, only if a retry that saved a call, a circuit that opened and closed, a refusing budget,
a reconciled order and a finding were seen as well.`

const demoExample = `  relent demo
  relent demo --for 60s --faults storm --compare naive
  relent demo --for 10m --listen 127.0.0.1:8470
  relent demo --json --seed 7 | jq .duplicates
  relent demo --dir . && relent orders --store sqlite:orders.db --venue binance --account main
  relent demo --venue https://testnet.binance.vision --api-key "$KEY" --api-secret "$SECRET"`

// demoFlags is the command line of the demo.
type demoFlags struct {
	cfg     demo.Config
	faults  string
	compare string
	json    bool
	quiet   bool
	listen  string
	alone   bool
	dir     string
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "a real exchange client against a misbehaving exchange",
		Long:    demoHelp,
		Example: demoExample,
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.DurationVar(&f.cfg.For, "for", 20*time.Second, "how long to trade")
	flags.Uint64Var(&f.cfg.Seed, "seed", 1, "of the faults and of the traders' choices")
	flags.StringVar(&f.faults, "faults", defaultWeather, "calm, lossy, late, ratelimit, storm, outage, ws, clock, or a file of fault rules")
	flags.StringVar(&f.compare, "compare", "", "naive: the same load with a retry as written by hand, beside it")
	flags.BoolVar(&f.json, "json", false, "print one JSON object at the end")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "`ADDRESS` of the dashboard, on this machine; port 0 means a free one")
	flags.BoolVar(&f.alone, "no-dashboard", false, "open no dashboard")
	flags.StringVar(&f.dir, "dir", "", "`FOLDER` to keep the order log and the bans in (default: a temporary one)")
	flags.StringVar(&f.cfg.URL, "venue", "", "`URL` of an endpoint compatible with Binance Spot (default: a simulated one)")
	flags.StringVar(&f.cfg.Key, "api-key", "", "for --venue")
	flags.StringVar(&f.cfg.Secret, "api-secret", "", "for --venue")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("demo", err) })
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f.quiet, _ = cmd.Flags().GetBool("quiet")
		if err := f.check(cmd.Flags().Changed("faults")); err != nil {
			return usage("demo", err)
		}
		report, err := f.run(cmd.Context(), cmd.ErrOrStderr())
		if err != nil {
			return &rerun.Exit{Code: 1, Err: fmt.Errorf("demo: %w", err)}
		}
		if f.json {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(report)
		} else {
			err = report.WriteText(cmd.OutOrStdout())
		}
		if err == nil && !(report.Safe() && f.shown(report)) {
			err = &rerun.Exit{Code: 1}
		}
		return err
	}
	return cmd
}

// shown says whether a script that asks for a demonstration got the whole of it.
func (f *demoFlags) shown(r demo.Report) bool {
	return !f.json || f.cfg.URL != "" || f.faults != defaultWeather || f.cfg.For < 10*time.Second || r.Seen.All()
}

const defaultWeather = "lossy"

// check returns all mistakes on the command line.
func (f *demoFlags) check(faultsGiven bool) error {
	var errs []error
	if f.compare != "" && f.compare != "naive" {
		errs = append(errs, fmt.Errorf("--compare: %q is not naive", f.compare))
	}
	if f.cfg.URL == "" {
		if f.cfg.Key != "" || f.cfg.Secret != "" {
			errs = append(errs, errors.New("--api-key, --api-secret: the simulated venue has its own; give --venue, too"))
		}
		if f.cfg.For <= 0 {
			errs = append(errs, fmt.Errorf("--for: %v is not above 0", f.cfg.For))
		}
		_, err := rules(f.faults)
		return errors.Join(append(errs, err)...)
	}
	if faultsGiven {
		errs = append(errs, errors.New("--faults: a venue that is not simulated has its own"))
	}
	if f.compare != "" {
		errs = append(errs, errors.New("--compare: only with the simulated venue; duplicates elsewhere would be real"))
	}
	return errors.Join(append(errs, f.cfg.Validate())...)
}

// rules returns a preset, or the rules of a file.
func rules(name string) ([]venue.Fault, error) {
	faults, err := venue.Preset(name)
	if err == nil {
		return faults, nil
	}
	file, open := os.Open(name)
	if open != nil {
		return nil, fmt.Errorf("--faults: %w, and no file of that name can be read", err)
	}
	defer file.Close()
	if faults, err = venue.DecodeFaults(file); err != nil {
		return nil, fmt.Errorf("--faults: %s: %w", name, err)
	}
	return faults, nil
}

// run trades, and says what became of it.
func (f *demoFlags) run(ctx context.Context, stderr io.Writer) (demo.Report, error) {
	ctx, stop, release := interrupts(ctx)
	defer release()
	cfg := f.cfg
	cfg.Show = f.display(stderr)
	dir, remove, err := f.folder()
	if err != nil {
		return demo.Report{}, err
	}
	defer remove()
	cfg.Dir = dir
	if !f.alone {
		board, err := openBoard(ctx, f.listen)
		if err != nil {
			return demo.Report{}, err
		}
		defer board.close()
		cfg.Control = board.control
		if !f.quiet {
			fmt.Fprintf(stderr, "dashboard: %s\n", board.url)
		}
	}
	if cfg.URL != "" {
		return demo.Run(ctx, stop, cfg)
	}

	sim, err := simulate(cfg.Seed, f.faults)
	if err != nil {
		return demo.Report{}, err
	}
	defer sim.close()
	sim.into(&cfg)
	var naive demo.Naive
	var naiveErr error
	var beside sync.WaitGroup
	if f.compare != "" {
		other, err := simulate(cfg.Seed, f.faults)
		if err != nil {
			return demo.Report{}, err
		}
		defer other.close()
		copied := f.cfg
		other.into(&copied)
		beside.Go(func() { naive, naiveErr = demo.RunNaive(ctx, stop, copied) })
	}
	report, err := demo.Run(ctx, stop, cfg)
	beside.Wait()
	report.Venue, report.Faults = "simulated", f.faults
	if f.compare != "" && naiveErr == nil {
		report.Naive = &naive
	}
	return report, errors.Join(err, naiveErr)
}

// folder returns where the demo keeps its files, and what is to be done with it in the end.
func (f *demoFlags) folder() (dir string, remove func(), err error) {
	if f.dir != "" {
		return f.dir, func() {}, os.MkdirAll(f.dir, 0o700)
	}
	dir, err = os.MkdirTemp("", "relent-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// interrupts returns a channel that the first INT or TERM closes, and a context that the second ends.
func interrupts(parent context.Context) (ctx context.Context, stop <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	first := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var listening sync.WaitGroup
	listening.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				if n == 0 {
					close(first)
					continue
				}
				cancel()
			}
		}
	})
	return ctx, first, func() {
		signal.Stop(signals)
		cancel()
		listening.Wait()
	}
}

// display returns how to show a running demo: drawn on a terminal, otherwise a line every five seconds.
func (f *demoFlags) display(stderr io.Writer) func(demo.Snapshot) {
	if f.quiet {
		return nil
	}
	if isTerminal(stderr) {
		s := &screen{w: stderr}
		return func(snapshot demo.Snapshot) { s.draw(snapshot.Lines(columns(stderr))) }
	}
	if f.json {
		return nil
	}
	next := time.Duration(0)
	return func(s demo.Snapshot) {
		if s.Elapsed >= next {
			next += 5 * time.Second
			fmt.Fprintln(stderr, strings.TrimSpace(s.Lines(200)[0])+"; "+strings.TrimSpace(s.Lines(200)[3]))
		}
	}
}

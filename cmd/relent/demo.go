package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
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

const demoHelp = `Trade on a misbehaving exchange through relent, with the unmodified Go SDK of Binance.

A dashboard opens beside it, on this machine: it shows what is retried, and its Stop button stops the orders.

Without --venue, an exchange is simulated on this machine's loopback. It loses answers, drops and
holds requests, and answers 503 and 502, as --faults says: calm, lossy, late, ratelimit, storm, outage, or a file
of rules in JSON. Its own account of the orders then judges what relent did.

After --for, or the first ^C, no new calls are made, and orders whose fate is open are settled by
asking the venue for them; this can take half a minute. A second ^C leaves at once.

The exit code is 0 only if no order was duplicated or lost.`

const demoExample = `  relent demo
  relent demo --for 60s --faults storm --compare naive
  relent demo --for 10m --listen 127.0.0.1:8470
  relent demo --json --seed 7 | jq .duplicates
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
	flags.StringVar(&f.faults, "faults", "lossy", "calm, lossy, late, ratelimit, storm, outage, or a file of fault rules")
	flags.StringVar(&f.compare, "compare", "", "naive: the same load with a retry as written by hand, beside it")
	flags.BoolVar(&f.json, "json", false, "print one JSON object at the end")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:0", "`ADDRESS` of the dashboard, on this machine; port 0 means a free one")
	flags.BoolVar(&f.alone, "no-dashboard", false, "open no dashboard")
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
		if err == nil && !report.Safe() {
			err = &rerun.Exit{Code: 1}
		}
		return err
	}
	return cmd
}

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
	cfg.Residual = 10 * time.Second // Binance's API waits so long for its engine (rest-api.md)
	if cfg.URL != "" {
		report, err := demo.Run(ctx, stop, cfg)
		return report, err
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
	for _, i := range sim.venue.Oracle().Check().Invariants {
		report.Checks = append(report.Checks, demo.Check{ID: i.ID, Text: i.Text, Pass: i.Pass})
	}
	if f.compare != "" && naiveErr == nil {
		report.Naive = &naive
	}
	return report, errors.Join(err, naiveErr)
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

// A simulated venue on loopback.
type simulated struct {
	venue  *venue.Venue
	faults []venue.Fault
	server *http.Server
	url    string
	served sync.WaitGroup
}

func simulate(seed uint64, faults string) (*simulated, error) {
	list, err := rules(faults)
	if err != nil {
		return nil, err
	}
	s := &simulated{faults: list, venue: venue.New(venue.Config{Seed: seed, FlowEvery: 200 * time.Millisecond})}
	if err := s.venue.Faults.Add(list...); err != nil {
		return nil, fmt.Errorf("--faults: %w", err)
	}
	s.venue.Faults.Clear() // they were tried; the weather begins when trading does
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulated venue: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s.venue, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second}
	s.served.Go(func() { s.server.Serve(listener) })
	return s, nil
}

func (s *simulated) close() {
	s.venue.Close()
	s.server.Close()
	s.served.Wait()
}

// into points a demo at the venue.
func (s *simulated) into(cfg *demo.Config) {
	cfg.URL, cfg.Key, cfg.Secret = s.url, venue.DefaultKey, venue.DefaultSecret
	cfg.Residual = 6 * time.Second // its presets let reads lag by at most 5 s
	cfg.Ready = func() { s.venue.Faults.Add(s.faults...) }
	cfg.Ledger = func(context.Context) (demo.Ledger, error) {
		ledger := demo.Ledger{}
		for id, o := range s.venue.Oracle().Orders {
			over := o.Executed.Cmp(o.Intended) > 0 && o.Intended.IsPositive()
			ledger[id] = demo.Holding{Orders: o.VenueOrders, OverFilled: over}
		}
		return ledger, nil
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

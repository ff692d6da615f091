// Command bench compares relent with other retry libraries: the same work side by side, in one run.
//
//	go run .           everything, about ten minutes; writes results.json
//	go run . -short    a look, under two minutes; writes nothing unless told to
//
// It runs the benchmarks of internal/lines in rounds, so that a disturbance strikes all subjects
// alike; internal/peer/waiting once for each subject, in a process of its own; and the probes of
// internal/behaviour. It prints tables of medians and ratios. Whoever is fastest is marked.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A config is what the flags say.
type config struct {
	short     bool
	rounds    int
	benchTime string
	only      string
	million   bool
	out       string
	markdown  string
}

func (c *config) flags() *flag.FlagSet {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.BoolVar(&c.short, "short", false, "two short rounds and few waiting calls: for a look, not for a claim")
	f.IntVar(&c.rounds, "rounds", 10, "of the benchmarks")
	f.StringVar(&c.benchTime, "benchtime", "100ms", "of each benchmark in a round")
	f.StringVar(&c.only, "only", "lines,waiting,behaviour", "the parts to run")
	f.BoolVar(&c.million, "million", false, "let the peers wait with a million calls, too: takes some 6 GB and minutes")
	f.StringVar(&c.out, "out", "", "write the results to this file (default results.json of this module, if the run is full)")
	f.StringVar(&c.markdown, "markdown", "", "write the tables to this file, as Markdown")
	return f
}

// parse reads the flags and checks them.
func (c *config) parse(args []string, stderr io.Writer) error {
	f := c.flags()
	f.SetOutput(stderr)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("argument %q: want flags only", f.Arg(0))
	}
	if c.short {
		given := map[string]bool{}
		f.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["rounds"] {
			c.rounds = 2
		}
		if !given["benchtime"] {
			c.benchTime = "20ms"
		}
	}
	if c.rounds < 1 {
		return fmt.Errorf("-rounds %d: want 1 or more", c.rounds)
	}
	for part := range strings.SplitSeq(c.only, ",") {
		switch part {
		case "lines", "waiting", "behaviour":
		default:
			return fmt.Errorf("-only %q: want lines, waiting or behaviour", part)
		}
	}
	return nil
}

func (c *config) has(part string) bool {
	for p := range strings.SplitSeq(c.only, ",") {
		if p == part {
			return true
		}
	}
	return false
}

// full says that the results may replace those of the module.
func (c *config) full() bool {
	return !c.short && c.has("lines") && c.has("waiting") && c.has("behaviour")
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c config
	if err := c.parse(args, stderr); err != nil {
		if err == flag.ErrHelp {
			return nil
		}
		return err
	}
	dir, err := os.MkdirTemp("", "relent-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	t := &tools{dir: dir, log: stderr}
	if err := t.build(ctx); err != nil {
		return err
	}

	r := &Results{
		Date: time.Now().UTC().Truncate(time.Second), Short: c.short, Machine: thisMachine(),
		Command: strings.TrimSpace("go run . " + strings.Join(args, " ")),
		Rounds:  c.rounds, BenchTime: c.benchTime,
	}
	if r.Subjects, err = t.subjects(ctx); err != nil {
		return err
	}
	if c.has("lines") {
		if r.Lines, err = t.lines(ctx, c.rounds, c.benchTime); err != nil {
			return err
		}
	}
	if c.has("waiting") {
		if r.Waiting, err = t.waiting(ctx, plan(r.Subjects, c.short, c.million)); err != nil {
			return err
		}
	}
	if c.has("behaviour") {
		if r.Behaviour, err = t.behaviour(ctx); err != nil {
			return err
		}
	}

	fmt.Fprintln(stdout, r.heading())
	for _, table := range r.tables(false) {
		table.text(stdout)
	}
	if c.out == "" && c.full() {
		c.out = filepath.Join(t.module, "results.json")
	}
	if c.out != "" {
		if err := r.write(c.out); err != nil {
			return err
		}
	}
	if c.markdown != "" {
		return r.writeMarkdown(c.markdown)
	}
	return nil
}

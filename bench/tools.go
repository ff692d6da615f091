package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is this module's path.
const module = "github.com/relent-go/relent/bench"

// tools are the programs that measure, built once for a run.
type tools struct {
	dir    string // of the programs
	module string // this module's folder
	log    io.Writer
}

func (t *tools) build(ctx context.Context) error {
	dir, err := t.run(ctx, "", "go", "list", "-f", "{{.Dir}}", module)
	if err != nil {
		return err
	}
	t.module = strings.TrimSpace(string(dir))
	for _, args := range [][]string{
		{"test", "-c", "-o", t.path("lines"), module + "/internal/lines"},
		{"test", "-c", "-o", t.path("behaviour"), module + "/internal/behaviour"},
		{"build", "-o", t.path("waiting"), module + "/internal/peer/waiting"},
	} {
		if _, err := t.run(ctx, "", "go", args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *tools) path(program string) string { return filepath.Join(t.dir, program+".test") }

// run runs a program to its end and returns what it printed.
func (t *tools) run(ctx context.Context, folder, program string, args ...string) ([]byte, error) {
	var out, errors bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, &out, &errors
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out.Bytes(), errors.Bytes())
	}
	return out.Bytes(), nil
}

// lines runs the benchmarks in rounds and sums them up.
func (t *tools) lines(ctx context.Context, rounds int, benchTime string) ([]Line, error) {
	var samples []sample
	for i := range rounds {
		fmt.Fprintf(t.log, "benchmarks, round %d of %d\n", i+1, rounds)
		out, err := t.run(ctx, "", t.path("lines"), "-test.run=^$", "-test.bench=.", "-test.benchtime="+benchTime)
		if err != nil {
			return nil, err
		}
		more, err := parse(bytes.NewReader(out))
		if err != nil {
			return nil, err
		}
		samples = append(samples, more...)
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("the benchmarks printed no results")
	}
	return aggregate(samples), nil
}

func (t *tools) subjects(ctx context.Context) (subjects []Subject, err error) {
	out, err := t.run(ctx, "", t.path("waiting"), "-list")
	if err != nil {
		return nil, err
	}
	return subjects, json.Unmarshal(out, &subjects)
}

// behaviour runs the probes. It needs the sources, because the probe for races is built anew.
func (t *tools) behaviour(ctx context.Context) (questions []Question, err error) {
	fmt.Fprintln(t.log, "behaviour")
	file := filepath.Join(t.dir, "behaviour.json")
	folder := filepath.Join(t.module, "internal", "behaviour")
	if _, err := t.run(ctx, folder, t.path("behaviour"), "-table", file); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return questions, json.Unmarshal(data, &questions)
}

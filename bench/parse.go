package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A sample is one line of the output of go test -bench.
type sample struct {
	line, subject     string
	ns, bytes, allocs float64
}

// procs is the suffix that package testing adds to names.
var procs = regexp.MustCompile(`-\d+$`)

// parse reads the benchmarks named BenchmarkLines/LINE/SUBJECT, and skips everything else. Package
// testing writes spaces as underscores; they are put back.
func parse(r io.Reader) (samples []sample, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 {
			continue
		}
		name, ours := strings.CutPrefix(fields[0], "BenchmarkLines/")
		line, subject, two := strings.Cut(procs.ReplaceAllString(name, ""), "/")
		if !ours || !two {
			continue
		}
		s := sample{line: strings.ReplaceAll(line, "_", " "), subject: strings.ReplaceAll(subject, "_", " "), ns: -1}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark output %q: %w", lines.Text(), err)
			}
			switch fields[i+1] {
			case "ns/op":
				s.ns = v
			case "B/op":
				s.bytes = v
			case "allocs/op":
				s.allocs = v
			}
		}
		if s.ns < 0 {
			return nil, fmt.Errorf("benchmark output %q: no ns/op", lines.Text())
		}
		samples = append(samples, s)
	}
	return samples, lines.Err()
}

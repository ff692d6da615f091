package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tool works by itself and below go vet, and says where and why.
func TestBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	tool := filepath.Join(t.TempDir(), "relentvet")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, run := range [][]string{{tool, "./testdata/loop"}, {"go", "vet", "-vettool=" + tool, "./testdata/loop"}} {
		out, err := exec.Command(run[0], run[1:]...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "loop.go:9:2: retry loop without a cap") {
			t.Errorf("%s: %v\n%s", run[0], err, out)
		}
	}
}

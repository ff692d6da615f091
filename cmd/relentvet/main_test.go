package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// built returns a folder with the tool in it, and an environment that finds it there.
func built(t *testing.T) (dir string, env []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir = t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "relentvet"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir, append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+dir)
}

// The tool works by itself and below go vet, and says where and why; -json says it to programs.
func TestBothWays(t *testing.T) {
	t.Parallel()
	dir, _ := built(t)
	tool := filepath.Join(dir, "relentvet")
	for _, run := range [][]string{{tool, "./testdata/loop"}, {"go", "vet", "-vettool=" + tool, "./testdata/loop"}} {
		out, err := exec.Command(run[0], run[1:]...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "loop.go:9:2: retry loop without a cap") {
			t.Errorf("%s: %v\n%s", run[0], err, out)
		}
	}
	out, err := exec.Command(tool, "-json", "./testdata/loop").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]struct{ Posn, Message string }
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := all["github.com/relent-go/relent/cmd/relentvet/testdata/loop"]["retrynocap"]
	if len(found) != 1 || !strings.HasSuffix(found[0].Posn, "loop.go:9:2") || !strings.HasPrefix(found[0].Message, "retry loop without a cap") {
		t.Errorf("-json: %v", all)
	}
}

// explained are the findings in what this repository ships, with the reason why each stays.
var explained = map[string]string{
	"bench/internal/peer/bare.go: retry loop without a wait": "the loop by hand that the benchmark compares with",
	"bench/internal/peer/bare.go: time.Sleep in a loop":      "likewise, as the peers are measured: with their waits",
}

var finding = regexp.MustCompile(`^(.+\.go):\d+:\d+: ([^:;]+?)( does not.*|[:;].*)?$`)

// What this repository ships has no finding but those explained.
func TestRepository(t *testing.T) {
	t.Parallel()
	dir, _ := built(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tool := exec.Command(filepath.Join(dir, "relentvet"), "-test=false", "./...", "./cmd/...", "./contrib/...", "./store/sqldb/...", "./bench/...")
	tool.Dir = root
	out, _ := tool.CombinedOutput() // it ends with 3 when it finds something
	missing := maps.Clone(explained)
	for line := range strings.Lines(string(out)) {
		m := finding.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Errorf("not a finding: %s", line)
			continue
		}
		file, err := filepath.Rel(root, m[1])
		if err != nil {
			t.Error(err)
		}
		key := filepath.ToSlash(file) + ": " + m[2]
		if explained[key] == "" {
			t.Errorf("unexplained: %s", line)
		}
		delete(missing, key)
	}
	for key := range missing {
		t.Errorf("explained, but not found any more: %s", key)
	}
}

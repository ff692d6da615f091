package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A block is one program of a guide. One that begins with "go run" is run, and prints the text block after it.
type block struct {
	guide, code string
	run         bool
	want        string
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)( run)?\n(.*?)^```$")

// Every Go block of the guides compiles; those that say so run and print what the guide shows; every command works. The
// page of the proxy is one of them.
func TestGuides(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds programs")
	}
	guides, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatalf("no guides found: %v", err)
	}
	acme, err := os.ReadFile("../../exchange/testdata/acme.json") // of which venues.md wants a copy
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, g := range append(guides, "../../docs/proxy.md") {
		text, err := os.ReadFile(g)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			last := len(blocks) - 1
			switch {
			case m[1] == "go":
				blocks = append(blocks, block{guide: filepath.Base(g), code: m[3], run: m[2] != ""})
			case m[1] == "text" && last >= 0 && blocks[last].run && blocks[last].want == "" && blocks[last].guide == filepath.Base(g):
				blocks[last].want = m[3]
			case m[1] == "console":
				console(t, m[3])
			}
		}
	}
	for i, program := range compiled(t, blocks) {
		if b := blocks[i]; b.run {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			shell := exec.CommandContext(ctx, program)
			shell.Dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(shell.Dir, "acme.json"), acme, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := shell.CombinedOutput()
			cancel()
			if err != nil || !match(b.want, string(got)) {
				t.Errorf("%s: the block\n%sprints\n%s(%v)\nand the guide says\n%s", b.guide, b.code, got, err, b.want)
			}
		}
	}
}

// match compares an output with what is written, in which … stands for anything.
func match(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", "(?s:.*)")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(got))
}

// compiled builds all blocks at once, each as a package that is only there for the compiler, and returns the programs.
func compiled(t *testing.T, blocks []block) []string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	args := []string{"build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir + "/"}
	var programs []string
	for i, b := range blocks {
		name := fmt.Sprintf("guide%02d", i)
		file := filepath.Join(dir, name+".go")
		if err := os.WriteFile(file, []byte(b.code), 0o600); err != nil {
			t.Fatal(err)
		}
		// In the module of the program, because that one may import everything.
		overlay.Replace[filepath.Join(root, "cmd", name, "main.go")] = file
		args, programs = append(args, "./cmd/"+name), append(programs, filepath.Join(dir, name))
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	compiler := exec.Command("go", args...)
	compiler.Dir = root
	if out, err := compiler.CombinedOutput(); err != nil {
		for i, b := range blocks {
			out = []byte(strings.ReplaceAll(string(out), fmt.Sprintf("cmd/guide%02d/main.go", i), b.guide+", a block, line"))
		}
		t.Fatalf("the Go blocks of the guides do not compile: %v\n%s", err, out)
	}
	return programs
}

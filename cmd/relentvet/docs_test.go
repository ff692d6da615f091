package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/relent-go/relent/cmd/relentvet/rules"
)

var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// Each console block of the page prints what it shows, run in a module with the page's Go file; one that installs runs here.
func TestDocs(t *testing.T) {
	t.Parallel()
	_, env := built(t)
	page, err := os.ReadFile("../../docs/relentvet.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module venue\n\ngo 1.26\n")
	ran := 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		if m[1] == "go" {
			write("venue.go", m[2])
		}
		if m[1] != "console" {
			continue
		}
		for _, step := range strings.Split("\n"+m[2], "\n$ ")[1:] {
			command, want, _ := strings.Cut(step, "\n")
			shell := exec.Command("sh", "-c", command)
			shell.Dir, shell.Env = dir, append(env, "GOFLAGS=", "GOWORK=off")
			if strings.Contains(command, "./cmd/") {
				shell.Dir, shell.Env = "../..", env
			}
			out, _ := shell.CombinedOutput() // findings end it with an error
			pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", "(?s:.*)")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(string(out))) {
				t.Errorf("%s\nprints\n%s\nand the page says\n%s", command, out, want)
			}
			ran++
		}
	}
	if ran == 0 {
		t.Error("the page shows no command")
	}
	for _, a := range rules.All {
		if !strings.Contains(string(page), "| `"+a.Name+"` |") {
			t.Errorf("the page does not list %s", a.Name)
		}
	}
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every Go block of README.md compiles, and every command but the clone prints what it says.
func TestReadme(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds programs and runs the demo")
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	ran := 0
	for _, b := range blocks {
		switch b[1] {
		case "go":
			compile(t, b[2])
			ran++
		case "console":
			ran += console(t, b[2])
		}
	}
	if ran < 3 {
		t.Errorf("%d blocks and commands found in README.md; is it read right?", ran)
	}
}

func compile(t *testing.T, code string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	vet := exec.Command("go", "vet", file)
	vet.Dir = "../.."
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("a Go block of README.md does not compile: %v\n%s\n%s", err, out, code)
	}
}

// console runs the commands of a block that have output, and compares: … stands for anything.
func console(t *testing.T, block string) (ran int) {
	t.Helper()
	for _, part := range regexp.MustCompile(`(?m)^\$ `).Split(block, -1)[1:] {
		command, want, _ := strings.Cut(part, "\n")
		if want == "" {
			continue
		}
		ran++
		shell := exec.Command("sh", "-c", command)
		shell.Dir = "../.."
		got, err := shell.Output()
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", "(?s:.*)")
		pattern = regexp.MustCompile(`After \d+ s`).ReplaceAllString(pattern, `After \d+ s`)
		if err != nil || !regexp.MustCompile("^"+pattern+"$").MatchString(strings.TrimSpace(string(got))) {
			t.Errorf("$ %s\n%s(%v)\nand the page says\n%s", command, got, err, want)
		}
	}
	return ran
}

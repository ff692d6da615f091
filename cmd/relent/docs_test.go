package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are all pages of the project, by path from here.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{
		"../../*.md", "../../docs/*.md", "../../docs/*/*.md", "../../deploy/*.md", "../../deploy/*/*.md", "../../contrib/*.md", "../../examples/*/*.md",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 20 {
		t.Fatalf("%d documents found", len(all))
	}
	return all
}

// The part of a venue's file that venues.md shows is one of the file.
func TestVenueFile(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/guides/venues.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("../../exchange/testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(string(page))
	if block == nil {
		t.Fatal("no part of a file found in venues.md")
	}
	var part, whole map[string]any
	if err := json.Unmarshal([]byte("{"+block[1]+"}"), &part); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, &whole); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(part["wire"], whole["wire"]) {
		t.Errorf("venues.md shows %v; acme.json has %v", part["wire"], whole["wire"])
	}
}

// A link to a file of the project leads to one.
func TestLinks(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			to, _, _ := strings.Cut(m[1]+m[2], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), to)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, to)
			}
		}
	}
}

// The command lines in sh blocks, and those in the sentences of the runbooks, are ones that this program takes. The others
// are not run: they serve, or need a server.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	sentence := regexp.MustCompile("`(relent [^`]+)`")
	lines := 0
	for _, page := range documents(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var scripts []string
		for _, m := range blocks.FindAllStringSubmatch(string(text), -1) {
			switch {
			case m[1] == "sh":
				scripts = append(scripts, strings.ReplaceAll(m[2], "go run ./cmd/relent", "relent"))
			case m[1] == "" && regexp.MustCompile(`(?m)^(relent|go run) `).MatchString(m[2]):
				t.Errorf("%s: a block with commands is not marked as sh or console:\n%s", page, m[2])
			}
		}
		if strings.Contains(page, "/runbooks/") {
			for _, m := range sentence.FindAllStringSubmatch(string(text), -1) {
				scripts = append(scripts, strings.ReplaceAll(m[1], "--epoch N", "--epoch 1"))
			}
		}
		for _, script := range scripts {
			for _, args := range asked(t, script) {
				var out, complaints bytes.Buffer
				if code := run(append(slices.Clone(args), "--help"), &out, &complaints); code != 0 || !strings.Contains(out.String(), "Usage:\n  relent "+args[0]) {
					t.Errorf("%s: relent %q: %s", page, args, complaints.String())
				}
				lines++
			}
		}
	}
	if lines < 25 {
		t.Errorf("%d command lines found; are the documents read right?", lines)
	}
}

// asked runs a script in which relent and curl do nothing, and returns what relent was asked to do.
func asked(t *testing.T, script string) (all [][]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"relent": "#!/bin/sh\nprintf '%s\\0' \"$@\" >>\"$ASKED\"\necho >>\"$ASKED\"\n", "curl": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	shell := exec.Command("/bin/sh", "-e", "-c", script)
	shell.Dir, shell.Env = t.TempDir(), []string{"PATH=" + dir, "ASKED=" + filepath.Join(dir, "asked")}
	if out, err := shell.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Split(strings.TrimSuffix(line, "\x00\n"), "\x00"))
	}
	return all
}

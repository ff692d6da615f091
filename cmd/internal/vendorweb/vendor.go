package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A part is what is taken from one package.
type part struct {
	name, version string
	files         map[string]string // by path in the package: the name here
}

// These versions are known to work together.
var parts = []part{
	{"preact", "11.2.0", map[string]string{"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js", "LICENSE": "preact.LICENSE"}},
	{"htm", "3.1.1", map[string]string{"dist/htm.mjs": "htm.js", "LICENSE": "htm.LICENSE"}},
	{"@preact/signals-core", "1.14.5", map[string]string{"dist/signals-core.mjs": "signals-core.js", "LICENSE": "signals-core.LICENSE"}},
	{"@preact/signals", "2.11.4", map[string]string{"dist/signals.mjs": "signals.js", "LICENSE": "signals.LICENSE"}},
}

// modules are the bare imports, and what they become.
var modules = map[string]string{
	"preact": "./preact.js", "preact/hooks": "./hooks.js", "@preact/signals-core": "./signals-core.js",
}

// download has npm fetch the archives of all parts.
func download(into string) error {
	for _, p := range parts {
		cmd := exec.Command("npm", "pack", "--silent", p.name+"@"+p.version)
		cmd.Dir, cmd.Stderr = into, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("npm pack %s: %w", p.name, err)
		}
	}
	return nil
}

// vendor unpacks the archives, and writes VENDOR when all parts were found.
func vendor(into string, archives []string) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	lines := []string{
		"# Browser libraries, as `go run ./cmd/internal/vendorweb` wrote them. file, package, version, licence, SHA-256.",
	}
	found := map[string]bool{}
	for _, archive := range archives {
		files, err := unpack(archive)
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		var about struct{ Name, Version, License string }
		if err := json.Unmarshal(files["package.json"], &about); err != nil {
			return fmt.Errorf("%s: package.json: %w", archive, err)
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == about.Name && p.version == about.Version })
		if i < 0 {
			return fmt.Errorf("%s is %s %s, which the dashboard does not use", archive, about.Name, about.Version)
		}
		for from, to := range parts[i].files {
			text, ok := files[from]
			if !ok {
				return fmt.Errorf("%s has no %s", archive, from)
			}
			text, err := adapt(to, text)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", archive, from, err)
			}
			if err := os.WriteFile(filepath.Join(into, to), text, 0o644); err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("%s %s %s %s %x", to, about.Name, about.Version, about.License, sha256.Sum256(text)))
		}
		found[about.Name] = true
	}
	for _, p := range parts {
		if !found[p.name] {
			return fmt.Errorf("no archive of %s %s", p.name, p.version)
		}
	}
	slices.SortFunc(lines[1:], cmp.Compare[string])
	return os.WriteFile(filepath.Join(into, "VENDOR"), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// unpack returns the files of an archive as npm makes them, by their path in the package.
func unpack(archive string) (map[string][]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if files[name], err = io.ReadAll(io.LimitReader(r, 1<<20)); err != nil {
			return nil, err
		}
	}
}

var (
	imports   = regexp.MustCompile(`\bfrom\s*["']([^"']+)["']`)
	sourceMap = regexp.MustCompile(`\n?//# sourceMappingURL=.*\n?`)
)

// adapt makes a file usable without an import map and without its source map.
func adapt(name string, text []byte) (_ []byte, err error) {
	if !strings.HasSuffix(name, ".js") {
		return text, nil
	}
	text = sourceMap.ReplaceAll(text, nil)
	text = imports.ReplaceAllFunc(text, func(found []byte) []byte {
		bare := string(imports.FindSubmatch(found)[1])
		to, ok := modules[bare]
		if !ok {
			err = fmt.Errorf("imports %q, which is not vendored", bare)
		}
		return fmt.Appendf(nil, "from%q", to)
	})
	return text, err
}

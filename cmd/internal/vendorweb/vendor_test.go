package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// archive writes a package as npm does.
func archive(t *testing.T, folder string, p part, files map[string]string) string {
	t.Helper()
	name := filepath.Join(folder, strings.NewReplacer("@", "", "/", "-").Replace(p.name)+".tgz")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	defer z.Close()
	w := tar.NewWriter(z)
	defer w.Close()
	files["package.json"] = `{"name":"` + p.name + `","version":"` + p.version + `","license":"MIT"}`
	for path, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + path, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

func full(p part) map[string]string {
	files := map[string]string{}
	for from := range p.files {
		files[from] = `import{h}from"preact";export{h}` + "\n//# sourceMappingURL=x.map\n"
	}
	return files
}

func TestVendor(t *testing.T) {
	from, into := t.TempDir(), filepath.Join(t.TempDir(), "vendor")
	var archives []string
	for _, p := range parts {
		archives = append(archives, archive(t, from, p, full(p)))
	}
	if err := run(into, archives); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(into, "hooks.js"))
	if want := `import{h}from"./preact.js";export{h}`; err != nil || string(b) != want {
		t.Errorf("hooks.js = %q, %v; want %q", b, err, want)
	}
	list, err := os.ReadFile(filepath.Join(into, "VENDOR"))
	if n := strings.Count(string(list), "\n"); err != nil || n != 10 || !strings.Contains(string(list), "hooks.js preact 11.2.0 MIT ") {
		t.Errorf("VENDOR has %d lines, %v:\n%s", n, err, list)
	}
}

func TestVendorRefuses(t *testing.T) {
	from := t.TempDir()
	p := parts[0]
	text := filepath.Join(from, "text.tgz")
	if err := os.WriteFile(text, []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	bare := full(p)
	bare["dist/preact.mjs"] = `import x from "react"`
	for _, test := range []struct{ archive, want string }{
		{filepath.Join(from, "none.tgz"), "no such file"},
		{text, "gzip"},
		{archive(t, t.TempDir(), part{"left-pad", "1.0.0", nil}, map[string]string{}), "which the dashboard does not use"},
		{archive(t, t.TempDir(), p, map[string]string{}), "has no "},
		{archive(t, t.TempDir(), p, bare), `imports "react", which is not vendored`},
		{archive(t, t.TempDir(), p, full(p)), "no archive of htm"},
	} {
		if err := run(t.TempDir(), []string{test.archive}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want %s", test.archive, err, test.want)
		}
	}
}

// What the dashboard has is what npm serves.
func TestVendorIsCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("asks npm")
	}
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed (Debian: npm), so the dashboard's libraries are not compared with the registry's")
	}
	into := t.TempDir()
	if err := run(into, nil); err != nil {
		t.Skipf("npm serves nothing here: %v", err)
	}
	have := os.DirFS("../../../dashboard/assets/vendor")
	err := fs.WalkDir(os.DirFS(into), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fresh, err := os.ReadFile(filepath.Join(into, name))
		if err != nil {
			return err
		}
		if b, err := fs.ReadFile(have, name); err != nil || !bytes.Equal(b, fresh) {
			t.Errorf("%s differs from npm's, %v: run go run ./cmd/internal/vendorweb", name, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

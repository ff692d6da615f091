package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
)

// openFile opens a store that ends with the test.
func openFile(t *testing.T, dir string, o audit.FileOptions) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// segments returns the names of the segments of a chain.
func segments(t *testing.T, dir, chain string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "chains", chain, "*.jsonl"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

func TestFile(t *testing.T) {
	for name, o := range map[string]audit.FileOptions{"one segment": {}, "many segments": {SegmentBytes: 1500}} {
		t.Run(name, func(t *testing.T) {
			dirs := map[audit.Store]string{}
			audittest.Suite{
				Open: func(t *testing.T) audit.Store {
					dir := t.TempDir()
					f := openFile(t, dir, o)
					dirs[f] = dir
					return f
				},
				Reopen: func(t *testing.T, s audit.Store) audit.Store {
					if err := s.(*audit.File).Close(); err != nil {
						t.Fatal(err)
					}
					f := openFile(t, dirs[s], o)
					dirs[f] = dirs[s]
					return f
				},
				Tamper: func(t *testing.T, s audit.Store, chain string, sequence uint64, body []byte) {
					links, err := s.Links(t.Context(), chain, sequence, 1)
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range segments(t, dirs[s], chain) {
						text, err := os.ReadFile(name)
						if err != nil {
							t.Fatal(err)
						}
						os.WriteFile(name, bytes.Replace(text, links[0].Body, body, 1), 0o600)
					}
				},
			}.Run(t)
		})
	}
}

// kept returns a new store that ends with the test.
func kept(t testing.TB) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(t.TempDir(), audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

//go:build unix

package rerun

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// noise returns n bytes that no two places share.
func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{7})
	b := make([]byte, n)
	r.Read(b)
	return b
}

func TestSpool(t *testing.T) {
	for _, size := range []int{0, 1, spoolMemory - 1, spoolMemory, spoolMemory + 1, 3*spoolMemory + 17} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		var s spool
		data := noise(size)
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 100_001)
			if m, err := s.Write(rest[:n]); m != n || err != nil {
				t.Fatalf("Write = %d, %v; want %d", m, err, n)
			}
			rest = rest[n:]
		}
		if (s.file != nil) != (size > spoolMemory) {
			t.Errorf("%d bytes: file = %v", size, s.file)
		}
		if names, _ := filepath.Glob(dir + "/*"); len(names) != 0 {
			t.Errorf("%d bytes: left %v", size, names)
		}
		for _, at := range []int{0, 1, spoolMemory - 5, spoolMemory, spoolMemory + 3, size} {
			p := make([]byte, 10)
			n, err := s.ReadAt(p, int64(at))
			want := data[min(at, size):min(at+10, size)]
			if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < 10) {
				t.Errorf("%d bytes: ReadAt(%d) = %x, %v; want %x", size, at, p[:n], err, want)
			}
		}
		var b bytes.Buffer
		if n, err := s.WriteTo(&b); n != int64(size) || err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("WriteTo = %d, %v; want the %d bytes", n, err, size)
		}
		if err := s.Close(); err != nil || s.size != 0 {
			t.Errorf("Close = %v, size %d", err, s.size)
		}
	}
}

func TestSpoolWithoutRoom(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	var s spool
	data := noise(spoolMemory + 5)
	n, err := s.Write(data)
	if n != spoolMemory || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("Write = %d, %v; want %d and no such directory", n, err, spoolMemory)
	}
	got := make([]byte, spoolMemory)
	if n, err := s.ReadAt(got, 0); n != spoolMemory || err != nil || !bytes.Equal(got, data[:n]) {
		t.Errorf("ReadAt = %d, %v; want what fitted", n, err)
	}
}

func TestHeldOutputThatCannotBeKeptIsPassedOn(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	data := noise(2*spoolMemory + 9)
	var out bytes.Buffer
	h := &held{out: &out}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 70_000)
		if _, err := h.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := h.release(&out); err != nil || h.lost == nil || !bytes.Equal(out.Bytes(), data) {
		t.Errorf("release: %v, lost %v, %d bytes; want all %d once", err, h.lost, out.Len(), len(data))
	}
	h = &held{out: brokenWriter{}}
	if _, err := h.Write(data); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write = %v; want the error of out", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestMatcher(t *testing.T) {
	for _, test := range []struct {
		name, re string
		writes   []string
		want     bool
	}{
		{"in a line", "read", []string{"not yet\nalready\n"}, true},
		{"across writes", "^ready$", []string{"a\nre", "ad", "y\nb\n"}, true},
		{"a last line without an end", "^ready$", []string{"a\nready"}, true},
		{"ends are those of the line", "^ready$", []string{"already\nready!\n"}, false},
		{"no match spans lines", `a\nb`, []string{"a\nb\n"}, false},
		{"carriage return", "ready$", []string{"ready\r\n"}, true},
		{"nothing", "", nil, false},
		{"an empty line", "^$", []string{"a\n\nb"}, true},
		{"a long line in pieces", "x", []string{strings.Repeat("-", 3*lineMax), "x"}, true},
	} {
		m := &matcher{until: regexp.MustCompile(test.re)}
		for _, w := range test.writes {
			if n, err := m.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: Write = %d, %v", test.name, n, err)
			}
			if len(m.line) >= lineMax {
				t.Errorf("%s: keeps %d bytes", test.name, len(m.line))
			}
		}
		m.finish()
		if m.untilSeen != test.want || m.failSeen {
			t.Errorf("%s: seen %v, %v; want %v, false", test.name, m.untilSeen, m.failSeen, test.want)
		}
	}
}

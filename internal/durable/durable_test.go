package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	for _, text := range []string{"old", "new"} {
		if err := Replace(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Errorf("the file says %q, %v; want %q", got, err, text)
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); os.PathSeparator == '/' && mode != 0o600 {
		t.Errorf("others may read it: %v", mode)
	}
}

// What cannot be replaced is as it was, and nothing is left beside it.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	if err := Replace(filepath.Join(dir, "none", "state"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Replace without a directory = %v; want %v", err, os.ErrNotExist)
	}
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(full, nil); err == nil {
		t.Error("a directory was replaced")
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 1 {
		t.Errorf("the directory has %q, %v; want full only", names, err)
	}
	if err := SyncDir(filepath.Join(dir, "none")); os.PathSeparator == '/' && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("SyncDir = %v; want %v", err, os.ErrNotExist)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "lock")
	first, err := Lock(name)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Lock(name); !errors.Is(err, ErrHeld) || f != nil {
		t.Errorf("Lock of what is locked = %v; want %v", err, ErrHeld)
	}
	if f, err := LockIfPossible(name); !errors.Is(err, ErrHeld) || f != nil {
		t.Errorf("LockIfPossible of what is locked = %v; want %v", err, ErrHeld)
	}
	first.Close()
	second, err := LockIfPossible(name)
	if err != nil {
		t.Errorf("LockIfPossible of what was let go = %v", err)
	}
	second.Close()
	if _, err := Lock(dir); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("Lock of a directory = %v; want another error than %v", err, ErrHeld)
	}
}

// Only what somebody else holds is held: a file system without locks is another matter, and no lock at all a third.
func TestLockErrors(t *testing.T) {
	held, other := errors.New("held"), errors.New("other")
	for _, test := range []struct {
		err  error
		want bool
	}{{held, true}, {other, false}} {
		err := lockError("f", test.err, held)
		if errors.Is(err, ErrHeld) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%v; is it held? want %v", err, test.want)
		}
	}
	if f, err := orNothing(nil, lockError("f", errors.ErrUnsupported, held)); f != nil || err != nil {
		t.Errorf("without locks: %v, %v; want nothing", f, err)
	}
	if _, err := orNothing(nil, other); err != other {
		t.Errorf("%v; want %v", err, other)
	}
}

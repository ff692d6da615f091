// Package durable writes files that survive a loss of power, and locks files between processes.
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Replace gives a file new contents, readable by its owner only. Whoever reads it, after a crash too, finds the old ones or the
// new ones: they are on disk under another name before they take the place of the old ones, and the directory is on disk, too.
// One process at a time may replace a file.
func Replace(name string, data []byte) error {
	next := name + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return SyncDir(filepath.Dir(name))
}

// ErrHeld is what errors of [Lock] match if somebody else has the lock.
var ErrHeld = errors.New("another process has it")

// Lock opens a file that nobody else can lock until the result is closed. The system ends the lock of a process that died.
// Two locks of one process exclude each other, too. Where files cannot be locked the error is [errors.ErrUnsupported].
func Lock(name string) (*os.File, error) { return lock(name) }

// LockIfPossible is [Lock], except that it locks nothing where files cannot be locked. The result is nil there, which can
// be closed.
func LockIfPossible(name string) (*os.File, error) { return orNothing(lock(name)) }

func orNothing(f *os.File, err error) (*os.File, error) {
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return f, err
}

// lockError says what became of a lock; held is what the system says if somebody else has it.
func lockError(name string, err, held error) error {
	if err == held {
		err = fmt.Errorf("%w: %w", ErrHeld, err)
	}
	return &os.PathError{Op: "lock", Path: name, Err: err}
}

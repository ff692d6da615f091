//go:build unix

package rerun

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A startError says why a command could not be started, and the exit code that shells give for it.
type startError struct {
	name string
	err  error
	code int
}

func (e *startError) Error() string { return "cannot run " + e.name + ": " + e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

var (
	errNotInPath     = errors.New("not found in PATH")
	errNotExecutable = errors.New("found in PATH, but not executable")
)

// lookup finds the program that name stands for, as a shell does.
func lookup(name string) (string, *startError) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot): // a PATH with "." in it is the user's own choice
		return path, nil
	case errors.Is(err, exec.ErrNotFound) && inPath(name):
		return "", &startError{name, errNotExecutable, codeNotExecutable}
	case errors.Is(err, exec.ErrNotFound):
		return "", &startError{name, errNotInPath, codeNotFound}
	}
	return "", newStartError(name, err)
}

// newStartError takes the bare cause out of err, since the name is said already.
func newStartError(name string, err error) *startError {
	code := codeNotExecutable
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		code = codeNotFound
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	}
	return &startError{name, err, code}
}

// inPath says whether some directory of PATH has a file of that name, executable or not.
func inPath(name string) bool {
	if name == "" || strings.Contains(name, "/") {
		return false
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return true
		}
	}
	return false
}

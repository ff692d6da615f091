//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package exchange

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile locks a file as long as the result is open. The system ends the lock of a process that died.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %w", errHeld, err)
	}
	return f, nil
}

//go:build unix && !linux

package rerun

import (
	"time"

	"golang.org/x/sys/unix"
)

// stopHere stops us, or our whole group, and returns when we were continued or need not stop.
func stopHere(group bool) {
	pid := unix.Getpid()
	if group {
		pid = 0
	}
	stopSelf(pid)
	time.Sleep(100 * time.Millisecond) // for the stop to reach all threads; over at once when continued
}

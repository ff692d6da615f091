//go:build unix && !linux

package rerun

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// withoutTTOU calls f with SIGTTOU ignored: a background process may then use tcsetpgrp without being
// stopped. Afterwards the signal is caught and dropped rather than ignored, since ignoring would be
// inherited by the commands we start, and package signal cannot restore the default for it.
func withoutTTOU(f func()) {
	signal.Ignore(unix.SIGTTOU)
	defer signal.Notify(make(chan os.Signal, 1), unix.SIGTTOU)
	f()
}

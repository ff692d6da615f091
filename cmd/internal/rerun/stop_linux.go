package rerun

import "golang.org/x/sys/unix"

// stopHere stops us, or our whole group, and returns when we were continued or need not stop. The
// signal goes to this very thread, which acts on it before the call returns; sent to the process it
// would be acted on some time later. The caller holds its thread.
func stopHere(group bool) {
	if group {
		stopSelf(0)
	}
	unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGTTIN)
}

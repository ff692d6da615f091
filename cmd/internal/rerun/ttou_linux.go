package rerun

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// withoutTTOU calls f with SIGTTOU blocked in this thread: a background process may then use
// tcsetpgrp without being stopped (termios(3), POSIX General Terminal Interface 11.1.4). Ignoring the signal
// instead would be inherited by the commands we start. The caller holds its thread.
func withoutTTOU(f func()) {
	var set, old unix.Sigset_t
	const bit = int(unix.SIGTTOU) - 1
	word := 8 * int(unsafe.Sizeof(set.Val[0]))
	set.Val[bit/word] |= 1 << (bit % word)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	}
	f()
}

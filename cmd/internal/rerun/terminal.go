//go:build unix

package rerun

import (
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A terminal is the controlling terminal of this process, reached through one of its standard
// descriptors. Its methods are for one goroutine that holds its thread.
type terminal struct {
	fd    int
	own   int         // our process group
	state *term.State // as we found it
	given bool        // the child has it, or should have it whenever we are in the foreground
}

// openTerminal returns the controlling terminal if one of files is it, else nil.
func openTerminal(files ...*os.File) *terminal {
	for _, f := range files {
		fd := descriptor(f)
		// Only the controlling terminal tells its foreground group (ENOTTY otherwise).
		if _, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil {
			continue
		}
		state, err := term.GetState(fd)
		if err != nil {
			continue
		}
		return &terminal{fd: fd, own: unix.Getpgrp(), state: state}
	}
	return nil
}

// ours says whether our group is the foreground one.
func (t *terminal) ours() bool {
	group, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	return err == nil && group == t.own
}

// give makes group the foreground one, if it is ours to give.
func (t *terminal) give(group int) {
	t.given = true
	if t.ours() {
		unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group)
	}
}

// take makes our group the foreground one again if group has the terminal. A group that got the
// terminal from somebody else keeps it.
func (t *terminal) take(group int) {
	if now, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP); err != nil || now != group && !groupGone(now) {
		return
	}
	withoutTTOU(func() { unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.own) })
}

// restore puts the modes back as they were before the first attempt: a program that was killed
// has had no chance to do so.
func (t *terminal) restore() {
	withoutTTOU(func() { term.Restore(t.fd, t.state) })
}

// isPipe says whether f is a pipe. Then somebody else of our group is at its other end, and may
// want the terminal, as less does.
func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

func isTerminal(f *os.File) bool { return term.IsTerminal(descriptor(f)) }

// descriptor returns f's number, or -1. Unlike f.Fd it leaves f in non-blocking mode.
func descriptor(f *os.File) int {
	fd := -1
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(n uintptr) { fd = int(n) })
	}
	return fd
}

//go:build unix

package rerun

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A child is a running command, the leader of its own process group. Its methods are for one
// goroutine, which must stay on the thread that started it while the child runs (see tieToParent).
type child struct {
	pid    int
	ended  bool
	status unix.WaitStatus // once ended
}

// startChild starts path as the leader of a new group. If tty is not nil, the group is the
// terminal's foreground one before the program's first instruction.
func startChild(path string, args, env []string, files []*os.File, tty *terminal) (*child, error) {
	sys := &syscall.SysProcAttr{Setpgid: true}
	tieToParent(sys)
	if tty != nil {
		sys.Foreground, sys.Ctty = true, tty.fd
	}
	p, err := os.StartProcess(path, args, &os.ProcAttr{Env: env, Files: files, Sys: sys})
	if err != nil {
		return nil, err
	}
	c := &child{pid: p.Pid}
	p.Release() // reap waits for it, since os.Process cannot say that a child has stopped
	return c, nil
}

// reap collects, without waiting, what became of the child and of orphans of its group that were
// handed to us: the latter happens when relent is process 1 of a container. It returns the
// signal that stopped the child, if it was stopped since the last call, or 0.
func (c *child) reap() (stopped unix.Signal) {
	for !c.ended {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(c.pid, &status, unix.WNOHANG|unix.WUNTRACED, nil); {
		case err == unix.EINTR:
			continue
		case err != nil || pid != c.pid:
			return stopped
		case status.Stopped():
			stopped = status.StopSignal()
		default:
			c.ended, c.status = true, status
		}
	}
	for {
		if pid, err := unix.Wait4(-c.pid, nil, unix.WNOHANG, nil); err != unix.EINTR && pid <= 0 {
			return 0
		}
	}
}

// signal sends sig to the whole group, or to the child alone if it has left its group.
func (c *child) signal(sig unix.Signal) {
	if unix.Kill(-c.pid, sig) == unix.ESRCH && !c.ended {
		unix.Kill(c.pid, sig)
	}
}

// gone says whether no process of the group is left.
func (c *child) gone() bool { return groupGone(c.pid) }

// code returns the exit code as a shell would give it.
func (c *child) code() int {
	if c.status.Signaled() {
		return codeSignal + int(c.status.Signal())
	}
	return c.status.ExitStatus()
}

//go:build unix

package rerun

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/relent-go/relent/retry"
)

// A cause says what ended an attempt, apart from the command's own doing.
type cause int

const (
	byItself  cause = iota
	bySignal        // to relent, and passed on
	byTimeout       // --attempt-timeout
	byElapsed       // --max-elapsed
	byCaller        // the caller's context
	byCleanup       // it had ended, and what it left is ended too
)

// killPatience is how long a killed group may take to vanish. A process that hangs in the kernel, or
// outside Linux a zombie that nobody waits for, may never do.
const killPatience = time.Second

// spawn starts a command and watches it until it has ended. started is called once it runs.
func (r *run) spawn(ctx context.Context, inbox <-chan os.Signal, path string, args, env []string, files []*os.File, foreground bool, started func(pid int)) (*child, cause, error) {
	runtime.LockOSThread() // the parent-death signal and the signal mask belong to the thread
	defer runtime.UnlockOSThread()
	tty := r.tty
	if tty == nil || !foreground || !tty.ours() {
		tty = nil
	}
	c, err := startChild(path, args, env, files, tty)
	if err != nil {
		if tty != nil {
			tty.take(0) // the child may have taken it before execve failed
		}
		return nil, byItself, err
	}
	if r.tty != nil {
		r.tty.given = tty != nil
	}
	started(c.pid)
	why := r.watch(ctx, c, inbox, byItself)
	if r.tty != nil && r.tty.given {
		r.tty.take(c.pid)
		if c.status.Signaled() {
			r.tty.restore()
		}
		r.tty.given = false
	}
	return c, why, nil
}

// watch passes signals on and keeps time until the child has ended and, if it did not end of its
// own accord, nothing of its group is left. With why other than byItself it begins by ending the group.
func (r *run) watch(ctx context.Context, c *child, inbox <-chan os.Signal, why cause) cause {
	var (
		kill, patience, poll <-chan time.Time
		told                 bool // the group was sent TERM
		interrupts           int
		interval             = 2 * time.Millisecond
		done                 = ctx.Done()
	)
	killNow := func() {
		c.signal(unix.SIGKILL)
		kill, patience = nil, time.After(killPatience)
	}
	terminate := func() {
		told = true
		c.signal(unix.SIGTERM)
		c.signal(unix.SIGCONT) // a stopped process acts on TERM only when continued
		if kill == nil && patience == nil {
			kill = time.After(r.KillAfter)
		}
	}
	if why != byItself {
		terminate()
	}
	for {
		if stopped := c.reap(); stopped != 0 {
			r.stopped(c, stopped)
		}
		if c.ended {
			if why == byItself && !c.status.Signaled() || c.gone() {
				return why
			}
			done = nil // the timeouts were the command's
			if !told { // a shell's background jobs do not hear INT
				terminate()
			}
			poll = time.After(interval)
			interval = min(2*interval, 50*time.Millisecond)
		}
		select {
		case <-r.children:
		case <-poll:
		case <-kill:
			killNow()
		case <-patience:
			if c.ended {
				return why
			}
			patience = time.After(killPatience)
		case <-done:
			done = nil
			if why == byItself {
				why = causeOf(ctx)
			}
			terminate()
		case s := <-inbox:
			switch sig := s.(unix.Signal); sig {
			case unix.SIGTSTP:
				c.signal(sig)
				r.suspend(c, false)
			case unix.SIGCONT:
				r.resume(c)
			case unix.SIGINT:
				if interrupts++; interrupts == 2 {
					killNow()
					break
				}
				fallthrough
			default:
				if why == byItself {
					why = bySignal
				}
				c.signal(sig)
				c.signal(unix.SIGCONT)
			}
		}
	}
}

// causeOf tells the policy's timeouts from the end of the caller's context.
func causeOf(ctx context.Context) cause {
	switch err := context.Cause(ctx); {
	case errors.Is(err, retry.ErrAttemptTimeout):
		return byTimeout
	case errors.Is(err, retry.ErrElapsed):
		return byElapsed
	}
	return byCaller
}

// stopped deals with a child that sig has stopped.
func (r *run) stopped(c *child, sig unix.Signal) {
	wants := sig == unix.SIGTTIN || sig == unix.SIGTTOU
	switch {
	case r.tty == nil:
		// By hand, as with kill -STOP: who did that will continue it.
	case wants && r.tty.ours():
		// It reads the keyboard or sets the terminal up, which we kept because of a pipe beside us.
		r.tty.give(c.pid)
		c.signal(unix.SIGCONT)
	case wants, r.tty.given:
		// ^Z, or a background job that wants the terminal: the shell waits for our whole job to stop.
		r.tty.given = true
		r.suspend(c, true)
	}
}

// suspend stops us (or our whole group) as the child is stopped. When somebody continues us,
// the child goes on too. Where nobody could, we do not stop, and ^Z means nothing.
func (r *run) suspend(c *child, group bool) {
	if r.tty != nil {
		r.tty.take(c.pid)
	}
	stopHere(group)
	r.resume(c)
}

// resume continues the child, with the terminal if it had it and we have it now.
func (r *run) resume(c *child) {
	if r.tty != nil && r.tty.given {
		r.tty.give(c.pid)
	}
	c.signal(unix.SIGCONT)
}

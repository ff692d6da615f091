//go:build unix

package rerun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// What zero fields of a [Command] mean.
const (
	DefaultAttempts  = 3
	DefaultKillAfter = 5 * time.Second
	DefaultStdinMax  = 16 << 20
)

// StdinMode says what attempts read from stdin.
type StdinMode string

// The modes. The zero value is none if In is a terminal, else buffer.
const (
	StdinNone   StdinMode = "none"   // the null device
	StdinBuffer StdinMode = "buffer" // each attempt reads all of it, from the beginning
	StdinPass   StdinMode = "pass"   // the first attempt has it to itself; later ones read end of file
)

// StdoutMode says when attempts' stdout comes out.
type StdoutMode string

// The modes. The zero value is stream if Out is a terminal, else once.
const (
	StdoutOnce   StdoutMode = "once"   // the successful or last attempt's goes to Out at its end, earlier ones' to Err
	StdoutStream StdoutMode = "stream" // as it comes
)

// A Command is a program to run until it succeeds, and how. Zero fields have the defaults named
// beside them.
type Command struct {
	Args []string // the program and its arguments

	Attempts       int              // in all, the first included; default 3
	Backoff        backoff.Strategy // default exponential(100ms, x2, max 30s, full)
	AttemptTimeout time.Duration    // of each attempt, then TERM; default none
	KillAfter      time.Duration    // between TERM and KILL; default 5s
	MaxElapsed     time.Duration    // of everything but FailCmd; default none

	Policy string       // name of it, which gates see; default run
	Gates  []retry.Gate // that attempts pass; one that refuses ends the run, with exit code 4 or 5

	RetryOnExit   Codes          // if not empty, only these codes are retried; default any but 126, 127 and those of INT, TERM, HUP, QUIT
	NoRetryOnExit Codes          // never retried, whatever else says so
	UntilMatch    *regexp.Regexp // success needs a line of stdout or stderr that matches
	FailMatch     *regexp.Regexp // a line that matches is a failure

	Stdin    StdinMode
	StdinMax int64 // bytes kept by StdinBuffer; a larger input is not retried; default 16 MiB
	Stdout   StdoutMode

	FailCmd          string // for sh -c, run once after giving up; its stdout goes to Err
	ExitCodeOnGiveUp *int   // default the code that the command's last attempt had
	NotifyFD         int    // descriptor for events, one JSON object a line; 0 means none
	JSON             bool   // print a Report to Err
	Quiet            bool   // print nothing to Err but errors and the Report

	In, Out, Err *os.File // default os.Stdin, os.Stdout, os.Stderr
}

// Run runs the command until it succeeds or relent gives up, and returns the exit code for the
// program. What is to be said has been said when it returns; a non-nil error means that nothing was
// run because the options are wrong, with exit code 2.
//
// Run belongs to a program's main function: it catches the process's signals, and a stdin that
// never ends may leave a goroutine waiting for it. Ending ctx ends the attempt as a timeout does.
func (c *Command) Run(ctx context.Context) (int, error) {
	filled := *c
	filled.fill()
	if err := filled.validate(); err != nil {
		return codeUsage, err
	}
	return newRun(&filled).do(ctx), nil
}

func (c *Command) fill() {
	c.In, c.Out, c.Err = cmp.Or(c.In, os.Stdin), cmp.Or(c.Out, os.Stdout), cmp.Or(c.Err, os.Stderr)
	c.Attempts = cmp.Or(c.Attempts, DefaultAttempts)
	c.KillAfter = cmp.Or(c.KillAfter, DefaultKillAfter)
	c.StdinMax = cmp.Or(c.StdinMax, DefaultStdinMax)
	if c.Backoff == nil {
		c.Backoff = backoff.Default()
	}
	if c.Stdin == "" {
		c.Stdin = StdinBuffer
		if isTerminal(c.In) {
			c.Stdin = StdinNone
		}
	}
	if c.Stdout == "" {
		c.Stdout = StdoutOnce
		if isTerminal(c.Out) {
			c.Stdout = StdoutStream
		}
	}
}

// validate returns all mistakes, each beginning with its flag's name.
func (c *Command) validate() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Args) == 0 || c.Args[0] == "" {
		mistake("no command to run")
	}
	if c.Attempts < 1 {
		mistake("--attempts %d: want 1 or more", c.Attempts)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"attempt-timeout", c.AttemptTimeout}, {"max-elapsed", c.MaxElapsed}, {"kill-after", c.KillAfter}} {
		if d.value < 0 {
			mistake("--%s %v: want more than 0", d.flag, d.value)
		}
	}
	if c.StdinMax < 0 {
		mistake("--stdin-max %d: want more than 0", c.StdinMax)
	}
	switch c.Stdin {
	case StdinNone, StdinBuffer, StdinPass:
	default:
		mistake("--stdin %q: want none, buffer or pass", c.Stdin)
	}
	switch c.Stdout {
	case StdoutOnce, StdoutStream:
	default:
		mistake("--stdout %q: want once or stream", c.Stdout)
	}
	if code := c.ExitCodeOnGiveUp; code != nil && (*code < 0 || *code > 255) {
		mistake("--exit-code-on-give-up %d: want 0 to 255", *code)
	}
	switch c.NotifyFD {
	case 0:
	case 1:
		mistake("--notify-fd 1: stdout belongs to the command; want 2 or more")
	default:
		if err := writable(c.NotifyFD); err != nil {
			mistake("--notify-fd %d: %w", c.NotifyFD, err)
		}
	}
	return errors.Join(errs...)
}

var errReadOnly = errors.New("not open for writing")

// writable says whether fd is an open descriptor that can be written to.
func writable(fd int) error {
	if fd < 0 {
		return errors.New("want 2 or more")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	switch {
	case err != nil:
		return err
	case flags&unix.O_ACCMODE == unix.O_RDONLY:
		return errReadOnly
	}
	return nil
}

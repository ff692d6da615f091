//go:build unix

package rerun

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A verdict says what an attempt came to. It is the error of an attempt that failed.
type verdict struct {
	Attempt
	retry   bool
	blocked string // why relent cannot retry although the command's end would allow it, as in Report.Reason
	err     error  // what went wrong around the command, if anything
	text    string // "ended with exit code 7"
}

func (v *verdict) Error() string { return v.text }
func (v *verdict) Unwrap() error { return v.err }

// failed says whether v is anything but a success.
func (v *verdict) failed() bool { return v.Reason != "success" }

// exit returns the exit code that v gives to relent: the command's own, unless that says success
// although the attempt was none.
func (v *verdict) exit() int {
	if v.failed() && v.ExitCode == 0 {
		return codeFailed
	}
	return v.ExitCode
}

// judge fills in how the command ended, and whether that is retried.
func (c *Command) judge(v *verdict, ended *child, why cause, until, fail bool) {
	v.ExitCode = ended.code()
	v.text = fmt.Sprintf("ended with exit code %d", v.ExitCode)
	if ended.status.Signaled() {
		v.Signal = signalName(ended.status.Signal())
		v.text = "was ended by " + v.Signal
	}
	switch {
	case why == byTimeout:
		v.Reason, v.retry = "timeout", !c.NoRetryOnExit.Has(v.ExitCode)
		v.text = fmt.Sprintf("took longer than %v", c.AttemptTimeout)
	case why == byElapsed:
		v.Reason = "elapsed"
		v.text = fmt.Sprintf("was ended after %v in all", c.MaxElapsed)
	case why == byCaller:
		v.Reason = "cancelled"
	case v.ExitCode != 0 && why == bySignal:
		v.Reason = "stopped"
	case v.ExitCode != 0:
		v.Reason, v.retry = "exit", c.retryable(v.ExitCode)
		if ended.status.Signaled() {
			v.Reason = "signal"
		}
	case fail:
		v.Reason, v.retry = "fail_match", why == byItself
		v.text = "printed a match for --fail-match"
	case c.UntilMatch != nil && !until:
		v.Reason, v.retry = "no_match", why == byItself
		v.text = "printed no match for --until-match"
	default:
		v.Reason = "success"
	}
}

// retryable says whether an attempt that ended with code by itself is repeated.
func (c *Command) retryable(code int) bool {
	if c.NoRetryOnExit.Has(code) {
		return false
	}
	if !c.RetryOnExit.Empty() {
		return c.RetryOnExit.Has(code)
	}
	switch code {
	case codeNotFound, codeNotExecutable:
		return false // it will not appear in a second
	case codeSignal + int(unix.SIGINT), codeSignal + int(unix.SIGTERM), codeSignal + int(unix.SIGHUP), codeSignal + int(unix.SIGQUIT):
		return false // somebody wanted it to end; shells report their children's signals so, too
	}
	return true
}

// notStarted fills in why the command could not be started.
func (c *Command) notStarted(v *verdict, err *startError) {
	v.Reason, v.ExitCode, v.err, v.text = "not_started", err.code, err, err.Error()
	// The kernel was short of something, or the program is being replaced (execve(2), ETXTBSY).
	passing := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.ETXTBSY)
	v.retry = c.retryable(err.code) || passing && !c.NoRetryOnExit.Has(err.code)
}

// milliseconds rounds up, so that only nothing is 0.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

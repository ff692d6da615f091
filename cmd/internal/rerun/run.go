//go:build unix

package rerun

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// detailMax bounds Report.Detail: the newest attempts are kept.
const detailMax = 1000

// A run is one use of [Command.Run].
type run struct {
	*Command
	call     string // RELENT_CALL_ID
	began    time.Time
	signals  *signals
	children chan os.Signal // SIGCHLD
	tty      *terminal      // nil without a controlling terminal
	handOver bool           // attempts get the terminal from the beginning
	stdin    *input         // nil unless buffered
	notify   *notifier      // nil without --notify-fd

	number int      // attempts begun
	last   *verdict // of the newest attempt; nil before the first
	held   *held    // its stdout, until it is known where it belongs
	outErr error    // why stdout could not be written
	detail []Attempt
}

func newRun(c *Command) *run {
	var id [8]byte
	rand.Read(id[:])
	r := &run{Command: c, call: hex.EncodeToString(id[:]), began: time.Now(), children: make(chan os.Signal, 1)}
	if c.Stdin == StdinBuffer {
		r.stdin = newInput(c.In, c.StdinMax)
	}
	if c.NotifyFD != 0 {
		if c.NotifyFD > 2 {
			unix.CloseOnExec(c.NotifyFD) // its reader waits for our end, not the command's
		}
		if fd, err := unix.FcntlInt(uintptr(c.NotifyFD), unix.F_DUPFD_CLOEXEC, 3); err == nil {
			r.notify = newNotifier(os.NewFile(uintptr(fd), "notify-fd"))
		}
	}
	r.tty = openTerminal(c.In, c.Err, c.Out)
	// With a pipe there is a neighbour who may want the keyboard; with a buffered terminal we do.
	r.handOver = !isPipe(c.In) && !isPipe(c.Out) && !(r.stdin != nil && isTerminal(c.In))
	return r
}

// do makes the attempts and everything that follows from them, and returns the exit code.
func (r *run) do(ctx context.Context) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signal.Notify(r.children, unix.SIGCHLD) // before the first child can end
	defer signal.Stop(r.children)
	r.signals = catch(cancel)
	defer r.signals.close()

	err := retry.Run(ctx, r.policy(), r.attempt)
	if r.stdin != nil {
		r.stdin.close()
	}
	if r.held != nil { // success, or the last failure: this is the one stdout that counts
		var failed error
		if !r.signals.writing(func() { failed = r.held.release(r.Out) }) {
			err = context.Cause(ctx) // whoever reads did not get it all
		} else {
			r.outErr = cmp.Or(r.outErr, failed)
		}
	}
	report := r.conclude(err)
	if r.FailCmd != "" && gaveUp(report) {
		report.FailCmdExit = new(r.runFailCmd(ctx))
	}
	report.ElapsedMS = milliseconds(time.Since(r.began))
	r.notify.send(notice{
		V: 1, Event: "done", CallID: r.call, Time: time.Now(), Attempt: r.number, MaxAttempts: r.Attempts,
		ExitCode: new(report.ExitCode), Reason: report.Reason, ElapsedMS: new(report.ElapsedMS),
	})
	r.notify.close()
	if r.JSON {
		r.print(string(jsonLine(report)))
	}
	return report.ExitCode
}

// policy returns the engine's view of the run. Its timeouts only end the attempt's context: TERM
// and KILL are up to watch.
func (r *run) policy() *retry.Policy {
	return &retry.Policy{
		Name:           cmp.Or(r.Policy, "run"),
		MaxAttempts:    r.Attempts,
		MaxElapsed:     r.MaxElapsed,
		AttemptTimeout: r.AttemptTimeout,
		Backoff:        r.Backoff,
		Idempotent:     true, // whoever types "run" says so
		Gates:          r.Gates,
		Observer:       r,
	}
}

// attempt runs the command once.
func (r *run) attempt(ctx context.Context) error {
	if r.held != nil {
		held := r.held
		r.held = nil
		if !r.signals.writing(func() { held.release(r.Err) }) {
			return retry.Mark(context.Cause(ctx), retry.Permanent)
		}
	}
	inbox := r.signals.attempt()
	defer r.signals.attemptEnded()
	if ctx.Err() != nil { // a signal came between the engine's last look and ours
		return retry.Mark(context.Cause(ctx), retry.Permanent)
	}
	v := &verdict{Attempt: Attempt{Number: r.number + 1, Start: time.Now()}}
	env := r.environment()
	r.number, r.last = v.Number, v
	r.execute(ctx, v, inbox, env)

	v.ElapsedMS = milliseconds(time.Since(v.Start))
	if v.err != nil {
		v.Attempt.Error = v.err.Error()
	}
	if len(r.detail) == detailMax {
		r.detail = slices.Delete(r.detail, 0, 1)
	}
	r.detail = append(r.detail, v.Attempt)
	r.notify.send(notice{
		V: 1, Event: "end", CallID: r.call, Time: time.Now(), Attempt: v.Number, MaxAttempts: r.Attempts, PID: v.PID,
		ExitCode: new(v.ExitCode), Signal: v.Signal, Reason: v.Reason, ElapsedMS: new(v.ElapsedMS),
	})
	switch {
	case !v.failed():
		return nil
	case v.retry && v.blocked == "":
		return retry.Mark(v, retry.Transient)
	}
	return retry.Mark(v, retry.Permanent)
}

// execute starts the command, sees it through and fills in v.
func (r *run) execute(ctx context.Context, v *verdict, inbox <-chan os.Signal, env []string) {
	path, unknown := lookup(r.Args[0])
	if unknown != nil {
		r.notStarted(v, unknown)
		return
	}
	p, err := r.plumb(v.Number)
	if err != nil {
		r.notStarted(v, newStartError(r.Args[0], err))
		return
	}
	c, why, err := r.spawn(ctx, inbox, path, r.Args, env, p.files[:], r.handOver, func(pid int) {
		v.PID = pid
		p.started()
		r.notify.send(notice{V: 1, Event: "start", CallID: r.call, Time: v.Start, Attempt: v.Number, MaxAttempts: r.Attempts, PID: pid})
	})
	if err != nil {
		p.abort()
		r.notStarted(v, newStartError(r.Args[0], err))
		return
	}
	p.ended()
	if r.signals.writing(p.drain) {
		r.held = p.held
		until, fail := p.seen()
		r.judge(v, c, why, until, fail)
		r.obstacles(v, p)
	} else { // a signal, and nobody reads what the command wrote
		r.judge(v, c, bySignal, true, false)
		v.Reason, v.retry = "stdout_failed", false
	}
	if v.retry && v.blocked == "" && v.Number < r.Attempts && !c.gone() {
		r.watch(ctx, c, inbox, byCleanup)
	}
}

// obstacles notes what keeps a failed attempt from being repeated.
func (r *run) obstacles(v *verdict, p *plumbing) {
	written, held := p.outputError()
	r.outErr = cmp.Or(r.outErr, written)
	if !v.retry || v.Number == r.Attempts {
		return
	}
	if err := cmp.Or(written, held); err != nil {
		v.blocked, v.err = "stdout_failed", err
		return
	}
	if r.stdin == nil {
		return
	}
	if err := r.stdin.replayable(); err != nil {
		v.blocked, v.err = "stdin_not_kept", err
	}
}

// environment returns the next attempt's environment: ours, with what it may want to know.
func (r *run) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "RELENT_ATTEMPT", "RELENT_MAX_ATTEMPTS", "RELENT_LAST_EXIT", "RELENT_CALL_ID":
			return true // of a relent above us
		}
		return false
	})
	env = append(env,
		"RELENT_ATTEMPT="+strconv.Itoa(r.number+1),
		"RELENT_MAX_ATTEMPTS="+strconv.Itoa(r.Attempts),
		"RELENT_CALL_ID="+r.call)
	if r.last != nil {
		env = append(env, "RELENT_LAST_EXIT="+strconv.Itoa(r.last.ExitCode))
	}
	return env
}

// Observe implements [retry.Observer]: it tells of each wait.
func (r *run) Observe(_ context.Context, e retry.Event) {
	if e.Kind != retry.Retrying {
		return
	}
	wait := milliseconds(e.Wait)
	r.detail[len(r.detail)-1].WaitMS = wait
	r.notify.send(notice{V: 1, Event: "wait", CallID: r.call, Time: e.At, Attempt: r.number, MaxAttempts: r.Attempts, WaitMS: &wait})
	if r.number == 1 && !r.Quiet && isTerminal(r.Err) {
		r.print("retrying: this assumes the command may run twice\n")
	}
	r.say("attempt %d of %d %s; next in %v", r.number, r.Attempts, r.last.text, short(e.Wait))
}

// conclude says how the run ended, in the report and to the user.
func (r *run) conclude(err error) Report {
	report := Report{V: 1, CallID: r.call, Attempts: r.number, MaxAttempts: r.Attempts, Detail: r.detail}
	report.ExitCode = codeFailed
	if r.last != nil {
		report.ExitCode = r.last.exit()
		report.LastExitCode = new(r.last.ExitCode)
	}
	why := ""
	sig, signalled := errors.AsType[*signalError](err)
	switch {
	case err == nil:
		report.Reason, report.ExitCode = "success", 0
	case signalled:
		report.Reason, report.Signal = "signal", signalName(sig.sig)
		if r.last == nil || r.last.Reason != "stopped" {
			report.ExitCode = codeSignal + int(sig.sig)
		}
	case errors.Is(err, retry.ErrElapsed):
		report.Reason, report.ExitCode = "elapsed", codeElapsed
		why = fmt.Sprintf("no time left within --max-elapsed %v", r.MaxElapsed)
	case errors.Is(err, retry.ErrExhausted):
		report.Reason, why = "exhausted", "attempts exhausted"
	case errors.Is(err, retry.ErrPermanent) && r.last.blocked != "":
		report.Reason, why = r.last.blocked, "cannot retry: "+r.last.err.Error()
	case errors.Is(err, retry.ErrPermanent):
		report.Reason, why = "permanent", "not retryable"
	case errors.Is(err, halt.ErrHalted), errors.Is(err, halt.ErrDraining):
		report.Reason, report.ExitCode, why = "halted", codeHalted, reason(err)
	case refused(err):
		report.Reason, report.ExitCode, why = "refused", codeRefused, reason(err)
	default:
		report.Reason, why = "cancelled", "cancelled"
	}
	if r.outErr != nil && report.ExitCode == 0 {
		report.ExitCode, report.Reason, why = codeFailed, "stdout_failed", r.outErr.Error()
	}
	if gaveUp(report) && r.ExitCodeOnGiveUp != nil {
		report.ExitCode = *r.ExitCodeOnGiveUp
	}
	r.explain(&report, why)
	return report
}

// refused says whether a gate ended the run.
func refused(err error) bool {
	for _, refusal := range []error{budget.ErrSpent, breaker.ErrOpen, limit.ErrBusy, limit.ErrRate, limit.ErrCrowded} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// reason is why there was no further attempt.
func reason(err error) string {
	if e, ok := errors.AsType[*retry.Error](err); ok {
		return e.Reason.Error()
	}
	return err.Error()
}

// gaveUp says whether relent gave up, in the sense of the package comment.
func gaveUp(report Report) bool {
	switch report.Reason {
	case "success", "signal", "cancelled":
		return false
	}
	return true
}

// explain tells the user why there is no success.
func (r *run) explain(report *Report, why string) {
	started, ok := (*startError)(nil), false
	if r.last != nil {
		started, ok = errors.AsType[*startError](r.last.err)
	}
	if r.stdin != nil {
		if err := r.stdin.failure(); err != nil {
			r.complain("cannot read stdin: %v", err)
		}
	}
	switch {
	case report.Reason == "success":
	case report.Reason == "signal":
		report.Error = "ended by " + report.Signal
		r.say("%s: no more attempts", report.Error)
	case ok:
		report.Error = started.Error()
		r.complain("%s", report.Error)
	default:
		report.Error = fmt.Sprintf("gave up after %s in %v: %s", plural(r.number, "attempt"), short(time.Since(r.began)), why)
		if r.last != nil && r.last.failed() {
			report.Error += ": the last " + r.last.text
		}
		if r.last != nil && errors.Is(r.last.err, errInputTooLarge) {
			r.say("%s\ntry: relent run --stdin-max %s -- …", report.Error, FormatSize(4*r.StdinMax))
			return
		}
		r.say("%s", report.Error)
	}
}

// runFailCmd runs FailCmd once and returns its exit code. Its stdout is not the command's, so it
// goes to Err.
func (r *run) runFailCmd(ctx context.Context) int {
	inbox := r.signals.attempt()
	defer r.signals.attemptEnded()
	null, err := os.Open(os.DevNull)
	if err != nil {
		r.complain("cannot run --fail-cmd: %v", err)
		return codeNotExecutable
	}
	defer null.Close()
	env := r.environment()
	for i, entry := range env {
		if strings.HasPrefix(entry, "RELENT_ATTEMPT=") {
			env[i] = "RELENT_ATTEMPT=" + strconv.Itoa(r.number)
		}
	}
	c, _, err := r.spawn(ctx, inbox, "/bin/sh", []string{"sh", "-c", r.FailCmd}, env, []*os.File{null, r.Err, r.Err}, false, func(int) {})
	if err != nil {
		r.complain("cannot run --fail-cmd: %v", err)
		return newStartError("sh", err).code
	}
	if code := c.code(); code != 0 {
		r.say("--fail-cmd ended with exit code %d", code)
	}
	return c.code()
}

// say prints a line unless the user asked for quiet.
func (r *run) say(format string, args ...any) {
	if !r.Quiet {
		r.complain(format, args...)
	}
}

// complain prints a line in any case.
func (r *run) complain(format string, args ...any) {
	r.print("relent: " + fmt.Sprintf(format, args...) + "\n")
}

// print writes text to Err. There is nobody to tell if that fails.
func (r *run) print(text string) {
	r.signals.writing(func() { r.Err.WriteString(text) })
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short cuts a duration to the digits that a reader wants.
func short(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

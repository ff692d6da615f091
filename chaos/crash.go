package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// A Death is how a process ended that [Crash] started.
type Death struct {
	Point  string // that was armed
	Nth    int    // passing of it
	Killed bool   // it was reached; else the process ended by itself, and well
	Output []byte // of both kinds
}

// Crash runs cmd with a [Point] armed, to kill it at the nth passing, and waits for its end. The error is nil if it was
// killed or ended well. On Windows, where a kill cannot be told, it never is. The command should be made with [exec.CommandContext], so that a context ends it.
func Crash(cmd *exec.Cmd, point string, nth int) (Death, error) {
	d := Death{Point: point, Nth: nth}
	if strings.Contains(point, "#") {
		return d, fmt.Errorf("chaos: point %q: a name has no #", point)
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%s#%d", CrashVariable, point, nth))
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	d.Output = output.Bytes()
	var exit *exec.ExitError
	if errors.As(err, &exit) && died(exit.ProcessState) {
		d.Killed = true
		return d, nil
	}
	if err != nil {
		return d, fmt.Errorf("chaos: crash at %s#%d: %w", point, nth, err)
	}
	return d, nil
}

// CrashEach kills a process at each passing of each point: at the first of the first point, then at the
// second, until one run ends without having been killed, or most passings were tried; then at the next point.
// command returns a new command each time. After each run verify says whether the world is as it
// should be. CrashEach returns the number of kills, and the first error.
func CrashEach(ctx context.Context, points []string, most int, command func(context.Context) *exec.Cmd, verify func(Death) error) (kills int, err error) {
	for _, point := range points {
		for nth := 1; nth <= most; nth++ {
			if ctx.Err() != nil {
				return kills, context.Cause(ctx)
			}
			d, err := Crash(command(ctx), point, nth)
			if err != nil {
				return kills, fmt.Errorf("%w\n%s", err, d.Output)
			}
			if d.Killed {
				kills++
			}
			if err := verify(d); err != nil {
				return kills, fmt.Errorf("chaos: after %s#%d: %w", point, nth, err)
			}
			if !d.Killed {
				break
			}
		}
	}
	return kills, nil
}

// died tells a process that was killed from one that ended by itself. On Windows nothing does.
func died(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}

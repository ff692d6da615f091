package chaos

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// CrashVariable is the environment variable that arms a [Point]. Its value is the name of the point, and may
// say after a # the how manieth passing kills: "committed#3". Without, it is the first.
const CrashVariable = "RELENT_CRASH_AT"

// Point is a place where the process may die. If the environment variable RELENT_CRASH_AT names it, the process
// kills itself there (SIGKILL on Unix): nothing deferred runs, nothing is flushed. Otherwise it costs next to nothing.
func Point(name string) { kill(armed().victim(name)) }

var armed = sync.OnceValue(func() *trap { return parseTrap(os.Getenv(CrashVariable)) })

// A trap is a point that is armed.
type trap struct {
	name   string
	nth    int64
	passed atomic.Int64
}

// parseTrap reads the variable. What it cannot read arms nothing.
func parseTrap(s string) *trap {
	name, count, counted := strings.Cut(s, "#")
	nth := int64(1)
	if counted {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 {
			return &trap{}
		}
		nth = n
	}
	return &trap{name: name, nth: nth}
}

// victim returns the process that is to die now, or 0.
func (t *trap) victim(name string) int {
	if t.name == "" || t.name != name || t.passed.Add(1) != t.nth {
		return 0
	}
	return os.Getpid()
}

// kill kills a process, unless it is 0. For the process itself it does not return.
func kill(pid int) {
	if pid == 0 {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}

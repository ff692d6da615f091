//go:build unix

package rerun

import (
	"encoding/json"
	"os"
	"time"
)

// A Report says how a run went. As JSON it is what -o json prints; its names are stable.
type Report struct {
	V            int       `json:"v"` // 1
	CallID       string    `json:"call_id"`
	Reason       string    `json:"reason"`         // success, exhausted, permanent, elapsed, halted, refused, signal, cancelled, stdin_not_kept, stdout_failed
	ExitCode     int       `json:"exit_code"`      // of relent
	LastExitCode *int      `json:"last_exit_code"` // of the command's last attempt; null if none was made
	Signal       string    `json:"signal,omitempty"`
	Error        string    `json:"error,omitempty"`
	Attempts     int       `json:"attempts"`
	MaxAttempts  int       `json:"max_attempts"`
	ElapsedMS    int64     `json:"elapsed_ms"`
	FailCmdExit  *int      `json:"fail_cmd_exit_code,omitempty"`
	Detail       []Attempt `json:"attempts_detail"` // the newest 1,000
}

// An Attempt is one run of the command in a [Report].
type Attempt struct {
	Number    int       `json:"attempt"` // 1 is the first
	Start     time.Time `json:"start"`
	PID       int       `json:"pid,omitempty"`
	ExitCode  int       `json:"exit_code"`        // 128+n if signal n ended it, 127 or 126 if it could not start
	Signal    string    `json:"signal,omitempty"` // that ended it
	Reason    string    `json:"reason"`           // success, exit, signal, timeout, elapsed, stopped (by a signal to relent), cancelled, not_started, no_match, fail_match, stdout_failed
	Error     string    `json:"error,omitempty"`
	ElapsedMS int64     `json:"elapsed_ms"`
	WaitMS    int64     `json:"wait_ms,omitempty"` // planned before the next attempt
}

// A notice is one line for --notify-fd. Its names are stable.
type notice struct {
	V           int       `json:"v"`     // 1
	Event       string    `json:"event"` // start, end, wait, done
	CallID      string    `json:"call_id"`
	Time        time.Time `json:"time"`
	Attempt     int       `json:"attempt"`
	MaxAttempts int       `json:"max_attempts"`
	PID         int       `json:"pid,omitempty"`
	ExitCode    *int      `json:"exit_code,omitempty"`
	Signal      string    `json:"signal,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	ElapsedMS   *int64    `json:"elapsed_ms,omitempty"`
	WaitMS      *int64    `json:"wait_ms,omitempty"`
}

// A notifier writes notices to a descriptor. A reader that does not read loses notices, but never
// delays the command.
type notifier struct {
	file  *os.File
	lines chan []byte
	done  chan struct{}
}

const (
	notifyBuffer = 1024
	notifyFlush  = time.Second // most time for the last notices to be read
)

func newNotifier(file *os.File) *notifier {
	n := &notifier{file: file, lines: make(chan []byte, notifyBuffer), done: make(chan struct{})}
	go func() {
		defer close(n.done)
		for line := range n.lines {
			if _, err := n.file.Write(line); err != nil { // the reader is gone; nobody else wants them
				for range n.lines {
				}
				return
			}
		}
	}()
	return n
}

// send queues e; a nil notifier drops it.
func (n *notifier) send(e notice) {
	if n == nil {
		return
	}
	select {
	case n.lines <- jsonLine(e):
	default:
	}
}

// close waits until the notices are written, but not for long.
func (n *notifier) close() {
	if n == nil {
		return
	}
	close(n.lines)
	select {
	case <-n.done:
		n.file.Close()
	case <-time.After(notifyFlush):
	}
}

// jsonLine cannot fail for the types above.
func jsonLine(v any) []byte {
	line, _ := json.Marshal(v)
	return append(line, '\n')
}

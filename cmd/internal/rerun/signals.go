//go:build unix

package rerun

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// A signalError is the cause of a context that a signal to relent has ended.
type signalError struct{ sig unix.Signal }

func (e *signalError) Error() string { return "ended by " + signalName(e.sig) }

func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}

// signals receives relent's signals and says what each one means at that moment:
//
//	             an attempt runs      relent writes          relent waits
//	INT, TERM,   passed to the group, the write is left,     the wait ends,
//	HUP, QUIT    no retry follows     no retry follows       no retry follows
//	TSTP         passed, then stop    stop                   stop
//	CONT         passed
type signals struct {
	caught chan os.Signal
	done   chan struct{}
	end    context.CancelCauseFunc

	mu      sync.Mutex
	first   unix.Signal    // guarded by mu, like all below; the one that ended retrying, or 0
	inbox   chan os.Signal // of the running attempt, or nil
	abandon chan struct{}  // closed to leave the present write; nil outside one
}

// catch begins to receive signals; end is called when one ends retrying. A signal that was ignored when relent started stays ignored, so that nohup and background jobs keep their meaning.
func catch(end context.CancelCauseFunc) *signals {
	s := &signals{caught: make(chan os.Signal, 16), done: make(chan struct{}), end: end}
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGTSTP} {
		if !signal.Ignored(sig) {
			signal.Notify(s.caught, sig)
		}
	}
	signal.Notify(s.caught, unix.SIGCONT)
	go s.dispatch()
	return s
}

// close stops receiving.
func (s *signals) close() {
	signal.Stop(s.caught)
	close(s.caught)
	<-s.done
}

func (s *signals) dispatch() {
	defer close(s.done)
	for sig := range s.caught {
		s.handle(sig.(unix.Signal))
	}
}

func (s *signals) handle(sig unix.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inbox != nil {
		select {
		case s.inbox <- sig:
		default: // full: as many are waiting as anybody could mean
		}
	}
	switch {
	case sig == unix.SIGCONT:
		return
	case sig == unix.SIGTSTP:
		if s.inbox == nil {
			stopSelf(unix.Getpid())
		}
		return
	}
	if s.first == 0 {
		s.first = sig
	}
	if s.inbox == nil {
		s.end(&signalError{s.first})
	}
	if s.abandon != nil {
		close(s.abandon)
		s.abandon = nil
	}
}

// attempt returns the channel on which a running attempt gets the signals that arrive from now on.
func (s *signals) attempt() <-chan os.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	inbox := make(chan os.Signal, 16)
	s.inbox = inbox
	return inbox
}

// attemptEnded says that there is nobody left to pass signals to. Only now does a signal that came
// during the attempt end the context, which until then carries the attempt's timeouts.
func (s *signals) attemptEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = nil
	if s.first != 0 {
		s.end(&signalError{s.first})
	}
}

// writing calls f, which may block on a reader that does not read, and returns when f does or when
// a signal arrives: caught signals would otherwise leave relent deaf there. It says whether f
// has returned.
func (s *signals) writing(f func()) bool {
	abandon, done := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.abandon = abandon
	s.mu.Unlock()
	go func() {
		defer close(done)
		f()
	}()
	defer func() {
		s.mu.Lock()
		s.abandon = nil
		s.mu.Unlock()
	}()
	select {
	case <-done:
		return true
	case <-abandon:
		return false
	}
}

// stopSelf stops process pid, or with 0 our whole group, as ^Z would. It uses SIGTTIN because package
// signal cannot restore the default action of SIGTSTP once caught, and because the kernel drops it
// where nobody could continue us (an orphaned group), which it does not with SIGSTOP.
func stopSelf(pid int) { unix.Kill(pid, unix.SIGTTIN) }

package halt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"time"
)

// ErrRunning is returned by a second Run at the same time.
var ErrRunning = errors.New("the tree runs already")

// How often to look for the trigger file, and when to look again at an empty one: it may be about to be written.
const (
	defaultPoll = 250 * time.Millisecond
	emptyPoll   = 50 * time.Millisecond
)

// mostTrigger is how long a trigger file may be.
const mostTrigger = 64 << 10

// Run does what a tree does by itself, until ctx ends, and returns the cause: it lets expire what expires, watches
// the lease, and listens to local triggers, which work without a network.
//
// Any of Signals stops everything. So does the presence of the Trigger file, if it is empty, is no regular file, or
// cannot be read or understood; otherwise each line of it is a stop: a scope (none for global), a state, and why.
//
//	# lines like this one are skipped
//	stopped
//	equities/binance risk-reducing prices look wrong
//
// An empty file is believed when it is empty twice, 50 ms apart: it may be one that is being written. A file with
// lines is best written under another name and then renamed. A stop of the file is renewed as long as the file is there. That it is gone ends no stop: that takes
// [Tree.Resume].
//
// Without Run nothing expires, at a restart neither, and a tree with a Lease is as strict as without control plane: a lease lives no
// longer than who watches it.
//
// What Run does is in force at once, and is saved and recorded by a second goroutine, so that neither a disk nor a
// Recorder that hangs makes it deaf. Run waits for that goroutine before it returns.
func (t *Tree) Run(ctx context.Context) error {
	t.once.Do(t.read)
	if !t.listen(time.Now()) {
		return ErrRunning
	}
	c := t.newClerk()
	defer func() {
		now := time.Now()
		if t.leave(now) {
			c.take(notice(ActionLost, lease, errNoLease, now))
		}
		c.end()
		t.mu.Lock()
		t.running = false
		t.mu.Unlock()
	}()
	signals := make(chan os.Signal, 1)
	if len(t.Signals) > 0 {
		signal.Notify(signals, t.Signals...)
		defer signal.Stop(signals)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case s := <-signals:
			t.halt(Command{Who: "signal " + s.String(), Source: "signal"}, c)
		case <-t.nudge:
		case <-timer.C:
		}
		timer.Reset(t.tick(c))
	}
}

// halt puts a stop of a local trigger in force.
func (t *Tree) halt(command Command, c *clerk) {
	at := time.Now()
	t.mu.Lock()
	r, ends := t.engage(command.bounded(), ActionStop, at)
	t.mu.Unlock()
	r.Took = time.Since(at)
	t.wake(ends)
	c.take(r)
}

// hurry has Run look again at what is due.
func (t *Tree) hurry() {
	select {
	case t.nudge <- struct{}{}:
	default:
	}
}

// tick does what is due, the lease first, and returns how long there is nothing else to do.
func (t *Tree) tick(c *clerk) time.Duration {
	now := time.Now()
	ends, lost := t.lapse(now)
	if lost {
		c.take(notice(ActionLost, lease, errNoLease, now))
	}
	t.mu.Lock()
	expired, next := t.expire(now)
	t.mu.Unlock()
	c.take(expired...)
	wait := time.Hour
	for _, at := range []time.Time{next, ends} {
		if !at.IsZero() {
			wait = min(wait, max(0, at.Sub(now)))
		}
	}
	poll := t.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	if t.Trigger == "" {
		if t.isShared() {
			wait = min(wait, poll)
		}
		return wait
	}
	if t.look(c) {
		poll = min(poll, emptyPoll)
	}
	return min(wait, poll)
}

// look obeys the trigger file, if there is one. It returns whether to look again soon.
func (t *Tree) look(c *clerk) bool {
	if _, err := os.Lstat(t.Trigger); errors.Is(err, fs.ErrNotExist) {
		t.empty = false
		return false
	}
	data, err := readFile(t.Trigger, mostTrigger)
	if before := t.empty; err == nil {
		if t.empty = len(data) == 0; t.empty && !before {
			return true
		}
	}
	commands := []Command{{Why: fmt.Sprintf("trigger file: %v", err)}}
	if err == nil {
		commands = parseTrigger(string(data))
	}
	for _, command := range commands {
		command.Who, command.Source = "file "+t.Trigger, "file"
		if !t.stands(command.bounded()) {
			t.halt(command, c)
		}
	}
	return false
}

// stands says that a stop is in force already, and for good.
func (t *Tree) stands(c Command) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, _ := t.find(c.Scope)
	return n != nil && n.held[c.State] != nil && n.held[c.State].Until.IsZero()
}

// environment returns the stops of the environment variable.
func (t *Tree) environment() (commands []Command) {
	if t.Env == "" || strings.TrimSpace(os.Getenv(t.Env)) == "" {
		return nil
	}
	for _, c := range parseTrigger(os.Getenv(t.Env)) {
		c.Who, c.Source = "environment "+t.Env, "env"
		commands = append(commands, c)
	}
	return commands
}

// parseTrigger reads stops, one a line. What says nothing, or what cannot be understood, stops everything.
func parseTrigger(text string) (commands []Command) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		c, err := parseLine(words)
		if err != nil {
			c = Command{Why: fmt.Sprintf("not understood: %.200q: %v", line, err)}
		}
		commands = append(commands, c)
	}
	if commands == nil {
		return []Command{{}}
	}
	return commands
}

func parseLine(words []string) (c Command, err error) {
	if c.State, err = ParseState(words[0]); err != nil {
		c.Scope = Scope(words[0])
		if words = words[1:]; len(words) == 0 {
			return c, err
		}
		if c.State, err = ParseState(words[0]); err != nil {
			return c, err
		}
	}
	if c.State == Running {
		return c, errors.New("a file cannot end a stop")
	}
	c.Why = strings.Join(words[1:], " ")
	_, err = c.Scope.Path()
	return c, err
}

package gatetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

var errFull = errors.New("full")

// A slots is a cap on attempts, and in each of its bugs a way to get one wrong.
type slots struct {
	max   int
	waits bool
	bug   string

	mu       sync.Mutex
	used     int
	failures int
	freed    chan struct{}
	seen     time.Time
	last     *retry.Attempt
}

func open(max int, waits bool, bug string) func() retry.Gate {
	return func() retry.Gate { return &slots{max: max, waits: waits, bug: bug, freed: make(chan struct{}, 1000)} }
}

func (g *slots) Admit(ctx context.Context, a *retry.Attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.bug {
	case "allocates":
		g.last = new(*a)
	case "sleeps":
		if g.used == g.max {
			time.Sleep(time.Second)
		}
	case "sleeps after failures":
		if g.failures > 60 {
			time.Sleep(time.Second)
		}
	case "reads the policy":
		_ = a.Policy.Priority
	case "writes the note":
		*a.Note = 1
	case "looks at the clock":
		if a.At.Before(time.Now().Add(-time.Minute)) {
			return errFull
		}
	case "measures by the clock":
		defer func() { g.seen = time.Now() }()
		if !g.seen.IsZero() && time.Since(g.seen) > time.Minute {
			return errFull
		}
	case "times success":
		if g.used == 2 {
			return errFull
		}
	case "refuses the first":
		if a.Number <= 1 && g.used == 0 {
			return errFull
		}
	}
	if !g.waits {
		return g.take()
	}
	return nil
}

func (g *slots) take() error {
	if g.used >= g.max {
		if g.bug == "loses a slot with a refusal" {
			g.max--
		}
		return errFull
	}
	g.used++
	return nil
}

func (g *slots) Start(ctx context.Context, a *retry.Attempt) error {
	if !g.waits {
		return nil
	}
	for {
		g.mu.Lock()
		err := g.take()
		g.mu.Unlock()
		if err == nil {
			a.Keep(1)
			return nil
		}
		halted := a.Halted().Done()
		ended := ctx.Done()
		switch g.bug {
		case "waits on after a stop":
			halted = nil
		case "waits on":
			ended = nil
		}
		select {
		case <-g.freed:
		case <-time.After(time.Minute):
			if g.bug == "waits on" || g.bug == "waits on after a stop" {
				return errFull
			}
		case <-ended:
			switch g.bug {
			case "loses a slot with a wait":
				g.mu.Lock()
				g.max--
				g.mu.Unlock()
			case "begins when the context has ended":
				return nil
			case "says nothing of the context":
				return errFull
			}
			return context.Cause(ctx)
		case <-halted:
			switch g.bug {
			case "says nothing of the stop":
				return errFull
			case "begins after a stop":
				return nil
			}
			return context.Cause(a.Halted())
		}
	}
}

func (g *slots) Settle(a *retry.Attempt, o *retry.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waits && a.Kept() == 0 {
		return
	}
	switch {
	case g.bug == "keeps the attempt" && g.last != nil && g.last.Number < 0,
		g.bug == "keeps a slot after a panic" && o.State == retry.Panicked,
		g.bug == "keeps a slot after success" && o.State == retry.Succeeded,
		g.bug == "keeps a slot after cancel" && o.State == retry.Canceled,
		g.bug == "keeps a slot when not started" && o.State == retry.NotStarted && a.Number == 1:
		return
	case g.bug == "grows with cancel" && o.State == retry.Canceled:
		g.max++
	case g.bug == "times success" && o.State == retry.Succeeded && o.Elapsed() > time.Second:
		return
	case g.bug == "chokes on a panic" && o.State == retry.Panicked:
		panic("what panic?")
	case g.bug == "chokes on a state" && o.State > retry.Panicked:
		panic("what state?")
	}
	g.used--
	if o.State == retry.Failed {
		g.failures++
	}
	if g.waits {
		g.freed <- struct{}{}
	}
	g.last = nil
	if g.bug == "keeps the attempt" {
		g.last = a
	}
}

func TestGoodGates(t *testing.T) {
	t.Run("refuses", func(t *testing.T) { Run(t, open(10, false, "")) })
	t.Run("waits", func(t *testing.T) { Suite{Open: open(10, true, ""), Waits: true}.Run(t) })
	t.Run("admits all", func(t *testing.T) { Suite{Open: func() retry.Gate { return free{} }, Elapsed: true}.Run(t) })
	t.Run("with a policy of its own", func(t *testing.T) {
		p := &retry.Policy{Name: "venue.read", Idempotent: true, Priority: retry.Critical}
		Suite{Open: open(10, false, ""), Policy: p, Elapsed: true, Clock: true}.Run(t)
	})
}

// A free gate admits all.
type free struct{}

func (free) Admit(context.Context, *retry.Attempt) error { return nil }
func (free) Settle(*retry.Attempt, *retry.Outcome)       {}

// Each bug must be found by the promise that it breaks.
func TestBrokenGates(t *testing.T) {
	for _, test := range []struct {
		bug     string
		waits   bool
		promise string
		want    string
	}{
		{"keeps a slot after a panic", false, "leaves nothing behind", "ended by panic"},
		{"keeps a slot after a panic", false, "leaves nothing behind", "ended by Goexit"},
		{"keeps a slot after success", false, "leaves nothing behind", "ended by success"},
		{"keeps a slot after cancel", false, "leaves nothing behind", "ended by cancelled by the caller"},
		{"grows with cancel", false, "leaves nothing behind", "ended by cancelled by the caller"},
		{"keeps a slot when not started", false, "leaves nothing behind", "refused by a later gate"},
		{"keeps a slot when not started", false, "leaves nothing behind", "refused by an earlier gate"},
		{"keeps a slot when not started", false, "refusals leave nothing behind", "as before"},
		{"loses a slot with a refusal", false, "refusals leave nothing behind", "as before"},
		{"keeps a slot after cancel", false, "bears many callers", "after many callers"},
		{"sleeps", false, "is quick", "more first attempts than it holds"},
		{"sleeps after failures", false, "is quick", "after many failures"},
		{"", true, "is quick", "does not say that it does"},
		{"", false, "ends waits", "does not wait"},
		{"waits on", true, "ends waits", "when the context had ended"},
		{"waits on after a stop", true, "ends waits", "after a stop"},
		{"loses a slot with a wait", true, "ends waits", "after waits that ended early"},
		{"begins when the context has ended", true, "ends waits", "whose context had ended"},
		{"says nothing of the context", true, "ends waits", "want the context's cause"},
		{"says nothing of the stop", true, "ends waits", "want the cause of the stop"},
		{"begins after a stop", true, "ends waits", "returned <nil>; want the cause of the stop"},
		{"chokes on a panic", false, "leaves nothing behind", "what panic?"},
		{"looks at the clock", false, "reads no clock", "decides otherwise"},
		{"measures by the clock", false, "reads no clock", "decides otherwise"},
		{"times success", false, "reads no clock", "decides otherwise"},
		{"keeps the attempt", false, "refusals leave nothing behind", "as before"},
		{"reads the policy", false, "bears odd attempts", "an Attempt without a Policy"},
		{"writes the note", false, "bears odd attempts", "an Attempt without a Note"},
		{"chokes on a state", false, "bears odd attempts", "what state?"},
		{"allocates", false, "allocates nothing", "costs 1 allocations"},
		{"refuses the first", false, "allocates nothing", "refused"},
	} {
		t.Run(fmt.Sprintf("%s by %s", test.promise, test.bug), func(t *testing.T) {
			s := Suite{Open: open(10, test.waits, test.bug)}
			i := slices.IndexFunc(promises, func(p promise) bool { return p.name == test.promise })
			var complaints []string
			promises[i].test(t, s, promises[i].complaint(func(format string, args ...any) {
				complaints = append(complaints, fmt.Sprintf(format, args...))
			}))
			if !slices.ContainsFunc(complaints, func(c string) bool {
				return strings.Contains(c, test.want) && strings.HasSuffix(c, promises[i].reason)
			}) {
				t.Errorf("complaints\n%s\nwant one with %q", strings.Join(complaints, "\n"), test.want)
			}
		})
	}
}

// A gate that does not end its wait is waited for, and what it then lets begin is settled.
func TestLateBeginIsSettled(t *testing.T) {
	i := slices.IndexFunc(promises, func(p promise) bool { return p.name == "ends waits" })
	found := 0
	promises[i].test(t, Suite{Open: func() retry.Gate {
		g := open(1, true, "waits on")().(*slots)
		return &patient{g}
	}}, func(string, ...any) { found++ })
	if found == 0 {
		t.Error("no complaint about a gate that does not end its wait")
	}
}

// A patient gate lets an attempt begin in the end, whatever happened to its context.
type patient struct{ *slots }

func (g *patient) Start(ctx context.Context, a *retry.Attempt) error {
	err := g.slots.Start(ctx, a)
	if err != nil {
		a.Keep(0)
	}
	return nil
}

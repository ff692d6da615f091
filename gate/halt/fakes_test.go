package halt_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

var (
	errPlain  = errors.New("busy")
	transient = retry.Mark(errPlain, retry.Transient)
)

func isHalted(err error) bool { return errors.Is(err, halt.ErrHalted) }

// A journal is a Recorder that remembers.
type journal struct {
	mu      sync.Mutex
	records []halt.Record
	err     error
	each    func(halt.Record)
}

func (j *journal) Record(r halt.Record) error {
	j.mu.Lock()
	j.records = append(j.records, r)
	err, each := j.err, j.each
	j.mu.Unlock()
	if each != nil {
		each(r)
	}
	return err
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// actions returns what was recorded since the last call.
func (j *journal) take() []halt.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.records
	j.records = nil
	return r
}

func actions(records []halt.Record) (a []halt.Action) {
	for _, r := range records {
		a = append(a, r.Action)
	}
	return a
}

// try takes one attempt by hand through a gate, and returns its refusal.
func try(g *halt.Gate, number int, at time.Time) error {
	ctx := context.Background()
	a := &retry.Attempt{Number: number, At: at, Note: new(uint64)}
	if err := g.Admit(ctx, a); err != nil {
		return err
	}
	err := g.Start(ctx, a)
	o := &retry.Outcome{}
	if err == nil {
		o.State, o.Start = retry.Succeeded, at
	}
	g.Settle(a, o)
	return err
}

// passes says whether first attempts and retries pass now.
func passes(g *halt.Gate) [2]bool {
	now := time.Now()
	return [2]bool{try(g, 1, now) == nil, try(g, 2, now) == nil}
}

var (
	both    = [2]bool{true, true}
	neither = [2]bool{}
	once    = [2]bool{true, false}
)

// stop gives a command that must succeed.
func stop(tb testing.TB, t *halt.Tree, scope halt.Scope, state halt.State, who string) halt.Record {
	tb.Helper()
	r, err := t.Stop(halt.Command{Scope: scope, State: state, Who: who, Why: "test"})
	if err != nil {
		tb.Fatalf("Stop(%s, %v) = %v", scope, state, err)
	}
	return r
}

// resume lets a scope go that two persons may.
func resume(tb testing.TB, t *halt.Tree, scope halt.Scope) halt.Record {
	tb.Helper()
	r, err := t.Resume(halt.Release{Scope: scope, Epoch: look(tb, t, scope).Epoch, Requester: "anna", Approver: "boris", Why: "test"})
	if err != nil {
		tb.Fatalf("Resume(%s) = %v", scope, err)
	}
	return r
}

func look(tb testing.TB, t *halt.Tree, scope halt.Scope) halt.Status {
	tb.Helper()
	s, err := t.Look(scope)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// ramped takes attempts through a gate until its ramp is over.
func ramped(tb testing.TB, g *halt.Gate, at time.Time) time.Time {
	tb.Helper()
	for range 4 {
		try(g, 1, at)
		try(g, 2, at)
		at = at.Add(halt.DefaultStep)
	}
	return at
}

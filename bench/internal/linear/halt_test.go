package linear

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func TestHalt(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { stopFamily("", nil).holds(t, 20_000) })
	t.Run("with a file", func(t *testing.T) { // where a stop can come while a resume is being saved
		dir := t.TempDir()
		stopFamily("", func(n int) string { return filepath.Join(dir, strconv.Itoa(n)) }).holds(t, 200)
	})
}

func TestHaltModel(t *testing.T) {
	for _, fault := range []string{looksOnlyInAdmit, remembersAnswer, resumesAnything} {
		t.Run(fault, func(t *testing.T) { stopFamily(fault, nil).fails(t, 20_000) })
	}
}

// stopFamily makes trials of trees, which are saved in a file each if there is one.
func stopFamily(fault string, file func(int) string) *family {
	trees := 0
	return &family{
		model: stopModel,
		trial: func(r *rand.Rand, clients int) trial {
			t := &stopTrial{clients: clients, fault: fault, tree: &halt.Tree{Active: r.IntN(4) == 0}}
			if r.IntN(2) == 0 {
				t.tree.Recorder = pausingRecorder{}
			}
			if trees++; file != nil {
				t.tree.File = file(trees)
			}
			for p, path := range [places][]string{desk: {"desk"}, scopeA: {"desk", "a"}, scopeB: {"desk", "b"}} {
				if p == int(global) {
					continue
				}
				g := t.tree.Gate(path...)
				t.gates[p][0], t.gates[p][1] = naiveStop(g, fault), naiveStop(g.RiskReducing(), fault)
			}
			return t
		},
	}
}

// A pausingRecorder gives way to other goroutines, where a tree has commands recorded: after a stop, and amid a resume.
type pausingRecorder struct{}

func (pausingRecorder) Record(halt.Record) error {
	runtime.Gosched()
	return nil
}

type stopTrial struct {
	clients int
	fault   string
	tree    *halt.Tree
	gates   [places][2]retry.Starter // plain and risk-reducing
	uses    [attempts]struct {
		place    place
		reducing int
		way      uint8
	}
	epochs [workers + 1][places]uint8 // that each client has seen
	hands
}

func (t *stopTrial) before(c *client) {
	for range c.rand.IntN(3) {
		t.admit(c)
	}
	if c.chance(3) {
		t.stop(c)
	}
	t.deal(c, t.clients)
}

func (t *stopTrial) after(c *client) {
	for p := range places {
		in := &stopIn{op: stopLook, place: p}
		out := do(c, in, func() (out stopOut) { return })
		s, err := t.tree.Look(scopes[p])
		if err != nil {
			panic(err)
		}
		out.epoch = uint8(s.Epoch)
	}
	t.tree.Close()
}

func (t *stopTrial) step(c *client) {
	switch n := c.rand.IntN(20); {
	case n < 3:
		t.stop(c)
	case n < 5:
		t.resume(c)
	case n < 12 || !t.start(c):
		t.admit(c)
	}
}

func (t *stopTrial) stop(c *client) {
	in := &stopIn{
		op: stopStop, place: one(c.rand, global, desk, desk, scopeA, scopeA, scopeB), person: c.rand.IntN(2),
		state: one(c.rand, halt.NoRetries, halt.RiskReducingOnly, halt.DrainOnly, halt.Stopped, halt.Stopped),
	}
	command := halt.Command{Scope: scopes[in.place], State: in.state, Who: persons[in.person]}
	out := do(c, in, func() stopOut {
		r, err := t.tree.Stop(command)
		return stopOut{err: err, epoch: uint8(r.Epoch)}
	})
	if out.err != nil {
		panic(out.err)
	}
	t.epochs[c.id][in.place] = out.epoch
}

func (t *stopTrial) resume(c *client) {
	in := &stopIn{op: stopResume, place: one(c.rand, global, desk, scopeA, scopeA, scopeB), asker: 2, person: one(c.rand, 1, 2, 3, 3, 3, 3)}
	if in.epoch = t.epochs[c.id][in.place]; in.epoch == 0 || c.chance(3) {
		in.epoch = uint8(c.rand.IntN(4))
	}
	r := halt.Release{Scope: scopes[in.place], Epoch: uint64(in.epoch), Requester: persons[in.asker], Approver: persons[in.person]}
	out := do(c, in, func() stopOut {
		if t.fault == resumesAnything {
			if s, err := t.tree.Look(r.Scope); err == nil {
				r.Epoch = s.Epoch
			}
		}
		r, err := t.tree.Resume(r)
		return stopOut{err: err, epoch: uint8(r.Epoch)}
	})
	switch {
	case out.err == nil:
		t.epochs[c.id][in.place] = out.epoch
	case errors.Is(out.err, halt.ErrNoStop):
		out.what = noStop
	case errors.Is(out.err, halt.ErrEpoch):
		out.what = oldEpoch
	case errors.Is(out.err, halt.ErrTwoPersons):
		out.what = twoPersons
	default:
		panic(out.err)
	}
}

func (t *stopTrial) admit(c *client) {
	number := one(c.rand, 1, 2)
	a := t.attempt(c, read, number, 0)
	if a == nil {
		return
	}
	u := &t.uses[a.id]
	u.place, u.reducing, u.way = one(c.rand, desk, scopeA, scopeA, scopeB), one(c.rand, 0, 0, 1), wayFirst
	if number > 1 {
		u.way = wayAgain
	}
	if u.reducing == 1 {
		u.way *= wayReducing
	}
	if t.ask(c, a, stopAdmit) {
		t.keep(c, a)
	}
}

// ask asks the gate of an attempt and says whether it let it pass.
func (t *stopTrial) ask(c *client, a *held, op stopOp) bool {
	u := &t.uses[a.id]
	gate := t.gates[u.place][u.reducing]
	in := &stopIn{op: op, place: u.place, id: a.id, lane: a.Lane, way: u.way}
	out := do(c, in, func() stopOut {
		if op == stopAdmit {
			return stopOut{err: gate.Admit(context.Background(), &a.Attempt)}
		}
		return stopOut{err: gate.Start(context.Background(), &a.Attempt)}
	})
	if out.err == nil {
		return true
	}
	e, ok := errors.AsType[*halt.Error](out.err)
	if !ok {
		panic(out.err)
	}
	out.what, out.state, out.epoch, out.scope = stopped, e.State, uint8(e.Epoch), e.Scope
	if e.State == halt.Running {
		out.what = paced
	}
	return false
}

// start begins and ends one of the attempts that c holds, and says whether there was one.
func (t *stopTrial) start(c *client) bool {
	a := t.take(c)
	if a == nil {
		return false
	}
	o := retry.Outcome{State: retry.NotStarted}
	if t.ask(c, a, stopStart) {
		o = retry.Outcome{State: retry.Succeeded, Start: epoch}
	}
	u := &t.uses[a.id]
	t.gates[u.place][u.reducing].Settle(&a.Attempt, &o)
	return true
}

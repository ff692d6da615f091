package halt_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func TestGate(t *testing.T) {
	for name, open := range map[string]func() retry.Gate{
		"running": func() retry.Gate { return new(halt.Tree).Gate("desk") },
		"active":  func() retry.Gate { return (&halt.Tree{Active: true}).Gate("desk") },
		"watched": func() retry.Gate {
			tree := &halt.Tree{}
			tree.Watch("desk", halt.Limits{})
			return tree.Gate("desk").RiskReducing()
		},
	} {
		t.Run(name, func(t *testing.T) { gatetest.Run(t, open) })
	}
}

func TestZeroGateRefuses(t *testing.T) {
	var g halt.Gate
	if passes(&g) != neither || passes(g.RiskReducing()) != neither || g.Halted(&retry.Attempt{Number: 2}).Err() == nil {
		t.Error("a gate of no tree lets attempts pass")
	}
	ctx, cancel := g.Bind(t.Context())
	if cancel(); !errors.Is(context.Cause(ctx), halt.ErrHalted) {
		t.Errorf("bound to %v; want halted", context.Cause(ctx))
	}
	if err := g.Start(t.Context(), &retry.Attempt{}); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("Start = %v; want refused", err)
	}
}

func TestScopes(t *testing.T) {
	var tree halt.Tree
	for _, c := range []struct {
		path []string
		want halt.Scope
	}{
		{nil, "global"},
		{[]string{"global"}, "global"},
		{[]string{"global", "desk"}, "desk"},
		{[]string{"desk", "BTC/USD", "a b"}, "desk/BTC%2FUSD/a%20b"},
	} {
		g := tree.Gate(c.path...)
		if g.Scope() != c.want || g.Err() != nil || halt.At(c.path...) != c.want {
			t.Errorf("Gate(%q) is at %q, %v; want %q", c.path, g.Scope(), g.Err(), c.want)
		}
		path, err := c.want.Path()
		if at := halt.At(path...); err != nil || at != c.want {
			t.Errorf("%q is %q, %v", c.want, path, err)
		}
	}
	deep := slices.Repeat([]string{"a"}, halt.MaxDepth+1)
	for _, path := range [][]string{{""}, {"a", ""}, {"a\n"}, {"\xff"}, {strings.Repeat("a", halt.MaxSegment+1)}, deep} {
		g := tree.Gate(path...)
		if !errors.Is(g.Err(), halt.ErrScope) || passes(g) != neither || g.Halted(&retry.Attempt{Number: 2}).Err() == nil {
			t.Errorf("Gate(%q): %v, passes %v; want it to refuse", path, g.Err(), passes(g))
		}
		if err := try(g, 1, time.Now()); !errors.Is(err, halt.ErrHalted) || !errors.Is(err, halt.ErrScope) {
			t.Errorf("Gate(%q) refuses with %v; want ErrHalted and ErrScope", path, err)
		}
		if err := tree.Mark(halt.Orders, path...); !errors.Is(err, halt.ErrScope) {
			t.Errorf("Mark(%q) = %v; want ErrScope", path, err)
		}
	}
	for _, s := range []halt.Scope{"a//b", "%zz", "a/"} {
		if _, err := tree.Stop(halt.Command{Scope: s}); !errors.Is(err, halt.ErrScope) || !errors.Is(err, halt.ErrRefused) {
			t.Errorf("Stop(%q) = %v; want refused", s, err)
		}
		if _, err := tree.Watch(s, halt.Limits{}); !errors.Is(err, halt.ErrScope) {
			t.Errorf("Watch(%q) = %v; want ErrScope", s, err)
		}
		if _, err := tree.Look(s); !errors.Is(err, halt.ErrScope) {
			t.Errorf("Look(%q) = %v; want ErrScope", s, err)
		}
	}
}

func TestTooManyScopes(t *testing.T) {
	for _, most := range []int{0, 3, -1} {
		tree := &halt.Tree{MaxScopes: most}
		room := map[int]int{0: halt.DefaultMaxScopes, 3: 3, -1: 1}[most] - 1 // global is one
		for i := range room {
			if g := tree.Gate(strconv.Itoa(i)); g.Err() != nil || passes(g) != both {
				t.Fatalf("gate %d of %d: %v", i, room, g.Err())
			}
		}
		g := tree.Gate("one too many")
		if !errors.Is(g.Err(), halt.ErrScope) || passes(g) != neither {
			t.Errorf("%v, passes %v; want it to refuse", g.Err(), passes(g))
		}
		if _, err := tree.Watch("one too many", halt.Limits{}); !errors.Is(err, halt.ErrScope) {
			t.Errorf("Watch = %v; want ErrScope", err)
		}
		r, err := tree.Stop(halt.Command{Scope: "one too many/x", Who: "ops1"})
		if !errors.Is(err, halt.ErrScope) || errors.Is(err, halt.ErrRefused) || r.Scope != halt.Global || r.Gates != room {
			t.Errorf("Stop = %+v, %v; want the closest scope above stopped", r, err)
		}
	}
}

func TestMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{Lease: time.Second, Lost: halt.Lost{Orders: halt.DrainOnly, Other: halt.Stopped, Reads: halt.NoRetries}}
		a, b, c := tree.Gate("a", "x"), tree.Gate("b", "y"), tree.Gate("c")
		tree.Mark(halt.Orders, "a")
		tree.Mark(halt.Reads, "a")      // less cautious, and comes late
		tree.Mark(halt.Reads, "b", "y") // its own
		tree.Mark(99, "c")              // none: the most cautious
		for _, w := range []struct {
			g     *halt.Gate
			kind  halt.Kind
			state halt.State
		}{{a, halt.Orders, halt.DrainOnly}, {b, halt.Reads, halt.NoRetries}, {c, halt.Orders, halt.DrainOnly}, {tree.Gate("b"), halt.Other, halt.Stopped}} {
			if s := look(t, tree, w.g.Scope()); s.Kind != w.kind || s.State != w.state {
				t.Errorf("%+v; want %v, %v", s, w.kind, w.state)
			}
		}
		tree.Close()
	})
	for k, want := range map[halt.Kind]string{halt.Orders: "orders", halt.Reads: "reads", halt.Other: "other"} {
		if k.String() != want {
			t.Errorf("%v; want %s", k, want)
		}
	}
	for a, want := range map[halt.Admission]string{halt.All: "all", halt.ReducingOnly: "risk-reducing only", halt.Nothing: "nothing", 9: "nothing"} {
		if a.String() != want {
			t.Errorf("%v; want %s", a, want)
		}
	}
}

func TestBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tree halt.Tree
		g := tree.Gate("desk")
		began := make(chan struct{}, 2)
		p := &retry.Policy{Gates: []retry.Gate{g}}
		done := make(chan error)
		go func() {
			done <- retry.Run(t.Context(), p, func(ctx context.Context) error {
				ctx, cancel := g.Bind(ctx)
				defer cancel()
				began <- struct{}{}
				<-ctx.Done()
				return context.Cause(ctx)
			})
		}()
		<-began
		tree.Stop(halt.Command{State: halt.DrainOnly, Cancel: true}) // which lets attempts finish
		stop(t, &tree, "desk", halt.Stopped, "ops1")                 // as does this one, unless asked
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("the attempt was cancelled with %v", err)
		default:
		}
		tree.Stop(halt.Command{Scope: "desk", Who: "ops2", Cancel: true})
		err := <-done
		e, _ := errors.AsType[*retry.Error](err)
		if last, _ := errors.AsType[*halt.Error](e.Last); last == nil || last.Who != "ops2" || e.Attempts != 1 {
			t.Errorf("%v; want the attempt cancelled by ops2", err)
		}
		ctx, cancel := g.Bind(t.Context())
		if synctest.Wait(); !errors.Is(context.Cause(ctx), halt.ErrHalted) {
			t.Error("what is bound after the stop runs on")
		}
		cancel()
		resume(t, &tree, "desk")
		ctx, cancel = g.Bind(t.Context())
		if synctest.Wait(); ctx.Err() != nil {
			t.Error("what is bound after the resume is cancelled")
		}
		if cancel(); ctx.Err() == nil {
			t.Error("cancel does not end the context")
		}
		tree.Close()
	})
}

func TestStatus(t *testing.T) {
	tree := &halt.Tree{Active: true}
	g := tree.Gate("b", "x")
	tree.Gate("a")
	stop(t, tree, "b", halt.NoRetries, "ops1")
	ctx, a := t.Context(), &retry.Attempt{Number: 1}
	if g.Admit(ctx, a) != nil || g.Start(ctx, a) != nil {
		t.Fatal("refused")
	}
	var scopes []halt.Scope
	for _, s := range tree.Status() {
		scopes = append(scopes, s.Scope)
		if s.Scope == "b/x" && (s.Active != 1 || s.Begun != 1 || !s.Gated || s.Retries != halt.Nothing || s.New != halt.All) {
			t.Errorf("%+v; want an attempt that runs, and no retries", s)
		}
	}
	if want := []halt.Scope{"global", "a", "b", "b/x"}; !slices.Equal(scopes, want) {
		t.Errorf("%q; want %q", scopes, want)
	}
	g.Settle(a, &retry.Outcome{})                       // without a note: never began
	g.Settle(a, &retry.Outcome{State: retry.Succeeded}) // began
	if s := look(t, tree, "b/x"); s.Active != 0 {
		t.Errorf("%+v; want none that runs", s)
	}
	if s := look(t, tree, "b/x/unknown"); s.Scope != "b/x" {
		t.Errorf("%+v; want the closest one above", s)
	}
}

func TestStoppersAreRememberedWithinBounds(t *testing.T) {
	var tree halt.Tree
	for i := range 100 {
		stop(t, &tree, "desk", halt.Stopped, "ops"+strconv.Itoa(i))
	}
	r := halt.Release{Scope: "desk", Epoch: 100, Requester: "anna", Approver: "ops36"}
	if _, err := tree.Resume(r); !errors.Is(err, halt.ErrTwoPersons) {
		t.Errorf("Resume by a stopper = %v; want ErrTwoPersons", err)
	}
}

func TestTextIsBounded(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j}
	long := strings.Repeat("é", 1<<20) + "\xff"
	tree.Stop(halt.Command{Who: long, Why: long, Ticket: long, Source: long})
	tree.Stop(halt.Command{})
	r := j.take()
	if len(r[0].Who) > 128 || len(r[0].Why) > 1024 || len(r[0].Ticket) > 128 || len(r[0].Source) > 128 || !strings.HasPrefix(r[0].Who, "é") {
		t.Errorf("%d, %d, %d, %d bytes", len(r[0].Who), len(r[0].Why), len(r[0].Ticket), len(r[0].Source))
	}
	if r[1].Who != "unknown" || r[1].Source != "api" || r[1].Scope != halt.Global || r[1].State != halt.Stopped {
		t.Errorf("%+v; want everything stopped by unknown", r[1])
	}
	resume(t, tree, halt.Global)
}

func TestErrorText(t *testing.T) {
	var tree halt.Tree
	g := tree.Gate("desk")
	tree.Stop(halt.Command{Scope: "desk", State: halt.DrainOnly, Who: "ops1", Why: "release", Ticket: "T-1"})
	want := "draining: desk is drain by ops1: release (T-1)"
	if err := try(g, 1, time.Now()); err.Error() != want {
		t.Errorf("%q; want %q", err, want)
	}
	resume(t, &tree, "desk")
	var err error
	for err == nil {
		err = try(g, 1, time.Now())
	}
	if want := "halted: desk is let go again, and 10 % of attempts pass"; err.Error() != want {
		t.Errorf("%q; want %q", err, want)
	}
	if retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("class %v; want permanent", retry.DefaultClassify(err))
	}
}

// Of several stops the most severe is named, and of equals the latest.
func TestRefusalNamesTheGravestStop(t *testing.T) {
	var tree halt.Tree
	g := tree.Gate("desk", "op")
	for _, c := range []struct {
		scope halt.Scope
		state halt.State
		who   string
		want  string
	}{
		{"desk", halt.NoRetries, "ops1", "ops1"},
		{"desk/op", halt.Stopped, "ops2", "ops2"},
		{"desk", halt.DrainOnly, "ops3", "ops2"},
		{"global", halt.NoRetries, "ops4", "ops2"},
		{"desk", halt.Stopped, "ops5", "ops5"}, // its epoch is 3
	} {
		stop(t, &tree, c.scope, c.state, c.who)
		if e, _ := errors.AsType[*halt.Error](try(g, 2, time.Now())); e == nil || e.Who != c.want {
			t.Errorf("after %+v: %v; want %s named", c, e, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := new(halt.Tree).Check(); err != nil {
		t.Error(err)
	}
	tree := &halt.Tree{
		Ramp: halt.Ramp{Step: -1, Burst: -1}, Lease: -1, Poll: -1, MaxScopes: -1,
		Lost:      halt.Lost{Orders: 9, Other: 9, Reads: 9},
		Approvers: []string{"anna", " "}, Designated: []string{""},
	}
	fields(t, tree.Check(), "Ramp.Step", "Lease", "Poll", "Ramp.Burst", "MaxScopes", "Lost.Orders", "Lost.Other", "Lost.Reads", "Approvers[1]", "Designated[0]")
}

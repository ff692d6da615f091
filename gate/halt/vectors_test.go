package halt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// A purse counts reservations, as a budget does.
type purse struct{ held, paid atomic.Int64 }

func (p *purse) Admit(context.Context, *retry.Attempt) error { p.held.Add(1); return nil }
func (p *purse) Settle(_ *retry.Attempt, o *retry.Outcome) {
	p.held.Add(-1)
	if o.State != retry.NotStarted {
		p.paid.Add(1)
	}
}

func TestK1StopWakesEveryWait(t *testing.T) {
	for _, state := range []halt.State{halt.NoRetries, halt.RiskReducingOnly, halt.DrainOnly, halt.Stopped} {
		synctest.Test(t, func(t *testing.T) {
			const n = 10_000
			tree, money := &halt.Tree{}, &purse{}
			p := &retry.Policy{
				Gates:   []retry.Gate{tree.Gate("desk", "binance", "place_order"), money},
				Backoff: backoff.Constant{Wait: time.Hour, Jitter: backoff.None},
			}
			var begun, ended atomic.Int64
			var calls sync.WaitGroup
			pool := retry.WithPool(t.Context(), &retry.Pool{})
			want := halt.ErrHalted
			if state == halt.DrainOnly {
				want = halt.ErrDraining
			}
			fn := func(context.Context) (int, error) { begun.Add(1); return 0, transient }
			for i := range n {
				calls.Go(func() {
					var err error
					if i%2 == 0 {
						_, err = retry.Do(t.Context(), p, fn)
					} else {
						_, err = retry.Go(pool, p, fn).Wait(t.Context())
					}
					if errors.Is(err, want) && errors.Is(err, errPlain) {
						ended.Add(1)
					}
				})
			}
			synctest.Wait()
			began := time.Now()
			stop(t, tree, halt.Global, state, "ops1")
			calls.Wait()
			if time.Since(began) != 0 {
				t.Errorf("%v: calls ended after %v; want at once", state, time.Since(began))
			}
			if begun.Load() != n || ended.Load() != n {
				t.Errorf("%v: %d attempts, %d calls with the stop and their last error; want %d and %d", state, begun.Load(), ended.Load(), n, n)
			}
			if money.held.Load() != 0 || money.paid.Load() != n {
				t.Errorf("%v: %d reservations kept, %d paid; want 0 and %d", state, money.held.Load(), money.paid.Load(), n)
			}
			tree.Close()
		})
	}
}

func TestK3StopOfOneScope(t *testing.T) {
	var tree halt.Tree
	a, b := tree.Gate("a", "x"), tree.Gate("b", "x")
	stop(t, &tree, "a", halt.Stopped, "ops1")
	if passes(a) != neither || passes(b) != both {
		t.Errorf("a %v, b %v; want a stopped and b not", passes(a), passes(b))
	}
}

func TestK4ResumeLiftsItsScopeOnly(t *testing.T) {
	var tree halt.Tree
	a, b := tree.Gate("firm", "a"), tree.Gate("firm", "b")
	stop(t, &tree, "firm", halt.Stopped, "ops1")
	stop(t, &tree, "firm/a", halt.Stopped, "ops1")
	resume(t, &tree, "firm")
	ramped(t, b, time.Now())
	if passes(a) != neither || passes(b) != both {
		t.Errorf("a %v, b %v; want a still stopped", passes(a), passes(b))
	}
	resume(t, &tree, "firm/a")
	ramped(t, a, time.Now())
	if passes(a) != both {
		t.Errorf("a %v; want running", passes(a))
	}
}

func TestK6TwoPersons(t *testing.T) {
	for _, c := range []struct {
		name string
		r    halt.Release
		want error
	}{
		{"the stopper approves", halt.Release{Epoch: 2, Requester: "anna", Approver: "ops1"}, halt.ErrTwoPersons},
		{"an earlier stopper approves", halt.Release{Epoch: 2, Requester: "anna", Approver: "Ops2 "}, halt.ErrTwoPersons},
		{"one person", halt.Release{Epoch: 2, Requester: "anna", Approver: " ANNA"}, halt.ErrTwoPersons},
		{"no requester", halt.Release{Epoch: 2, Approver: "anna"}, halt.ErrTwoPersons},
		{"no approver", halt.Release{Epoch: 2, Requester: "anna", Approver: " "}, halt.ErrTwoPersons},
		{"an earlier epoch", halt.Release{Epoch: 1, Requester: "anna", Approver: "boris"}, halt.ErrEpoch},
		{"not one of the few", halt.Release{Epoch: 2, Requester: "boris", Approver: "carl"}, halt.ErrApprover},
		{"another scope", halt.Release{Scope: "nowhere", Epoch: 2, Requester: "anna", Approver: "boris"}, halt.ErrNoStop},
		{"a scope that is not stopped", halt.Release{Scope: "desk", Requester: "anna", Approver: "boris"}, halt.ErrNoStop},
		{"no scope", halt.Release{Scope: "a//b", Epoch: 2, Requester: "anna", Approver: "boris"}, halt.ErrScope},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &journal{}
			tree := &halt.Tree{Recorder: j, Approvers: []string{"boris", "ops1", "ops2", "anna"}}
			g := tree.Gate("desk")
			stop(t, tree, halt.Global, halt.Stopped, "ops2")
			stop(t, tree, halt.Global, halt.Stopped, "ops1")
			j.take()
			_, err := tree.Resume(c.r)
			if !errors.Is(err, halt.ErrRefused) || !errors.Is(err, c.want) {
				t.Errorf("Resume(%+v) = %v; want refused: %v", c.r, err, c.want)
			}
			r := j.take()
			if len(r) != 1 || r[0].Action != halt.ActionResume || !errors.Is(r[0].Err, c.want) || r[0].Who != c.r.Requester || r[0].Approver != c.r.Approver {
				t.Errorf("recorded %+v; want the refusal", r)
			}
			if passes(g) != neither {
				t.Error("the refused resume let attempts pass")
			}
		})
	}
}

func TestK8DrainLetsFinish(t *testing.T) {
	var tree halt.Tree
	calls := 0
	p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk")}}
	err := retry.Run(t.Context(), p, func(context.Context) error {
		calls++
		stop(t, &tree, halt.Global, halt.DrainOnly, "ops1")
		return transient
	})
	if calls != 1 || !errors.Is(err, halt.ErrDraining) || errors.Is(err, halt.ErrHalted) || !errors.Is(err, errPlain) {
		t.Errorf("%d calls, %v; want 1, draining with the cause", calls, err)
	}
	if err := retry.Run(t.Context(), p, func(context.Context) error { calls++; return nil }); calls != 1 || !errors.Is(err, halt.ErrDraining) {
		t.Errorf("a new call: %d calls, %v; want refused", calls, err)
	}
	tree.Close()
}

func TestK9RiskReducingOnly(t *testing.T) {
	var tree halt.Tree
	place, cancel := tree.Gate("desk", "place_order"), tree.Gate("desk", "cancel_order").RiskReducing()
	stop(t, &tree, "desk", halt.RiskReducingOnly, "ops1")
	if passes(place) != neither || passes(cancel) != both {
		t.Errorf("place %v, cancel %v; want cancels only", passes(place), passes(cancel))
	}
	tree.Close()
	if cancel.Halted(&retry.Attempt{Number: 2}).Err() != nil || place.Halted(&retry.Attempt{Number: 2}).Err() == nil {
		t.Error("waits for cancels ended, or those for orders did not")
	}
}

func TestK10LostControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		tree := &halt.Tree{Lease: halt.DefaultLease, Recorder: j}
		tree.Mark(halt.Orders, "desk", "place_order")
		tree.Mark(halt.Orders, "desk", "cancel_order")
		tree.Mark(halt.Reads, "desk", "book")
		place, book, other := tree.Gate("desk", "place_order"), tree.Gate("desk", "book"), tree.Gate("desk", "report")
		cancel := tree.Gate("desk", "cancel_order").RiskReducing()
		expect := func(when string, want ...[2]bool) {
			t.Helper()
			synctest.Wait()
			if got := [][2]bool{passes(place), passes(cancel), passes(book), passes(other)}; !slices.Equal(got, want) {
				t.Errorf("%s: place, cancel, book, other pass %v; want %v", when, got, want)
			}
			state := halt.Running
			if want[0] == neither {
				state = halt.RiskReducingOnly
			}
			if s := look(t, tree, "desk/place_order"); s.State != state { // a ramp refuses, too
				t.Errorf("%s: orders are %v; want %v", when, s.State, state)
			}
		}
		lost := [][2]bool{neither, both, both, once}
		all := [][2]bool{both, both, both, both}
		expect("before Run", lost...)
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tree.Run(ctx) }()
		expect("at the start", all...)
		time.Sleep(2 * time.Second)
		tree.Heartbeat(time.Now())
		time.Sleep(halt.DefaultLease - time.Nanosecond)
		expect("within the lease", all...)
		time.Sleep(time.Nanosecond)
		expect("after it", lost...)
		time.Sleep(time.Second)
		tree.Heartbeat(time.Now().Add(-halt.DefaultLease))
		expect("after a heartbeat of long ago", lost...)
		if got := actions(j.take()); !slices.Equal(got, []halt.Action{halt.ActionLost}) {
			t.Errorf("recorded %v; want the loss", got)
		}
		tree.Heartbeat(time.Now().Add(time.Hour)) // counts as now
		if s := look(t, tree, "desk/place_order"); s.Share != 0.1 || s.New != halt.All {
			t.Errorf("back: %+v; want a ramp at its first step", s)
		}
		if s := look(t, tree, "desk/book"); s.Share != 1 {
			t.Errorf("back: %+v; want no ramp for what was not stopped", s)
		}
		if got := passes(other); !got[0] {
			t.Error("the ramp holds back first attempts that had been let through")
		}
		if got := actions(j.take()); !slices.Equal(got, []halt.Action{halt.ActionBack}) {
			t.Errorf("recorded %v; want the return", got)
		}
		time.Sleep(halt.DefaultLease)
		expect("lost again", lost...)
		tree.Heartbeat(time.Now())
		end()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run() = %v; want the cause", err)
		}
		expect("after Run", lost...)
		tree.Heartbeat(time.Now())
		expect("unheard", lost...)
	})
}

func TestK13ExpiryOfStopped(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j}
	g := tree.Gate("desk")
	for _, state := range []halt.State{halt.Stopped, halt.Running, 77} { // the zero State and none mean Stopped, too
		_, err := tree.Stop(halt.Command{State: state, Expires: time.Hour, Who: "ops1"})
		if !errors.Is(err, halt.ErrExpiry) || !errors.Is(err, halt.ErrRefused) {
			t.Errorf("Stop(%v, 1h) = %v; want ErrExpiry", state, err)
		}
		r := j.take()
		if len(r) != 1 || !errors.Is(r[0].Err, halt.ErrExpiry) || r[0].Who != "ops1" {
			t.Errorf("recorded %+v; want the refusal", r)
		}
	}
	if passes(g) != both || look(t, tree, halt.Global).Epoch != 0 {
		t.Error("the refused command had an effect")
	}
}

func TestK14AuditSinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		tree := &halt.Tree{Recorder: j}
		tree.Mark(halt.Orders, "desk", "place_order")
		place, book := tree.Gate("desk", "place_order"), tree.Gate("desk", "book")
		calls := 0
		p := &retry.Policy{Gates: []retry.Gate{place}, MaxAttempts: 10, Idempotent: true}
		err := retry.Run(t.Context(), p, func(context.Context) error {
			calls++
			if calls == 2 {
				tree.AuditFailed(errors.New("disk full"))
			}
			return transient
		})
		if calls != 2 || !errors.Is(err, halt.ErrHalted) || !errors.Is(err, errPlain) {
			t.Errorf("%d calls, %v; want no further attempt", calls, err)
		}
		if passes(place) != once || passes(book) != both {
			t.Errorf("place %v, book %v; want order retries refused only", passes(place), passes(book))
		}
		tree.AuditFailed(nil) // and still
		if got := actions(j.take()); !slices.Equal(got, []halt.Action{halt.ActionLost}) {
			t.Errorf("recorded %v; want the loss once", got)
		}
		tree.AuditBack()
		tree.AuditBack()
		if got := actions(j.take()); !slices.Equal(got, []halt.Action{halt.ActionBack}) {
			t.Errorf("recorded %v; want the return once", got)
		}
		ramped(t, place, time.Now())
		if passes(place) != both {
			t.Error("the trip did not heal")
		}
		tree.Close()
	})
}

func TestRecorderThatFailsIsASinkThatFails(t *testing.T) {
	j := &journal{err: errors.New("disk full")}
	tree := &halt.Tree{Recorder: j}
	tree.Mark(halt.Orders)
	g := tree.Gate("desk")
	if _, err := tree.Stop(halt.Command{Scope: "elsewhere"}); !errors.Is(err, halt.ErrRecord) || errors.Is(err, halt.ErrRefused) {
		t.Errorf("Stop = %v; want in force, and not recorded", err)
	}
	if passes(g) != once || look(t, tree, "elsewhere").State != halt.Stopped {
		t.Errorf("passes %v; want no order retries, and the stop in force", passes(g))
	}
	_, err := tree.Resume(halt.Release{Scope: "elsewhere", Epoch: 1, Requester: "anna", Approver: "boris"})
	if !errors.Is(err, halt.ErrRefused) || !errors.Is(err, halt.ErrRecord) || look(t, tree, "elsewhere").State != halt.Stopped {
		t.Errorf("Resume = %v; want refused, since nobody may know of it", err)
	}
	j.fail(nil)
	resume(t, tree, "elsewhere")
	ramped(t, g, time.Now())
	if passes(g) != both {
		t.Error("order retries are refused although records succeed")
	}
}

func TestK19Ramp(t *testing.T) {
	var tree halt.Tree
	g, cancel := tree.Gate("desk", "place"), tree.Gate("desk", "cancel").RiskReducing()
	stop(t, &tree, halt.Global, halt.Stopped, "ops1")
	resume(t, &tree, halt.Global)
	at := time.Now()
	for _, step := range []struct {
		from, to int
	}{{80, 120}, {480, 520}, {1000, 1000}} {
		passed := 0
		for range 1000 {
			if try(g, 1, at) == nil {
				passed++
			}
			if err := try(cancel, 1, at); err != nil {
				t.Fatalf("a risk-reducing attempt is held back: %v", err)
			}
		}
		if passed < step.from || passed > step.to {
			t.Errorf("%d of 1000 passed; want %d to %d", passed, step.from, step.to)
		}
		at = at.Add(halt.DefaultStep)
	}
	if s := look(t, &tree, halt.Global); s.Share != 1 {
		t.Errorf("%+v; want the ramp over", s)
	}
}

// Of calls made through the engine, a ramp lets the same share pass, and a drawn one is not drawn again.
func TestK19RampThroughDo(t *testing.T) {
	var tree halt.Tree
	p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk")}}
	stop(t, &tree, halt.Global, halt.Stopped, "ops1")
	resume(t, &tree, halt.Global)
	passed := 0
	var refusal error
	for range 1000 {
		if err := retry.Run(t.Context(), p, func(context.Context) error { passed++; return nil }); err != nil {
			refusal = err
		}
	}
	if passed < 80 || passed > 120 {
		t.Errorf("%d of 1000 passed; want 80 to 120", passed)
	}
	e, _ := errors.AsType[*halt.Error](refusal)
	if e == nil || e.Share != 0.1 || e.State != halt.Running || !errors.Is(e, halt.ErrHalted) {
		t.Errorf("refused with %+v; want the ramp's share", e)
	}
}

func TestRampHeldByFailures(t *testing.T) {
	var tree halt.Tree
	g := tree.Gate("desk")
	stop(t, &tree, halt.Global, halt.Stopped, "ops1")
	resume(t, &tree, halt.Global)
	at := time.Now()
	try(g, 1, at)
	fail := func(state retry.State, class retry.Class, n int) {
		for range n {
			g.Settle(&retry.Attempt{Number: 1}, &retry.Outcome{State: state, Class: class, Start: at, End: at})
		}
	}
	share := func() float64 { try(g, 1, at); return look(t, &tree, halt.Global).Share }
	for _, c := range []struct {
		name string
		do   func()
		want float64
	}{
		{"a burst", func() { fail(retry.Failed, retry.Transient, halt.DefaultBurst) }, 0.1},
		{"panics", func() { fail(retry.Panicked, 0, halt.DefaultBurst) }, 0.1},
		{"answers, cancels and what never began", func() {
			fail(retry.Failed, retry.Permanent, 9)
			fail(retry.Canceled, 0, 9)
			fail(retry.NotStarted, 0, 9)
		}, 0.5},
		{"failures with a success between them", func() {
			fail(retry.Failed, 0, halt.DefaultBurst-1)
			fail(retry.Succeeded, 0, 1)
			fail(retry.Failed, 0, halt.DefaultBurst-1)
		}, 1},
	} {
		at = at.Add(halt.DefaultStep - time.Second)
		c.do()
		at = at.Add(time.Second)
		if got := share(); got != c.want {
			t.Errorf("after %s %v pass; want %v", c.name, got, c.want)
		}
	}
}

func TestRampWaitsForAttempts(t *testing.T) {
	var tree halt.Tree
	g := tree.Gate("desk")
	stop(t, &tree, halt.Global, halt.Stopped, "ops1")
	resume(t, &tree, halt.Global)
	at := time.Now().Add(time.Hour)
	try(g, 1, at)
	if s := look(t, &tree, halt.Global).Share; s != 0.1 {
		t.Errorf("first attempt after an hour: %v; want 0.1", s)
	}
	try(g, 1, at.Add(time.Hour))
	if s := look(t, &tree, halt.Global).Share; s != 0.5 {
		t.Errorf("an hour without attempts later: %v; want one step, 0.5", s)
	}
	try(g, 1, at) // late
	stop(t, &tree, halt.Global, halt.NoRetries, "ops1")
	if try(g, 2, at) == nil {
		t.Error("a stop during the ramp does not win")
	}
	if s := look(t, &tree, halt.Global).Share; s != 0.1 {
		t.Errorf("a stop in the ramp leaves %v; want its first step again", s)
	}
}

func TestK21ExpiryLeavesTheStricterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		tree := &halt.Tree{Recorder: j}
		g := tree.Gate("desk")
		defer run(t, tree)()
		if _, err := tree.Stop(halt.Command{State: halt.DrainOnly, Expires: time.Minute, Who: "ops1"}); err != nil {
			t.Fatal(err)
		}
		stop(t, tree, halt.Global, halt.Stopped, "ops2")
		j.take()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := look(t, tree, halt.Global); s.State != halt.Stopped || len(s.Stops) != 1 || s.Epoch != 3 || passes(g) != neither {
			t.Errorf("%+v; want Stopped at epoch 3", s)
		}
		r := j.take()
		if len(r) != 1 || r[0].Action != halt.ActionExpire || r[0].State != halt.DrainOnly || r[0].Who != "ops1" {
			t.Errorf("recorded %+v; want the expiry", r)
		}
	})
}

// run lets a tree run until the function that it returns is called.
func run(t *testing.T, tree *halt.Tree) func() {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { tree.Run(ctx); close(done) }()
	synctest.Wait()
	return func() { cancel(); <-done; tree.Close() }
}

func TestExpiryEndsInARamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &halt.Tree{}
		g := tree.Gate("desk")
		defer run(t, tree)()
		tree.Stop(halt.Command{Scope: "desk", State: halt.DrainOnly, Expires: time.Minute, Who: "ops1"})
		tree.Stop(halt.Command{Scope: "desk", State: halt.DrainOnly, Expires: time.Second, Who: "ops1"}) // merged: the later one
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		if s := look(t, tree, "desk"); s.State != halt.DrainOnly || passes(g) != neither {
			t.Errorf("%+v; want it not expired yet", s)
		}
		time.Sleep(1)
		synctest.Wait()
		if s := look(t, tree, "desk"); s.State != halt.Running || s.Share != 0.1 || s.Epoch != 3 {
			t.Errorf("%+v; want a ramp", s)
		}
		ramped(t, g, time.Now())
		if passes(g) != both {
			t.Error("the ramp does not end")
		}
		tree.Stop(halt.Command{Scope: "desk", State: halt.NoRetries, Expires: time.Second})
		tree.Stop(halt.Command{Scope: "desk", State: halt.NoRetries})
		time.Sleep(time.Hour)
		if synctest.Wait(); passes(g) != once {
			t.Error("a stop without expiry, merged with one that has it, expired")
		}
		resume(t, tree, "desk")
	})
}

func TestK22StopTwice(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j}
	tree.Gate("desk")
	c := halt.Command{Scope: "desk", State: halt.NoRetries, Who: "ops1", Why: "prices", Ticket: "T-1"}
	first, err := tree.Stop(c)
	if err != nil {
		t.Fatal(err)
	}
	one := look(t, tree, "desk")
	second, _ := tree.Stop(c)
	two := look(t, tree, "desk")
	if first.Epoch != 1 || second.Epoch != 2 {
		t.Errorf("epochs %d, %d; want 1, 2", first.Epoch, second.Epoch)
	}
	two.Epoch = one.Epoch
	if fmt.Sprint(one) != fmt.Sprint(two) || len(two.Stops) != 1 {
		t.Errorf("%+v, then %+v; want one state", one, two)
	}
	if r := j.take(); len(r) != 2 || r[1].Epoch != 2 || r[1].Why != "prices" || r[1].Ticket != "T-1" || r[1].Gates != 1 {
		t.Errorf("recorded %+v; want both", r)
	}
}

func TestK24DrillUnderLoad(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j, File: t.TempDir() + "/stops"}
	p := &retry.Policy{Gates: []retry.Gate{tree.Gate("desk", "place")}}
	var failed, made atomic.Int64
	var load sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	for range 4 {
		load.Go(func() {
			for ctx.Err() == nil {
				if retry.Run(context.Background(), p, func(context.Context) error { made.Add(1); return nil }) != nil {
					failed.Add(1)
				}
			}
		})
	}
	for _, scope := range []halt.Scope{halt.Global, "desk/place", "nowhere/at/all"} {
		for made.Load() < 1000 {
			time.Sleep(time.Millisecond)
		}
		r, err := tree.Stop(halt.Command{Scope: scope, Drill: true, Who: "ops1"})
		if err != nil || !r.Drill || r.Took <= 0 || r.Saved < r.Took || r.Gates != 1 {
			t.Errorf("drill = %+v, %v; want its latency", r, err)
		}
	}
	end()
	load.Wait()
	if failed.Load() != 0 {
		t.Errorf("%d of %d attempts felt the drill", failed.Load(), made.Load())
	}
	if s := look(t, tree, halt.Global); s.Epoch != 0 || s.State != halt.Running {
		t.Errorf("%+v; want nothing changed", s)
	}
	for _, r := range j.take() {
		if r.Action != halt.ActionStop || !r.Drill {
			t.Errorf("recorded %+v; want a drill", r)
		}
	}
	stop(t, tree, halt.Global, halt.Stopped, "ops1")
	r, err := tree.Resume(halt.Release{Epoch: 1, Requester: "anna", Approver: "boris", Drill: true})
	if err != nil || !r.Drill || look(t, tree, halt.Global).State != halt.Stopped {
		t.Errorf("drill of a resume = %+v, %v; want nothing changed", r, err)
	}
	if _, err := tree.Resume(halt.Release{Epoch: 9, Drill: true}); !errors.Is(err, halt.ErrRefused) {
		t.Errorf("drill of a wrong resume = %v; want its refusal", err)
	}
}

func TestK31ColumnByColumn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tree halt.Tree
		op := tree.Gate("desk", "binance", "order")
		stop(t, &tree, "desk", halt.NoRetries, "ops1")
		stop(t, &tree, "desk/binance/order", halt.RiskReducingOnly, "ops2")
		calls := 0
		cancel := &retry.Policy{Gates: []retry.Gate{op.RiskReducing()}}
		err := retry.Run(t.Context(), cancel, func(context.Context) error { calls++; return transient })
		if calls != 1 || !errors.Is(err, halt.ErrHalted) || !errors.Is(err, errPlain) {
			t.Errorf("cancel: %d attempts, %v; want 1, halted with the cause", calls, err)
		}
		e, _ := errors.AsType[*halt.Error](err)
		if e.Scope != "desk" || e.State != halt.NoRetries || e.Who != "ops1" {
			t.Errorf("cancel refused by %+v; want the desk's stop", e)
		}
		err = retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{op}}, func(context.Context) error { calls++; return nil })
		e, _ = errors.AsType[*halt.Error](err)
		if calls != 1 || e == nil || e.Who != "ops2" {
			t.Errorf("new order: %d attempts, %v; want refused by the operation's stop", calls, err)
		}
		if s := look(t, &tree, "desk/binance/order"); s.New != halt.ReducingOnly || s.Retries != halt.Nothing || s.State != halt.RiskReducingOnly {
			t.Errorf("%+v; want the columns' strictest", s)
		}
		tree.Close()
	})
}

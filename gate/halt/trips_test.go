package halt_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func watch(t *testing.T, tree *halt.Tree, scope halt.Scope, l halt.Limits) *halt.Watch {
	t.Helper()
	w, err := tree.Watch(scope, l)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTripsThatAreTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits halt.Limits
		tell   func(*halt.Watch) error
		after  int // how many times it is told until it trips; 0 for never
		trip   string
	}{
		{"a duplicate", halt.Limits{}, func(w *halt.Watch) error { return w.Duplicate("o-1") }, 1, halt.TripDuplicates},
		{"three duplicates", halt.Limits{Duplicates: 3}, func(w *halt.Watch) error { return w.Duplicate("o-1") }, 3, halt.TripDuplicates},
		{"duplicates are fine", halt.Limits{Duplicates: halt.None}, func(w *halt.Watch) error { return w.Duplicate("o-1") }, 0, ""},
		{"executions", halt.Limits{Executions: 4}, (*halt.Watch).Executed, 5, halt.TripExecutions},
		{"any executions", halt.Limits{}, (*halt.Watch).Executed, 0, ""},
		{"spend", halt.Limits{Spend: 10}, func(w *halt.Watch) error { return w.Spent(4) }, 3, halt.TripSpend},
		{"spend of maxima", halt.Limits{Spend: math.MaxInt64 - 1}, func(w *halt.Watch) error { return w.Spent(math.MaxInt64/2 + 9) }, 2, halt.TripSpend},
		{"money back", halt.Limits{Spend: 10}, func(w *halt.Watch) error { w.Spent(-8); return w.Spent(6) }, 2, halt.TripSpend},
		{"spend below nothing", halt.Limits{Spend: math.MinInt64}, func(w *halt.Watch) error { return w.Spent(1) }, 1, halt.TripSpend},
		{"executions below none", halt.Limits{Executions: -1}, (*halt.Watch).Executed, 1, halt.TripExecutions},
		{"duplicates below none", halt.Limits{Duplicates: -2}, func(w *halt.Watch) error { return w.Duplicate("o-1") }, 1, halt.TripDuplicates},
		{"any spend", halt.Limits{}, func(w *halt.Watch) error { return w.Spent(1 << 60) }, 0, ""},
		{"the same version", halt.Limits{Skew: true}, func(w *halt.Watch) error { return w.Skew("n1", "v1", "v1") }, 0, ""},
		{"another version", halt.Limits{Skew: true}, func(w *halt.Watch) error { return w.Skew("n1", "v1", "v2") }, 1, halt.TripSkew},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &journal{}
			tree := &halt.Tree{Recorder: j, Approvers: []string{"boris", "anna"}, Designated: []string{"diana"}}
			g := tree.Gate("desk", "venue")
			w := watch(t, tree, "desk", c.limits)
			for round := range 2 { // the second after a resume, which starts the counts anew
				for n := 1; n <= 20; n++ {
					err := c.tell(w)
					if tripped := c.after > 0 && n >= c.after; tripped != (err != nil) || tripped && !errors.Is(err, halt.ErrHalted) {
						t.Fatalf("round %d, told %d times: %v; want a trip %v", round, n, err, tripped)
					}
				}
				r := j.take()
				if c.after == 0 {
					if len(r) != 0 || passes(g) != both {
						t.Errorf("recorded %+v; want nothing", r)
					}
					return
				}
				if len(r) != 1 || r[0].Action != halt.ActionTrip || r[0].Who != c.trip || r[0].Source != "trip" {
					t.Fatalf("recorded %+v; want one trip", r)
				}
				if passes(g) != neither || passes(g.RiskReducing()) != both {
					t.Error("not risk-reducing only")
				}
				release := halt.Release{Scope: "desk", Epoch: r[0].Epoch, Requester: "anna", Approver: "boris"}
				if _, err := tree.Resume(release); !errors.Is(err, halt.ErrApprover) {
					t.Errorf("Resume by one who may not = %v; want ErrApprover", err)
				}
				release.Approver = "Diana"
				if _, err := tree.Resume(release); err != nil {
					t.Errorf("Resume by the designated person = %v", err)
				}
				j.take()
			}
		})
	}
}

func TestHeldTripWithoutNamedPersons(t *testing.T) {
	tree := &halt.Tree{}
	w := watch(t, tree, "desk", halt.Limits{State: 99})
	w.Duplicate("o-1")
	stop(t, tree, "desk", halt.Stopped, "ops1") // merged with the trip, which stays held
	if _, err := tree.Resume(halt.Release{Scope: "desk", Epoch: 2, Requester: "anna", Approver: "boris"}); !errors.Is(err, halt.ErrApprover) {
		t.Errorf("Resume = %v; want nobody to be able to", err)
	}
	if s := look(t, tree, "desk").Stops[0]; s.Trip != halt.TripDuplicates || !s.Held || s.Who != "ops1" || s.State != halt.Stopped {
		t.Errorf("%+v; want the trip and the stop", s)
	}
	tree = &halt.Tree{Approvers: []string{"boris"}} // who then are the named ones
	w = watch(t, tree, "desk", halt.Limits{})
	w.Duplicate("o-1")
	resume(t, tree, "desk")
}

func TestSkewAlerts(t *testing.T) {
	j := &journal{}
	tree := &halt.Tree{Recorder: j}
	g := tree.Gate("desk")
	w := watch(t, tree, "desk", halt.Limits{})
	if err := w.Skew("node7", "v1", "v2"); err != nil {
		t.Error(err)
	}
	r := j.take()
	if len(r) != 1 || r[0].Action != halt.ActionAlert || !strings.Contains(r[0].Why, "node7") || passes(g) != both {
		t.Errorf("recorded %+v; want an alert and no stop", r)
	}
}

func TestAttemptsPerParent(t *testing.T) {
	tree := &halt.Tree{}
	place, cancel := tree.Gate("desk", "place"), tree.Gate("desk", "cancel").RiskReducing()
	watch(t, tree, "desk", halt.Limits{})
	watch(t, tree, halt.Global, halt.Limits{}) // which does not count them once more
	policy := func(g *halt.Gate) *retry.Policy {
		return &retry.Policy{Gates: []retry.Gate{g}, MaxAttempts: 5, Backoff: backoff.Constant{Jitter: backoff.None}}
	}
	parent := &halt.Parent{ID: "parent-1"}
	ctx := halt.WithParent(t.Context(), parent)
	calls := 0
	fail := func(context.Context) error { calls++; return transient }
	var err error
	for range 5 {
		err = retry.Run(ctx, policy(place), fail)
	}
	if calls != halt.DefaultAttempts || !errors.Is(err, halt.ErrHalted) || !strings.Contains(err.Error(), "global is risk-reducing by attempts per parent: attempt 17 of parent parent-1") {
		t.Errorf("%d attempts, %v; want 16 and the trip", calls, err)
	}
	if err := retry.Run(ctx, policy(cancel), func(context.Context) error { calls++; return nil }); err != nil {
		t.Errorf("cancel for the same parent: %v; want let through", err)
	}

	tree = &halt.Tree{} // without a parent, a call counts for itself
	watch(t, tree, halt.Global, halt.Limits{Attempts: 3})
	calls = 0
	if err := retry.Run(t.Context(), policy(tree.Gate("desk")), fail); calls != 3 || !errors.Is(err, halt.ErrHalted) || !errors.Is(err, errPlain) {
		t.Errorf("%d attempts, %v; want 3", calls, err)
	}
	tree = &halt.Tree{}
	watch(t, tree, halt.Global, halt.Limits{Attempts: halt.None})
	calls = 0
	p := policy(tree.Gate("desk"))
	p.MaxAttempts = 40
	if retry.Run(t.Context(), p, fail); calls != 40 {
		t.Errorf("%d attempts without a limit; want 40", calls)
	}
}

func TestMessagesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		tree := &halt.Tree{Recorder: j}
		g := tree.Gate("desk", "venue")
		cancel := g.RiskReducing()
		watch(t, tree, "desk", halt.Limits{Messages: 10, Heal: time.Second})
		defer run(t, tree)()
		at := time.Now()
		for i := range 100 { // exactly the limit, for ten seconds, retries included
			if err := try(g, 1+i%2, at); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			at = at.Add(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if err := try(g, 1, at.Add(-time.Nanosecond)); !errors.Is(err, halt.ErrHalted) {
			t.Errorf("one too many: %v; want refused", err)
		}
		if err := try(cancel, 1, at.Add(-time.Nanosecond)); err != nil {
			t.Errorf("cancel beyond the limit: %v; want let through", err)
		}
		if got := look(t, tree, "desk").Stops; len(got) != 1 || got[0].Held || got[0].Trip != halt.TripMessages {
			t.Errorf("%+v; want a trip that heals", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s := look(t, tree, "desk"); s.State != halt.Running || s.Share != 0.1 {
			t.Errorf("%+v; want healed into a ramp", s)
		}
		if got := actions(j.take()); !slices.Equal(got, []halt.Action{halt.ActionTrip, halt.ActionExpire}) {
			t.Errorf("recorded %v", got)
		}
	})
	var tree halt.Tree
	g := tree.Gate("desk")
	watch(t, &tree, "desk", halt.Limits{Messages: 1, Heal: time.Second, State: halt.Stopped})
	at := time.Now()
	try(g, 1, at)
	try(g, 1, at)
	if s := look(t, &tree, "desk").Stops; len(s) != 1 || !s[0].Until.IsZero() || !s[0].Held {
		t.Errorf("%+v; want no healing of Stopped", s)
	}
	if passes(g.RiskReducing()) != neither {
		t.Error("Stopped lets risk-reducing attempts pass")
	}
}

// The trip of an attempt is saved before the attempt is refused, and names why it could not be.
func TestTripThatCannotBeSaved(t *testing.T) {
	tree := &halt.Tree{File: t.TempDir() + "/none/stops"}
	w := watch(t, tree, "desk", halt.Limits{})
	if err := w.Duplicate("o-1"); !errors.Is(err, halt.ErrHalted) || !errors.Is(err, halt.ErrSave) || !strings.Contains(err.Error(), "could not be saved") {
		t.Errorf("%v; want the trip, and that it is not saved", err)
	}
}

func TestLimitsCheck(t *testing.T) {
	if err := (halt.Limits{Attempts: halt.None, Duplicates: halt.None, Messages: 5, Heal: 1}).Check(); err != nil {
		t.Error(err)
	}
	err := halt.Limits{
		Attempts: -2, Messages: -1, Heal: -1, Executions: -1, Spend: -1, Duplicates: -2, State: 9,
	}.Check()
	more := halt.Limits{Messages: 1 << 20, Heal: 1, State: halt.Stopped}.Check()
	fields(t, errors.Join(err, more), "Attempts", "Messages", "Heal", "Executions", "Spend", "Duplicates", "State", "Messages", "Heal")
}

// fields checks which fields the mistakes begin with.
func fields(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(err.Error()) {
		field, _, _ := strings.Cut(line, ":")
		got = append(got, field)
	}
	if !slices.Equal(got, want) {
		t.Errorf("mistakes in %q; want %q", got, want)
	}
}

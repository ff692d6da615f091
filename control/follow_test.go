package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// What the control plane's configuration says comes between the program's policy and what operators override.
func TestFleetConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &book{}
		r := &control.Registry{Instance: "p1", Recorder: records}
		add := func(p *retry.Policy) *control.Operation {
			t.Helper()
			o, err := r.AddOperation("venue", p)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		place, fetch := add(&retry.Policy{Name: "place", MaxAttempts: 5}), add(&retry.Policy{Name: "fetch", Cost: 2})
		f := join(t, &control.Fleet{Registry: r})
		order := func(hash string, policies map[string]map[string]string) {
			t.Helper()
			f.plane.order(control.Orders{Config: &control.ConfigOrder{Hash: hash, Actor: "ann", Source: "api", Policies: policies}})
		}
		order("h1", map[string]map[string]string{"place": {"max_attempts": "2", "cost": "3"}, "nowhere": {"cost": "9"}})
		if p := place.Current(); p.MaxAttempts != 2 || p.Cost != 3 || fetch.Current().Cost != 2 {
			t.Errorf("place %+v, fetch %+v", p, fetch.Current())
		}
		if v := place.View(); v.Base["max_attempts"] != "2" || len(v.Override) != 0 || v.Version != 2 || v.Component != "venue" {
			t.Errorf("%+v; want it in the base, in version 2", v)
		}
		if c := r.View().Config; c == nil || c.Hash != "h1" || !c.Good || c.Reloads != 1 {
			t.Errorf("config %+v", c)
		}
		one := records.records
		if len(one) != 1 || one[0].Config != "h1" || one[0].Actor != "ann" || one[0].Rule != "fleet api" || one[0].Validation != "place.max_attempts: 5 -> 2, place.cost: 1 -> 3" {
			t.Errorf("records %+v", one)
		}
		order("h1", nil) // the same again
		if place.Current().MaxAttempts != 2 || len(records.records) != 1 {
			t.Error("the same orders again did something")
		}

		// An override stays above the configuration, and is cleared by one that equals it.
		tune := func(field, text string) {
			t.Helper()
			if _, err := r.Tune(t.Context(), control.Tune{Operation: "place", Version: place.View().Version, Fields: map[string]string{field: text}, Actor: "bob", Reason: "storm"}); err != nil {
				t.Fatal(err)
			}
		}
		tune("max_attempts", "1")
		before := fetch.Current()
		order("h2", map[string]map[string]string{"place": {"max_attempts": "4"}})
		if v := place.View(); place.Current().MaxAttempts != 1 || v.Override["max_attempts"] != "1" || v.Base["cost"] != "1" {
			t.Errorf("%+v; want the override above the configuration, and the program's cost", v)
		}
		if fetch.Current() != before {
			t.Error("an operation that did not change has another policy")
		}
		order("h3", map[string]map[string]string{"place": {"max_attempts": "1"}})
		if v := place.View(); len(v.Override) != 0 || place.Current().MaxAttempts != 1 {
			t.Errorf("%+v; want the override cleared", v)
		}

		// One mistake refuses all of it.
		order("h4", map[string]map[string]string{"place": {"idempotent": "true"}, "fetch": {"cost": "7"}})
		if fetch.Current().Cost != 2 || place.Current().Idempotent {
			t.Error("a configuration with a mistake is in force")
		}
		if c := r.View().Config; c.Good || c.Hash != "h3" || c.Failures != 1 || !strings.Contains(strings.Join(c.Errors, " "), "place: idempotent: can only be taken away") {
			t.Errorf("config %+v", c)
		}
		if h := r.Health(t.Context()); h.Status != control.StatusDegraded || !h.Ready {
			t.Errorf("health %+v; want degraded and ready", h)
		}

		// What comes later follows it, too: operations, and what the program's own configuration says.
		order("h5", map[string]map[string]string{"late": {"cost": "8"}, "odd": {"idempotent": "true"}, "fetch": {"cost": "4"}})
		if late := add(&retry.Policy{Name: "late"}); late.Current().Cost != 8 {
			t.Errorf("late %+v", late.Current())
		}
		if odd := add(&retry.Policy{Name: "odd", Cost: 6}); odd.Current().Cost != 6 || r.View().Config.Good {
			t.Errorf("odd %+v, %+v; want the program's policy, and the mistake told", odd.Current(), r.View().Config)
		}
		d, err := r.Apply(t.Context(), control.Set{Policies: map[string]*retry.Policy{"fetch": {Cost: 5, MaxAttempts: 9}, "place": {}}})
		if err != nil || fetch.Current().Cost != 4 || fetch.Current().MaxAttempts != 9 {
			t.Errorf("Apply = %v, %v; fetch %+v", d, err, fetch.Current())
		}
		if _, err := r.Apply(t.Context(), control.Set{Policies: map[string]*retry.Policy{"odd": {}}}); err == nil {
			t.Error("a program's configuration that does not go with the control plane's is in force")
		}

		// What cannot be recorded is not in force, and neither is it later.
		records.err = errors.New("disk full")
		order("h6", map[string]map[string]string{"fetch": {"cost": "3"}, "later": {"cost": "3"}})
		records.err = nil
		if o := add(&retry.Policy{Name: "later"}); fetch.Current().Cost != 4 || o.Current().Cost != 0 {
			t.Errorf("fetch %+v; want what was in force", fetch.Current())
		}
		f.end()
	})
}

// Calls that run keep the policy that they began with when the configuration changes.
func TestFleetConfigDuringCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{Instance: "p1"}
		o, err := r.AddOperation("", &retry.Policy{Name: "fetch", MaxAttempts: 3, Idempotent: true})
		if err != nil {
			t.Fatal(err)
		}
		f := join(t, &control.Fleet{Registry: r})
		tries := 0
		done := make(chan error, 1)
		go func() {
			done <- retry.Run(t.Context(), o, func(context.Context) error {
				tries++
				time.Sleep(time.Second)
				return errors.New("busy")
			})
		}()
		synctest.Wait()
		f.plane.order(control.Orders{Config: &control.ConfigOrder{Hash: "h", Policies: map[string]map[string]string{"fetch": {"max_attempts": "1"}}}})
		if <-done; tries != 3 || o.Current().MaxAttempts != 1 {
			t.Errorf("%d tries, %+v; want 3 of the call that ran, and 1 from then on", tries, o.Current())
		}
		f.end()
	})
}

func TestReloaded(t *testing.T) {
	r := &control.Registry{RequireConfig: true, Logger: slog.New(slog.DiscardHandler)}
	r.ReloadFailed(errors.New("odd"))
	r.Reloaded("h", "x: 1 -> 2")
	if c := r.View().Config; !c.Good || c.Hash != "h" || c.Reloads != 1 || c.Failures != 1 || c.Loaded.IsZero() || len(c.Errors) != 0 {
		t.Errorf("%+v", c)
	}
	if h := r.Health(t.Context()); h.Status != control.StatusOK || !h.Ready {
		t.Errorf("%+v", h)
	}
}

// Orders may be of what changed alone. A process that missed some of them asks for all again.
func TestFleetOrdersThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree, leader := &halt.Tree{}, &halt.Tree{}
		f := join(t, &control.Fleet{Stops: tree, Interval: 100 * time.Millisecond})
		change := func(from uint64, scope string, released map[string]control.Released) {
			t.Helper()
			s, _ := leader.Look(halt.Scope(scope))
			f.plane.order(control.Orders{
				Version: from + 1, From: from, Stops: leader.Snapshot(halt.Scope(scope)), Epochs: map[string]uint64{scope: s.Epoch}, Released: released,
			})
		}
		stop := func(scope halt.Scope) {
			t.Helper()
			if _, err := leader.Stop(halt.Command{Scope: scope, Who: "ann"}); err != nil {
				t.Fatal(err)
			}
		}
		stopped := func(scope halt.Scope) bool { s, _ := tree.Look(scope); return len(s.Stops) > 0 }
		stop("a")
		whole := lead(leader, 1, nil)
		whole.Tunes, whole.Config = map[string]control.TuneOrder{"x": {}}, &control.ConfigOrder{Hash: "h"}
		f.plane.order(whole)
		stop("b")
		change(1, "b", nil)
		if !stopped("a") || !stopped("b") || f.State().Version != 2 {
			t.Errorf("a stopped %v, b %v, version %d", stopped("a"), stopped("b"), f.State().Version)
		}
		if f.Registry.View().Config.Hash != "h" {
			t.Error("orders of what changed took the configuration back")
		}

		// What is as the control plane wants it need not be told to it again.
		if _, err := tree.Stop(halt.Command{Scope: "here", Who: "bob"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		f.plane.mu.Lock()
		var told []string
		for _, s := range f.plane.reports[len(f.plane.reports)-1].View.Stops {
			told = append(told, s.Scope)
		}
		f.plane.mu.Unlock()
		if fmt.Sprint(told) != "[here]" {
			t.Errorf("tells of %v; want what was stopped here alone", told)
		}

		// A release of a scope that an earlier change stopped.
		if _, err := leader.Resume(halt.Release{Scope: "a", Epoch: 1, Requester: "bob", Approver: "cid"}); err != nil {
			t.Fatal(err)
		}
		change(2, "a", map[string]control.Released{"a": {Requester: "bob", Approver: "cid", Reason: "mended"}})
		if stopped("a") || !stopped("b") {
			t.Errorf("after the release a is stopped: %v, b: %v", stopped("a"), stopped("b"))
		}
		f.plane.order(control.Orders{Version: 4, From: 3})
		if f.State().Version != 4 || !f.State().Connected {
			t.Errorf("a change of nothing: %+v", f.State())
		}

		before := f.State().Failures
		change(7, "b", nil)
		if s := f.State(); s.Failures != before+1 || s.Connected || !strings.Contains(s.Err.Error(), "something was missed") {
			t.Errorf("after a change since another version: %+v; want it to begin anew", s)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		f.plane.order(lead(leader, 8, nil))
		if s := f.State(); !s.Connected || s.Version != 8 {
			t.Errorf("%+v; want it back", s)
		}
		f.end()
	})
}

package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// opened registers a breaker and lets it open, for one hour.
func opened(t *testing.T, r *control.Registry, c control.Circuit) *breaker.Breaker {
	t.Helper()
	b := &breaker.Breaker{Name: c.Target, Rules: breaker.Rules{Classic: true, Calls: 2, MinSamples: 2, FailureRate: 0.5, OpenFor: time.Hour, MaxOpenFor: time.Hour}}
	c.Breaker = b
	if err := r.AddCircuit(c); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		retry.Run(t.Context(), &retry.Policy{MaxAttempts: 1, Gates: []retry.Gate{b}}, func(context.Context) error { return errBusy })
	}
	return b
}

// An empty registry shows everything there could be, as empty lists, and all of its JSON can be read back.
func TestViewOfNothing(t *testing.T) {
	r := &control.Registry{Build: control.Build{Version: "v1"}}
	v := r.View()
	if v.Instance == "" || v.Epoch == 0 || v.Since.IsZero() || v.At.Before(v.Since) || v.Build.Version != "v1" || v.Audit != nil || v.Config != nil {
		t.Errorf("%+v", v)
	}
	text, err := json.Marshal(v)
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v; want empty lists", text, err)
	}
	var back control.View
	if err := json.Unmarshal(text, &back); err != nil {
		t.Error(err)
	}
}

func TestView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{Instance: "host:1"}
		notes := r.Subscribe(control.Filter{Kinds: []string{"circuit"}}, 0)
		told := 0
		b := opened(t, r, control.Circuit{Policy: "a", Target: "eu", Component: "venue"})
		tree := &breaker.Tree{OnChange: func(breaker.Change) { told++ }}
		if err := r.AddCircuit(control.Circuit{Policy: "b", Tree: tree}); err != nil {
			t.Fatal(err)
		}
		tree.Gate("venue", "orders").Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour})
		forced := &breaker.Breaker{Name: "forced"}
		if err := r.AddCircuit(control.Circuit{Policy: "c", Breaker: forced}); err != nil {
			t.Fatal(err)
		}
		forced.ForceClose(breaker.Order{Who: "bob", Why: "trust me", For: time.Hour})
		for _, bad := range []control.Circuit{{}, {Breaker: b, Tree: tree}, {Breaker: b}, {Tree: tree}} {
			if err := r.AddCircuit(bad); err == nil {
				t.Errorf("AddCircuit(%+v) = nil; want what is wrong", bad)
			}
		}
		r.AddBudget("orders", control.BudgetOf(&budget.Budget{}, "a", "b"))
		r.AddVenue("binance", func() control.VenueView { return control.VenueView{Unknown: 2} })
		r.AddDropped("analytics", func() uint64 { return 7 })
		r.SetFindings(func() []control.FindingView { return []control.FindingView{{Kind: "hot", Subject: "a"}} })
		r.SetAudit(func() control.AuditView { return control.AuditView{Records: 5} })
		v := r.View()

		if len(v.Circuits) != 4 { // the gate, and the group above it
			t.Fatalf("%d circuits: %+v; want 4", len(v.Circuits), v.Circuits)
		}
		eu, orders, c := v.Circuits[0], v.Circuits[2], v.Circuits[3]
		if eu.State != "open" || eu.Target != "eu" || eu.NextProbe.IsZero() || eu.FailureRate != 1 || eu.Transitions["open"] != 1 || len(eu.Transitions) != 6 ||
			len(eu.History) != 1 || eu.History[0].To != "open" || eu.Cause != "failure rate" || eu.Since.IsZero() {
			t.Errorf("%+v; want it open", eu)
		}
		if orders.Target != "venue/orders" || orders.State != "isolated" || orders.Cause != "set by a person: ann (test)" || orders.Transitions["isolated"] != 1 {
			t.Errorf("%+v; want it isolated", orders)
		}
		if c.State != "closed" || !c.Forced || c.Target != "forced" || c.Cause != "set by a person: bob (trust me)" {
			t.Errorf("%+v; want it closed by force", c)
		}
		if told != 1 {
			t.Errorf("the tree's own listener was told %d times; want 1", told)
		}
		notes.Close()
		all, _ := notes.Next(t.Context())
		if len(all) != 3 || all[0].Text != "closed -> open: failure rate" || all[1].Text != "closed -> isolated: set by a person: ann (test)" || all[1].Target != "venue/orders" {
			t.Errorf("notes %+v", all)
		}
		if got := v.Budgets[0]; got.Name != "orders" || got.Level != 10 || got.Max != 10 || !slices.Equal(got.Policies, []string{"a", "b"}) {
			t.Errorf("budget %+v", got)
		}
		if v.Venues[0].Name != "binance" || v.Venues[0].Unknown != 2 || v.Findings[0].Kind != "hot" || v.Audit.Records != 5 || v.Dropped["analytics"] != 7 {
			t.Errorf("%+v", v)
		}
	})
}

// A circuit remembers its last ten transitions.
func TestHistoryIsBounded(t *testing.T) {
	r := &control.Registry{}
	b := &breaker.Breaker{Name: "x"}
	if err := r.AddCircuit(control.Circuit{Policy: "a", Breaker: b}); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		b.Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour})
		b.Release(breaker.Order{Who: "ann", Why: "test"})
	}
	v := r.View().Circuits[0]
	if len(v.History) != 10 || v.Transitions["isolated"] != 12 || v.Transitions["half_open"] != 12 || v.History[9].To != "half_open" {
		t.Errorf("%+v; want ten of 24 transitions", v)
	}
}

// Names without end become one.
func TestViewCaps(t *testing.T) {
	r := &control.Registry{}
	stops := &halt.Tree{}
	if err := r.AddStops(stops); err != nil {
		t.Fatal(err)
	}
	tree := &breaker.Tree{MaxKeys: 2000}
	if err := r.AddCircuit(control.Circuit{Policy: "a", Tree: tree}); err != nil {
		t.Fatal(err)
	}
	for i := range 1200 {
		tree.Gate(fmt.Sprintf("k%04d", i)).Isolate(breaker.Order{Who: "ann", Why: "test", For: time.Hour})
		if i < 210 {
			r.Stop(t.Context(), control.Stop{Scope: fmt.Sprintf("s%03d", i), State: "drain", Actor: "ann"})
		}
		if i < 70 {
			r.AddVenue(fmt.Sprintf("v%02d", i), func() control.VenueView { return control.VenueView{Unknown: 1} })
		}
	}
	r.Stop(t.Context(), control.Stop{State: "no-retries", Actor: "ann"})
	v := r.View()
	last := v.Circuits[len(v.Circuits)-1]
	if len(v.Circuits) != 200 || last.Target != control.Other || last.State != "isolated" || last.Transitions["isolated"] < 800 || v.Overflow["target"] < 1001 {
		t.Errorf("%d circuits, %+v, %v", len(v.Circuits), last, v.Overflow)
	}
	if n := len(v.Venues); n != 64 || v.Venues[63].Name != control.Other || v.Venues[63].Unknown != 7 || v.Overflow["venue"] != 7 {
		t.Errorf("%d venues, %+v, %v", n, v.Venues[n-1], v.Overflow)
	}
	if n := len(v.Stops); n != 200 || v.Stops[0].Scope != "global" || v.Stops[199].Scope != control.Other || v.Stops[199].State != "drain" || v.Overflow["scope"] != 12 {
		t.Errorf("%d stops, %+v, %v", n, v.Stops[n-1], v.Overflow)
	}
}

// The refill is what a budget earned, spent or not.
func TestRefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{Ratio: 0.5, Max: 10}
		view := control.BudgetOf(b)
		p := &retry.Policy{MaxAttempts: 2, Gates: []retry.Gate{b}}
		for range 4 {
			retry.Run(t.Context(), p, func(context.Context) error { return errBusy })
		}
		before := view()
		began := time.Now()
		for range 8 {
			time.Sleep(250 * time.Millisecond)
			retry.Run(t.Context(), p, func(context.Context) error { return nil })
		}
		n := 0
		retry.Run(t.Context(), p, func(context.Context) error {
			if n++; n == 1 {
				return errBusy
			}
			return nil
		})
		v := view()
		want := (8*0.5 + 0.5) / time.Since(began).Seconds()
		if before.Refill != 0 || v.Refill < want-0.01 || v.Refill > want+0.01 || v.Granted != 5 || v.Level >= 10 {
			t.Errorf("%+v; want a refill of %v", v, want)
		}
		if again := view(); again.Refill != v.Refill {
			t.Errorf("%v a moment later; want the same", again.Refill)
		}
		for range 30 {
			retry.Run(t.Context(), p, func(context.Context) error { return errBusy })
		}
		if v := view(); v.Denied == 0 {
			t.Errorf("%+v; want denials", v)
		}
	})
}

func TestAuditOf(t *testing.T) {
	store, err := audit.OpenFile(t.TempDir(), audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	log := &audit.Log{Store: store}
	if v := control.AuditOf(log)(); v != (control.AuditView{}) {
		t.Errorf("before any record: %+v", v)
	}
	done := make(chan error)
	go func() { done <- log.Run(context.Background()) }()
	for log.Record(t.Context(), audit.Record{Decision: audit.Stop}) != nil { // until it runs
		runtime.Gosched()
	}
	heads, err := store.Heads(t.Context())
	if v := control.AuditOf(log)(); err != nil || v.Records == 0 || v.WriteErrors != 0 || len(heads) != 1 || v.Head != heads[0].Hash.String() {
		t.Errorf("%+v, %v, %v; want a record, and the head of the chain", v, heads, err)
	}
	if err := control.AuditWritable(log)(t.Context()); err != nil {
		t.Errorf("writable: %v", err)
	}
	store.Close()
	for log.Record(t.Context(), audit.Record{Decision: audit.Stop}) == nil {
	}
	if err := control.AuditWritable(log)(t.Context()); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("writable: %v; want closed", err)
	}
	log.Close()
	<-done
}

// Views while everything changes are free of races, and whole.
func TestViewUnderLoad(t *testing.T) {
	r, o := operation(t, &retry.Policy{Name: "a"})
	done := make(chan bool)
	go func() {
		defer close(done)
		for i := range 300 {
			retry.Run(t.Context(), o, func(context.Context) error { return nil })
			r.Apply(t.Context(), control.Set{Policies: map[string]*retry.Policy{"a": {Cost: int64(i)}, fmt.Sprint("p", i%7): {}}})
		}
	}()
	for {
		v := r.View()
		if !slices.IsSortedFunc(v.Policies, func(a, b control.PolicyView) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%+v; want them by name", v.Policies)
		}
		select {
		case <-done:
			if got := slices.Collect(maps.Keys(r.View().Dropped)); len(got) != 1 {
				t.Errorf("dropped %v", got)
			}
			return
		default:
		}
	}
}

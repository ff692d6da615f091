package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// file returns a valid file.
func file(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("relent.yaml", []byte(text), environment)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func built(t *testing.T, text string, previous *Set) *Set {
	t.Helper()
	s, err := file(t, text).Build(previous)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBuild(t *testing.T) {
	text, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := file(t, string(text)).Preview()
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Policy("binance.place_order")
	if err != nil || p.MaxAttempts != 2 || p.MaxElapsed != 5*time.Second || p.AttemptTimeout != 2*time.Second || p.Priority != retry.Critical || p.Idempotent ||
		p.Backoff != (backoff.Exponential{Base: 50 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2}) {
		t.Errorf("binance.place_order = %+v, %v", p, err)
	}
	breakers, budgets, limits := s.Breakers["binance"].(*breaker.Breaker), s.Budgets["orders"].(*budget.Budget), s.Limits
	if p.Gates[1] != retry.Gate(breakers) || p.Gates[2] != retry.Gate(budgets) || p.Gates[3] != limits["binance.rate"] || p.Gates[4] != limits["binance.slots"] {
		t.Errorf("gates %v", p.Gates)
	}
	if s.Policies["binance.cancel_order"].Gates[1] != retry.Gate(breakers) || budgets.Health != budget.Health(breakers) {
		t.Error("the breaker is not shared")
	}
	if r := breakers.Rules; r.FailureRate != 0.5 || r.Healthy != 0.01 || r.MaxOpenFor != time.Minute || r.SlowAfter != time.Second {
		t.Errorf("rules %+v", r)
	}
	if budgets.Floors != budget.Trading() || budgets.Ratio != 0.1 {
		t.Errorf("budget %+v", budgets.Floors)
	}
	query := s.Policies["binance.query_order"]
	if query.MaxAttempts != retry.Unlimited || query.Expected >= 0 || query.MaxHint >= 0 || query.Check() == nil { // 0s is spelled as a negative value
		t.Errorf("binance.query_order = %+v", query)
	}
	reads := s.Budgets["reads"].(*budget.Budget)
	if reads.Ratio != budget.None || reads.Ceiling != budget.None || reads.CeilingMin != 5 || reads.Costs.Throttled != 500 || reads.Load.Clients != 10 {
		t.Errorf("reads: ratio %v, ceiling %v", reads.Ratio, reads.Ceiling)
	}
	if slots := limits["binance.slots"].(*limit.Concurrency); slots.Max != 8 || slots.MaxWait != 0 {
		t.Errorf("slots %v", slots.Max)
	}
	if rate := limits["binance.rate"].(*limit.Rate); rate.Tokens != 1200 || rate.Per != time.Minute || rate.Burst != 50 || rate.MaxWait != time.Second || rate.MaxWaiters != 100 {
		t.Errorf("rate %v", rate.Tokens)
	}
	if limits["binance.retries"].(*limit.Retries).Max != 16 || limits["storm"].(*budget.Window).Max != 100 || !limits["parents"].(*budget.Parents).Loose {
		t.Error("other limits")
	}
	if tree := s.Halt; tree.File != "" || tree.Lease != 3*time.Second || tree.Ramp.Burst != 5 || tree.Lost.Orders != halt.RiskReducingOnly || tree.Lost.Reads != halt.Running || len(tree.Approvers) != 2 {
		t.Errorf("halt: file %q, lease %v, lost %v", tree.File, tree.Lease, tree.Lost)
	}
	if status, err := s.Halt.Look(halt.At("binance")); err != nil || status.Kind != halt.Orders {
		t.Errorf("binance is %v, %v; want orders", status.Kind, err)
	}
	if gate := s.Policies["model.predict"].Gates[0].(*halt.Gate); gate.Scope() != "research/model/predict" {
		t.Errorf("scope %s", gate.Scope())
	}
	if _, err := s.Policy("binance.place_ordr"); !errors.Is(err, ErrUnknownPolicy) || !strings.Contains(err.Error(), "did you mean binance.place_order?") {
		t.Errorf("unknown policy: %v", err)
	}
	if facts, ok := s.File.Facts("binance.place_order"); !ok || facts.Orders.Fence.Confidence != "tested" {
		t.Errorf("facts of binance: %v", ok)
	}
	if _, ok := s.File.Facts("model.predict"); ok {
		t.Error("facts of a model")
	}
	s.Commit()
}

// Where too many scopes are, building fails and says so.
func TestBuildWithTooManyScopes(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nhalt:\n  scopes:\n")
	for i := range 1100 {
		b.WriteString("    " + strings.Repeat("x", i%100+1) + "/" + strings.Repeat("y", i/100+1) + ": {kind: orders}\n")
	}
	if _, err := file(t, b.String()).Build(nil); err == nil || !strings.Contains(err.Error(), "halt.scopes.") {
		t.Errorf("kinds: %v; want an error", err)
	}
	if _, err := file(t, strings.ReplaceAll(b.String(), "kind: orders", "messages: 5")).Build(nil); err == nil || !strings.Contains(err.Error(), "halt.scopes.") {
		t.Errorf("limits: %v; want an error", err)
	}
	if _, err := file(t, tooManyScopes()).Build(nil); err == nil || !strings.Contains(err.Error(), "policies.") {
		t.Errorf("policies: %v; want an error", err)
	}
}

// tooManyScopes is a valid file from which nothing can be built.
func tooManyScopes() string {
	var b strings.Builder
	b.WriteString("version: 1\npolicies:\n")
	for i := range 1100 {
		b.WriteString("  " + strings.Repeat("x", i%100+1) + "." + strings.Repeat("y", i/100+1) + ": {gates: [halt]}\n")
	}
	return b.String()
}

const before1 = `version: 1
policies:
  a.b: {gates: [halt, budget.one, breaker.one, limit.one], idempotent: true}
  c.d: {gates: [halt, budget.one, breaker.two, limit.two], idempotent: true}
budgets: {one: {max: 5, health: breaker.one}, spare: {profile: grpc}}
breakers: {one: {}, two: {window: 5s, open_for: 1m}, breaker.three: {}}
limits: {one: {concurrency: 5}, two: {rate: 5}}
`

// A reload takes over what did not change, with its state, and never mints tokens.
func TestRebuild(t *testing.T) {
	first := built(t, before1, nil)
	same := built(t, before1+"# a comment\n", first)
	for name := range first.Policies {
		if same.Policies[name] != first.Policies[name] {
			t.Errorf("policy %s is a new one", name)
		}
	}
	if same.Halt != first.Halt || same.Budgets["one"] != first.Budgets["one"] || same.Budgets["spare"] != first.Budgets["spare"] || same.Breakers["two"] != first.Breakers["two"] || same.Limits["one"] != first.Limits["one"] {
		t.Error("unchanged gates are new ones")
	}

	next := strings.NewReplacer("max: 5", "max: 50", "window: 5s", "window: 6s", "rate: 5", "rate: 6", "one: {}", "one: {readiness: critical}", "profile: grpc", "max: 3").Replace(before1)
	second := built(t, next, first)
	one := first.Budgets["one"].(*budget.Budget)
	if second.Budgets["one"] != retry.Gate(one) || second.Breakers["one"] != first.Breakers["one"] || second.Limits["one"] != first.Limits["one"] {
		t.Error("a budget with new settings, or a breaker with another readiness, has lost its state")
	}
	if second.Breakers["two"] == first.Breakers["two"] || second.Limits["two"] == first.Limits["two"] || second.Budgets["spare"] == first.Budgets["spare"] {
		t.Error("changed gates are the old ones")
	}
	if second.Policies["a.b"] != first.Policies["a.b"] || second.Policies["c.d"] == first.Policies["c.d"] {
		t.Error("a.b has the same gates, c.d has others")
	}
	if stats := one.Stats(); stats.Capacity != 5000 {
		t.Errorf("capacity %d before the commit; want the old one", stats.Capacity)
	}
	second.Commit()
	second.Commit() // has nothing left to do
	if stats := one.Stats(); stats.Capacity != 50_000 || stats.Balance != 5000 {
		t.Errorf("capacity %d, balance %d; want 50 000 and the 5000 of before", stats.Capacity, stats.Balance)
	}
}

// A new breaker does not let pass what its predecessor did not, and keeps what a person ordered.
func TestBreakerWithNewRules(t *testing.T) {
	order := breaker.Order{Who: "ops1", Why: "test", At: time.Now(), For: time.Hour}
	for name, test := range map[string]struct {
		do   func(*breaker.Breaker)
		want breaker.State
	}{
		"closed":        {func(*breaker.Breaker) {}, breaker.Closed},
		"isolated":      {func(b *breaker.Breaker) { b.Isolate(order) }, breaker.Isolated},
		"forced closed": {func(b *breaker.Breaker) { b.ForceClose(order) }, breaker.ForcedClosed},
		"half open":     {func(b *breaker.Breaker) { b.Isolate(order); b.Release(order) }, breaker.Isolated},
		"open":          {fail, breaker.Isolated},
	} {
		first := built(t, before1, nil)
		test.do(first.Breakers["two"].(*breaker.Breaker))
		second := built(t, strings.Replace(before1, "window: 5s", "window: 6s", 1), first)
		second.Commit()
		next := second.Breakers["two"].(*breaker.Breaker)
		if got := next.State(); got != test.want {
			t.Errorf("%s: %v; want %v", name, got, test.want)
		}
		if order := next.Snapshot().Order; name == "open" && order.For < 30*time.Second {
			t.Errorf("refuses for %v; want the rest of a minute", order.For)
		}
	}
}

// fail opens a breaker.
func fail(b *breaker.Breaker) {
	p := &retry.Policy{MaxAttempts: 1, Idempotent: true, Gates: []retry.Gate{b}}
	for range 200 {
		retry.Run(context.Background(), p, func(context.Context) error { return retry.Mark(errors.New("down"), retry.Transient) })
	}
	if b.State() != breaker.Open {
		panic("not open: " + b.State().String())
	}
}

// A command obeys the stops that others keep in a file, and does not lock it.
func TestStanding(t *testing.T) {
	dir := t.TempDir()
	text := "version: 1\npolicies:\n  a.b: {gates: [halt], max_attempts: 1}\n  a.cancel: {gates: [halt], max_attempts: 1, risk_reducing: true}\nhalt: {state_file: " + filepath.Join(dir, "stops") + ", trigger_file: " + filepath.Join(dir, "STOP") + ", scopes: {a: {kind: orders}}}\n"
	s, err := file(t, text).Standing()
	if err != nil {
		t.Fatal(err)
	}
	run := func(name string) error {
		return retry.Run(t.Context(), s.Policies[name], func(context.Context) error { return nil })
	}
	if err := run("a.b"); err != nil {
		t.Errorf("nothing is stopped: %v", err)
	}
	keeper := &halt.Tree{File: filepath.Join(dir, "stops")}
	defer keeper.Close()
	if _, err := keeper.Stop(halt.Command{Scope: "a", State: halt.RiskReducingOnly, Who: "ops1", Why: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := run("a.b"); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("%v; want the stop of the keeper", err)
	}
	if err := run("a.cancel"); err != nil {
		t.Errorf("%v; want risk reducing to pass", err)
	}
	if _, err := keeper.Stop(halt.Command{Scope: "a", Who: "ops1", Why: "test"}); err != nil {
		t.Errorf("the file is locked: %v", err)
	}
	if err := run("a.cancel"); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("%v; want the stop", err)
	}
	keeper.Close()
	if err := os.WriteFile(filepath.Join(dir, "stops"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run("a.b"); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("%v with a file that is not understood; want a refusal", err)
	}
	os.Remove(filepath.Join(dir, "stops"))
	if err := os.Mkdir(filepath.Join(dir, "stops"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := run("a.b"); !errors.Is(err, halt.ErrHalted) || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%v with a directory; want a refusal", err)
	}
	os.Remove(filepath.Join(dir, "stops"))
	if err := os.WriteFile(filepath.Join(dir, "STOP"), []byte("a stopped because\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run("a.b"); !errors.Is(err, halt.ErrHalted) || !strings.Contains(err.Error(), "because") {
		t.Errorf("%v with a trigger; want the stop", err)
	}
	if s, err := file(t, "version: 1\npolicies: {a.b: {gates: [halt]}}\n").Standing(); err != nil || s.Policies["a.b"].Gates[0] == nil {
		t.Errorf("without a section halt: %v", err)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "nowhere"))
	if err := run("a.b"); !errors.Is(err, halt.ErrHalted) {
		t.Errorf("%v without room for a copy; want a refusal", err)
	}
}

func TestDiff(t *testing.T) {
	a := file(t, "version: 1\npolicies: {a.b: {max_attempts: 2, gates: [halt]}, c.d: {}}\nserver: {store: \"sqlite:one\", drain: 0s}\nbudgets: {x: {max: 0}}\n")
	b := file(t, "version: 1\npolicies: {a.b: {max_attempts: 3, gates: [halt, budget.x], nested: true}}\nserver: {store: \"sqlite:two\", drain: 5s}\nbudgets: {x: {max: 2.5, ceiling_min: 0}}\nhalt: {lease: 3s}\n")
	want := []Change{
		{Path: "policies.a.b.max_attempts", From: "2", To: "3"},
		{Path: "policies.a.b.nested", To: "true"},
		{Path: "policies.a.b.gates", From: "[halt]", To: "[halt, budget.x]"},
		{Path: "policies.c.d", From: "{}"},
		{Path: "budgets.x.max", From: "0", To: "2.5"},
		{Path: "budgets.x.ceiling_min", To: "0"},
		{Path: "halt.lease", To: "3s", Restart: true},
		{Path: "server.store", From: "***", To: "***", Restart: true},
		{Path: "server.drain", From: "0s", To: "5s"},
	}
	got := Diff(&a.Content, &b.Content)
	if len(got) != len(want) {
		t.Fatalf("changes %+v; want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("change %d %+v; want %+v", i, got[i], want[i])
		}
	}
	if same := Diff(&a.Content, &a.Content); len(same) != 0 {
		t.Errorf("changes of a file to itself: %+v", same)
	}
}

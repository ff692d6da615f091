package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

// book is a Recorder that keeps what it is given, or fails.
type book struct {
	mu      sync.Mutex
	records []audit.Record
	err     error
}

func (b *book) Record(_ context.Context, r audit.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.records = append(b.records, r)
	return nil
}

// take returns the records since the last time, each in one line.
func (b *book) take() (lines []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.records {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s%s %s: %s", r.Decision, r.Actor, r.Operation, r.Scope, r.State, r.Validation)))
	}
	b.records = nil
	return lines
}

func TestTexts(t *testing.T) {
	defaults := map[string]string{
		"max_attempts": "3", "max_elapsed": "none", "attempt_timeout": "none", "expected": "50ms", "backoff": "exponential(100ms, x2, max 30s, full)",
		"max_hint": "5m0s", "idempotent": "false", "nested": "false", "priority": "normal", "cost": "1", "adaptive": "off",
	}
	for _, test := range []struct {
		name string
		p    *retry.Policy
		want map[string]string // beside the defaults
	}{
		{"nil", nil, nil},
		{"zero", &retry.Policy{}, nil},
		{"all", &retry.Policy{MaxAttempts: retry.Unlimited, MaxElapsed: time.Minute, AttemptTimeout: time.Second, Expected: time.Millisecond,
			Backoff: backoff.Constant{Wait: time.Second}, MaxHint: time.Hour, Idempotent: true, Nested: true, Priority: retry.Critical, Cost: 7},
			map[string]string{"max_attempts": "unlimited", "max_elapsed": "1m0s", "attempt_timeout": "1s", "expected": "1ms", "backoff": "constant(1s, full)",
				"max_hint": "1h0m0s", "idempotent": "true", "nested": "true", "priority": "critical", "cost": "7"}},
		{"short timeout", &retry.Policy{AttemptTimeout: time.Millisecond}, map[string]string{"attempt_timeout": "1ms", "expected": "1ms"}},
		{"odd", &retry.Policy{Expected: -1, MaxHint: -1, Cost: -1}, map[string]string{"expected": "none", "max_hint": "none"}},
	} {
		want := maps.Clone(defaults)
		maps.Copy(want, test.want)
		if got := control.Texts(test.p); !maps.Equal(got, want) {
			t.Errorf("%s: %v; want %v", test.name, got, want)
		}
	}
	if got := control.Fields(); len(got) != len(defaults) || got[0] != "max_attempts" {
		t.Errorf("fields %q", got)
	}
}

// Whatever Texts prints, Tuned reads.
func TestTunedReadsTexts(t *testing.T) {
	for _, p := range []*retry.Policy{
		{Name: "a"},
		{Name: "a", MaxAttempts: 7, MaxElapsed: time.Minute, AttemptTimeout: time.Second, Idempotent: true, Nested: true, Priority: retry.Sheddable, Cost: 3},
		{Name: "a", MaxAttempts: retry.Unlimited, MaxElapsed: time.Minute, Backoff: backoff.Linear{}},
	} {
		tuned, err := control.Tuned(p, control.Texts(p))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := control.Texts(tuned), control.Texts(p); !maps.Equal(got, want) || tuned.Name != "a" {
			t.Errorf("%v; want %v", got, want)
		}
	}
}

func TestTunedRefuses(t *testing.T) {
	for _, test := range []struct {
		field, text, want string
	}{
		{"max_attempts", "0", `max_attempts: "0" is no whole number from 1 to 1000`},
		{"max_attempts", "1001", `max_attempts: "1001" is no whole number from 1 to 1000`},
		{"max_attempts", "unlimited", `max_attempts: "unlimited" is no whole number from 1 to 1000`},
		{"max_elapsed", "5", `max_elapsed: "5" is no duration above 0, such as 250ms`},
		{"expected", "none", `expected: "none" is no duration above 0, such as 250ms`},
		{"max_hint", "-1s", `max_hint: "-1s" is no duration above 0, such as 250ms`},
		{"backoff", "constant(1s, half)", "backoff: "},
		{"idempotent", "yes", `idempotent: "yes" is neither true nor false`},
		{"idempotent", "true", "idempotent: can only be taken away while the program runs: whether a call may run twice is for its code to say"},
		{"nested", "true", "nested: can only be taken away while the program runs"},
		{"priority", "high", `priority: "high" is none of sheddable, normal, critical`},
		{"cost", "0", `cost: "0" is no whole number from 1 on`},
		{"max_attemps", "5", `max_attemps: unknown field "max_attemps"; did you mean "max_attempts"?`},
		{"attempt_timeout", "1h", "attempt_timeout: 1h0m0s is longer than MaxElapsed, 1m0s"},
	} {
		p, err := control.Tuned(&retry.Policy{MaxElapsed: time.Minute}, map[string]string{test.field: test.text})
		if p != nil || err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %q: %v, %v; want %q", test.field, test.text, p, err, test.want)
		}
	}
	_, err := control.Tuned(nil, map[string]string{"cost": "x", "max_attempts": "y", "zzz": "1"})
	if got := strings.Count(fmt.Sprint(err), "\n"); got != 2 {
		t.Errorf("%v; want three mistakes", err)
	}
}

func TestTune(t *testing.T) {
	records := &book{}
	r := &control.Registry{Recorder: records}
	o, err := r.AddOperation("venue", &retry.Policy{Name: "venue.call"})
	if err != nil {
		t.Fatal(err)
	}
	notes := r.Subscribe(control.Filter{}, 0)
	defer notes.Close()
	for _, test := range []struct {
		name     string
		tune     control.Tune
		err      error
		override map[string]string
		version  uint64
		record   string
	}{
		{"changed", control.Tune{Version: 1, Fields: map[string]string{"max_attempts": "5", "max_hint": "60s"}}, nil,
			map[string]string{"max_attempts": "5", "max_hint": "1m0s"}, 2, "tune ann venue.call : max_attempts: 3 -> 5, max_hint: 5m0s -> 1m0s"},
		{"seen before that", control.Tune{Version: 1, Fields: map[string]string{"max_attempts": "9"}}, control.ErrVersion,
			nil, 2, "deny ann venue.call tune: tune venue.call: somebody changed it meanwhile: look again, then decide again: it is at version 2, not 1"},
		{"one field reverted", control.Tune{Version: 2, Fields: map[string]string{"max_hint": ""}}, nil,
			map[string]string{"max_attempts": "5"}, 3, "tune ann venue.call : max_hint: 1m0s -> 5m0s"},
		{"the same again", control.Tune{Version: 3, Fields: map[string]string{"max_attempts": "5"}}, nil,
			map[string]string{"max_attempts": "5"}, 3, "tune ann venue.call : nothing changes"},
		{"the base itself", control.Tune{Version: 3, Fields: map[string]string{"max_attempts": "3"}}, nil, nil, 4, "tune ann venue.call : max_attempts: 5 -> 3"},
		{"all mistakes", control.Tune{Version: 4, Fields: map[string]string{"cost": "x", "nothing": "", "idempotent": "true"}}, control.ErrUnknown,
			nil, 4, `deny ann venue.call tune: tune venue.call: nothing: unknown field "nothing"`},
		{"no name", control.Tune{Operation: "venue.cal", Version: 4}, control.ErrUnknownPolicy, nil, 4, "deny ann venue.cal tune: tune venue.cal: no such operation"},
		{"nobody", control.Tune{Version: 4, Actor: " ", Reason: "-"}, control.ErrIncomplete, nil, 4,
			"deny   venue.call tune: tune venue.call: the command lacks something: actor"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.tune
			if c.Operation == "" {
				c.Operation = "venue.call"
			}
			if c.Actor == "" {
				c.Actor, c.Reason = "ann", "slow venue"
			}
			before := o.Current()
			v, err := r.Tune(t.Context(), c)
			if !errors.Is(err, test.err) {
				t.Fatalf("Tune = %v; want %v", err, test.err)
			}
			if err == nil && !maps.Equal(v.Override, test.override) {
				t.Errorf("override %v; want %v", v.Override, test.override)
			}
			if err != nil && o.Current() != before {
				t.Error("a refused command changed the policy")
			}
			if v := o.View(); v.Version != test.version {
				t.Errorf("version %d; want %d", v.Version, test.version)
			}
			if got := records.take(); len(got) != 1 || !strings.HasPrefix(strings.ReplaceAll(got[0], "\n", ""), test.record) {
				t.Errorf("recorded %q; want %q", got, test.record)
			}
		})
	}
	told, _ := notes.Next(t.Context())
	if len(told) != 3 || told[0].Kind != "config" || told[0].Text != "tuned by ann: max_attempts: 3 -> 5, max_hint: 5m0s -> 1m0s (slow venue)" {
		t.Errorf("notes %+v; want one for each change", told)
	}
	if _, err := r.Tune(t.Context(), control.Tune{Operation: "venue.call", Version: 4, Actor: "ann", Reason: "-", Fields: map[string]string{"cost": "x", "nothing": "", "idempotent": "true"}}); strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("%v; want all three mistakes", err)
	}
}

// What cannot be recorded is not done.
func TestTuneNeedsItsRecord(t *testing.T) {
	full := errors.New("disk full")
	records := &book{err: full}
	r := &control.Registry{Recorder: records}
	o, err := r.AddOperation("", &retry.Policy{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Tune(t.Context(), control.Tune{Operation: "a", Version: 1, Actor: "ann", Reason: "-", Fields: map[string]string{"cost": "2"}})
	if !errors.Is(err, control.ErrNotAudited) || !errors.Is(err, full) || o.Current().Cost != 0 {
		t.Errorf("%v, cost %d; want the record's error and no change", err, o.Current().Cost)
	}
}

// A call keeps the policy that it began with.
func TestRunningCallsKeepTheirPolicy(t *testing.T) {
	r, o := operation(t, &retry.Policy{Name: "a", MaxAttempts: 3, Backoff: backoff.Constant{}})
	tries := 0
	retry.Run(t.Context(), o, func(ctx context.Context) error {
		if tries++; tries == 1 {
			if _, err := r.Tune(ctx, control.Tune{Operation: "a", Version: 1, Actor: "ann", Reason: "-", Fields: map[string]string{"max_attempts": "1"}}); err != nil {
				t.Error(err)
			}
		}
		return errBusy
	})
	if tries != 3 {
		t.Errorf("%d attempts; want 3, as when the call began", tries)
	}
	retry.Run(t.Context(), o, func(context.Context) error { tries++; return errBusy })
	if tries != 4 {
		t.Errorf("%d attempts; want one more", tries)
	}
	if v := o.View(); v.Attempts != 4 || v.Outcomes["exhausted"] != 2 {
		t.Errorf("%+v; want the counters to go on", v)
	}
}

// Of commands that saw the same version one wins; calls go on meanwhile.
func TestTuneAtOnce(t *testing.T) {
	r, o := operation(t, &retry.Policy{Name: "a"})
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range 16 {
		all.Go(func() {
			_, err := r.Tune(t.Context(), control.Tune{Operation: "a", Version: 1, Actor: "ann", Reason: "-", Fields: map[string]string{"cost": fmt.Sprint(i + 2)}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
			} else if !errors.Is(err, control.ErrVersion) {
				t.Error(err)
			}
		})
		all.Go(func() {
			for range 100 {
				retry.Run(t.Context(), o, func(context.Context) error { return nil })
			}
		})
	}
	all.Wait()
	if v := o.View(); done != 1 || v.Version != 2 || v.Attempts != 1600 {
		t.Errorf("%d carried out, version %d, %d attempts; want 1, 2, 1600", done, v.Version, v.Attempts)
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct {
		p    retry.Policy
		want string
	}{
		{retry.Policy{}, "3 attempts, exponential(100ms, x2, max 30s, full), never twice when the outcome is unknown"},
		{retry.Policy{MaxAttempts: 1}, "1 attempt, never twice when the outcome is unknown"},
		{retry.Policy{MaxAttempts: retry.Unlimited, MaxElapsed: time.Minute, AttemptTimeout: time.Second, Idempotent: true, Priority: retry.Critical},
			"unlimited attempts, exponential(100ms, x2, max 30s, full), each up to 1s, at most 1m0s in all, idempotent, critical"},
	} {
		p := test.p
		p.Name = "a"
		_, o := operation(t, &p)
		if got := o.View().Policy; got != test.want {
			t.Errorf("%q; want %q", got, test.want)
		}
	}
}

func TestAddOperation(t *testing.T) {
	r := &control.Registry{}
	base := &retry.Policy{Name: "a", MaxAttempts: 2}
	o, err := r.AddOperation("venue", base)
	if err != nil {
		t.Fatal(err)
	}
	base.MaxAttempts = 9
	if p := o.Current(); p.MaxAttempts != 2 || o.Name() != "a" {
		t.Errorf("%d attempts; want those of the copy", p.MaxAttempts)
	}
	for _, test := range []struct {
		p    *retry.Policy
		want string
	}{
		{&retry.Policy{Name: "a"}, `operation "a" is registered already: choose another name`},
		{&retry.Policy{}, "operation has no name: give it one"},
		{nil, "operation has no name: give it one"},
		{&retry.Policy{Name: "b", Cost: -1, MaxHint: -1}, "operation \"b\": MaxHint: -1ns is negative and means that any hint ends the call\nCost: -1 is negative and counts as 1"},
	} {
		if _, err := r.AddOperation("", test.p); fmt.Sprint(err) != test.want {
			t.Errorf("%v; want %q", err, test.want)
		}
	}
	if got, err := r.Operation("a"); got != o || err != nil {
		t.Errorf("Operation = %v, %v", got, err)
	}
	if _, err := r.Operation("b"); !errors.Is(err, control.ErrUnknownPolicy) || !errors.Is(err, control.ErrUnknown) || !strings.Contains(err.Error(), `did you mean "a"?`) {
		t.Errorf("Operation = %v", err)
	}
}

// Beyond the cap, operations work as ever, and are counted together.
func TestOperationsBeyondTheCap(t *testing.T) {
	r := &control.Registry{}
	for i := range control.MostPolicies + 3 {
		o, err := r.AddOperation("", &retry.Policy{Name: fmt.Sprintf("p%03d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if i >= control.MostPolicies {
			retry.Run(t.Context(), o, func(context.Context) error { return nil })
		}
	}
	v := r.View()
	i := slices.IndexFunc(v.Policies, func(p control.PolicyView) bool { return p.Name == control.Other })
	if len(v.Policies) != control.MostPolicies+1 || i < 0 || v.Policies[i].Attempts != 3 || v.Overflow["policy"] != 3 {
		t.Errorf("%d policies, %v overflowed; want 501 and 3", len(v.Policies), v.Overflow)
	}
}

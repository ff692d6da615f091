package budget_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func TestRB1NoRetriesBeyondTheBucketWhenAllFails(t *testing.T) {
	b := &budget.Budget{}
	p := &retry.Policy{MaxAttempts: 3, Backoff: immediate, Gates: []retry.Gate{b}}
	calls, spent := 0, 0
	for range 1000 {
		err := retry.Run(ctx, p, func(context.Context) error { calls++; return busy })
		if errors.Is(err, budget.ErrSpent) {
			spent++
		}
	}
	if calls != 1010 || spent != 995 {
		t.Errorf("%d attempts, %d calls refused; want 1010 and 995", calls, spent)
	}
	want := budget.Stats{
		Capacity: 10000, Ceiling: 3, Started: 10,
		Consumed: map[retry.Class]int64{retry.Transient: 10000},
		Denied:   map[budget.Rule]int64{budget.RuleTokens: 995},
	}
	if got := b.Stats(); !equal(got, want) {
		t.Errorf("Stats() = %+v; want %+v", got, want)
	}
}

func equal(a, b budget.Stats) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func TestRB3EarnedRetriesAreAllowed(t *testing.T) {
	b := &budget.Budget{}
	p := &retry.Policy{Backoff: immediate, Gates: []retry.Gate{b}}
	calls := 0
	for n := 1; n <= 1000; n++ {
		failed := false
		if err := retry.Run(ctx, p, func(context.Context) error {
			calls++
			if n%20 == 0 && !failed {
				failed = true
				return busy
			}
			return nil
		}); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
	}
	if s := b.Stats(); calls != 1050 || s.Started != 50 || len(s.Denied) != 0 || s.Balance != 9100 {
		t.Errorf("%d attempts, %+v; want 1050, 50 retries, none denied, balance 9100", calls, s)
	}
}

func TestRB4FloorsKeepTokensForThoseWhoMatter(t *testing.T) {
	b := &budget.Budget{Floors: budget.Trading()}
	var got [3]int
	for i, p := range []retry.Priority{retry.Sheddable, retry.Normal, retry.Critical} {
		got[i] = count(b, func() *retry.Attempt { return prio(p) })
	}
	if got != [3]int{5, 3, 2} {
		t.Errorf("sheddable, normal, critical: %v retries; want [5 3 2]", got)
	}
	if d := b.Stats().Denied; !maps.Equal(d, map[budget.Rule]int64{budget.RuleFloor: 2, budget.RuleTokens: 1}) {
		t.Errorf("denied %v; want two by floor and the last by tokens", d)
	}
	b = &budget.Budget{Floors: budget.Trading()}
	count(b, func() *retry.Attempt { return prio(retry.Sheddable) })
	e := refused(t, run(b, prio(retry.Sheddable), retry.Failed), budget.RuleFloor)
	if want := (budget.Error{Rule: budget.RuleFloor, Balance: 5000, Cost: 1000, Limit: 10000, Kept: 5000}); *e != want {
		t.Errorf("%+v; want %+v", *e, want)
	}
}

func TestFloors(t *testing.T) {
	for _, test := range []struct {
		floors            budget.Floors
		normal, sheddable int // retries of each, from a full bucket of ten
	}{
		{budget.Floors{}, 10, 10},
		{budget.Floors{Normal: 0.3}, 7, 7}, // sheddable calls are never better off
		{budget.Floors{Normal: 0.3, Sheddable: 0.1}, 7, 7},
		{budget.Floors{Sheddable: 0.25}, 10, 7},
		{budget.Floors{Normal: 1}, 0, 0},
		{budget.Floors{Normal: 7}, 0, 0},
		{budget.Floors{Sheddable: math.NaN()}, 0, 0}, // max of anything and NaN is NaN; normal calls have none
		{budget.Floors{Normal: math.NaN()}, 0, 0},
		{budget.Floors{Normal: -1, Sheddable: -1}, 10, 10},
		{budget.Floors{Normal: math.Inf(1)}, 0, 0},
	} {
		want := [2]int{test.normal, test.sheddable}
		if math.IsNaN(test.floors.Sheddable) {
			want[0] = 10
		}
		var got [2]int
		for i, p := range []retry.Priority{retry.Normal, retry.Sheddable} {
			got[i] = count(&budget.Budget{Floors: test.floors}, func() *retry.Attempt { return prio(p) })
		}
		if got != want {
			t.Errorf("%+v: %v retries; want %v", test.floors, got, want)
		}
		if n := count(&budget.Budget{Floors: test.floors}, func() *retry.Attempt { return prio(retry.Critical) }); n != 10 {
			t.Errorf("%+v: %d critical retries; want 10", test.floors, n)
		}
	}
	// A floor is rounded up: 1 of 3 milli-tokens by 50 % is 2.
	b := &budget.Budget{Max: 0.003, Floors: budget.Floors{Normal: 0.5}, Costs: budget.Costs{Transient: 1}}
	if n := count(b, func() *retry.Attempt { return prio(retry.Normal) }); n != 1 {
		t.Errorf("%d retries of one milli-token above half of three; want 1", n)
	}
}

func TestRB10CeilingCountsWaitingRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget.Budget{}
		for i := range 7 { // with the three retries, ten requests are in flight
			admit(t, b, first(uint32(i)))
		}
		p := &retry.Policy{Backoff: wait(time.Minute), Gates: []retry.Gate{b}}
		fail := func(context.Context) error { return busy }
		end := make(map[int]context.CancelFunc)
		for i := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			end[i] = cancel
			go retry.Run(ctx, p, fail)
		}
		synctest.Wait()
		if s := b.Stats(); s.Retries != 3 || s.Requests != 10 || s.Ceiling != 3 || s.Balance != 7000 {
			t.Fatalf("%+v; want three retries among ten requests, which is the ceiling", s)
		}
		began := time.Now()
		e := refused(t, retry.Run(t.Context(), p, fail), budget.RuleCeiling)
		if want := (budget.Error{Rule: budget.RuleCeiling, Cost: 1, Limit: 3}); *e != want || time.Since(began) != 0 {
			t.Errorf("%+v after %v; want %+v at once", *e, time.Since(began), want)
		}
		end[1]()
		synctest.Wait()
		if s := b.Stats(); s.Retries != 2 || s.Balance != 8000 {
			t.Errorf("%+v; want two retries left, and the token back", s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go retry.Run(ctx, p, fail)
		synctest.Wait()
		if s := b.Stats(); s.Retries != 3 || s.Balance != 7000 {
			t.Errorf("%+v; want the fourth to have the place", s)
		}
		cancel()
		end[0]()
		end[2]()
	})
}

func TestCeiling(t *testing.T) {
	for _, test := range []struct {
		share    float64
		least    int
		requests int // first attempts in flight
		want     int // retries that get in beside them
	}{
		{0, 0, 0, 3}, {0, 0, 14, 3}, {0, 0, 15, 3}, {0, 0, 16, 3}, // 16 + 3 retries: 19 requests
		{0, 0, 17, 4}, {0, 0, 20, 4}, {0, 0, 100, 24}, {0, 0, 397, 99}, // 397 + 99: 496
		{0.5, 1, 0, 1}, {0.5, 1, 1, 1}, {0.5, 1, 3, 2},
		{1, budget.None, 0, 0}, {1, budget.None, 1, 1000},
		{budget.None, 5, 1000, 5}, {-0.3, 5, 1000, 5}, {math.NaN(), 5, 1000, 5},
		{0.2, -7, 4, 0}, {0.2, -7, 5, 1},
		{99, 1, 2, 1000}, {math.Inf(1), 1, 2, 1000},
		{0.29, budget.None, 100, 40}, // 0.29 has no exact binary form
		{0, math.MaxInt, 0, 1000},
	} {
		b := &budget.Budget{Max: 1e6, Ceiling: test.share, CeilingMin: test.least}
		for i := range test.requests {
			admit(t, b, first(uint32(i)))
		}
		got := 0
		for got < 1000 && b.Admit(ctx, again(retry.Transient)) == nil {
			got++
		}
		if got != test.want {
			t.Errorf("ceiling %v, at least %d: %d retries beside %d first attempts; want %d", test.share, test.least, got, test.requests, test.want)
		}
	}
}

func TestCosts(t *testing.T) {
	costs := budget.Costs{Transient: 2000, Ambiguous: 5000, Throttled: 500}
	for _, test := range []struct {
		costs  budget.Costs
		class  retry.Class
		policy int64
		want   int64
	}{
		{costs, retry.Transient, 0, 2000},
		{costs, retry.Ambiguous, 0, 5000},
		{costs, retry.Throttled, 0, 500},
		{costs, retry.Permanent, 0, 5000},
		{costs, 200, 0, 5000},
		{costs, retry.Throttled, 1, 500},
		{costs, retry.Throttled, 7, 3500},
		{costs, retry.Throttled, -7, 500},
		{budget.Costs{}, retry.Throttled, 0, 1000},
		{budget.Costs{Throttled: -1}, retry.Throttled, 0, 1000},
		{budget.Costs{Throttled: math.MaxInt64}, retry.Throttled, math.MaxInt64, 0},
		{budget.Costs{Throttled: 2}, retry.Throttled, math.MaxInt64 / 2, 0},
		{costs, retry.Transient, math.MaxInt64, 0},
	} {
		b := &budget.Budget{Costs: test.costs}
		a := again(test.class)
		a.Policy = &retry.Policy{Cost: test.policy}
		if err := b.Admit(ctx, a); (err == nil) != (test.want > 0) {
			t.Errorf("%+v, %v × %d: %v", test.costs, test.class, test.policy, err)
		}
		if got := 10000 - b.Stats().Balance; got != test.want {
			t.Errorf("%+v, %v × %d: cost %d; want %d", test.costs, test.class, test.policy, got, test.want)
		}
	}
	b := &budget.Budget{}
	a := again(retry.Transient)
	a.Policy = nil
	if err := run(b, a, retry.Failed); err != nil || b.Stats().Balance != 9000 {
		t.Errorf("without a policy: %v, %+v; want one token taken", err, b.Stats())
	}
}

func TestOnlySuccessesEarn(t *testing.T) {
	for _, test := range []struct {
		name  string
		a     func() *retry.Attempt
		state retry.State
		want  int64 // balance, from 5000
	}{
		{"first attempt succeeds", func() *retry.Attempt { return first(0) }, retry.Succeeded, 5100},
		{"first attempt fails", func() *retry.Attempt { return first(0) }, retry.Failed, 5000},
		{"first attempt canceled", func() *retry.Attempt { return first(0) }, retry.Canceled, 5000},
		{"first attempt panics", func() *retry.Attempt { return first(0) }, retry.Panicked, 5000},
		{"first attempt refused elsewhere", func() *retry.Attempt { return first(0) }, retry.NotStarted, 5000},
		{"retry succeeds", func() *retry.Attempt { return again(retry.Transient) }, retry.Succeeded, 4100},
		{"retry fails", func() *retry.Attempt { return again(retry.Transient) }, retry.Failed, 4000},
		{"retry canceled while it runs", func() *retry.Attempt { return again(retry.Transient) }, retry.Canceled, 4000},
		{"retry panics", func() *retry.Attempt { return again(retry.Transient) }, retry.Panicked, 4000},
		{"retry never starts", func() *retry.Attempt { return again(retry.Transient) }, retry.NotStarted, 5000},
	} {
		b := &budget.Budget{}
		for range 5 {
			run(b, again(retry.Transient), retry.Failed)
		}
		admitted := test.a()
		if err := run(b, admitted, test.state); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Balance != test.want || s.Requests != 0 || s.Defects != 0 {
			t.Errorf("%s: %+v; want balance %d, nothing in flight", test.name, s, test.want)
		}
		b.Settle(admitted, ended(test.state))
		if s := b.Stats(); s.Balance != test.want || s.Requests != 0 || s.Defects != 1 {
			t.Errorf("%s, settled again: %+v; want one defect and no other change", test.name, s)
		}
	}
}

func TestReturnsAndGainsAreClippedAtCapacity(t *testing.T) {
	b := &budget.Budget{}
	held := admit(t, b, again(retry.Transient))
	earn(b, 9)
	if s := b.Stats(); s.Balance != 9900 {
		t.Fatalf("%+v; want nine tenths earned", s)
	}
	b.Settle(held, ended(retry.NotStarted))
	earn(b, 100)
	if s := b.Stats(); s.Balance != 10000 {
		t.Errorf("%+v; want a full bucket, and no more", s)
	}
	if n := count(b, func() *retry.Attempt { return again(retry.Transient) }); n != 10 {
		t.Errorf("%d retries; want 10", n)
	}
}

// A gate can be driven by hand without a note. It then remembers nothing, and gives nothing back.
func TestWithoutNote(t *testing.T) {
	b := &budget.Budget{}
	bare := func(number int) *retry.Attempt {
		return &retry.Attempt{Number: number, Class: retry.Transient, At: epoch}
	}
	for _, state := range []retry.State{retry.Failed, retry.NotStarted} {
		if err := errors.Join(run(b, bare(1), state), run(b, bare(2), state)); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.Stats(); s.Balance != 8000 || s.Requests != 0 || s.Consumed[retry.Transient] != 1000 || s.Defects != 0 {
		t.Errorf("%+v; want two tokens gone, one of them consumed", s)
	}
	b.Settle(bare(2), ended(retry.NotStarted))
	if s := b.Stats(); s.Retries != 0 || s.Balance != 8000 || s.Defects != 1 {
		t.Errorf("%+v; want a defect", s)
	}
}

// What was settled before, or never admitted, changes nothing, also while others are in flight.
func TestDefectsChangeNothing(t *testing.T) {
	b := &budget.Budget{Ratio: 1}
	admit(t, b, first(0))
	admit(t, b, again(retry.Transient))
	twice, mistaken := admit(t, b, again(retry.Transient)), admit(t, b, first(0))
	b.Settle(twice, ended(retry.Failed))
	b.Settle(mistaken, ended(retry.Failed))
	admit(t, b, mistaken)
	mistaken.Number = 2 // admitted as a first attempt
	want := b.Stats()
	for n, a := range []*retry.Attempt{twice, again(retry.Transient), first(0), mistaken} {
		b.Settle(a, ended(retry.NotStarted))
		want.Defects = int64(n + 1)
		if s := b.Stats(); !equal(s, want) {
			t.Errorf("%+v; want %+v", s, want)
		}
	}
}

type health bool

func (h *health) Suspect() bool { return bool(*h) }

func TestSuspectNeedsAFullBucket(t *testing.T) {
	h := new(health)
	b := &budget.Budget{Health: h}
	run(b, again(retry.Transient), retry.Failed)
	run(b, again(retry.Transient), retry.Succeeded)
	*h = true
	e := refused(t, run(b, again(retry.Transient), retry.Failed), budget.RuleSuspect)
	if want := (budget.Error{Rule: budget.RuleSuspect, Balance: 8100, Cost: 1000, Limit: 10000}); *e != want {
		t.Errorf("%+v; want %+v", *e, want)
	}
	earn(b, 19)
	if err := run(b, again(retry.Transient), retry.Failed); err != nil {
		t.Errorf("full bucket: %v; want nil", err)
	}
	refused(t, run(b, again(retry.Transient), retry.Failed), budget.RuleSuspect)
	*h = false
	if n := count(b, func() *retry.Attempt { return again(retry.Transient) }); n != 9 {
		t.Errorf("%d retries when healthy again; want 9", n)
	}
}

func TestMaxAndRatio(t *testing.T) {
	for _, test := range []struct {
		max, ratio     float64
		capacity, gain int64
	}{
		{0, 0, 10000, 100},
		{2, 0.5, 2000, 500},
		{0.5, 0.0019, 500, 1},
		{1.001, 1.001, 1001, 1000},
		{0.29, 0.29, 290, 290},
		{budget.None, budget.None, 0, 0},
		{-3, -0.1, 0, 0},
		{math.NaN(), math.NaN(), 0, 0},
		{1e30, 7, 1e12, 1000},
		{math.Inf(1), math.Inf(1), 1e12, 1000},
		{math.Inf(-1), math.Inf(-1), 0, 0},
		{1e-9, 1e-9, 0, 0},
	} {
		b := &budget.Budget{Max: test.max, Ratio: test.ratio, Costs: budget.Costs{Transient: max(1, test.capacity)}}
		if s := b.Stats(); s.Capacity != test.capacity || s.Balance != test.capacity {
			t.Errorf("Max %v: %+v; want %d, full", test.max, s, test.capacity)
		}
		if test.capacity == 0 {
			refused(t, b.Admit(ctx, again(retry.Transient)), budget.RuleTokens)
			continue
		}
		run(b, again(retry.Transient), retry.Failed) // takes all
		earn(b, 1)
		if s := b.Stats(); s.Balance != min(test.gain, test.capacity) {
			t.Errorf("Ratio %v: a success earns %d; want %d", test.ratio, s.Balance, test.gain)
		}
	}
}

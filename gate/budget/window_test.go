package budget_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

func TestWindow(t *testing.T) {
	w := &budget.Window{Name: "all venues", Max: 3, Per: 16 * time.Second}
	for i, step := range []struct {
		at time.Duration
		ok bool
	}{
		{0, true}, {0, true}, {8 * time.Second, true}, {9 * time.Second, false},
		{16 * time.Second, false}, // a part longer than it must
		{17*time.Second + 20, true}, {17*time.Second + 20, true}, {18 * time.Second, false},
		{time.Second, false}, // an attempt that was asked for earlier counts as of now
		{25*time.Second + 30, true}, {26 * time.Second, false},
		{time.Hour, true}, {time.Hour, true}, {time.Hour, true}, {time.Hour, false},
	} {
		if err := run(w, at(again(retry.Transient), step.at), retry.Failed); (err == nil) != step.ok {
			t.Errorf("step %d, after %v: %v; want admitted: %v", i, step.at, err, step.ok)
		}
	}
	e := refused(t, run(w, at(again(retry.Transient), time.Hour), retry.Failed), budget.RuleWindow)
	if want := (budget.Error{Budget: "all venues", Rule: budget.RuleWindow, Cost: 1, Limit: 3}); *e != want {
		t.Errorf("%+v; want %+v", *e, want)
	}
	if s := w.Stats(); s != (budget.WindowStats{Retries: 3, Max: 3, Denied: 7}) {
		t.Errorf("%+v", s)
	}
	if err := run(w, at(first(0), time.Hour), retry.Failed); err != nil {
		t.Errorf("first attempt: %v", err)
	}
}

func TestWindowDefaults(t *testing.T) {
	for _, test := range []struct {
		window *budget.Window
		want   int // retries at once
		after  time.Duration
	}{
		{&budget.Window{}, 100, 64 * time.Second},
		{&budget.Window{Per: -1}, 100, 64 * time.Second},
		{&budget.Window{Max: -1}, 0, time.Hour},
		{&budget.Window{Max: 1, Per: 1}, 1, 17},
		{&budget.Window{Max: 1, Per: math.MaxInt64}, 1, 0},
	} {
		w := test.window
		if n := count(w, func() *retry.Attempt { return again(retry.Transient) }); n != test.want {
			t.Errorf("%+v: %d retries; want %d", w, n, test.want)
		}
		if test.after == 0 {
			refused(t, run(w, at(again(retry.Transient), 1<<62), retry.Failed), budget.RuleWindow)
			continue
		}
		if n := count(w, func() *retry.Attempt { return at(again(retry.Transient), test.after) }); n != test.want {
			t.Errorf("%+v: %d retries after %v; want %d", w, n, test.after, test.want)
		}
	}
}

func TestWindowTakesBackWhatNeverBegan(t *testing.T) {
	w := &budget.Window{Max: 1, Per: time.Second}
	a := admit(t, w, again(retry.Transient))
	w.Settle(a, ended(retry.NotStarted))
	w.Settle(a, ended(retry.NotStarted))
	w.Settle(again(retry.Transient), ended(retry.NotStarted)) // never admitted
	w.Settle(first(0), ended(retry.NotStarted))
	if s := w.Stats(); s != (budget.WindowStats{Max: 1, Defects: 2}) {
		t.Errorf("%+v; want nothing held, two defects", s)
	}
	// Also from an earlier part of the window.
	w = &budget.Window{Max: 2, Per: time.Second}
	a = admit(t, w, again(retry.Transient))
	admit(t, w, at(again(retry.Transient), 900*time.Millisecond))
	w.Settle(a, ended(retry.NotStarted))
	if s := w.Stats(); s.Retries != 1 {
		t.Errorf("%+v; want one held", s)
	}
	w = &budget.Window{Max: 1, Per: time.Second}
	// What was forgotten is not taken back from what is there.
	a = admit(t, w, again(retry.Transient))
	admit(t, w, at(again(retry.Transient), 2*time.Second))
	w.Settle(a, ended(retry.NotStarted))
	refused(t, run(w, at(again(retry.Transient), 2*time.Second), retry.Failed), budget.RuleWindow)
	for _, part := range []time.Duration{16, 17} { // the last that is remembered, and the first that is not
		w := &budget.Window{Max: 5, Per: 16 * time.Second}
		a := admit(t, w, again(retry.Transient))
		admit(t, w, at(again(retry.Transient), part*(time.Second+1)))
		w.Settle(a, ended(retry.NotStarted))
		if s := w.Stats(); s.Retries != 1 {
			t.Errorf("%d parts later: %+v; want the later one held", part, s)
		}
	}
	bare := &retry.Attempt{Number: 2, At: epoch.Add(time.Minute)} // without a note
	admit(t, w, bare)
	w.Settle(bare, ended(retry.NotStarted))
	if s := w.Stats(); s.Retries != 1 {
		t.Errorf("%+v; want it counted", s)
	}
}

// However retries come, no stretch of time of length Per holds more than Max of them.
func TestWindowHoldsInAnyWindow(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		per := time.Duration(1 + r.Int64N(int64(time.Second)))
		w := &budget.Window{Max: 1 + r.IntN(20), Per: per}
		var admitted []time.Duration
		now := time.Duration(0)
		for range 2000 {
			now += time.Duration(r.Int64N(int64(per)/int64(2*w.Max) + 2))
			a := at(again(retry.Transient), now)
			if w.Admit(ctx, a) != nil {
				continue
			}
			if r.IntN(4) == 0 {
				w.Settle(a, ended(retry.NotStarted))
				continue
			}
			admitted = append(admitted, now)
			if n := len(admitted) - w.Max - 1; n >= 0 && now-admitted[n] < per {
				t.Fatalf("seed %d: %d retries within %v; want at most %d in %v", seed, w.Max+1, now-admitted[n], w.Max, per)
			}
		}
		if len(admitted) < 100 {
			t.Errorf("seed %d: only %d of 2000 admitted", seed, len(admitted))
		}
	}
}

// Policies that share a window share its retries.
func ExampleWindow() {
	w := &budget.Window{Max: 3, Per: time.Minute}
	books := &retry.Policy{Name: "venue.fetch_book", Backoff: immediate, Gates: []retry.Gate{w}}
	trades := &retry.Policy{Name: "venue.fetch_trades", Backoff: immediate, Gates: []retry.Gate{w}}
	for _, p := range []*retry.Policy{books, trades} {
		fmt.Println(retry.Run(context.Background(), p, func(context.Context) error { return busy }).(*retry.Error).Reason)
	}
	// Output:
	// attempts exhausted
	// retry budget spent: all 3 retries of this window made; more in the next
}

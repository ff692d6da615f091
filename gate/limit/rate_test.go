package limit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

// at makes an attempt that is about to begin at a moment.
func at(epoch time.Time, d time.Duration) *retry.Attempt {
	return &retry.Attempt{Number: 1, At: epoch.Add(d), Note: new(uint64)}
}

func TestRateSpaces(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		rate  *limit.Rate
		steps []time.Duration // when attempts come
		begin string          // which begin
	}{
		{"zero value", &limit.Rate{}, []time.Duration{0, 0, 99 * ms, 100 * ms, 199 * ms, 200 * ms, 5000 * ms, 5000 * ms}, "yes no no yes no yes yes no"},
		{"burst", &limit.Rate{Tokens: 1, Burst: 3}, []time.Duration{0, 0, 0, 0, 999 * ms, 1000 * ms, 1000 * ms, 9000 * ms, 9000 * ms, 9000 * ms, 9000 * ms},
			"yes yes yes no no yes no yes yes yes no"},
		{"odd", &limit.Rate{Tokens: -1, Per: -1, Burst: -1}, []time.Duration{0, 0, 999 * ms, 1000 * ms}, "yes no no yes"},
		{"rounded up", &limit.Rate{Tokens: 3}, []time.Duration{0, 333333333, 333333334}, "yes no yes"},
		{"more than a billion a second", &limit.Rate{Tokens: math.MaxInt}, []time.Duration{0, 0, 1}, "yes no yes"},
		{"once in an age", &limit.Rate{Tokens: 1, Per: math.MaxInt64, Burst: math.MaxInt}, []time.Duration{0, 0, 0}, "yes yes no"},
		{"a clock set back", &limit.Rate{Tokens: 1}, []time.Duration{0, -time.Hour, 500 * ms, 1000 * ms}, "yes no no yes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			epoch := time.Now()
			got := ""
			for _, d := range test.steps {
				word := "yes"
				if begin(t.Context(), test.rate, at(epoch, d)) != nil {
					word = "no"
				}
				got += " " + word
			}
			if got != " "+test.begin {
				t.Errorf("begin:%s; want %s", got, test.begin)
			}
		})
	}
}

// A wait before the attempt counts as time that has passed, unless it may have been cut short.
func TestRateCountsTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nudge := make(chan struct{})
		for _, test := range []struct {
			p    *retry.Policy
			want bool
		}{
			{nil, true},
			{&retry.Policy{}, true},
			{&retry.Policy{Nudge: nudge}, false},
		} {
			r := &limit.Rate{Tokens: 1}
			epoch := time.Now()
			begin(t.Context(), r, at(epoch, 0))
			a := at(epoch, 0)
			a.Policy, a.Number, a.Wait = test.p, 2, time.Second
			if test.p != nil && test.p.Nudge != nil {
				a.Begins = time.Now() // as the engine says it
			}
			if got := begin(t.Context(), r, a) == nil; got != test.want {
				t.Errorf("policy %+v: begins %v after a wait that was cut; want %v", test.p, got, test.want)
			}
			time.Sleep(time.Second)
			if !a.Begins.IsZero() {
				a.Begins = time.Now()
			}
			if got := begin(t.Context(), r, a) == nil; got == test.want {
				t.Errorf("policy %+v: begins %v when the wait is over", test.p, got)
			}
		}
	})
}

// A token comes back if the attempt never began and nobody took one since.
func TestRateGivesBack(t *testing.T) {
	r := &limit.Rate{Tokens: 1, Burst: 2}
	epoch := time.Now()
	a, b := at(epoch, 0), at(epoch, 0)
	begin(t.Context(), r, a)
	begin(t.Context(), r, b)
	r.Settle(a, &retry.Outcome{State: retry.NotStarted}) // b came after it
	if begin(t.Context(), r, at(epoch, 0)) == nil {
		t.Error("a token that was given back late was there again")
	}
	r.Settle(b, &retry.Outcome{State: retry.NotStarted})
	c := at(epoch, 0)
	if err := begin(t.Context(), r, c); err != nil {
		t.Errorf("after a token was given back: %v", err)
	}
	r.Settle(c, &retry.Outcome{State: retry.Failed, Start: epoch})
	if begin(t.Context(), r, at(epoch, 0)) == nil {
		t.Error("an attempt that ran gave its token back")
	}
}

// A token that comes back goes to whoever waits, at once.
func TestRateGivesBackToWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := &limit.Rate{Tokens: 1, MaxWait: limit.Forever}, newJournal()
		a := attempt(retry.Normal)
		begin(t.Context(), r, a)
		enter(t.Context(), r, j, "b", retry.Normal)
		time.Sleep(time.Millisecond)
		r.Settle(a, &retry.Outcome{State: retry.NotStarted})
		time.Sleep(time.Minute)
		j.wants(t, "1ms b")
	})
}

func TestRateDoesNotWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := &limit.Rate{Tokens: 1, MaxWait: 2 * time.Second}, newJournal()
		short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		enter(t.Context(), r, j, "a", retry.Normal)
		enter(short, r, j, "b", retry.Normal)
		enter(short, r, j, "c", retry.Normal)
		enter(t.Context(), r, j, "d", retry.Normal)
		enter(t.Context(), r, j, "e", retry.Normal)
		time.Sleep(time.Minute)
		j.wants(t, "0s a", "0s c: limit: rate reached, room in 2s", "0s e: limit: rate reached, room in 3s", "1s b", "2s d")
	})
}

// Who comes when a token is just there does not take it from who waited for it.
func TestRateNewcomerDoesNotOvertake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := &limit.Rate{Tokens: 1, MaxWait: limit.Forever}, newJournal()
		enter(t.Context(), r, j, "a", retry.Normal)
		enter(t.Context(), r, j, "b", retry.Normal)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if begin(gone, r, at(j.since, time.Second)) == nil {
			t.Error("began before who waits")
		}
		time.Sleep(time.Minute)
		j.wants(t, "0s a", "1s b")
	})
}

// Who is overtaken by the more urgent still waits no longer than MaxWait.
func TestRateOvertakenWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, j := &limit.Rate{Tokens: 1, MaxWait: 1500 * time.Millisecond}, newJournal()
		enter(t.Context(), r, j, "a", retry.Normal)
		enter(t.Context(), r, j, "b", retry.Normal)
		enter(t.Context(), r, j, "c", retry.Critical)
		time.Sleep(time.Minute)
		j.wants(t, "0s a", "1s c", "1.5s b: limit: rate reached after a wait of 1.5s")
	})
}

// Through the engine, a retry that must wait for its token does so after its backoff.
func TestRateWaitsAfterTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		p := &retry.Policy{
			Gates:   []retry.Gate{&limit.Rate{Tokens: 1, Per: 3 * time.Second, MaxWait: limit.Forever}},
			Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None},
		}
		err := retry.Run(t.Context(), p, func(context.Context) error { j.note("runs"); return errBusy })
		if !errors.Is(err, retry.ErrExhausted) {
			t.Error(err)
		}
		j.wants(t, "0s runs", "3s runs", "6s runs")
	})
}

// In no span of time begin more than the rate allows, whoever comes, waits and leaves.
func TestRateHoldsInEverySpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst, space = 4, 10 * time.Millisecond
		r := &limit.Rate{Tokens: 100, Burst: burst, MaxWait: 50 * time.Millisecond, MaxWaiters: 3}
		var mu sync.Mutex
		var began []time.Time
		var wg sync.WaitGroup
		for caller := range 16 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), 2))
				for range 200 {
					time.Sleep(time.Duration(random.ExpFloat64() * float64(150*time.Millisecond)))
					ctx, cancel := context.WithCancel(t.Context())
					if random.IntN(3) == 0 {
						time.AfterFunc(time.Duration(random.IntN(30))*time.Millisecond, cancel)
					}
					a := attempt(retry.Priority(random.IntN(3) - 1))
					if begin(ctx, r, a) == nil {
						if random.IntN(10) == 0 {
							r.Settle(a, &retry.Outcome{State: retry.NotStarted})
						} else {
							mu.Lock()
							began = append(began, time.Now())
							mu.Unlock()
						}
					}
					cancel()
				}
			})
		}
		wg.Wait()
		for i := range began {
			for j := i; j < min(len(began), i+300); j++ {
				if n, most := j-i+1, burst+int(began[j].Sub(began[i])/space); n > most {
					t.Fatalf("%d began within %v; want at most %d", n, began[j].Sub(began[i]), most)
				}
			}
		}
		s := r.Stats()
		if len(began) < 1000 || s.Waiting != 0 || s.Waited == 0 || s.Shed == 0 || s.Refused == 0 {
			t.Errorf("%d began, Stats() = %+v; want all kinds of ends seen", len(began), s)
		}
	})
}

func FuzzRate(f *testing.F) {
	f.Add(10, int64(time.Second), 1, uint64(1))
	f.Add(math.MaxInt, int64(math.MaxInt64), math.MaxInt, uint64(2))
	f.Add(math.MinInt, int64(math.MinInt64), math.MinInt, uint64(3))
	f.Fuzz(func(t *testing.T, tokens int, per int64, burst int, seed uint64) {
		r := &limit.Rate{Tokens: tokens, Per: time.Duration(per), Burst: burst}
		random := rand.New(rand.NewPCG(seed, 0))
		epoch := time.Now()
		now := time.Duration(0)
		n := 0
		for range 100 {
			now += time.Duration(random.Int64N(1 << random.IntN(50)))
			a := at(epoch, now)
			a.Wait = time.Duration(random.Int64() >> random.IntN(64))
			if random.IntN(20) == 0 {
				a.At = epoch.Add(time.Duration(random.Int64()) - math.MaxInt64/2)
			}
			err := begin(t.Context(), r, a)
			if err == nil {
				n++
			} else if e, ok := errors.AsType[*limit.Error](err); !ok || e.After < 0 || e.Error() == "" {
				t.Fatalf("refused with %v", err)
			}
		}
		if n == 0 {
			t.Error("not even the first began")
		}
	})
}

func ExampleRate() {
	rate := &limit.Rate{Name: "venue", Tokens: 1200, Per: time.Minute, Burst: 2}
	quote := &retry.Policy{Name: "venue.quote", Gates: []retry.Gate{rate}}
	for range 3 {
		err := retry.Run(context.Background(), quote, func(context.Context) error { return nil })
		fmt.Println(errors.Is(err, limit.ErrRate), retry.Hint(err) > 0)
	}
	// Output:
	// false false
	// false false
	// true true
}

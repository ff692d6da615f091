package limit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/gate/limit"
	"github.com/relent-go/relent/retry"
)

var (
	errBusy   = retry.Mark(errors.New("busy"), retry.Transient)
	errGone   = errors.New("the caller left")
	errHalted = errors.New("halted")
)

func TestGates(t *testing.T) {
	for _, test := range []struct {
		name string
		s    gatetest.Suite
	}{
		{"Concurrency", gatetest.Suite{Open: func() retry.Gate { return &limit.Concurrency{Max: 5} }}},
		{"Concurrency, zero", gatetest.Suite{Open: func() retry.Gate { return &limit.Concurrency{} }}},
		{"Concurrency that waits", gatetest.Suite{Open: func() retry.Gate { return &limit.Concurrency{Max: 5, MaxWait: time.Hour} }, Waits: true}},
		{"Concurrency with one waiter", gatetest.Suite{Open: func() retry.Gate {
			return &limit.Concurrency{Max: 5, MaxWait: limit.Forever, MaxWaiters: 1}
		}, Waits: true}},
		{"Retries", gatetest.Suite{Open: func() retry.Gate { return &limit.Retries{Max: 5} }}},
		{"Retries, zero", gatetest.Suite{Open: func() retry.Gate { return &limit.Retries{} }}},
		{"Rate", gatetest.Suite{Open: func() retry.Gate { return &limit.Rate{} }}},
		{"Rate with a burst", gatetest.Suite{Open: func() retry.Gate { return &limit.Rate{Tokens: 100, Per: time.Minute, Burst: 20} }}},
		{"Rate that waits", gatetest.Suite{Open: func() retry.Gate {
			return &limit.Rate{Tokens: 3, Burst: 2, MaxWait: limit.Forever}
		}, Waits: true}},
	} {
		t.Run(test.name, func(t *testing.T) { test.s.Run(t) })
	}
}

// attempt is the first of a call that was asked for now.
func attempt(p retry.Priority) *retry.Attempt {
	return &retry.Attempt{Policy: &retry.Policy{Priority: p}, Number: 1, At: time.Now(), Note: new(uint64)}
}

// begin does what the engine does with one gate.
func begin(ctx context.Context, g retry.Starter, a *retry.Attempt) error {
	if err := g.Admit(ctx, a); err != nil {
		return err
	}
	err := g.Start(ctx, a)
	if err != nil {
		g.Settle(a, &retry.Outcome{})
	}
	return err
}

func end(g retry.Gate, a *retry.Attempt) {
	g.Settle(a, &retry.Outcome{State: retry.Succeeded, Start: a.At})
}

// A journal notes who began, and when.
type journal struct {
	since time.Time
	mu    sync.Mutex
	lines []string
}

func newJournal() *journal { return &journal{since: time.Now()} }

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf("%v ", time.Since(j.since))+fmt.Sprintf(format, args...))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

// wants compares the journal with lines.
func (j *journal) wants(t *testing.T, lines ...string) {
	t.Helper()
	if got, want := j.String(), strings.Join(lines, "\n"); got != want {
		t.Errorf("journal\n%s\nwant\n%s", got, want)
	}
}

// A kind is a limit that lets one attempt run, or one begin per second, and waits up to a minute.
type kind struct {
	name string
	open func(maxWait time.Duration, maxWaiters int) gate
}

type gate interface {
	retry.Starter
	Stats() limit.Stats
}

var kinds = []kind{
	{"Concurrency", func(w time.Duration, n int) gate {
		return &limit.Concurrency{Name: "venue", Max: 1, MaxWait: w, MaxWaiters: n}
	}},
	{"Rate", func(w time.Duration, n int) gate {
		return &limit.Rate{Name: "venue", Tokens: 1, MaxWait: w, MaxWaiters: n}
	}},
}

// each runs a test of both kinds in a bubble.
func each(t *testing.T, test func(*testing.T, kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, k) }) })
	}
}

// enter lets an attempt of its own goroutine begin, run for a second and end.
func enter(ctx context.Context, g gate, j *journal, name string, p retry.Priority) {
	go func() {
		a := attempt(p)
		if err := begin(ctx, g, a); err != nil {
			j.note("%s: %v", name, err)
			return
		}
		j.note("%s", name)
		time.Sleep(time.Second)
		end(g, a)
	}()
	synctest.Wait()
}

func TestWaitersAreServedInOrder(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(limit.Forever, 0), newJournal()
		for i := range 4 {
			enter(t.Context(), g, j, fmt.Sprint(i), retry.Normal)
		}
		if got := g.Stats().Waiting; got != 3 {
			t.Errorf("%d wait; want 3", got)
		}
		time.Sleep(time.Minute)
		j.wants(t, "0s 0", "1s 1", "2s 2", "3s 3")
		if got, want := g.Stats(), (limit.Stats{Waited: 3}); got != want {
			t.Errorf("Stats() = %+v; want %+v", got, want)
		}
	})
}

func TestUrgentWaitersAreServedFirst(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(limit.Forever, 0), newJournal()
		for i, p := range []retry.Priority{retry.Normal, retry.Sheddable, -100, retry.Normal, retry.Critical, retry.Normal, 100} {
			enter(t.Context(), g, j, fmt.Sprint(i, " ", p), p)
		}
		time.Sleep(time.Minute)
		j.wants(t, "0s 0 normal", "1s 4 critical", "2s 6 critical", "3s 3 normal", "4s 5 normal", "5s 1 sheddable", "6s 2 sheddable")
	})
}

func TestCrowdRefusesSheddableFirst(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(limit.Forever, 2), newJournal()
		for i, p := range []retry.Priority{retry.Normal, retry.Sheddable, retry.Sheddable, retry.Sheddable, retry.Normal, retry.Critical, retry.Critical, retry.Critical} {
			enter(t.Context(), g, j, fmt.Sprint(i, " ", p), p)
		}
		if got := g.Stats(); got.Waiting != 2 || got.Refused != 5 || got.Shed != 3 {
			t.Errorf("Stats() = %+v; want 2 waiting, 5 refused, 3 of them shed", got)
		}
		time.Sleep(time.Minute)
		after := ""
		if k.name == "Rate" {
			after = ", room in 3s"
		}
		j.wants(t, "0s 0 normal",
			"0s 3 sheddable: limit venue: too many are waiting"+after, // nobody is less urgent
			"0s 2 sheddable: limit venue: too many are waiting",       // the latest of them
			"0s 1 sheddable: limit venue: too many are waiting",
			"0s 4 normal: limit venue: too many are waiting",
			"0s 7 critical: limit venue: too many are waiting"+after,
			"1s 5 critical", "2s 6 critical")
	})
}

func TestNoWaitersAtAll(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(limit.Forever, -1), newJournal()
		enter(t.Context(), g, j, "a", retry.Normal)
		enter(t.Context(), g, j, "b", retry.Critical)
		time.Sleep(time.Minute)
		if got := g.Stats(); got.Refused != 1 || got.Shed != 0 || !strings.Contains(j.String(), "0s b: limit venue: too many are waiting") {
			t.Errorf("Stats() = %+v, journal\n%s\nwant the second refused at once", got, j)
		}
	})
}

// A waiter that leaves costs those behind it nothing.
func TestWaiterLeaves(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		for _, leaves := range []int{1, 2} {
			g, j := k.open(limit.Forever, 0), newJournal()
			ctx, cancel := context.WithCancelCause(t.Context())
			for i := range 4 {
				c := t.Context()
				if i == leaves {
					c = ctx
				}
				enter(c, g, j, fmt.Sprint(i), retry.Normal)
			}
			time.Sleep(500 * time.Millisecond)
			cancel(errGone)
			time.Sleep(time.Minute)
			j.wants(t, "0s 0", fmt.Sprintf("500ms %d: the caller left", leaves), "1s "+fmt.Sprint(3-leaves), "2s 3")
			if got, want := g.Stats(), (limit.Stats{Waited: 2}); got != want {
				t.Errorf("Stats() = %+v; want %+v", got, want)
			}
		}
	})
}

// When the wait ends in the moment when its turn comes, the turn is passed on.
func TestTurnAndCancelAtOnce(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		for _, order := range []string{"turn first", "cancel first"} {
			g, j := k.open(limit.Forever, 0), newJournal()
			a := attempt(retry.Normal)
			if err := begin(t.Context(), g, a); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			enter(ctx, g, j, "leaver", retry.Normal)
			enter(t.Context(), g, j, "next", retry.Normal)
			time.Sleep(time.Second)
			if order == "turn first" {
				end(g, a)
				cancel(errGone)
			} else {
				cancel(errGone)
				end(g, a)
			}
			time.Sleep(time.Minute)
			switch got := j.String(); {
			case k.name == "Concurrency" && got == "1s leaver: the caller left\n1s next":
			case k.name == "Rate" && got == "1s leaver\n2s next": // its timer, of the same second, was first
			case k.name == "Rate" && got == "1s leaver: the caller left\n1s next":
			default:
				t.Errorf("%s: journal\n%s\nwant the place of the leaver passed on", order, got)
			}
			if err := begin(t.Context(), g, attempt(retry.Normal)); err != nil {
				t.Errorf("%s: %v; want a free place at last", order, err)
			}
		}
	})
}

func TestMaxWait(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(500*time.Millisecond, 0), newJournal()
		enter(t.Context(), g, j, "a", retry.Normal)
		enter(t.Context(), g, j, "b", retry.Normal)
		time.Sleep(time.Minute)
		if k.name == "Concurrency" {
			j.wants(t, "0s a", "500ms b: limit venue: all slots are taken after a wait of 500ms")
		} else {
			j.wants(t, "0s a", "0s b: limit venue: rate reached, room in 1s") // the wait would be in vain
		}
		if got := g.Stats(); got.Refused != 1 || got.Waiting != 0 {
			t.Errorf("Stats() = %+v; want 1 refused, none waiting", got)
		}
	})
}

func TestRefusalsSayWhatTheyAre(t *testing.T) {
	for _, test := range []struct {
		gate  retry.Starter
		is    error
		class retry.Class
		hint  time.Duration
		text  string
	}{
		{&limit.Concurrency{Max: 1}, limit.ErrBusy, retry.Transient, 0, "limit: all slots are taken"},
		{&limit.Rate{Name: "venue", Tokens: 1}, limit.ErrRate, retry.Throttled, time.Second, "limit venue: rate reached, room in 1s"},
	} {
		a := attempt(retry.Normal)
		begin(t.Context(), test.gate, a)
		b := attempt(retry.Normal)
		b.At = a.At
		err := begin(t.Context(), test.gate, b)
		_, typed := errors.AsType[*limit.Error](err)
		if !errors.Is(err, test.is) || retry.DefaultClassify(err) != test.class || retry.Hint(err) != test.hint || !typed || err.Error() != test.text {
			t.Errorf("refused with %v, %v, hint %v; want %s, %v, hint %v", err, retry.DefaultClassify(err), retry.Hint(err), test.text, test.class, test.hint)
		}
	}
}

// A stop ends the wait in Start with its cause, and the place is not lost.
func TestStopEndsWait(t *testing.T) {
	each(t, func(t *testing.T, k kind) {
		g, j := k.open(limit.Forever, 0), newJournal()
		h := &halter{}
		h.ctx, h.cancel = context.WithCancelCause(context.Background())
		enter(t.Context(), g, j, "a", retry.Normal)
		go func() {
			err := retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{h, g}}, func(context.Context) error { return nil })
			j.note("%v", errors.Is(err, errHalted))
		}()
		time.Sleep(300 * time.Millisecond)
		h.cancel(errHalted)
		time.Sleep(time.Minute)
		enter(t.Context(), g, j, "b", retry.Normal)
		j.wants(t, "0s a", "300ms true", "1m0.3s b")
		time.Sleep(time.Minute)
	})
}

type halter struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (*halter) Admit(context.Context, *retry.Attempt) error { return nil }
func (*halter) Start(context.Context, *retry.Attempt) error { return nil }
func (*halter) Settle(*retry.Attempt, *retry.Outcome)       {}
func (h *halter) Halted(*retry.Attempt) context.Context     { return h.ctx }

// A retry holds its slot while it runs, and not while it backs off; it holds its place among the retries then, too.
func TestWhatIsHeldDuringABackoff(t *testing.T) {
	for _, test := range []struct {
		gate gate2
		want limit.Stats
	}{
		{&limit.Concurrency{Max: 1}, limit.Stats{}},
		{&limit.Retries{Max: 1}, limit.Stats{Running: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &retry.Policy{Gates: []retry.Gate{test.gate}, Backoff: backoff.Constant{Wait: time.Minute, Jitter: backoff.None}, MaxAttempts: 2}
			done := make(chan error)
			tries := 0
			go func() {
				done <- retry.Run(t.Context(), p, func(context.Context) error {
					if tries++; tries == 1 {
						return errBusy
					}
					if got := test.gate.Stats().Running; got != 1 {
						t.Errorf("%T: %d running in the retry; want 1", test.gate, got)
					}
					return nil
				})
			}()
			time.Sleep(time.Second)
			if got := test.gate.Stats(); got != test.want {
				t.Errorf("%T: Stats() = %+v during the backoff; want %+v", test.gate, got, test.want)
			}
			if err := <-done; err != nil || test.gate.Stats() != (limit.Stats{}) {
				t.Errorf("%T: %v, then %+v; want nothing left", test.gate, err, test.gate.Stats())
			}
		})
	}
}

type gate2 interface {
	retry.Gate
	Stats() limit.Stats
}

func TestRetries(t *testing.T) {
	for _, test := range []struct{ max, want int }{{0, limit.DefaultRetries}, {3, 3}, {-1, 0}} {
		r := &limit.Retries{Name: "venue", Max: test.max}
		admitted := 0
		for range 100 {
			if err := r.Admit(t.Context(), &retry.Attempt{Number: 1}); err != nil {
				t.Fatal(err)
			}
			err := r.Admit(t.Context(), &retry.Attempt{Number: 2})
			if err == nil {
				admitted++
			} else if !errors.Is(err, limit.ErrBusy) || err.Error() != "limit venue: all slots are taken" {
				t.Fatal(err)
			}
		}
		if got, want := r.Stats(), (limit.Stats{Running: test.want, Refused: uint64(100 - test.want)}); admitted != test.want || got != want {
			t.Errorf("Max %d: %d admitted, Stats() = %+v; want %d and %+v", test.max, admitted, got, test.want, want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		gate interface{ Check() error }
		want string
	}{
		{&limit.Concurrency{}, ""},
		{&limit.Concurrency{Max: 3, MaxWait: time.Second, MaxWaiters: 3}, ""},
		{&limit.Concurrency{Max: -1, MaxWait: -1, MaxWaiters: -1}, "MaxWait: -1ns is negative and counts as 0\n" +
			"MaxWaiters: -1 is negative and counts as none\nMaxWaiters: -1 has no effect without MaxWait\nMax: -1 is negative and counts as 1"},
		{&limit.Retries{Max: 3}, ""},
		{&limit.Retries{Max: -3}, "Max: -3 is negative and allows no retry"},
		{&limit.Rate{}, ""},
		{&limit.Rate{Tokens: -1, Per: -1, Burst: -1, MaxWaiters: 3}, "MaxWaiters: 3 has no effect without MaxWait\n" +
			"Tokens: -1 is negative and counts as 1\nPer: -1ns is negative and counts as 1s\nBurst: -1 is negative and counts as 1"},
	} {
		got := ""
		if err := test.gate.Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%T.Check() = %q; want %q", test.gate, got, test.want)
		}
	}
}

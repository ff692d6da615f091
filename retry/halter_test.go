package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/retry"
)

var stopped = errors.New("stopped")

// A fakeStarter is a fakeGate that is also asked when an attempt begins.
type fakeStarter struct {
	fakeGate
	refuseStart int
}

func (g *fakeStarter) Start(_ context.Context, a *retry.Attempt) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.Number == g.refuseStart {
		g.note("%s stops %d", g.name, a.Number)
		return refused
	}
	g.note("%s starts %d", g.name, a.Number)
	return nil
}

// A fakeHalter is a switch that admits nothing once it was thrown.
type fakeHalter struct {
	fakeStarter
	once   sync.Once
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (h *fakeHalter) Halted() context.Context {
	h.once.Do(func() { h.ctx, h.cancel = context.WithCancelCause(context.Background()) })
	return h.ctx
}

func (h *fakeHalter) stop() { h.Halted(); h.cancel(stopped) }

func TestStartersAreAskedInReverseAfterTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		began := time.Now()
		a := &fakeStarter{fakeGate: fakeGate{name: "a", log: &log}}
		b := &fakeGate{name: "b", log: &log}
		c := &fakeStarter{fakeGate: fakeGate{name: "c", log: &log}}
		c.admit = func(_ context.Context, at *retry.Attempt) { c.note("after %v", time.Since(began)) }
		p := &retry.Policy{Gates: []retry.Gate{a, b, nil, c}, Backoff: second}
		fn, _ := script(transient)
		if err := retry.Run(t.Context(), p, func(ctx context.Context) error {
			log = append(log, fmt.Sprintf("runs after %v", time.Since(began)))
			return fn(ctx)
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"a admits 1", "b admits 1", "after 0s", "c admits 1", "c starts 1", "a starts 1", "runs after 0s",
			"c settles 1 failed", "b settles 1 failed", "a settles 1 failed",
			"a admits 2", "b admits 2", "after 0s", "c admits 2", "c starts 2", "a starts 2", "runs after 1s",
			"c settles 2 succeeded", "b settles 2 succeeded", "a settles 2 succeeded",
		}
		if !slices.Equal(log, want) {
			t.Errorf("log\n%q; want\n%q", log, want)
		}
	})
}

func TestStartRefuses(t *testing.T) {
	for _, number := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			g := &fakeGate{}
			s := &fakeStarter{refuseStart: number}
			fn, calls := always(transient)
			err := retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{g, s}, Backoff: second}, fn)
			if e := asError(t, err); *calls != number-1 || e.Reason != refused || number == 2 && e.Last != transient {
				t.Errorf("%d calls, %v; want %d and the refusal", *calls, err, number-1)
			}
			if want := time.Duration(number-1) * time.Second; time.Since(began) != want {
				t.Errorf("ended after %v; want %v, since Start comes after the wait", time.Since(began), want)
			}
			if last := g.out[len(g.out)-1]; last.State != retry.NotStarted || len(g.in) != len(g.out) {
				t.Errorf("told %+v of %d; want not started, once each", g.out, len(g.in))
			}
		})
	}
}

// A stop ends the waits of all kinds of calls at once, and what they had reserved is given back.
func TestHalterEndsWaits(t *testing.T) {
	hour := retry.After(errPlain, time.Hour)
	kinds := map[string]func(context.Context, *retry.Policy) error{
		"Do": func(ctx context.Context, p *retry.Policy) error {
			return retry.Run(ctx, p, func(context.Context) error { return hour })
		},
		"Attempts": func(ctx context.Context, p *retry.Policy) (err error) {
			for range retry.Attempts(ctx, p, &err) {
				err = hour
			}
			return err
		},
		"Go": func(ctx context.Context, p *retry.Policy) error {
			_, err := retry.Go(retry.WithPool(ctx, &retry.Pool{}), p, func(context.Context) (int, error) { return 0, hour }).Wait(ctx)
			return err
		},
	}
	for name, call := range kinds {
		for _, nudged := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/nudge %v", name, nudged), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &fakeHalter{}
					g := &fakeGate{}
					p := &retry.Policy{Gates: []retry.Gate{h, g}, MaxHint: 2 * time.Hour}
					if nudged {
						p.Nudge = make(chan struct{})
					}
					began := time.Now()
					time.AfterFunc(time.Minute, h.stop)
					err := call(t.Context(), p)
					if e := asError(t, err); e.Reason != stopped || !errors.Is(err, errPlain) || e.Attempts != 1 {
						t.Errorf("%v; want the stop and the last error after 1 attempt", err)
					}
					if time.Since(began) != time.Minute {
						t.Errorf("ended after %v; want at once, after 1m", time.Since(began))
					}
					if len(g.in) != 2 || len(g.out) != 2 || g.out[1].State != retry.NotStarted {
						t.Errorf("admitted %d, settled %v; want the second given back", len(g.in), g.out)
					}
				})
			})
		}
	}
}

// Calls of one pool that share a context or a stop share a watch on it, and each leaves alone.
func TestHalterEndsAllParkedCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHalter{}
		shared, cancel := context.WithCancel(t.Context())
		defer cancel()
		pool := &retry.Pool{Workers: 2}
		begin := func(ctx context.Context, hint time.Duration) *retry.Future[int] {
			p := &retry.Policy{Gates: []retry.Gate{h}, MaxHint: 2 * time.Hour, MaxAttempts: 2}
			return retry.Go(retry.WithPool(ctx, pool), p, func(context.Context) (int, error) {
				return 0, retry.After(errPlain, hint)
			})
		}
		var canceled, expired, halted []*retry.Future[int]
		for range 5 {
			halted = append(halted, begin(t.Context(), time.Hour))
			canceled = append(canceled, begin(shared, time.Hour))
			expired = append(expired, begin(t.Context(), time.Second))
		}
		for _, step := range []struct {
			do    func()
			which []*retry.Future[int]
			want  error
		}{
			{func() { time.Sleep(3 * time.Second) }, expired, retry.ErrExhausted},
			{cancel, canceled, context.Canceled},
			{h.stop, halted, stopped},
		} {
			step.do()
			synctest.Wait()
			for _, f := range step.which {
				select {
				case <-f.Done():
				default:
					t.Fatalf("still waiting for %v", step.want)
				}
				if _, err := f.Wait(t.Context()); !errors.Is(err, step.want) {
					t.Errorf("%v; want %v", err, step.want)
				}
			}
		}
	})
}

// What is stopped before a wait begins does not wait, and what is stopped while a gate waits ends that, too.
func TestHalterBeforeTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHalter{}
		began := time.Now()
		err := retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{h}, Backoff: second}, func(context.Context) error {
			h.stop()
			return transient
		})
		if e := asError(t, err); e.Reason != stopped || e.Attempts != 1 || time.Since(began) != 0 {
			t.Errorf("%v after %v; want the stop at once", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHalter{}
		late := &fakeHalter{} // a second one is asked, but not heard
		wait := &fakeGate{admit: func(_ context.Context, a *retry.Attempt) { <-a.Halted().Done() }}
		time.AfterFunc(time.Second, h.stop)
		began := time.Now()
		retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{h, late, wait}}, func(context.Context) error { return nil })
		if time.Since(began) != time.Second {
			t.Errorf("the gate waited for %v; want 1s, until the stop", time.Since(began))
		}
	})
	if (&retry.Attempt{}).Halted().Done() != nil {
		t.Error("an attempt without a halter can be halted")
	}
}

// Each gate has a note of its own, which is empty when an attempt is admitted.
func TestNotes(t *testing.T) {
	for _, gates := range []int{1, 4, 7, 70} {
		p := &retry.Policy{Backoff: immediate}
		all := make([]*noteGate, gates)
		for i := range all {
			all[i] = &noteGate{t: t, mark: uint64(i + 1)}
			p.Gates = append(p.Gates, all[i])
		}
		fn, _ := script(transient, transient)
		if err := retry.Run(t.Context(), p, fn); err != nil {
			t.Fatal(err)
		}
		for _, g := range all {
			if g.settled != 3 {
				t.Errorf("settled %d; want 3", g.settled)
			}
		}
	}
	var byHand retry.Attempt
	byHand.Keep(1)
	if byHand.Kept() != 0 {
		t.Error("an attempt without a note kept one")
	}
}

type noteGate struct {
	t       *testing.T
	mark    uint64
	lane    uint32
	settled int
}

func (g *noteGate) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Kept() != 0 {
		g.t.Errorf("attempt %d begins with note %d; want 0", a.Number, a.Kept())
	}
	a.Keep(g.mark * uint64(a.Number))
	if a.Number > 1 && g.lane != a.Lane {
		g.t.Errorf("lane %d, then %d", g.lane, a.Lane)
	}
	g.lane = a.Lane
	return nil
}

func (g *noteGate) Start(_ context.Context, a *retry.Attempt) error {
	a.Keep(a.Kept() + 100)
	return nil
}

func (g *noteGate) Settle(a *retry.Attempt, _ *retry.Outcome) {
	if want := g.mark*uint64(a.Number) + 100; a.Kept() != want || a.Lane != g.lane {
		g.t.Errorf("settled with note %d in lane %d; want %d in %d", a.Kept(), a.Lane, want, g.lane)
	}
	g.settled++
}

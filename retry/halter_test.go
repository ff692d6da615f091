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

	"github.com/relent-go/relent/backoff"
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

func (h *fakeHalter) Halted(*retry.Attempt) context.Context {
	h.once.Do(func() { h.ctx, h.cancel = context.WithCancelCause(context.Background()) })
	return h.ctx
}

func (h *fakeHalter) stop() { h.Halted(nil); h.cancel(stopped) }

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
	for i := range 4 {
		number, halter := 1+i/2, i%2 == 1
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			g := &fakeGate{}
			var s retry.Starter = &fakeStarter{refuseStart: number}
			if halter {
				s = &fakeHalter{fakeStarter: fakeStarter{refuseStart: number}}
			}
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
	synctest.Test(t, func(t *testing.T) { // a gate that waits before the halter has been asked
		h := &fakeHalter{}
		wait := &fakeGate{admit: func(_ context.Context, a *retry.Attempt) { <-a.Halted().Done() }}
		time.AfterFunc(time.Second, h.stop)
		began := time.Now()
		retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{&fakeGate{}, wait, h}}, func(context.Context) error { return nil })
		if time.Since(began) != time.Second {
			t.Errorf("the gate waited for %v; want 1s, until the stop", time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		wait := &fakeGate{admit: func(ctx context.Context, a *retry.Attempt) {
			if a.Halted().Done() != nil {
				t.Error("an attempt of a policy without a halter can be halted")
			}
		}}
		retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{wait}}, func(context.Context) error { return nil })
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

// A gate that may wait in Start is told the time, and what it waited for is not blamed on the attempt; after it, what
// may have changed meanwhile is asked again, and a stop last, wherever its gate stands.
func TestStartersMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		began := time.Now()
		h := &fakeHalter{fakeStarter: fakeStarter{fakeGate: fakeGate{name: "halter", log: &log}}}
		slow := &slowStarter{wait: time.Minute}
		soon := &slowStarter{}
		fn, _ := script(transient)
		p := &retry.Policy{Gates: []retry.Gate{soon, slow, h}, Backoff: second, Validate: func(_ context.Context, a retry.Attempt) error {
			log = append(log, fmt.Sprintf("validates %d after %v", a.Number, time.Since(began)))
			return nil
		}}
		if err := retry.Run(t.Context(), p, fn); err != nil {
			t.Fatal(err)
		}
		at := func(d ...time.Duration) (times []time.Time) {
			for _, d := range d {
				times = append(times, began.Add(d))
			}
			return times
		}
		same := func(a, b time.Time) bool { return a.Equal(b) }
		if want := at(0, 61*time.Second); !slices.EqualFunc(slow.begins, want, same) {
			t.Errorf("the slow one was asked at %v; want %v", slow.begins, want)
		}
		if want := at(time.Minute, 121*time.Second); !slices.EqualFunc(soon.begins, want, same) {
			t.Errorf("the gate after it was asked at %v; want %v", soon.begins, want)
		}
		for i, o := range h.out {
			if want := at(time.Minute, 121*time.Second)[i]; !o.Start.Equal(want) {
				t.Errorf("attempt %d started at %v; want %v, when the gates had let it go", i+1, o.Start, want)
			}
		}
		want := []string{
			"halter admits 1", "halter starts 1", "halter settles 1 failed",
			"validates 2 after 1m0s", "halter admits 2", "validates 2 after 2m1s", "halter starts 2", "halter settles 2 succeeded",
		}
		if !slices.Equal(log, want) {
			t.Errorf("log\n%q; want\n%q", log, want)
		}
	})
}

// What ends a call while a gate waits in Start keeps the attempt from beginning.
func TestWhatEndsACallWhileAGateWaits(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*retry.Policy, *fakeHalter)
		ctx    func(context.Context) context.Context
		want   error
	}{
		"a limit of the scope": {
			ctx: func(ctx context.Context) context.Context {
				return retry.WithLimit(ctx, retry.Limit{MaxElapsed: 30 * time.Second})
			},
			want: retry.ErrLimited,
		},
		"a stop": {
			change: func(_ *retry.Policy, h *fakeHalter) { time.AfterFunc(30*time.Second, h.stop) },
			want:   stopped,
		},
		"MaxElapsed": {
			change: func(p *retry.Policy, _ *fakeHalter) { p.MaxElapsed = 30 * time.Second },
			want:   retry.ErrElapsed,
		},
		"Validate, without a backoff": {
			change: func(p *retry.Policy, _ *fakeHalter) {
				began := time.Now()
				p.Backoff = immediate
				p.Validate = func(context.Context, retry.Attempt) error {
					if time.Since(began) > 0 {
						return errPlain
					}
					return nil
				}
			},
			want: retry.ErrInvalid,
		},
		"Validate": {
			change: func(p *retry.Policy, _ *fakeHalter) {
				asked := 0
				p.Validate = func(context.Context, retry.Attempt) error {
					if asked++; asked > 1 {
						return errPlain
					}
					return nil
				}
			},
			want: retry.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHalter{}
				slow := &slowStarter{wait: time.Minute, from: 2}
				p := &retry.Policy{Gates: []retry.Gate{h, slow}, Backoff: second}
				if test.change != nil {
					test.change(p, h)
				}
				ctx := t.Context()
				if test.ctx != nil {
					ctx = test.ctx(ctx)
				}
				fn, calls := always(transient)
				if err := retry.Run(ctx, p, fn); !errors.Is(err, test.want) || *calls != 1 {
					t.Errorf("%v after %d calls; want %v after 1", err, *calls, test.want)
				}
				if last := h.out[len(h.out)-1]; len(h.in) != len(h.out) || last.State != retry.NotStarted {
					t.Errorf("admitted %d, settled %+v; want the retry given back", len(h.in), h.out)
				}
			})
		})
	}
}

// A slowStarter waits in Start, from some attempt on.
type slowStarter struct {
	fakeGate
	wait   time.Duration
	from   int
	begins []time.Time
}

func (g *slowStarter) Start(_ context.Context, a *retry.Attempt) error {
	g.begins = append(g.begins, a.Begins)
	if a.Number >= g.from {
		time.Sleep(g.wait)
	}
	return nil
}

// A leave that lapses during the wait ends the call before the attempt, and is not asked about where there was no wait.
func TestRecheck(t *testing.T) {
	for _, test := range []struct {
		backoff backoff.Strategy
		calls   int
		asked   int
	}{{second, 1, 1}, {immediate, 3, 0}} {
		synctest.Test(t, func(t *testing.T) {
			before := &fakeGate{}
			g := &lapsing{}
			fn, calls := always(transient)
			err := retry.Run(t.Context(), &retry.Policy{Gates: []retry.Gate{before, g}, Backoff: test.backoff}, fn)
			if *calls != test.calls || g.asked != test.asked || errors.Is(err, refused) != (test.asked > 0) {
				t.Errorf("%d calls, asked %d times, %v; want %d and %d", *calls, g.asked, err, test.calls, test.asked)
			}
			if test.asked > 0 && before.out[1].State != retry.NotStarted {
				t.Errorf("told %+v; want the retry given back", before.out)
			}
		})
	}
}

type lapsing struct {
	fakeGate
	asked int
}

func (g *lapsing) Recheck(_ context.Context, a *retry.Attempt) error { g.asked++; return refused }

package batch_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/batch"
)

type items = []batch.Item[int]
type answers = []batch.Answer[string]

var steady = backoff.Constant{Wait: time.Second, Jitter: backoff.None}

func TestBulkAnswersThatAreMissing(t *testing.T) {
	r, err := batch.Bulk(t.Context(), nil, count(4), func(context.Context, items) (answers, error) {
		return answers{{Value: "a"}, {Err: permanent()}}, nil
	}, nil)
	sees(t, r, "SFUU")
	if !errors.Is(err, batch.ErrNoAnswer) {
		t.Errorf("the error is %v; want %v", err, batch.ErrNoAnswer)
	}
}

func TestBulkErrorOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		r, err := batch.Bulk(t.Context(), nil, count(3), func(_ context.Context, i items) (answers, error) {
			if calls++; calls == 1 {
				return answers{{Value: "first"}}, transient()
			}
			return make(answers, len(i)+5), nil // more than was asked for
		}, nil)
		sees(t, r, "SSS")
		if r.Outcomes[0].Attempts != 1 || r.Outcomes[2].Attempts != 2 || calls != 2 || err != nil {
			t.Errorf("%+v, %d calls, %v; want the first once, the others twice", r.Outcomes, calls, err)
		}
	})
}

// An item that a gate refuses is left out; the others are sent.
func TestBulkGateRefusesOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errNo := errors.New("no")
		g := &counting{refuse: func(key string) error {
			if key == "b/1" {
				return errNo
			}
			return nil
		}}
		var sent items
		r, err := batch.Bulk(t.Context(), &retry.Policy{Gates: []retry.Gate{g}}, count(3), func(_ context.Context, i items) (answers, error) {
			sent = i
			return make(answers, len(i)), nil
		}, &options{Key: "b"})
		sees(t, r, "SNS")
		if !errors.Is(err, errNo) || len(sent) != 2 || g.admitted != g.settled {
			t.Errorf("%v, sent %v, %d of %d settled; want 0 and 2 sent", err, sent, g.settled, g.admitted)
		}
		g.refuse = func(string) error { return errNo }
		r, _ = batch.Bulk(t.Context(), &retry.Policy{Gates: []retry.Gate{g}}, count(3), func(context.Context, items) (answers, error) {
			t.Error("called with nothing to send")
			return nil, nil
		}, nil)
		sees(t, r, "NNN")
	})
}

// slow is a gate that lets an attempt start after a while.
type slow struct{ wait func(key string) }

func (slow) Admit(context.Context, *retry.Attempt) error { return nil }
func (s slow) Start(ctx context.Context, _ *retry.Attempt) error {
	s.wait(batch.Key(ctx))
	return nil
}
func (slow) Settle(*retry.Attempt, *retry.Outcome) {}

// A stop while items board, or wait to be sent again, is heeded: when it has returned, nothing is sent.
func TestBulkStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stops := &halt.Tree{}
		stop := func() { stops.Stop(halt.Command{Scope: "desk", Who: "ops1"}) }
		calls := 0
		fn := func(_ context.Context, i items) (answers, error) {
			calls++
			return slices.Repeat(answers{{Err: transient()}}, len(i)), nil
		}
		p := &retry.Policy{Backoff: steady, Gates: []retry.Gate{slow{func(key string) {
			if key == "b/1" && calls == 1 {
				time.Sleep(time.Second) // after the others have passed the stop
				stop()
				time.Sleep(time.Second)
			}
		}}, nil, stops.Gate("desk", "op")}}
		slices.Reverse(p.Gates) // the stop has the last word, but of b/0 it has spoken already
		r, err := batch.Bulk(t.Context(), p, count(2), fn, &options{Key: "b"})
		sees(t, r, "FF")
		if calls != 1 || !errors.Is(err, halt.ErrHalted) {
			t.Errorf("%d calls, %v; want 1 and the stop", calls, err)
		}
	})
}

// halting is a gate that stops those who wait.
type halting struct {
	counting
	ctx context.Context
}

func (h *halting) Halted(*retry.Attempt) context.Context { return h.ctx }

// Those who wait for a call, or for room, are woken by a stop and by the end of the context.
func TestWaitingEnds(t *testing.T) {
	errStop := errors.New("stop")
	for _, bulk := range []bool{false, true} {
		for _, stopped := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				halted, halt := context.WithCancelCause(context.Background())
				ctx, cancel := context.WithCancelCause(t.Context())
				g := &halting{ctx: halted}
				p := &retry.Policy{Gates: []retry.Gate{g}}
				time.AfterFunc(time.Second, func() {
					if stopped {
						halt(errStop)
					} else {
						cancel(errStop)
					}
				})
				o := &options{Concurrency: 1, Size: 1}
				var r *batch.Report[string]
				var err error
				if bulk {
					r, err = batch.Bulk(ctx, p, count(3), func(context.Context, items) (answers, error) {
						time.Sleep(time.Hour)
						return make(answers, 1), nil
					}, o)
				} else {
					r, err = batch.Do(ctx, p, count(3), func(context.Context, int) (string, error) {
						time.Sleep(time.Hour)
						return "", nil
					}, o)
				}
				if r.Count(batch.Succeeded) != 1 || r.Count(batch.NotSent) != 2 || !errors.Is(err, errStop) || g.admitted != g.settled {
					t.Errorf("bulk %v, stopped %v: %s, %v; want the one that ran, and the cause", bulk, stopped, states(r), err)
				}
			})
		}
	}
}

// A member that gives up at the moment it is called is not waited for.
func TestBulkGivesUpWhenCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancelling := slow{func(key string) {
			if key == "b/0" {
				cancel()
				time.Sleep(time.Second)
			}
		}}
		r, err := batch.Bulk(ctx, &retry.Policy{Gates: []retry.Gate{cancelling}}, count(3), func(ctx context.Context, i items) (answers, error) {
			return nil, ctx.Err()
		}, &options{Key: "b"})
		if r.Count(batch.Succeeded) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%s, %v; want none done", states(r), err)
		}
	})
}

// An item that waits to be sent again ends with the context, and nobody waits for it.
func TestBulkEndsInAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		r, err := batch.Bulk(ctx, &retry.Policy{Backoff: backoff.Constant{Wait: time.Hour, Jitter: backoff.None}}, count(3), func(_ context.Context, i items) (answers, error) {
			return nil, transient()
		}, nil)
		sees(t, r, "FFF")
		if !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v; want it canceled after 1s", err, time.Since(begun))
		}
	})
}

func TestBulkTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var causes []error
		var took []time.Duration
		var previous []int
		fn := func(ctx context.Context, _ items) (answers, error) {
			begun := time.Now()
			<-ctx.Done()
			causes, took = append(causes, context.Cause(ctx)), append(took, time.Since(begun))
			previous = append(previous, retry.PreviousAttempts(ctx))
			return nil, ctx.Err()
		}
		ctx := retry.WithPreviousAttempts(t.Context(), 5)
		batch.Bulk(ctx, &retry.Policy{AttemptTimeout: time.Second, MaxAttempts: 2, Idempotent: true, Nested: true}, count(2), fn, nil)
		batch.Bulk(t.Context(), &retry.Policy{MaxElapsed: 3 * time.Second}, count(2), fn, nil)
		want := []error{retry.ErrAttemptTimeout, retry.ErrAttemptTimeout, retry.ErrElapsed}
		if !slices.Equal(causes, want) || !slices.Equal(took, []time.Duration{time.Second, time.Second, 3 * time.Second}) || !slices.Equal(previous, []int{5, 6, 0}) {
			t.Errorf("causes %v after %v, previous attempts %v; want %v", causes, took, previous, want)
		}
	})
}

// Those whose waits end apart are sent apart, but not for want of a little patience.
func TestBulkLinger(t *testing.T) {
	for linger, want := range map[time.Duration]string{-1: "0 1 2|0|1|2", 0: "0 1 2|0 1|2", time.Second: "0 1 2|0 1 2"} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var sent []string
			_, err := batch.Bulk(t.Context(), &retry.Policy{Backoff: steady}, count(3), func(_ context.Context, i items) (list answers, _ error) {
				mu.Lock()
				defer mu.Unlock()
				s := []string{}
				for _, item := range i {
					s = append(s, fmt.Sprint(item.Value))
					var a batch.Answer[string]
					if len(sent) == 0 {
						hint := []time.Duration{1, 2, 100}[item.Value] * time.Millisecond
						a.Err = retry.After(errBusy, hint)
					}
					list = append(list, a)
				}
				sent = append(sent, strings.Join(s, " "))
				return list, nil
			}, &options{Linger: linger, Concurrency: 5})
			if got := strings.Join(sent, "|"); linger >= 0 && got != want || err != nil {
				t.Errorf("linger %v: sent %s, %v; want %s", linger, got, err, want)
			}
		})
	}
}

// The patience is anew each time.
func TestBulkLingersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hints := []map[int]time.Duration{{0: 1, 1: 2, 2: 5000}, {0: 1, 1: 500}}
		var sent []string
		_, err := batch.Bulk(t.Context(), &retry.Policy{Backoff: backoff.Constant{}}, count(3), func(_ context.Context, i items) (list answers, _ error) {
			s := []string{}
			for _, item := range i {
				s = append(s, fmt.Sprint(item.Value))
				var a batch.Answer[string]
				if n := len(sent); n < len(hints) {
					a.Err = retry.After(errBusy, hints[n][item.Value]*time.Millisecond)
				}
				list = append(list, a)
			}
			sent = append(sent, strings.Join(s, " "))
			return list, nil
		}, &options{Linger: time.Second})
		if got, want := strings.Join(sent, "|"), "0 1 2|0 1|0 1|2"; got != want || err != nil {
			t.Errorf("sent %s, %v; want %s", got, err, want)
		}
	})
}

// A short timeout leaves room for another attempt before the deadline, as it does in a call.
func TestBulkExpectsWhatTheTimeoutAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		r, _ := batch.Bulk(ctx, &retry.Policy{AttemptTimeout: 10 * time.Millisecond, Backoff: backoff.Constant{}}, count(2), func(context.Context, items) (answers, error) {
			return nil, transient()
		}, nil)
		if n := r.Outcomes[0].Attempts; n != 3 {
			t.Errorf("%d attempts; want 3", n)
		}
	})
}

// Those who failed together come back together, whatever the jitter.
func TestBulkSharesTheJitter(t *testing.T) {
	for _, random := range []func() float64{nil, func() float64 { return 0.25 }} {
		synctest.Test(t, func(t *testing.T) {
			var sent []int
			begun := time.Now()
			_, err := batch.Bulk(t.Context(), &retry.Policy{MaxAttempts: 9, Rand: random, Backoff: backoff.Exponential{Base: time.Minute}}, count(50), func(_ context.Context, i items) (answers, error) {
				if sent = append(sent, len(i)); len(sent) < 6 {
					return slices.Repeat(answers{{Err: transient()}}, len(i)), nil
				}
				return make(answers, len(i)), nil
			}, nil)
			if err != nil || !slices.Equal(sent, []int{50, 50, 50, 50, 50, 50}) {
				t.Errorf("sent %v, %v; want all 50 together six times", sent, err)
			}
			if took := time.Since(begun); random != nil && took != (15+4*30/4)*time.Second && took.Round(time.Second) != 38*time.Second {
				t.Errorf("took %v; want a quarter of the waits", took)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	for name, fall := range map[string]func(){"panicked: oh": func() { panic("oh") }, "ended its goroutine": runtime.Goexit} {
		for _, bulk := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				g := &counting{}
				var mu sync.Mutex
				ran := 0
				one := func() {
					mu.Lock()
					ran++
					n := ran
					mu.Unlock()
					if time.Sleep(time.Second); n == 2 {
						fall()
					}
				}
				var p *batch.Panic
				func() {
					defer func() { p, _ = recover().(*batch.Panic) }()
					o := &options{Concurrency: 2, Size: 1}
					policy := &retry.Policy{Gates: []retry.Gate{g}}
					if bulk {
						batch.Bulk(t.Context(), policy, count(10), func(_ context.Context, i items) (answers, error) { one(); return make(answers, len(i)), nil }, o)
					} else {
						batch.Do(t.Context(), policy, count(10), func(context.Context, int) (string, error) { one(); return "", nil }, o)
					}
				}()
				if p == nil || !strings.Contains(p.Error(), name) || !strings.Contains(p.Error(), "batch_test.go") && !strings.Contains(p.Error(), "bulk_test.go") {
					t.Fatalf("bulk %v: panicked with %v; want %q and the stack", bulk, p, name)
				}
				if ran > 4 || g.admitted != g.settled {
					t.Errorf("bulk %v: %d ran, %d of %d attempts settled; want no more than were under way", bulk, ran, g.settled, g.admitted)
				}
			})
		}
	}
}

func TestNothingToCall(t *testing.T) {
	one := func(context.Context, int) (string, error) { return "", nil }
	all := func(_ context.Context, i items) (answers, error) { return make(answers, len(i)), nil }
	var none context.Context
	for name, do := range map[string]func() (*batch.Report[string], error){
		retry.ErrNilFunc.Error() + " of Do": func() (*batch.Report[string], error) {
			return batch.Do[int, string](t.Context(), nil, count(2), nil, nil)
		},
		retry.ErrNilFunc.Error() + " of Bulk": func() (*batch.Report[string], error) {
			return batch.Bulk[int, string](t.Context(), nil, count(2), nil, nil)
		},
		retry.ErrNilFunc.Error() + " of Atomic": func() (*batch.Report[string], error) {
			return batch.Atomic[int, string](t.Context(), nil, count(2), nil, nil, nil)
		},
		"context canceled of Do":   func() (*batch.Report[string], error) { return batch.Do(none, nil, count(2), one, nil) },
		"context canceled of Bulk": func() (*batch.Report[string], error) { return batch.Bulk(none, nil, count(2), all, nil) },
	} {
		r, err := do()
		sees(t, r, "NN")
		if want, _, _ := strings.Cut(name, " of "); want != "context canceled" && !strings.Contains(fmt.Sprint(err), want) || want == "context canceled" && !errors.Is(err, retry.ErrNilContext) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, do := range []func() (*batch.Report[string], error){
		func() (*batch.Report[string], error) { return batch.Do(t.Context(), nil, nil, one, nil) },
		func() (*batch.Report[string], error) { return batch.Bulk(t.Context(), nil, nil, all, nil) },
	} {
		if r, err := do(); err != nil || len(r.Outcomes) != 0 {
			t.Errorf("nothing to do: %v, %v", r, err)
		}
	}
}

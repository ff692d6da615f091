package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

var (
	errBusy    = retry.Mark(errors.New("busy"), retry.Transient)
	errRefused = errors.New("refused")
	errStopped = errors.New("stopped")
)

// A diary is what gates, validator and observer of one call were told, with times since its beginning.
type diary struct {
	start time.Time
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) attempt(a *retry.Attempt) string {
	return fmt.Sprintf("attempt %d at %v after %v: %v, %v, unknown %v", a.Number, a.At.Sub(d.start), a.Wait, a.Err, a.Class, a.Unknown)
}

func (d *diary) Observe(_ context.Context, e retry.Event) {
	d.write("%v at %v: %d attempts, %v, %v, %v, unknown %v, took %v, wait %v, elapsed %v: %v",
		e.Kind, e.At.Sub(d.start), e.Attempts, e.State, e.Err, e.Class, e.Unknown, e.Took, e.Wait, e.Elapsed, e.Reason)
}

// A witness is a gate that writes down what it is told, and refuses one attempt.
type witness struct {
	*diary
	name   string
	refuse int // the attempt
}

func (w *witness) Admit(_ context.Context, a *retry.Attempt) error {
	w.write("%s admits %s, note %d", w.name, w.attempt(a), a.Kept())
	a.Keep(uint64(100*a.Number) + uint64(w.name[0]))
	if a.Number == w.refuse {
		return errRefused
	}
	return nil
}

func (w *witness) Settle(a *retry.Attempt, o *retry.Outcome) {
	start, took := time.Duration(-1), time.Duration(-1)
	if !o.Start.IsZero() {
		start = o.Start.Sub(w.start)
	}
	if o.State == retry.Failed {
		took = o.Elapsed() // of a success, only the simulator knows the end
	}
	w.write("%s settles %s, note %d: %v, %v, %v, start %v, took %v", w.name, w.attempt(a), a.Kept(), o.State, o.Err, o.Class, start, took)
}

// A starter also has a word when an attempt begins.
type starter struct {
	witness
	stay int // refuses to start this attempt
}

func (s *starter) Start(_ context.Context, a *retry.Attempt) error {
	s.write("%s starts %s, note %d, at %v", s.name, s.attempt(a), a.Kept(), a.Begins.Sub(s.start))
	if a.Number == s.stay {
		return errRefused
	}
	return nil
}

// A rechecker also has a word after a wait.
type rechecker struct {
	witness
	lapse int // of this attempt
}

func (r *rechecker) Recheck(_ context.Context, a *retry.Attempt) error {
	r.write("%s rechecks %s, note %d", r.name, r.attempt(a), a.Kept())
	if a.Number == r.lapse {
		return errRefused
	}
	return nil
}

// A patient gate sets the wait of one attempt, and prolongs that of another.
type patient struct {
	witness
	set, more int
	d         time.Duration
}

func (p *patient) Admit(ctx context.Context, a *retry.Attempt) error {
	if a.Number == p.set && a.Number > 1 {
		a.Wait = p.d
	}
	return p.witness.Admit(ctx, a)
}

func (p *patient) Recheck(_ context.Context, a *retry.Attempt) error {
	p.write("%s rechecks %s, note %d", p.name, p.attempt(a), a.Kept())
	if a.Number == p.more && a.Wait < 2*time.Second {
		a.Wait += p.d + 101*time.Millisecond
	}
	return nil
}

// A halter is stopped at some time.
type halter struct {
	starter
	ctx context.Context
}

func (h *halter) Halted(*retry.Attempt) context.Context { return h.ctx }

func (h *halter) Admit(ctx context.Context, a *retry.Attempt) error {
	if h.ctx.Err() != nil {
		return context.Cause(h.ctx)
	}
	return h.starter.Admit(ctx, a)
}

// A story is one call: its policy, how its attempts go, and when it is stopped.
type story struct {
	policy   func(*diary, context.Context) *retry.Policy
	attempts []ending
	stop     time.Duration // 0 for never
}

// An ending is how one attempt goes.
type ending struct {
	took time.Duration
	err  error
}

// invent makes a story up. Times are odd, so that no two things happen at once.
func invent(seed uint64) story {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(n int) int { return r.IntN(n) }
	odd := func(most time.Duration) time.Duration { return time.Duration(r.Int64N(int64(most)))*2 + 1 }
	strategies := []backoff.Strategy{
		nil, backoff.Constant{}, backoff.Constant{Wait: 300 * time.Millisecond, Jitter: backoff.None},
		backoff.Decorrelated{}, backoff.Fibonacci{Jitter: backoff.Equal}, backoff.Linear{Step: time.Second},
		backoff.Func(func(int, time.Duration, float64) time.Duration { return -1 }),
	}
	p := retry.Policy{
		Name:        "a.b",
		MaxAttempts: pick(7) - 1,
		Backoff:     strategies[pick(len(strategies))],
		Idempotent:  pick(4) > 0,
	}
	if pick(3) == 0 {
		p.MaxElapsed = odd(3 * time.Second)
		p.Expected = []time.Duration{0, -1, time.Millisecond, time.Second}[pick(4)]
	}
	if pick(3) == 0 {
		p.AttemptTimeout = odd(200 * time.Millisecond)
	}
	if pick(4) == 0 {
		p.MaxHint = []time.Duration{-1, time.Millisecond, time.Second}[pick(3)]
	}
	if pick(6) == 0 {
		p.MaxAttempts = retry.Unlimited
	}
	if pick(8) == 0 {
		p.RetryIf = func(err error) bool { return !errors.Is(err, ErrTimeout) }
	}
	if pick(5) == 0 {
		p.Classify = func(err error) retry.Class {
			if errors.Is(err, ErrTimeout) {
				return retry.Class(9)
			}
			return retry.DefaultClassify(err)
		}
	}
	refusals := [12]int{}
	for i := range refusals {
		refusals[i] = pick(14)
	}
	gates, invalid, order := pick(8), pick(10), r.Perm(7)
	chosen := []time.Duration{-1, 0, odd(time.Second), odd(3 * time.Second)}[pick(4)]
	s := story{}
	s.policy = func(d *diary, halted context.Context) *retry.Policy {
		p := p
		p.Rand = rand.New(rand.NewPCG(seed, 1)).Float64
		p.Observer = d
		if invalid < 5 {
			asked := 0
			p.Validate = func(_ context.Context, a retry.Attempt) error {
				d.write("validates %s", d.attempt(&a))
				if asked++; asked == invalid {
					return errRefused
				}
				return nil
			}
		}
		all := []retry.Gate{
			&witness{d, "a", refusals[0]}, nil, &starter{witness{d, "b", refusals[1]}, refusals[2]},
			&halter{starter{witness{d, "c", refusals[3]}, refusals[4]}, halted},
			&rechecker{witness{d, "d", refusals[5]}, refusals[8]}, &starter{witness{d, "e", refusals[6]}, refusals[7]},
			&patient{witness{d, "f", 0}, refusals[9], refusals[10], chosen},
		}
		for _, i := range order[:min(gates, len(order))] {
			p.Gates = append(p.Gates, all[i])
		}
		return &p
	}
	if pick(3) == 0 {
		s.stop = odd(2 * time.Second)
	}
	for range 8 {
		s.attempts = append(s.attempts, ending{odd(150 * time.Millisecond), []error{errBusy, errBusy, errBusy, ErrTimeout, ErrTimeout, nil,
			retry.Mark(errBusy, retry.Permanent), retry.Mark(errBusy, retry.Throttled), retry.After(errBusy, 301*time.Millisecond)}[pick(9)]})
	}
	return s
}

// real tells the story with the engine.
func (s story) real(t *testing.T) (lines []string) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{start: time.Now()}
		halted, stop := context.WithCancelCause(context.Background())
		defer stop(nil)
		if s.stop > 0 {
			defer time.AfterFunc(s.stop, func() { stop(errStopped) }).Stop()
		}
		n := 0
		err := retry.Run(context.Background(), s.policy(d, halted), func(ctx context.Context) error {
			e := s.attempts[min(n, len(s.attempts)-1)]
			n++
			d.write("attempt begins at %v", time.Since(d.start))
			over := time.NewTimer(e.took)
			defer over.Stop()
			select {
			case <-over.C:
				return e.err
			case <-ctx.Done():
				return ErrTimeout
			}
		})
		reason := error(nil)
		if e, ok := errors.AsType[*retry.Error](err); ok {
			reason = e.Reason
		}
		d.write("over at %v: %v", time.Since(d.start), reason)
		lines = d.lines
	})
	return lines
}

// virtual tells the story with the simulator's calls.
func (s story) virtual() []string {
	d := &diary{start: epoch}
	halted, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	var now time.Duration
	var c call
	runs := c.open(s.policy(d, halted), 1, 1, now)
	for n := 0; runs; n++ {
		e := s.attempts[min(n, len(s.attempts)-1)]
		d.write("attempt begins at %v", now)
		if limit := c.limit(time.Hour); limit < e.took {
			e = ending{limit, ErrTimeout}
		}
		if s.stop > now && s.stop < now+e.took {
			stop(errStopped)
		}
		now += e.took
		if e.err == nil {
			c.succeed(now)
			break
		}
		for runs = c.fail(e.err, now); runs; {
			end := now + c.wait
			if s.stop > now && s.stop < end {
				if stop(errStopped); c.stopped() {
					end = s.stop
				}
			}
			now = end
			if runs = c.wake(now); !c.again {
				break
			}
		}
	}
	d.write("over at %v: %v", now, c.reason)
	return d.lines
}

// The simulator drives real policies: what it does with them is what the engine does, step by step.
func TestCallIsTheEngines(t *testing.T) {
	ends := map[string]bool{}
	for seed := range uint64(3000) {
		s := invent(seed)
		want, got := s.real(t), s.virtual()
		if !slices.Equal(got, want) {
			t.Fatalf("story %d: the engine\n%q\nthe simulator\n%q", seed, want, got)
		}
		_, end, _ := strings.Cut(want[len(want)-1], ": ")
		ends[end] = true
	}
	for _, end := range []error{nil, retry.ErrExhausted, retry.ErrPermanent, retry.ErrAmbiguous, retry.ErrDeclined, retry.ErrElapsed,
		fmt.Errorf("%w: %w", retry.ErrInvalid, errRefused), errRefused, errStopped, retry.ErrHint} {
		if !ends[fmt.Sprint(end)] {
			t.Errorf("no story ended with %v", end)
		}
	}
}

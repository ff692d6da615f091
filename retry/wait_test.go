package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// A pacer sets the wait of each retry, and prolongs it.
type pacer struct {
	set     time.Duration // if not 0
	more    []time.Duration
	asked   int
	waits   []time.Duration
	settled int
}

func (p *pacer) Admit(_ context.Context, a *retry.Attempt) error {
	if p.set != 0 && a.Number > 1 {
		a.Wait = p.set
	}
	return nil
}

func (p *pacer) Recheck(_ context.Context, a *retry.Attempt) error {
	if p.asked < len(p.more) {
		a.Wait += p.more[p.asked]
	}
	p.asked++
	return nil
}

func (p *pacer) Settle(a *retry.Attempt, _ *retry.Outcome) {
	p.settled++
	p.waits = append(p.waits, a.Wait)
}

var errLater = retry.Mark(errors.New("later"), retry.Transient)

// Each way to make a call waits as long as a gate says, and settles what it admitted once.
func TestGatesChangeTheWait(t *testing.T) {
	hint := func(d time.Duration) error { return retry.After(errLater, d) }
	ways := map[string]func(context.Context, retry.Source, func(context.Context) error) error{
		"run": retry.Run,
		"attempts": func(ctx context.Context, s retry.Source, fn func(context.Context) error) (err error) {
			for ctx := range retry.Attempts(ctx, s, &err) {
				err = fn(ctx)
			}
			return err
		},
		"go": func(ctx context.Context, s retry.Source, fn func(context.Context) error) error {
			_, err := retry.Go(retry.WithPool(ctx, &retry.Pool{}), s, func(ctx context.Context) (int, error) { return 0, fn(ctx) }).Wait(ctx)
			return err
		},
	}
	for _, test := range []struct {
		name   string
		gate   pacer
		first  error
		within time.Duration // MaxElapsed
		took   time.Duration
		asked  int
		err    error
	}{
		{name: "as configured", first: errLater, took: time.Second, asked: 1},
		{name: "shorter", gate: pacer{set: 300 * time.Millisecond}, first: errLater, took: 300 * time.Millisecond, asked: 1},
		{name: "longer", gate: pacer{set: 3 * time.Second}, first: errLater, took: 3 * time.Second, asked: 1},
		{name: "longer than there is time", gate: pacer{set: 3 * time.Second}, first: errLater, within: 2 * time.Second, took: time.Second, asked: 1},
		{name: "not at all", gate: pacer{set: -1}, first: errLater},
		{name: "not at all after an attempt that may have acted", gate: pacer{set: -1}, first: retry.Mark(errLater, retry.Ambiguous), took: time.Millisecond, asked: 1},
		{name: "never before a hint", gate: pacer{set: time.Millisecond}, first: hint(2 * time.Second), took: 2 * time.Second, asked: 1},
		{name: "again", gate: pacer{more: []time.Duration{time.Second, 0, time.Hour}}, first: errLater, took: 2 * time.Second, asked: 2},
		{name: "again and again", gate: pacer{set: 2 * time.Second, more: []time.Duration{time.Second, time.Second}}, first: hint(time.Second), took: 4 * time.Second, asked: 3},
		{name: "a shorter wait changes nothing any more", gate: pacer{more: []time.Duration{-time.Second}}, first: errLater, took: time.Second, asked: 1},
		{name: "again without time", gate: pacer{more: []time.Duration{time.Second}}, first: errLater, within: 1500 * time.Millisecond, took: time.Second, asked: 1, err: retry.ErrElapsed},
	} {
		for way, call := range ways {
			t.Run(test.name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g, n := test.gate, 0
					p := &retry.Policy{Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}, MaxElapsed: test.within, Idempotent: true, Gates: []retry.Gate{&g}}
					began := time.Now()
					err := call(t.Context(), p, func(context.Context) error {
						if n++; n == 1 {
							return test.first
						}
						return nil
					})
					if took := time.Since(began); took != test.took || g.asked != test.asked || !errors.Is(err, test.err) {
						t.Errorf("took %v, asked %d times, %v; want %v, %d, %v", took, g.asked, err, test.took, test.asked, test.err)
					}
					if g.settled != 2 {
						t.Errorf("settled %d times; want 2", g.settled)
					}
					if last := g.waits[1]; test.err == nil && test.took >= time.Millisecond && last != test.took && test.asked != 1 {
						t.Errorf("the wait ends up as %v; want %v", last, test.took)
					}
				})
			})
		}
	}
}

// A call that waits once more hears of its caller's end, and a meter hears of one end of the wait.
func TestProlongedWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &pacer{more: []time.Duration{time.Hour}}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		began := time.Now()
		time.AfterFunc(time.Minute, cancel)
		err := retry.Run(ctx, &retry.Policy{Gates: []retry.Gate{g}}, func(context.Context) error { return errLater })
		if took := time.Since(began); took != time.Minute || !errors.Is(err, context.Canceled) || g.settled != 2 {
			t.Errorf("took %v, settled %d times: %v; want 1m, twice, canceled", took, g.settled, err)
		}
	})
}

// A watch counts the ends of waits.
type watch struct{ wakes, told int }

func (w *watch) Begin() retry.Interest                { return retry.Count }
func (w *watch) Succeed(time.Duration)                {}
func (w *watch) Wake()                                { w.wakes++ }
func (w *watch) Observe(context.Context, retry.Event) { w.told++ }

// A wait that a gate prolongs ends once for a meter, which was told of it once.
func TestProlongedWaitIsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watch{}
		p := &retry.Policy{MaxAttempts: 2, Observer: w, Gates: []retry.Gate{&pacer{more: []time.Duration{time.Second, time.Second}}}}
		retry.Run(t.Context(), p, func(context.Context) error { return errLater })
		if w.wakes != 1 || w.told != 2 {
			t.Errorf("%d ends of waits, %d events; want 1 and 2", w.wakes, w.told)
		}
	})
}

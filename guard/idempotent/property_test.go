package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

// A storm is what may go wrong around a guard. All of it is drawn from one source.
type storm struct {
	mu     sync.Mutex
	random *rand.Rand
}

func (s *storm) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *storm) sleep(most time.Duration) { time.Sleep(time.Duration(s.draw(int(most)))) }

// stormy loses requests and answers, and is slow.
type stormy struct {
	idempotent.Store
	*storm
}

func (s stormy) through(ctx context.Context, f func() error) error {
	s.sleep(50 * time.Millisecond)
	if s.draw(8) == 0 {
		s.sleep(20 * time.Second)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch s.draw(12) {
	case 0:
		return errDown
	case 1:
		return errRefused
	case 2:
		f()
		return errDown
	}
	return f()
}

func (s stormy) Claim(ctx context.Context, b idempotent.Bid) (r idempotent.Record, err error) {
	err = s.through(ctx, func() (err error) { r, err = s.Store.Claim(ctx, b); return err })
	return r, err
}

// Renew never gets through for one holder in four, who is cut off from the store once he has his claim.
func (s stormy) Renew(ctx context.Context, c idempotent.Claim, d time.Duration) error {
	if c.Owner[0]%4 == 0 && d > 0 {
		return errDown
	}
	return s.through(ctx, func() error { return s.Store.Renew(ctx, c, d) })
}

func (s stormy) Complete(ctx context.Context, c idempotent.Claim, r []byte) error {
	return s.through(ctx, func() error { return s.Store.Complete(ctx, c, r) })
}

func (s stormy) Release(ctx context.Context, c idempotent.Claim) error {
	return s.through(ctx, func() error { return s.Store.Release(ctx, c) })
}

func (s stormy) Get(ctx context.Context, key string) (r idempotent.Record, err error) {
	err = s.through(ctx, func() (err error) { r, err = s.Store.Get(ctx, key); return err })
	return r, err
}

// A fenced resource refuses those who lost their claims, if it is told to; its reads count as visits, too.
type fenced struct {
	*storm
	on      bool
	mu      sync.Mutex
	marks   map[string]*idempotent.Watermark
	effects map[string]int
}

func (f *fenced) pass(ctx context.Context, key string) error {
	if !f.on {
		return nil
	}
	m := f.marks[key]
	if m == nil {
		m = new(idempotent.Watermark)
		f.marks[key] = m
	}
	return m.Pass(idempotent.Fence(ctx))
}

// place has the effect, now and then, and tells the truth about it, now and then.
func (f *fenced) place(ctx context.Context, key string) (string, error) {
	switch f.draw(8) {
	case 0:
		return "", errRefused // nothing happened
	case 1:
		return "", errDown // nothing happened, but nobody knows
	case 2:
		panic(errDown)
	case 3:
		f.sleep(2 * time.Minute) // and does not look at its context
	default:
		f.sleep(time.Second)
	}
	f.mu.Lock()
	if err := f.pass(ctx, key); err != nil {
		f.mu.Unlock()
		return "", err
	}
	f.effects[key]++
	f.mu.Unlock()
	switch f.draw(6) {
	case 0:
		return "", errDown
	case 1:
		panic(errDown)
	}
	return "effect of " + key, nil
}

func (f *fenced) look(ctx context.Context, key string, _ *string) (idempotent.Finding[string], error) {
	f.sleep(time.Second)
	if f.draw(4) == 0 {
		return idempotent.Finding[string]{}, errDown
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.pass(ctx, key); err != nil {
		return idempotent.Finding[string]{}, err
	}
	if f.effects[key] == 0 {
		return idempotent.Finding[string]{Effect: idempotent.Absent}, nil
	}
	return idempotent.Finding[string]{Effect: idempotent.Applied, Value: "effect of " + key}, nil
}

// At most one effect per key, whatever happens: callers race, crash and lose their leases, the store loses
// requests and answers, and a reaper comes by.
func TestAtMostOneEffectPerKey(t *testing.T) {
	for _, reconciled := range []bool{false, true} {
		t.Run(fmt.Sprintf("reconciled=%v", reconciled), func(t *testing.T) {
			var sum tally
			for seed := range storms() {
				bubble(t, func(t *testing.T) { sum.add(oneStorm(t, uint64(seed), reconciled, reconciled)) })
			}
			if sum.twice > 0 || sum.lied > 0 {
				t.Errorf("%+v; want nothing twice, and no lies", sum)
			}
			if sum.done == 0 || sum.open == 0 {
				t.Errorf("%+v: the storm is too strong or too weak", sum)
			}
		})
	}
}

// The same storm has effects twice if the resource does not look at the fence: it is strong enough, and a lease
// is not.
func TestLeasesAreNotEnough(t *testing.T) {
	var sum tally
	for seed := 0; sum.twice == 0 && seed < 2000; seed++ {
		bubble(t, func(t *testing.T) { sum.add(oneStorm(t, uint64(seed), true, false)) })
	}
	if sum.twice == 0 {
		t.Errorf("%+v; want something twice", sum)
	}
}

func storms() int {
	if testing.Short() {
		return 8
	}
	return 150
}

// A tally counts keys.
type tally struct{ done, open, twice, lied int }

func (t *tally) add(u tally) {
	t.done, t.open, t.twice, t.lied = t.done+u.done, t.open+u.open, t.twice+u.twice, t.lied+u.lied
}

func oneStorm(t *testing.T, seed uint64, reconciled, fences bool) (sum tally) {
	weather := &storm{random: rand.New(rand.NewPCG(seed, 7))}
	resource := &fenced{storm: weather, on: fences, marks: map[string]*idempotent.Watermark{}, effects: map[string]int{}}
	g := &idempotent.Guard[string, string]{
		Name: "storm", Store: stormy{&idempotenttest.Model{}, weather}, Key: func(k string) string { return k },
	}
	if reconciled {
		g.Reconcile = resource.look
	}
	const keys = 6
	var mu sync.Mutex
	succeeded := map[string]bool{}
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			for range 8 {
				key := fmt.Sprint("k", weather.draw(keys))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+weather.draw(int(3*time.Minute))))
				v, err := survive(func() (string, error) { return g.Wrap(resource.place)(ctx, key) })
				cancel()
				switch {
				case err == nil && v != "effect of "+key:
					t.Errorf("seed %d: the result of %s is %q", seed, key, v)
				case errors.Is(err, idempotent.ErrMismatch), errors.Is(err, idempotent.ErrNoResult):
					t.Errorf("seed %d: %v", seed, err)
				case err == nil, errors.Is(err, idempotent.ErrInDoubt):
					mu.Lock()
					succeeded[key] = true
					mu.Unlock()
				}
				weather.sleep(20 * time.Second)
			}
		})
	}
	group.Go(func() {
		for range 5 {
			time.Sleep(time.Minute)
			survive(func() (string, error) { _, err := g.Reap(t.Context()); return "", err })
		}
	})
	group.Wait()
	for i := range keys {
		key := fmt.Sprint("k", i)
		n := resource.effects[key]
		if n > 1 {
			sum.twice++
		}
		if succeeded[key] && n == 0 {
			sum.lied++
		}
		if succeeded[key] {
			sum.done++
		} else {
			sum.open++
		}
	}
	return sum
}

// survive turns the panic of a caller that crashes into an error.
func survive(f func() (string, error)) (v string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = retry.Mark(fmt.Errorf("crashed: %v", r), retry.Ambiguous)
		}
	}()
	return f()
}

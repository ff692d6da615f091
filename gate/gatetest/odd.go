package gatetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// bearsOddAttempts hands the gate attempts that lack this and that.
func bearsOddAttempts(t *testing.T, s Suite, complain complaint) {
	d := s.driver(complain)
	states := []retry.State{retry.NotStarted, retry.Succeeded, retry.Failed, retry.Canceled, retry.Panicked, 200}
	for _, odd := range []struct {
		name string
		make func(number int) retry.Attempt
	}{
		{"a zero Attempt", func(int) retry.Attempt { return retry.Attempt{} }},
		{"an Attempt without a Note", func(n int) retry.Attempt { a := d.attempt(time.Now(), n); a.Note = nil; return a }},
		{"an Attempt without a Policy", func(n int) retry.Attempt { a := d.attempt(time.Now(), n); a.Policy = nil; return a }},
		{"an Attempt without a time", func(n int) retry.Attempt { a := d.attempt(time.Time{}, n); return a }},
		{"an Attempt of long ago", func(n int) retry.Attempt { return d.attempt(time.Now().Add(-1e6*time.Hour), n) }},
		{"an Attempt far ahead", func(n int) retry.Attempt { return d.attempt(time.Now().Add(1e6*time.Hour), n) }},
		{"an Attempt with a negative number", func(n int) retry.Attempt { return d.attempt(time.Now(), -n) }},
		{"an Attempt with the last Lane", func(n int) retry.Attempt {
			a := d.attempt(time.Now(), n)
			a.Lane = 1<<32 - 1
			return a
		}},
	} {
		d.gate = s.Open()
		for i := range 4 * len(states) {
			if bug := bear(func() {
				a := odd.make(1 + i%2)
				if d.begin(a) == nil {
					d.settle(a, retry.Outcome{State: states[i/4]})
				}
			}); bug != nil {
				complain("%s makes the gate panic: %v", odd.name, bug)
				break
			}
		}
	}
}

// bear returns what fn panics with, and where, or nil.
func bear(fn func()) (bug any) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case panicked: // passed on
			bug = r
		default:
			bug = panicked(fmt.Sprintf("%v\n%s", r, debug.Stack()))
		}
	}()
	fn()
	return nil
}

type panicked string

// bearsMany hands the gate to many callers whose calls end in all ways.
func bearsMany(t *testing.T, s Suite, complain complaint) {
	fresh := s.driver(complain).room(time.Now())
	d := s.driver(complain)
	p := d.policy
	p.Gates = []retry.Gate{d.gate}
	p.Backoff = backoff.Constant{Wait: time.Second}
	var wg sync.WaitGroup
	for caller := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 3))
			for range rounds {
				e := ends[random.IntN(4)] // not Goexit and the refusals, which add nothing here
				pause := time.Duration(random.IntN(1000)) * time.Millisecond
				d.run(p, func(cancel context.CancelFunc) error {
					time.Sleep(pause)
					return e.fn(cancel)
				})
			}
		})
	}
	wg.Wait()
	d.heal()
	time.Sleep(time.Hour)
	if got := d.room(time.Now()); less(got, fresh) {
		complain("after many callers the gate holds %+v at once; want %+v as when it was new", got, fresh)
	}
}

// allocatesNothing takes a gate through first attempts that succeed.
func allocatesNothing(t *testing.T, s Suite, complain complaint) {
	d := s.driver(complain)
	ctx := context.Background()
	a, o := d.attempt(time.Now(), 1), retry.Outcome{State: retry.Succeeded}
	refused := 0
	got := testing.AllocsPerRun(200, func() {
		a.At = a.At.Add(time.Hour)
		*a.Note = 0
		if begin(ctx, d.gate, &a) != nil {
			refused++
			return
		}
		o.Start = a.At
		d.gate.Settle(&a, &o)
	})
	if got > float64(s.Allocs) {
		complain("an attempt that succeeds costs %v allocations; want %d", got, s.Allocs)
	}
	if refused > 0 {
		complain("the gate refused %d of 200 first attempts, an hour apart, that all succeeded", refused)
	}
}

package profile

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// Everything fails, through the engine with each profile's own preset: the retries stay within what the
// profile starts with, and a refusal carries both reasons and is not slept for.
func TestAllFail(t *testing.T) {
	most := map[string]int{
		"relent":  10,
		"finagle": 200, "tower": 200, // the reserve of ten seconds, and a fifth of the requests
		"linkerd": 100, // the reserve
		"grpc":    3, "aws-2025": 100, "aws-2026": 35, "aws-adaptive": 35,
		"envoy": 500, "failsafe": 1000, // one after another, none is in the way of the next
		"sre": 1000,
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := New(name)
				policy := p.Policy()
				policy.Rand = func() float64 { return 0 } // so that time stands still
				calls, retries := 500, 0
				for range calls {
					err := retry.Run(t.Context(), policy, func(context.Context) error { retries++; return errServer })
					if !errors.Is(err, retry.ErrExhausted) && !errors.Is(err, budget.ErrSpent) {
						t.Fatal(err)
					}
					if errors.Is(err, budget.ErrSpent) && name != "sre" && !errors.Is(err, errServer) {
						t.Fatalf("%v; want the last cause, too", err)
					}
					if errors.Is(err, budget.ErrSpent) && name == "sre" {
						retries++ // refused before the first attempt
					}
				}
				if retries -= calls; retries > most[name] || retries == 0 {
					t.Errorf("%d retries; want 1 to %d", retries, most[name])
				}
			})
		})
	}
}

// Any interleaving of calls that end in any way leaves nothing held, and no balance beyond its bounds.
func TestInterleavings(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, _ := New(name)
			var wg sync.WaitGroup
			for worker := range 4 {
				wg.Go(func() {
					random := rand.New(rand.NewPCG(1, uint64(worker)))
					for range 300 {
						random := rand.New(rand.NewPCG(random.Uint64(), 0))
						calling(p, random, at(random.Float64()*30))
					}
				})
			}
			wg.Wait()
			switch p := p.(type) {
			case interface{ InFlight() (int, int) }:
				active, retries := p.InFlight()
				same(t, "in flight", [2]int{active, retries}, [2]int{})
			case purse:
				if b := p.Balance(); b < 0 || b > 100+4*300 {
					t.Errorf("balance %d", b)
				}
			case interface{ Quota() int }:
				if q := p.Quota(); q < 0 || q > 500 {
					t.Errorf("quota %d", q)
				}
			case *GRPC:
				if tokens := p.Tokens(); tokens < 0 || tokens > 10 {
					t.Errorf("tokens %v", tokens)
				}
			case *SRE:
				for kind, n := range p.throttle.sum {
					if n < 0 || n > 4*300*3 {
						t.Errorf("sum %d of %d", kind, n)
					}
				}
			case *AWSAdaptive:
				if c := p.cubic; c.tokens < 0 || c.tokens > c.capacity || p.Quota.Quota() != 500 {
					t.Errorf("cubic %+v, quota %d", c, p.Quota.Quota())
				}
			}
		})
	}
}

// calling makes one call of up to three attempts.
func calling(g retry.Gate, random *rand.Rand, when time.Time) {
	a := &retry.Attempt{Policy: repeatable, At: when}
	for range 3 {
		a.Number, a.Note = a.Number+1, new(uint64)
		if g.Admit(context.Background(), a) != nil {
			return
		}
		if s, ok := g.(retry.Starter); ok && random.IntN(4) > 0 {
			s.Start(context.Background(), a)
		}
		o := &retry.Outcome{State: retry.State(random.IntN(5)), Start: when}
		if o.State == retry.Failed {
			o.Err = []error{errServer, errSlow, errLate, errWrong}[random.IntN(4)]
			o.Class, o.End = retry.DefaultClassify(o.Err), when.Add(time.Second)
		}
		g.Settle(a, o)
		if o.State != retry.Failed || o.Class == retry.Permanent {
			return
		}
		a.Err, a.Class = o.Err, o.Class
	}
}

// A step of the wall clock changes nothing (RB8): only the monotonic reading counts, and times without one that go back
// are taken for the latest.
func TestClock(t *testing.T) {
	var c clock
	same(t, "no time yet", c.at(time.Time{}), time.Duration(0))
	same(t, "the first", c.at(at(5)), time.Duration(0))
	same(t, "later", c.at(at(7)), 2*time.Second)
	same(t, "an hour back", c.at(at(7-3600)), 2*time.Second)
	same(t, "unknown", c.at(time.Time{}), 2*time.Second)
}

// Attempts made by hand without anything in them do no harm.
func TestBareAttempts(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name)
		for number := range 4 {
			for state := retry.NotStarted; state <= retry.Panicked; state++ {
				a := &retry.Attempt{Number: number}
				if p.Admit(t.Context(), a) == nil {
					p.Settle(a, &retry.Outcome{State: state})
				}
			}
		}
	}
}

func TestFirstAttemptsAllocateNothing(t *testing.T) {
	for _, name := range Names() {
		p, _ := New(name)
		a := &retry.Attempt{Policy: repeatable, Number: 1, At: begin, Note: new(uint64)}
		o := &retry.Outcome{State: retry.Succeeded, Start: begin}
		if n := testing.AllocsPerRun(100, func() { p.Admit(context.Background(), a); p.Settle(a, o) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkFirstAttempt(b *testing.B) {
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			p, _ := New(name)
			a := &retry.Attempt{Policy: repeatable, Number: 1, At: begin, Note: new(uint64)}
			o := &retry.Outcome{State: retry.Succeeded, Start: begin}
			b.ReportAllocs()
			for b.Loop() {
				p.Admit(context.Background(), a)
				p.Settle(a, o)
			}
		})
	}
}

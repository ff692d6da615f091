package adaptive

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/gatetest"
	"github.com/relent-go/relent/retry"
)

func TestCongestionKeepsThePromisesOfGates(t *testing.T) {
	gatetest.Suite{
		Elapsed: true,
		Open: func() retry.Gate {
			return &Congestion{Rand: rand.New(rand.NewPCG(1, 1)).Float64}
		},
	}.Run(t)
}

// done makes an attempt that took a while.
func done(c *Congestion, took time.Duration, err error) {
	o := &retry.Outcome{State: retry.Succeeded, Start: day, End: day.Add(took)}
	if err != nil {
		o.State, o.Err, o.Class = retry.Failed, err, retry.Ambiguous
	}
	c.Settle(&retry.Attempt{Number: 1}, o)
}

func TestCongestion(t *testing.T) {
	for _, test := range []struct {
		name string
		slow time.Duration // of successes in the bad time
		good int           // of ten attempts
		err  error
		shut bool
	}{
		{"slow successes and timeouts", 300 * time.Millisecond, 5, context.DeadlineExceeded, true},
		{"successes as fast as ever, and timeouts", 100 * time.Millisecond, 5, context.DeadlineExceeded, false},
		{"slow successes and other errors", 300 * time.Millisecond, 5, errBusy, false},
		{"no successes at all", 300 * time.Millisecond, 0, context.DeadlineExceeded, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &Congestion{}
			for range 100 {
				done(c, 100*time.Millisecond, nil)
			}
			for range 6 {
				for i := range 10 {
					if i < test.good {
						done(c, test.slow, nil)
					} else {
						done(c, time.Second, test.err)
					}
				}
			}
			if open := c.Open(); open < .5 != test.shut {
				t.Errorf("%v of the retries may go; want less than half: %v", open, test.shut)
			}
			for range 200 {
				done(c, 100*time.Millisecond, nil)
			}
			if open := c.Open(); open != 1 {
				t.Errorf("after the bad time %v of the retries may go; want all", open)
			}
		})
	}
}

func TestCongestionLetsAShareGo(t *testing.T) {
	c := &Congestion{Rand: rand.New(rand.NewPCG(1, 2)).Float64}
	c.begin()
	c.state.open = .25
	n := 0
	for range 10_000 {
		switch err := c.Admit(t.Context(), &retry.Attempt{Number: 2}); {
		case err == nil:
			n++
		case !errors.Is(err, ErrCongested):
			t.Fatalf("Admit = %v; want %v", err, ErrCongested)
		}
		if err := c.Admit(t.Context(), &retry.Attempt{Number: 1}); err != nil {
			t.Fatalf("Admit of a first attempt = %v", err)
		}
	}
	if n < 2300 || n > 2700 {
		t.Errorf("%d of 10000 retries went; want a quarter", n)
	}
	c.Rand = nil
	c.state.open = 1
	if err := c.Admit(t.Context(), &retry.Attempt{Number: 2}); err != nil {
		t.Errorf("open, Admit = %v", err)
	}
	c.state = pressure{open: 1, good: 1, fast: 1, usual: .1}
	for range 100 {
		c.state.good = 1
		done(c, 0, context.DeadlineExceeded)
	}
	if open := c.Open(); open != leastOpen {
		t.Errorf("after a hundred timeouts %v may go; want %v", open, leastOpen)
	}
	c.state = pressure{open: 1, good: .05, fast: 1, usual: .1}
	if done(c, time.Second, context.DeadlineExceeded); c.Open() != 1 {
		t.Error("it closed in an outage, where nobody is served at all")
	}
	done(c, 0, nil) // a duration that is not known
}

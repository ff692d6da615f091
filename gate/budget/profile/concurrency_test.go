package profile

import (
	"fmt"
	"testing"

	"github.com/relent-go/relent/retry"
)

// running begins n first attempts and leaves them in flight.
func running(t *testing.T, g retry.Gate, n int) (calls []*call) {
	for range n {
		c := newCall(t, g)
		if err := c.try(0); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	return calls
}

// B8
func TestEnvoy(t *testing.T) {
	for active, want := range map[int]int{0: 3, 14: 3, 15: 3, 20: 4, 100: 20, 499: 99} {
		t.Run(fmt.Sprint("B8 ", active), func(t *testing.T) {
			e := &Envoy{}
			calls := running(t, e, active)
			granted := 0
			for {
				if _, err := fails(t, e, 0, errServer); err != nil {
					break
				}
				granted++
			}
			same(t, "retries at one time", granted, want)
			a, r := e.InFlight()
			same(t, "in flight", [2]int{a, r}, [2]int{active, want})
			for _, c := range calls {
				c.end(0, nil)
			}
		})
	}
}

func TestEnvoyCountsARetryAsActiveOnceItRuns(t *testing.T) {
	e := &Envoy{}
	running(t, e, 2) // others
	c, _ := fails(t, e, 0, errServer)
	inFlight := func(what string, active, retries int) {
		t.Helper()
		a, r := e.InFlight()
		same(t, what, [2]int{a, r}, [2]int{active + 2, retries})
	}
	inFlight("waiting", 0, 1)
	e.Start(t.Context(), &c.a)
	inFlight("running", 1, 1)
	c.end(1, nil)
	inFlight("over", 0, 0)
	c.drop(retry.Failed)
	inFlight("settled twice", 0, 0)

	c, _ = fails(t, e, 0, errServer)
	c.drop(retry.NotStarted)
	inFlight("never began", 0, 0)

	c, _ = fails(t, e, 0, errServer)
	e.Start(t.Context(), &c.a)
	c.drop(retry.NotStarted) // a gate before this one refused at the start
	inFlight("stopped at the start", 0, 0)

	c = newCall(t, e)
	c.try(0)
	e.Start(t.Context(), &c.a)
	inFlight("first attempt", 1, 0)
	c.drop(retry.Panicked)
	inFlight("panicked", 0, 0)
}

// Attempts made by hand may have no Note.
func TestConcurrencyWithoutNotes(t *testing.T) {
	for _, g := range []interface {
		retry.Gate
		InFlight() (int, int)
	}{&Envoy{}, &Failsafe{}} {
		first, second := &retry.Attempt{Number: 1}, &retry.Attempt{Number: 2}
		for range 3 {
			g.Admit(t.Context(), first)
			g.Settle(first, &retry.Outcome{State: retry.Failed})
			g.Admit(t.Context(), second)
			g.Settle(second, &retry.Outcome{})
			g.Admit(t.Context(), second)
			if s, ok := g.(retry.Starter); ok {
				s.Start(t.Context(), second)
			}
			g.Settle(second, &retry.Outcome{State: retry.Succeeded})
		}
		g.Settle(second, &retry.Outcome{State: retry.Succeeded}) // a defect
		a, r := g.InFlight()
		same(t, fmt.Sprintf("%T in flight", g), [2]int{a, r}, [2]int{0, 0})
	}
}

// failsafe-go compares before it counts: 3 of 15 is a fifth, so a fourth retry is let pass.
func TestFailsafe(t *testing.T) {
	for _, test := range []struct{ active, want int }{{0, 3}, {12, 4}, {20, 6}, {100, 26}} {
		f := &Failsafe{}
		running(t, f, test.active)
		granted := 0
		for {
			if _, err := fails(t, f, 0, errServer); err != nil {
				break
			}
			granted++
		}
		same(t, fmt.Sprint("retries beside ", test.active), granted, test.want)
		if share := float64(granted-1) / float64(test.active+granted-1); granted > 3 && share > 0.2 {
			t.Errorf("the retry before the last had a share of %v already", share)
		}
	}
	c, _ := fails(t, &Failsafe{Min: None, MaxRate: None}, 0, errServer)
	same(t, "the first retry of all, at a rate of 0/0", c.a.Kept(), uint64(holdsActive|holdsRetry))
}

// B29
func TestFailsafeThrottle(t *testing.T) {
	for _, test := range []struct {
		requests, accepts int64
		want              float64
	}{{100, 90, 0}, {100, 80, .110011}, {100, 0, .9}} {
		if got := rejection(test.requests, test.accepts, failsafeK, failsafeMost); !close(got, test.want, 1e-6) {
			t.Errorf("B29: rejection(%d, %d) = %v; want %v", test.requests, test.accepts, got, test.want)
		}
		u := 0.0
		f := &Failsafe{Throttle: true, Rand: func() float64 { return u }}
		u = 1 // never below the chance
		deposits(t, f, int(test.accepts), 0)
		for range test.requests - test.accepts {
			newCall(t, f).run(0, errServer)
		}
		newCall(t, f).try(0)
		cancelled := newCall(t, f)
		cancelled.try(0)
		cancelled.drop(retry.Canceled) // counts for nothing
		for _, chance := range []struct {
			u    float64
			pass bool
		}{{test.want + 1e-5, true}, {max(0, test.want-1e-5), test.want == 0}} {
			u = chance.u
			same(t, fmt.Sprintf("B29 %v: first attempt at u %v passes", test.requests, u), newCall(t, f).try(59) == nil, chance.pass)
		}
		u = 0
		same(t, "passes a minute later", newCall(t, f).try(60) == nil, true)
	}
}

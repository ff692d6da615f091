package lease

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

var begin = time.Now()

// at is a virtual time, in seconds.
func at(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %+v; want %+v", what, got, want)
	}
}

// calls makes n first attempts at a time, which earn.
func calls(l *Lease, n int, when time.Time) {
	a, o := &retry.Attempt{Number: 1, At: when, Note: new(uint64)}, &retry.Outcome{State: retry.Failed, Start: when, End: when}
	for i := range n {
		a.Lane = uint32(i)
		l.Admit(context.Background(), a)
		l.Settle(a, o)
	}
}

// retries asks for n retries at a time, which fail, and returns how many were granted.
func retries(l *Lease, n int, when time.Time) (granted int) {
	for range n {
		a, err := ask(l, when)
		if err != nil {
			continue
		}
		l.Settle(a, &retry.Outcome{State: retry.Failed, Start: when, End: when})
		granted++
	}
	return granted
}

// ask asks for a retry and leaves it waiting.
func ask(l *Lease, when time.Time) (*retry.Attempt, error) {
	a := &retry.Attempt{Number: 2, At: when, Note: new(uint64)}
	return a, l.Admit(context.Background(), a)
}

// serving returns a coordinator that has started, with tokens.
func serving(t *testing.T, c *Coordinator, tokens int64) *Coordinator {
	t.Helper()
	c.Start(at(-10))
	c.State(at(0))
	c.mu.Lock()
	c.tokens, c.fraction = tokens, 0
	c.mu.Unlock()
	if s := c.State(at(0)); s.Starting || s.Tokens != tokens {
		t.Fatalf("%+v; want it to serve", s)
	}
	return c
}

// exchange lets l ask c, with an answer that takes no time.
func exchange(l *Lease, c *Coordinator, seconds float64) Grant {
	g := c.Grant(l.Request(at(seconds)), at(seconds))
	l.Accept(g, at(seconds))
	return g
}

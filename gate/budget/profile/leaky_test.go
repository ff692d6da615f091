package profile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// A purse is a profile whose balance can be read.
type purse interface {
	Profile
	Balance() int64
}

// deposits makes n calls that succeed at once.
func deposits(t *testing.T, g retry.Gate, n int, seconds float64) {
	for range n {
		newCall(t, g).run(seconds, nil)
	}
}

// withdrawals asks for n retries without first attempts, and returns how many were granted.
func withdrawals(t *testing.T, g retry.Gate, n int, seconds float64) (granted int) {
	for range n {
		c := newCall(t, g)
		c.a.Number, c.a.Err, c.a.Class = 1, errServer, retry.Transient
		if c.try(seconds) == nil {
			c.end(seconds, errServer)
			granted++
		}
	}
	return granted
}

func TestFinagle(t *testing.T) {
	t.Run("B1", func(t *testing.T) {
		f := &Finagle{}
		same(t, "balance", f.Balance(), int64(100))
		same(t, "withdrawals of 101", withdrawals(t, f, 101, 0), 100)
	})
	t.Run("B2", func(t *testing.T) {
		f := &Finagle{}
		deposits(t, f, 5, 0)
		same(t, "balance", f.Balance(), int64(101))
	})
	t.Run("B3", func(t *testing.T) {
		f := &Finagle{TTL: 10 * time.Second, Min: None, Percent: 0.1}
		deposits(t, f, 10, 0)
		same(t, "withdrawals of 2", withdrawals(t, f, 2, 0), 1)
	})
	t.Run("B4", func(t *testing.T) {
		f := &Finagle{TTL: time.Minute, Min: None, Percent: 2}
		deposits(t, f, 10_000, 0)
		same(t, "balance", f.Balance(), int64(20_000))
	})
	t.Run("empty", func(t *testing.T) {
		f := &Finagle{Min: None, Percent: None}
		deposits(t, f, 10_000, 0)
		same(t, "withdrawals", withdrawals(t, f, 1, 0), 0)
	})
	t.Run("only a reserve", func(t *testing.T) {
		f := &Finagle{TTL: 2 * time.Second, Min: 3, Percent: None}
		deposits(t, f, 100, 0)
		same(t, "withdrawals of 10", withdrawals(t, f, 10, 0), 6)
	})
}

// Both deposits and withdrawals are forgotten.
func TestFinagleForgets(t *testing.T) {
	f := &Finagle{}
	deposits(t, f, 50, 0)
	withdrawals(t, f, 30, 0)
	for _, step := range []struct {
		at   float64
		want int64
	}{{0, 80}, {9.9, 80}, {10, 100}, {100, 100}} {
		deposits(t, f, 1, step.at) // less than a retry
		same(t, fmt.Sprint("balance at ", step.at), f.Balance(), step.want)
	}
	same(t, "withdrawals of 200", withdrawals(t, f, 200, 1000), 100)
	deposits(t, f, 1, 900) // time does not go back
	same(t, "balance", f.Balance(), int64(0))
}

// What never began is taken back, unless it was forgotten by then.
func TestLeakyTakesBack(t *testing.T) {
	for _, g := range []purse{&Finagle{}, &Tower{}, &Linkerd{}} {
		c, err := fails(t, g, 0, errServer)
		same(t, "refusal", err, nil)
		same(t, "balance", g.Balance(), int64(99))
		c.drop(retry.NotStarted)
		c.drop(retry.NotStarted) // a defect, which mints nothing
		same(t, "balance after a return", g.Balance(), int64(100))

		if _, linkerd := g.(*Linkerd); linkerd {
			continue
		}
		for range 5 {
			c := newCall(t, g)
			c.try(0)
			c.drop(retry.NotStarted)
		}
		same(t, "balance after requests that were never made", g.Balance(), int64(100))

		old, _ := fails(t, g, 0, errServer)
		deposits(t, g, 1, 20)
		old.drop(retry.NotStarted)
		same(t, "balance after a late return", g.Balance(), int64(100))
		withdrawals(t, g, 1, 20)
		same(t, "balance after a retry", g.Balance(), int64(99))
	}
}

func TestTower(t *testing.T) {
	for _, test := range []struct {
		name      string
		tower     *Tower
		deposits  int
		want      int64
		remaining int64 // balance after one more deposit
	}{
		{"defaults", &Tower{}, 5, 101, 101},
		{"coarse", &Tower{Min: None, Percent: 0.3}, 2999, 999, 1000},
		{"exact", &Tower{Min: None, Percent: 0.3, Exact: true}, 2999, 899, 900},
		{"above 1", &Tower{Min: None, Percent: 2}, 10, 20, 22},
		{"single precision", &Tower{Min: None, Percent: 1.0 / 7}, 11, 1, 2}, // 1/7 is a little more there
		{"no percentage", &Tower{TTL: time.Second, Min: 5, Percent: None}, 100, 5, 5},
		{"more than that", &Tower{Min: None, Percent: 5000}, 1, 1000, 2000},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := test.tower
			deposits(t, g, test.deposits, 0)
			same(t, "balance", g.Balance(), test.want)
			deposits(t, g, 1, 0)
			same(t, "balance", g.Balance(), test.remaining)
		})
	}
}

// The tests of tower's own that say something about time (tps_leaky, tps_slots, tps_reserve).
func TestTowerSlots(t *testing.T) {
	g := &Tower{TTL: time.Second, Min: None, Percent: 1}
	deposits(t, g, 1, 0)
	same(t, "withdrawals after 3 s", withdrawals(t, g, 1, 3), 0)

	g = &Tower{TTL: time.Second, Min: None, Percent: 0.5}
	deposits(t, g, 2, 0)
	same(t, "withdrawals after 901 ms", withdrawals(t, g, 1, 0.901), 1)
	deposits(t, g, 1, 2.902)
	deposits(t, g, 1, 3.203)
	deposits(t, g, 1, 4.004)
	same(t, "withdrawals of the second and third", withdrawals(t, g, 2, 4.004), 1)

	same(t, "reserve", withdrawals(t, &Tower{TTL: time.Second, Min: 5, Percent: 1}, 10, 0), 5)
}

func TestLinkerd(t *testing.T) {
	unknown := errors.New("unknown")
	for _, test := range []struct {
		name   string
		policy *retry.Policy
		result error
		change int64 // deposits of the first attempt
		rule   string
	}{
		{"success deposits", repeatable, nil, 1, ""},
		{"retryable failure withdraws", repeatable, errServer, 0, ""},
		{"other failure deposits", repeatable, errWrong, 1, ""},
		{"no response deposits, no retry", repeatable, errLate, 1, ruleAnswer},
		{"end of stream", repeatable, retry.Mark(io.EOF, retry.Transient), 1, ruleAnswer},
		{"half a response", repeatable, retry.Mark(io.ErrUnexpectedEOF, retry.Transient), 1, ruleAnswer},
		{"refused connection", repeatable, retry.Mark(netError(false), retry.Transient), 1, ruleAnswer},
		{"ambiguous failure", repeatable, unknown, 0, ""},
		{"the same, not to be repeated", &retry.Policy{}, unknown, 1, ""},
		{"the same, without a policy", nil, unknown, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Linkerd{Min: None, Percent: 1}
			deposits(t, l, 10, 0)
			c := newCall(t, l)
			c.a.Policy = test.policy
			c.run(0, test.result)
			same(t, "balance", l.Balance(), 10+test.change)
			if test.result == nil {
				return
			}
			err := c.try(0)
			if r, _ := errors.AsType[*Refusal](err); (r == nil) != (test.rule == "") || r != nil && r.Rule != test.rule {
				t.Errorf("retry: %v; want refused by %q", err, test.rule)
			}
			if err == nil {
				same(t, "balance", l.Balance(), 9+test.change)
			}
		})
	}
	t.Run("cancelled and panicked say nothing", func(t *testing.T) {
		l := &Linkerd{}
		for _, s := range []retry.State{retry.Canceled, retry.Panicked} {
			c := newCall(t, l)
			c.try(0)
			c.drop(s)
		}
		same(t, "balance", l.Balance(), int64(100))
	})
	t.Run("bodies", func(t *testing.T) {
		for body, want := range map[int64]bool{0: true, 64 << 10: true, 64<<10 + 1: false, -1: false} {
			c := newCall(t, &Linkerd{})
			c.ctx = WithCall(t.Context(), Call{Body: body})
			c.run(0, errServer)
			same(t, fmt.Sprint("retry of ", body, " bytes"), c.try(0) == nil, want)
		}
		c := newCall(t, &Linkerd{MaxBody: None})
		c.ctx = WithCall(context.Background(), Call{Body: 1})
		c.run(0, errServer)
		same(t, "retry of a byte", c.try(0) == nil, false)
	})
	t.Run("spent", func(t *testing.T) {
		same(t, "withdrawals", withdrawals(t, &Linkerd{}, 200, 0), 100)
	})
	t.Run("own notion of an answer", func(t *testing.T) {
		l := &Linkerd{Answered: func(err error) bool { return err == errLate }}
		_, err := fails(t, l, 0, errLate)
		same(t, "refusal", err, nil)
		_, err = fails(t, l, 0, errServer)
		same(t, "refused", err != nil, true)
	})
}

// A netError is a net.Error.
type netError bool

func (e netError) Error() string   { return "net" }
func (e netError) Timeout() bool   { return bool(e) }
func (e netError) Temporary() bool { return false }

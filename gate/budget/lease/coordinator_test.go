package lease

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func want(process string, seq uint64, want int64) Request {
	return Request{Process: process, Epoch: 1, Seq: seq, Want: want}
}

// L1, and L2
func TestGrants(t *testing.T) {
	c := serving(t, &Coordinator{Capacity: 1_000_000}, 1_000_000)
	first := c.Grant(want("a", 1, 100_000), at(0))
	same(t, "L1 first grant", first, Grant{Process: "a", Seq: 1, Epoch: 1, Tokens: 50_000, Valid: 2 * time.Second})
	same(t, "L1 second grant", c.Grant(want("b", 1, 100_000), at(0)).Tokens, int64(47_500))
	same(t, "L1 left", c.State(at(0)).Tokens, int64(902_500))

	same(t, "L2 the same again", c.Grant(want("a", 1, 100_000), at(0.5)), first)
	same(t, "L2 even if it differs", c.Grant(Request{Process: "a", Epoch: 1, Seq: 1, Deposit: 1000, Return: 1000, Want: 5}, at(0.5)), first)
	same(t, "L2 left", c.State(at(0.5)), State{Epoch: 1, Tokens: 902_500, Lent: 97_500, Processes: 2})

	c.Grant(want("a", 3, 0), at(1))
	same(t, "an older one", c.Grant(Request{Process: "a", Epoch: 1, Seq: 2, Deposit: 1000, Want: 1000}, at(1)).Tokens, int64(0))
	same(t, "none", c.Grant(Request{Process: "a", Epoch: 1, Want: 1000}, at(1)).Tokens, int64(0))
	same(t, "another budget", c.Grant(Request{Budget: "x", Process: "a", Epoch: 1, Seq: 4, Want: 1000}, at(1)).Tokens, int64(0))
	same(t, "another epoch", c.Grant(Request{Process: "a", Epoch: 2, Seq: 4, Want: 1000}, at(1)), Grant{Process: "a", Seq: 4, Epoch: 1, Valid: 2 * time.Second})
	same(t, "left", c.State(at(1)).Tokens, int64(902_500))
}

func TestWhatIsLent(t *testing.T) {
	for _, test := range []struct{ tokens, want, grant int64 }{
		{100_000, 3000, 3000},
		{100_000, 6000, 5000}, // a twentieth
		{19_999, 6000, 1000},  // or a retry
		{1000, 6000, 1000},
		{999, 6000, 0}, // less is of no use
		{100_000, 0, 0},
		{100_000, -5, 0},
		{100_000, math.MaxInt64, 5000},
	} {
		c := serving(t, &Coordinator{}, test.tokens)
		same(t, fmt.Sprint("grant of ", test.want, " from ", test.tokens), c.Grant(want("a", 1, test.want), at(0)).Tokens, test.grant)
		same(t, "the rest", c.State(at(0)).Tokens, test.tokens-test.grant)
	}
}

// What is returned counts as far as it is held, what is deposited as far as it fits.
func TestCredit(t *testing.T) {
	for _, test := range []struct {
		name               string
		at                 float64
		back, deposit      int64
		tokens, lent, most int64
	}{
		{"all spent", 1, 0, 0, 95_000, 0, 100_000},
		{"some left", 1, 2000, 0, 97_000, 0, 100_000},
		{"more than was lent", 1, 9000, 0, 100_000, 0, 100_000},
		{"less than nothing", 1, -9000, -9000, 95_000, 0, 100_000},
		{"deposit", 1, 0, 700, 95_700, 0, 100_000},
		{"deposit of too much", 1, 5000, math.MaxInt64, 100_000, 0, 100_000},
		{"just before the coordinator's end", 2.0199, 2000, 0, 97_000, 0, 100_000},
		{"ran out", 2.02, 2000, 0, 95_000, 0, 100_000},
	} {
		c := serving(t, &Coordinator{Capacity: test.most}, test.most)
		c.Grant(want("a", 1, 5000), at(0))
		c.Grant(Request{Process: "a", Epoch: 1, Seq: 2, Return: test.back, Deposit: test.deposit}, at(test.at))
		same(t, test.name, c.State(at(test.at)), State{Epoch: 1, Tokens: test.tokens, Processes: 1})
	}
}

// A bucket that was filled up while its tokens were lent does not get them as well.
func TestReturnToAFullHouse(t *testing.T) {
	c := serving(t, &Coordinator{Capacity: 20_000, Floor: 1000}, 20_000)
	c.Grant(want("a", 1, 1000), at(0))
	c.Grant(want("b", 1, 1000), at(1)) // by then the floor has replaced the first
	same(t, "lent", c.State(at(1)), State{Epoch: 1, Tokens: 19_000, Lent: 2000, Processes: 2})
	c.Grant(Request{Process: "a", Epoch: 1, Seq: 2, Return: 1000}, at(1))
	same(t, "nothing fits beside the other lease", c.State(at(1)), State{Epoch: 1, Tokens: 19_000, Lent: 1000, Processes: 2})
	c.Grant(Request{Process: "b", Epoch: 1, Seq: 2, Return: 1000}, at(1))
	same(t, "alone, it does", c.State(at(1)), State{Epoch: 1, Tokens: 20_000, Processes: 2})
}

// L5
func TestBurnt(t *testing.T) {
	c := serving(t, &Coordinator{}, 100_000)
	c.Grant(want("a", 1, 5000), at(0)) // it spends 4960 and dies
	same(t, "L5 while it might live", c.State(at(2)), State{Epoch: 1, Tokens: 95_000, Lent: 5000, Processes: 1})
	same(t, "L5 after that", c.State(at(2.02)), State{Epoch: 1, Tokens: 95_000, Processes: 1})
}

func TestFloor(t *testing.T) {
	c := serving(t, &Coordinator{Floor: 333, Capacity: 10_000}, 0)
	for i := range 1000 {
		c.State(at(float64(i+1) / 100)) // in small steps, without losing fractions
	}
	if got := c.State(at(10)).Tokens; got < 3329 || got > 3330 {
		t.Errorf("after 10 s %d; want 3330", got)
	}
	same(t, "full", c.State(at(1000)).Tokens, int64(10_000))
	same(t, "after years", c.State(at(1e9)).Tokens, int64(10_000))
	same(t, "back in time", c.State(at(5)).Tokens, int64(10_000))

	odd := serving(t, &Coordinator{Floor: math.MaxInt64, Capacity: math.MaxInt64, Drift: math.MaxInt64, Valid: time.Second}, 0)
	same(t, "odd", odd.State(at(1e9)).Tokens, int64(mostTokens))
	same(t, "odd guard", odd.guard(), 2*time.Second)
	same(t, "odd floor", serving(t, &Coordinator{Floor: -5}, 0).State(at(1e9)).Tokens, int64(0))
}

// L7
func TestNewCoordinator(t *testing.T) {
	c := &Coordinator{Epoch: 7, Floor: 10_000, Valid: 2 * time.Second}
	c.Start(at(0))
	r := Request{Process: "a", Epoch: 7, Want: 1000, Deposit: 5000}
	for i, when := range []float64{0, 1, 2, 2.0199} {
		r.Seq = uint64(i + 1)
		same(t, fmt.Sprint("L7 at ", when), c.Grant(r, at(when)).Tokens, int64(0))
	}
	same(t, "L7 from zero tokens", c.State(at(2.02)), State{Epoch: 7, Processes: 1})
	r.Seq++
	r.Deposit = 0
	same(t, "L7 nothing yet", c.Grant(r, at(2.02)).Tokens, int64(0))
	r.Seq++
	same(t, "L7 a tenth of a second later", c.Grant(r, at(2.13)).Tokens, int64(1000))

	late := &Coordinator{}
	late.Grant(want("a", 1, 1000), at(0))
	same(t, "without Start, the first request starts", late.State(at(2.01)).Starting, true)
}

func TestStop(t *testing.T) {
	c := serving(t, &Coordinator{}, 50_000)
	c.Grant(want("a", 1, 2000), at(0))
	c.Stop(at(1))
	same(t, "after a stop", c.State(at(1)), State{Epoch: 2, Tokens: 48_000, Processes: 1, Stopped: true})
	same(t, "the old grant again", c.Grant(want("a", 1, 2000), at(1)), Grant{Process: "a", Seq: 1, Epoch: 2, Valid: 2 * time.Second})
	same(t, "nor in the new epoch", c.Grant(Request{Process: "a", Epoch: 2, Seq: 1, Want: 2000}, at(1)).Tokens, int64(0))
	r := Request{Process: "a", Epoch: 2, Seq: 2, Want: 2000, Return: 2000, Deposit: 100}
	same(t, "while stopped", c.Grant(r, at(1.1)).Tokens, int64(0))
	c.Resume(at(2))
	same(t, "what was answered stays", c.Grant(r, at(2)).Tokens, int64(0))
	r.Seq++
	same(t, "resumed", c.Grant(r, at(2)).Tokens, int64(2000))
	same(t, "credited once, and nothing for the void lease", c.State(at(2)).Tokens, int64(48_000+100-2000))
}

func TestProcesses(t *testing.T) {
	c := serving(t, &Coordinator{Processes: 2}, 100_000)
	c.Grant(want("a", 5, 1000), at(0))
	c.Grant(want("b", 5, 1000), at(1))
	same(t, "no room", c.Grant(want("c", 1, 1000), at(1)).Tokens, int64(0))
	same(t, "no room while a message of a may be on its way", c.Grant(want("c", 1, 1000), at(100)).Tokens, int64(0))
	same(t, "a forgotten", c.Grant(want("c", 1, 1000), at(131)).Tokens, int64(1000))
	same(t, "b known", c.Grant(want("b", 4, 1000), at(131)).Tokens, int64(0))
	same(t, "processes", c.State(at(131)).Processes, 2)
}

// A bucket that is changed keeps what is in it, as far as it fits, and gets nothing.
func TestChange(t *testing.T) {
	c := serving(t, &Coordinator{Floor: 1000, Capacity: 100_000}, 60_000)
	c.Grant(want("a", 1, 3000), at(0))
	c.Change(50_000, 0, at(2)) // the floor of 2 s still comes in
	same(t, "smaller", c.State(at(2)), State{Epoch: 1, Tokens: 50_000, Lent: 3000, Processes: 1})
	c.Change(200_000, 500, at(4))
	same(t, "larger", c.State(at(4)).Tokens, int64(50_000))
	same(t, "later", c.State(at(6)).Tokens, int64(51_000))
}

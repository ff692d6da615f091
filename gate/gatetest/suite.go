package gatetest

import (
	"testing"
	"testing/synctest"

	"github.com/relent-go/relent/retry"
)

// Run checks gates made by open with the zero [Suite]. open returns a new gate each time, and all of
// them alike: one that draws lots gets its random numbers from a fixed seed.
func Run(t *testing.T, open func() retry.Gate) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// A Suite is what a gate says about itself. Only Open is needed.
type Suite struct {
	Open    func() retry.Gate // a new gate each time, all of them alike
	Policy  *retry.Policy     // of the attempts; its gates and limits are replaced; nil means one that says Idempotent
	Waits   bool              // Admit or Start may wait, and with 64 attempts held at once it does
	Elapsed bool              // the gate judges how long attempts took, so it may ask that of a success
	Clock   bool              // a library beneath the gate reads the clock
	Allocs  int               // most allocations of an admitted attempt that succeeds at once
}

// Run checks the gate, one subtest for each promise.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	for _, c := range promises {
		if c.skip != nil && c.skip(s) {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, s, c.complaint(t.Errorf)) })
	}
}

// A complaint is how a check says that a promise was broken.
type complaint = func(format string, args ...any)

type promise struct {
	name, reason string
	skip         func(Suite) bool
	test         func(*testing.T, Suite, complaint)
}

// complaint adds the reason to what is reported.
func (p promise) complaint(report complaint) complaint {
	return func(format string, args ...any) { report(format+"\n"+p.reason, args...) }
}

var promises = []promise{
	{
		"leaves nothing behind",
		"A slot or token that is lost with each call ends in a gate that refuses everything, hours after the deployment that began it.",
		nil, inBubble(leavesNothing),
	},
	{
		"refusals leave nothing behind",
		"A refused attempt is not settled, so what its refusal took would never come back.",
		nil, inBubble(refusalsLeaveNothing),
	},
	{
		"is quick",
		"A gate is asked before each attempt; a caller that is refused has better things to do than to wait for it.",
		func(s Suite) bool { return s.Waits }, inBubble(quick),
	},
	{
		"ends waits",
		"A wait that outlives its context holds up a shutdown, and one that outlives a stop sends after it.",
		func(s Suite) bool { return !s.Waits }, inBubble(endsWaits),
	},
	{
		"reads no clock",
		"The simulator replays attempts of other days; it can only replay what depends on the times in them.",
		func(s Suite) bool { return s.Clock }, inBubble(readsNoClock),
	},
	{
		"bears odd attempts",
		"Attempts made by hand, in tests and simulators, lack what their maker did not think of.",
		nil, inBubble(bearsOddAttempts),
	},
	{
		"bears many callers",
		"One gate serves all callers of a dependency.",
		nil, inBubble(bearsMany),
	},
	{
		"allocates nothing",
		"The first attempt that succeeds is nearly every attempt there is.",
		nil, allocatesNothing,
	},
}

func inBubble(test func(*testing.T, Suite, complaint)) func(*testing.T, Suite, complaint) {
	return func(t *testing.T, s Suite, complain complaint) {
		synctest.Test(t, func(t *testing.T) { test(t, s, complain) })
	}
}

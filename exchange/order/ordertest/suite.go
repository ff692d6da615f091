package ordertest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// Options are what a log's tests say about it.
type Options struct {
	// Pass lets a span pass on the log's clock, and returns when it has. Nil means that the log keeps the time of the
	// process, whose tests then run in a bubble of testing/synctest.
	Pass func(t *testing.T, d time.Duration)

	// Lease is how long leases hold whose end is waited for; not positive means 1 min. Where Pass really waits it should
	// be short, but long enough for a few operations.
	Lease time.Duration

	// Rounds is how often callers race; not positive means 100.
	Rounds int
}

// Run checks logs made by open, which returns an empty one each time.
func Run(t *testing.T, open func(*testing.T) order.Log, o Options) {
	t.Helper()
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			p.run(t, suite{Options: o, open: open, report: t.Errorf})
		})
	}
}

type suite struct {
	Options
	open   func(*testing.T) order.Log
	report func(format string, args ...any)
}

// A promise is one that each log makes.
type promise struct {
	name, reason string
	check        func(*trial)
}

// run makes one check, in a bubble if the log keeps the time of the process.
func (p promise) run(t *testing.T, s suite) {
	if s.Lease <= 0 {
		s.Lease = time.Minute
	}
	if s.Rounds <= 0 {
		s.Rounds = 100
	}
	report := s.report
	s.report = func(format string, args ...any) { report(format+"\n"+p.reason, args...) }
	if s.Pass != nil {
		p.check(&trial{s, t, s.open(t)})
		return
	}
	synctest.Test(t, func(t *testing.T) {
		s.Pass = func(_ *testing.T, d time.Duration) { time.Sleep(d) }
		p.check(&trial{s, t, s.open(t)})
	})
}

var promises = []promise{
	{"gives one owner the lease", "Two writers of one prefix make one id twice.", oneOwner},
	{"has one winner in a race for a lease", "Two that believe to hold it are two writers.", oneWinner},
	{"renews the owner's lease", "A machine that works must keep working.", renews},
	{"ends leases by its own clock", "A process that died must be followed; clocks of machines differ.", endsLeases},
	{"takes leases back", "A restart need not wait for the end of a lease.", takesBack},
	{"keeps scopes apart", "Other prefixes and accounts are other writers.", keepsApart},
	{"gives entries back as they were", "State is the fold of the entries; another entry is another state.", givesBack},
	{"appends all or nothing", "Half a record is a wrong record.", appendsAll},
	{"refuses a second SENDING(n)", "It is what stands between a restart and a second order.", refusesTwice},
	{"refuses an id used again", "One intent is one id for life, whoever writes.", refusesReuse},
	{"keys nothing but what has a key", "Reads and reports repeat.", repeats},
	{"has one winner in a race for an attempt", "Two goroutines that both may send are two orders.", oneAttempt},
	{"fences the one who lost", "He slept through the end of his lease and wakes up believing that he holds it.", fences},
	{"lets write until another follows", "A slow renewal is no reason to lose an answer.", writesOn},
	{"checks the lease without entries", "A machine asks before it trusts itself.", checksLease},
	{"lists what is open", "What a restart does not find is never verified.", lists},
	{"compares ids byte by byte", "Two ids that are taken for one make one order out of two.", comparesIDs},
	{"bears large entries", "An answer that is cut off proves nothing.", bearsLarge},
	{"does nothing for a context that ended", "A caller that gave up does not send.", obeysContexts},
}

package idempotenttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
)

// Options are what a store's tests say about it.
type Options struct {
	// Pass lets a span pass on the store's clock, and returns when it has. Nil means that the store
	// keeps the time of the process, whose tests then run in a bubble of testing/synctest.
	Pass func(t *testing.T, d time.Duration)

	// Lease is how long claims hold whose end is waited for; not positive means 1 min. Where Pass really
	// waits it should be short, but long enough for a few operations.
	Lease time.Duration

	// Rounds is how often two callers race for one key; not positive means 1000.
	Rounds int
}

// Run checks stores made by open, which returns an empty one each time.
func Run(t *testing.T, open func(*testing.T) idempotent.Store, o Options) {
	t.Helper()
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			s := suite{open: open, Options: o, report: t.Errorf}
			p.run(t, s)
		})
	}
}

// run makes one check, in a bubble if the store keeps the time of the process.
func (p promise) run(t *testing.T, s suite) {
	if s.Lease <= 0 {
		s.Lease = time.Minute
	}
	if s.Rounds <= 0 {
		s.Rounds = 1000
	}
	report := s.report
	s.report = func(format string, args ...any) { report(format+"\n"+p.reason, args...) }
	if s.Pass != nil {
		p.check(s.begin(t))
		return
	}
	synctest.Test(t, func(t *testing.T) {
		s.Pass = func(_ *testing.T, d time.Duration) { time.Sleep(d) }
		p.check(s.begin(t))
	})
}

// A promise is one that each store makes.
type promise struct {
	name, reason string
	check        func(*trial)
}

type suite struct {
	Options
	open   func(*testing.T) idempotent.Store
	report func(format string, args ...any)
}

func (s suite) begin(t *testing.T) *trial {
	return &trial{suite: s, t: t, store: s.open(t)}
}

var promises = []promise{
	{"wins a new key", "I1: without a winner nothing is ever run.", winsNew},
	{"has one winner", "ST1: two winners are two orders.", oneWinner},
	{"keeps a running claim", "I2: whoever comes while it runs must wait, whatever he knows.", keepsRunning},
	{"gives results back as they were", "I3: a replay is only worth as much as it is the same.", givesResults},
	{"keeps the fingerprint", "I5: a key with another request is a mistake, and only the first fingerprint shows it.", keepsFingerprint},
	{"shows whose the key is", "A caller whose answer got lost reads back, and compares the nonce.", showsOwner},
	{"ends leases by its own clock", "ST5: callers' clocks are wrong by hours.", endsLeases},
	{"frees no key by itself", "The claim whose lease ended may have had its effect; so a second run may be a second order.", freesNothing},
	{"renews while the lease runs", "Long functions hold on to their claims; those who slept must notice.", renews},
	{"can be given up", "A caller that knows the outcome to be open need not keep others waiting.", givesUp},
	{"lets an open claim be taken over once", "Two reconcilers that both find nothing would both run.", takesOver},
	{"fences the one who lost", "ST2: he slept through the end of his lease, and wakes up believing that he holds it.", fences},
	{"hears a late completion", "What happened stays true when the lease has ended, and spares a reconciliation.", completesLate},
	{"completes once", "The answer to Complete gets lost, too; and the first result is the one that callers saw.", completesOnce},
	{"releases", "What did not happen may be tried again; with a higher fence, for resources remember.", releases},
	{"releases no claim that ended", "Others may have acted on the key being unknown.", releasesInTime},
	{"remembers beyond the retention", "A late retry must not run again because its result was thrown away.", remembers},
	{"forgets when told", "Memory ends.", forgets},
	{"lists what is open", "A reaper that misses a key leaves it to somebody's patience.", lists},
	{"compares keys byte by byte", "Two keys that are taken for one make one order out of two.", comparesKeys},
	{"refuses bad keys", "A key that is cut off meets other keys.", refusesKeys},
	{"limits results", "A result that is cut off is another result.", limitsResults},
	{"bears the longest spans", "Times that overflow lie in the past.", bearsSpans},
	{"does nothing for a context that ended", "A caller that gave up is not there to hear that he won.", obeysContexts},
	{"has one effect in a race", "I8: this is what it is for.", races},
	{"agrees with the model", "The single promises hold together, too.", agrees},
}

package jobtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/work/job"
)

// Options are what a store's tests say about it.
type Options struct {
	// Pass lets a span pass on the store's clock, and returns when it has. Nil means that the store
	// keeps the time of the process, whose tests then run in a bubble of testing/synctest.
	Pass func(t *testing.T, d time.Duration)

	// Lease is how long leases and delays are whose end is waited for; not positive means 1 min. Where Pass really
	// waits it should be short, but long enough for a few operations.
	Lease time.Duration

	// Rounds is how many jobs many workers share; not positive means 300.
	Rounds int
}

// Run checks stores made by open, which returns an empty one each time.
func Run(t *testing.T, open func(*testing.T) job.Store, o Options) {
	t.Helper()
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			p.run(t, suite{open: open, Options: o, report: t.Errorf})
		})
	}
}

// run makes one check, in a bubble if the store keeps the time of the process.
func (p promise) run(t *testing.T, s suite) {
	if s.Lease <= 0 {
		s.Lease = time.Minute
	}
	if s.Rounds <= 0 {
		s.Rounds = 300
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
	open   func(*testing.T) job.Store
	report func(format string, args ...any)
}

func (s suite) begin(t *testing.T) *trial { return &trial{suite: s, t: t, store: s.open(t)} }

var promises = []promise{
	{"keeps what was enqueued", "A worker knows of a job what the store gives back.", keepsJobs},
	{"enqueues once", "The answer to Enqueue gets lost, and the caller asks again.", enqueuesOnce},
	{"refuses bad jobs", "An ID that is cut off meets other IDs.", refusesJobs},
	{"takes only what was asked for", "A worker has no handler for other kinds, and no room for more.", takesWanted},
	{"takes in order of due times", "A job at the end of the line must come to its head.", takesInOrder},
	{"gives a job to one worker at a time", "Two workers on one job are two orders.", exclusive},
	{"has one taker in a race", "The same, with many at once; and none may be lost.", concurrent},
	{"is never early", "ST10: what is due at the opening must not start before it.", neverEarly},
	{"says when the next job is due", "A worker that sleeps too long is late.", saysNext},
	{"ends leases by its own clock", "The worker died; somebody else must go on.", endsLeases},
	{"renews", "Long work holds on to its lease.", renews},
	{"hears late reports", "What happened stays true when the lease has ended, as long as nobody else has begun.", hearsLate},
	{"fences the one who lost", "I21: he slept through the end of his lease, and wakes up believing that he holds it.", fences},
	{"saves in sequence", "A checkpoint that overtakes another takes the job back to where it was.", savesInSequence},
	{"keeps checkpoints as they are", "The job goes on from there, and from nowhere else.", keepsStates},
	{"acks once", "A job that is done is never run again.", acks},
	{"nacks with a delay", "A retry comes when its policy says, not before.", nacks},
	{"counts attempts", "A job that kills its workers must not do so for ever.", countsAttempts},
	{"parks", "A poison job is set aside for a person, with what went wrong.", parks},
	{"redrives by hand", "The fault is mended; the job goes on at its last checkpoint.", redrives},
	{"asks what became of an open step", "Running it again might do it twice; skipping it might leave it undone.", asksOpen},
	{"keeps the history bounded", "A job that is retried for a year must not fill the disk.", boundsHistory},
	{"lists", "A job that no list shows waits for ever.", lists},
	{"forgets when told", "Memory ends; but what waits for a person is not forgotten.", forgets},
	{"compares IDs byte by byte", "Two jobs that are taken for one are one job lost.", comparesIDs},
	{"bears odd spans", "Times that overflow lie in the past.", bearsSpans},
	{"does nothing for a context that ended", "A caller that gave up is not there to hear.", obeysContexts},
}

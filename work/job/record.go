package job

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/relent-go/relent/retry"
)

// A Job is a piece of work to be done at least once.
type Job struct {
	ID      string        // chosen by the caller, unique in the store
	Kind    string        // names the handler
	Payload []byte        // what the handler needs to know
	Delay   time.Duration // due so long after it was enqueued; not positive means at once
}

// Check returns all mistakes in j, joined, each beginning with its field's name, or nil. The error is Permanent.
func (j *Job) Check() error {
	var errs []error
	for _, f := range []struct{ name, value string }{{"ID", j.ID}, {"Kind", j.Kind}} {
		switch {
		case f.value == "":
			errs = append(errs, fmt.Errorf("%s: missing", f.name))
		case len(f.value) > MaxID:
			errs = append(errs, fmt.Errorf("%s: %d bytes; the limit is %d", f.name, len(f.value), MaxID))
		case !utf8.ValidString(f.value) || strings.Contains(f.value, "\x00"):
			errs = append(errs, fmt.Errorf("%s: %q is not text", f.name, f.value))
		}
	}
	if len(j.Payload) > MaxPayload {
		errs = append(errs, fmt.Errorf("Payload: %d bytes; the limit is %d", len(j.Payload), MaxPayload))
	}
	return retry.Mark(errors.Join(errs...), retry.Permanent)
}

// A Want says what a worker is ready to take.
type Want struct {
	Worker string
	Kinds  []string      // only these; none means no job
	Max    int           // how many; not positive means none
	Lease  time.Duration // not positive means that it ends at once
}

// Taken is what a worker got.
type Taken struct {
	Jobs []Record // Running, with their leases; in the order of due times

	// Next is when the next job of the kinds asked for will be due, from now, as far as the store knows: 0 if
	// there is none, and at least 1 ns else. It is advice for the next look.
	Next time.Duration
}

// A Lease is what the holder of a job shows to change it.
type Lease struct {
	ID    string
	Fence uint64 // rises each time the job is taken; resources refuse what comes with a smaller one
}

// A Checkpoint is how far a job has come.
type Checkpoint struct {
	Seq   uint64 // rises by 1 with each save; 0 means that none was saved
	Step  int    // steps done
	Open  bool   // the next step was begun, must not run twice, and may have had its effect
	State []byte // the handler's own
}

// A Report is how an attempt ended that did not finish its job.
type Report struct {
	Err   string // what went wrong; cut to MaxError bytes by the store
	Class retry.Class
	Free  bool // not the job's fault: the attempt does not count
}

// Cut returns r with no more of its text than stores keep, and that valid UTF-8 without a NUL.
func (r Report) Cut() Report {
	text := strings.ReplaceAll(strings.ToValidUTF8(r.Err, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > MaxError {
		text = strings.ToValidUTF8(text[:MaxError], "") // the rune that was cut through
	}
	r.Err = text
	return r
}

// An Attempt is one time that a job was taken, or redriven.
type Attempt struct {
	Fence  uint64 // of its lease; of a redrive, that of the attempt before
	Worker string // who took it; of a redrive, who asked for it
	Began  time.Time
	Ended  time.Time // the zero time as long as nobody has reported an end; it stays so if the worker died
	How    How
	Err    string      // of Nack and Park; of a redrive, its note
	Class  retry.Class // of Nack and Park
	Seq    uint64      // of the checkpoint at the end; while it has none, at the beginning
}

// A How says how an attempt ended.
type How uint8

// The ways. The numbers are fixed: stores may keep them.
const (
	Unreported  How = iota // it runs, or its worker died
	Acked                  // it finished the job
	Nacked                 // it gave the job back
	Interrupted            // it gave the job back and does not count
	Parked                 // it ended the job badly
	Redriven               // not an attempt: somebody sent the job on its way again
)

// String returns the name in lower case.
func (h How) String() string {
	if int(h) < len(hows) {
		return hows[h]
	}
	return fmt.Sprintf("how(%d)", uint8(h))
}

var hows = [...]string{"unreported", "acked", "nacked", "interrupted", "parked", "redriven"}

// A Record is what the store knows of a job.
type Record struct {
	ID      string
	Kind    string
	Payload []byte
	Status  Status
	Fence   uint64 // of the last lease; 0 if never taken

	// Attempts is how often the job was taken since it was enqueued or redriven, without those that do not count.
	Attempts int
	Elapsed  time.Duration // since it was first taken after it was enqueued or redriven; 0 if never, or if it ended
	Left     time.Duration // of the lease if Running; until it is due if Waiting, 0 if it is; else 0

	Checkpoint
	History []Attempt // the last MaxHistory, the oldest first
}

// Lease returns what the holder of a job shows to change it.
func (r *Record) Lease() Lease { return Lease{r.ID, r.Fence} }

// A Status is the state of a job.
type Status uint8

// The states. The numbers are fixed: stores may keep them.
const (
	Waiting   Status = iota // due now or later; also when a lease has ended without a report
	Running                 // taken, and the lease runs
	Done                    // it succeeded
	Failed                  // it did not, and what it last tried had no effect; parked
	Abandoned               // nobody wants it any more; parked
	Unknown                 // a step may have had its effect, and must not run twice; parked
)

// Terminal says that a job in this state has ended.
func (s Status) Terminal() bool { return s >= Done }

// Parked says that a job in this state waits for a person.
func (s Status) Parked() bool { return s > Done && s <= Unknown }

// String returns the name in lower case.
func (s Status) String() string {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

var statuses = [...]string{"waiting", "running", "done", "failed", "abandoned", "unknown"}

// A Query selects jobs.
type Query struct {
	Statuses []Status // any of these; none means all
	Kind     string   // "" means all
	After    string   // ID; "" means from the beginning
	Max      int      // not positive means none
}

// A Redrive is a person's decision to run a parked job again.
type Redrive struct {
	By    string        // who decided
	Note  string        // why; cut as Report.Err is
	Delay time.Duration // until it is due

	// Open says what became of the step that an Open checkpoint tells of. Of a checkpoint that is not Open,
	// it changes nothing.
	Open Resolution
}

// A Resolution says what somebody found out about an effect.
type Resolution uint8

// The resolutions.
const (
	Undecided Resolution = iota // nothing
	Applied                     // it happened: the step counts as done
	Absent                      // it did not, and will not any more: the step runs again
)

// String returns the name in lower case.
func (r Resolution) String() string {
	switch r {
	case Undecided:
		return "undecided"
	case Applied:
		return "applied"
	case Absent:
		return "absent"
	}
	return fmt.Sprintf("resolution(%d)", uint8(r))
}

// Resolve returns c as a redrive leaves it: with the next sequence number if it was Open. It returns [ErrUndecided] if r does not say what
// became of an open step.
func (c Checkpoint) Resolve(r Resolution) (Checkpoint, error) {
	if !c.Open {
		return c, nil
	}
	switch r {
	case Applied:
		c.Step++
	case Absent:
	default:
		return c, ErrUndecided
	}
	c.Seq++
	c.Open = false
	return c, nil
}

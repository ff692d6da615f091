package halt

import "time"

// A Recorder receives one record for every command, refused ones included, and for everything that a tree
// does by itself. It is called in the goroutine of the command, and in one of [Tree.Run] for what that does, never
// under a lock of the tree, and may call [Tree.Stop], but not [Tree.Resume]. It must be safe for concurrent use.
type Recorder interface {
	// Record returns when the record is as durable as it will get. An error makes the tree refuse order
	// retries, as [Tree.AuditFailed] does, until a record succeeds. Only what became of the control plane
	// and the audit sink themselves (ActionLost, ActionBack) is told without regard to that.
	Record(Record) error
}

// An Action is what a record tells of.
type Action string

// The actions.
const (
	ActionStop   Action = "stop"
	ActionResume Action = "resume"
	ActionExpire Action = "expire" // a stop came to its end
	ActionTrip   Action = "trip"   // a limit stopped a scope by itself
	ActionAlert  Action = "alert"  // something to look at, and nothing was stopped
	ActionLost   Action = "lost"   // the control plane, the audit sink or the state file went
	ActionBack   Action = "back"   // the control plane or the audit sink came back
)

// A Record is one command or one thing that a tree did by itself.
type Record struct {
	Action   Action
	Scope    Scope // where it took effect; as asked for, if it did not
	State    State // asked for, or ended
	Who      string
	Approver string // of a resume
	Why      string
	Ticket   string
	Source   string        // by which way it came: api, file, signal, env, trip, tree
	Epoch    uint64        // of the scope afterwards; of a refused resume, the scope's
	Drill    bool          // nothing was changed
	At       time.Time     // when it began
	Until    time.Time     // when the stop expires; the zero time for never
	Took     time.Duration // until it was in force
	Saved    time.Duration // until it was saved, too; 0 if it was not a stop
	Gates    int           // how many scopes with gates it covers
	Err      error         // why it was refused, or what went wrong on the way; nil if all is well
}

// record hands a record over, and takes notice of how that went. mu is not held.
func (t *Tree) record(r Record) error {
	if t.Recorder == nil {
		return nil
	}
	err := t.Recorder.Record(r)
	t.sink(&t.recorderFails, err)
	return err
}

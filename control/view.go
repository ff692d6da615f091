package control

import "time"

// A View is everything that can be seen of one process, or of a fleet, at one moment. Counters
// count from Since and only grow; whoever wants rates takes differences. It is the JSON that the
// API, the dashboard and the fleet exchange: names are stable, durations are in nanoseconds.
type View struct {
	Instance   string            `json:"instance"` // names the process
	Epoch      uint64            `json:"epoch"`    // differs after a restart
	Since      time.Time         `json:"since"`
	At         time.Time         `json:"at"`
	Build      Build             `json:"build"`
	Policies   []PolicyView      `json:"policies"`   // by name
	Circuits   []CircuitView     `json:"circuits"`   // by policy and target
	Budgets    []BudgetView      `json:"budgets"`    // by name
	Stops      []StopView        `json:"stops"`      // scopes that are stopped or ramping, and their epochs; then drills
	Venues     []VenueView       `json:"venues"`     // by name
	Components []ComponentView   `json:"components"` // by name
	Findings   []FindingView     `json:"findings"`   // active ones
	Audit      *AuditView        `json:"audit,omitempty"`
	Config     *ConfigView       `json:"config,omitempty"`
	Instances  []InstanceView    `json:"instances,omitempty"` // of a fleet
	Dropped    map[string]uint64 `json:"dropped,omitempty"`   // events by sink
	Overflow   map[string]uint64 `json:"overflow,omitempty"`  // names merged into "other", by label
}

// A Build names the program.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

// A PolicyView counts what the calls of one operation did. The maps have every key of the closed
// lists [Outcomes], [Classes] and [Reasons], also those at zero.
type PolicyView struct {
	Name       string            `json:"name"`
	Component  string            `json:"component,omitempty"`
	Policy     string            `json:"policy"`             // what is in force, in words
	Base       map[string]string `json:"base,omitempty"`     // fields as configured, in their text form
	Override   map[string]string `json:"override,omitempty"` // fields that an operator changed
	Version    uint64            `json:"version"`            // rises with each change
	Outcomes   map[string]uint64 `json:"outcomes"`
	Failures   map[string]uint64 `json:"failures"`   // of attempts, by class
	Suppressed map[string]uint64 `json:"suppressed"` // retries not made, by reason
	Attempts   uint64            `json:"attempts"`
	InFlight   int64             `json:"in_flight"`
	Waiting    int64             `json:"waiting"`
	Call       Histogram         `json:"call"`               // seconds
	Attempt    Histogram         `json:"attempt"`            // seconds
	Backoff    Histogram         `json:"backoff"`            // seconds
	PerCall    Histogram         `json:"per_call"`           // attempts
	Budgeted   bool              `json:"budgeted,omitempty"` // something bounds the retries of all calls together
	Learning   *LearningView     `json:"learning,omitempty"` // nil: nothing is learned
}

// A Histogram counts values in classic buckets: Counts[i] are those up to Bounds[i] and above the
// bound before; the last count is of those above every bound.
type Histogram struct {
	Bounds []float64 `json:"bounds"`
	Counts []uint64  `json:"counts"`
	Sum    float64   `json:"sum"`
}

// A CircuitView is one breaker.
type CircuitView struct {
	Policy      string            `json:"policy"`
	Target      string            `json:"target"`
	State       string            `json:"state"` // closed, suspect, throttling, half_open, open, isolated
	Forced      bool              `json:"forced,omitempty"`
	Cause       string            `json:"cause,omitempty"`
	Since       time.Time         `json:"since"`
	FailureRate float64           `json:"failure_rate"` // 0 to 1
	NextProbe   time.Time         `json:"next_probe,omitzero"`
	Critical    bool              `json:"critical,omitempty"` // an open one fails readiness
	Transitions map[string]uint64 `json:"transitions"`        // by the state entered
	History     []Transition      `json:"history,omitempty"`  // the last ten, newest last
}

// A Transition is one change of a breaker.
type Transition struct {
	At    time.Time `json:"at"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Cause string    `json:"cause,omitempty"`
}

// A BudgetView is one budget.
type BudgetView struct {
	Name     string   `json:"name"`
	Policies []string `json:"policies,omitempty"` // that draw on it
	Level    float64  `json:"level"`
	Max      float64  `json:"max"`
	Refill   float64  `json:"refill"` // a second
	Granted  uint64   `json:"granted"`
	Denied   uint64   `json:"denied"`
}

// A StopView is one scope of the emergency stop.
type StopView struct {
	Scope   string    `json:"scope"`
	State   string    `json:"state"`           // running, no-retries, risk-reducing, drain, stopped
	Drill   bool      `json:"drill,omitempty"` // stops nothing, and is shown until Expires
	Epoch   uint64    `json:"epoch"`
	Actor   string    `json:"actor,omitempty"`
	Source  string    `json:"source,omitempty"` // dashboard, cli, file, signal, environment, trip, api
	Reason  string    `json:"reason,omitempty"`
	Ticket  string    `json:"ticket,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Ramp    float64   `json:"ramp,omitempty"` // the share let through while a release ramps, 0 to 1

	// Of a drill.
	Reached   int           `json:"reached,omitempty"`   // processes that went through it
	Processes int           `json:"processes,omitempty"` // that were connected
	Took      time.Duration `json:"took,omitempty"`      // until the last of those it reached said so
}

// A VenueView is what orders and streams of one venue do.
type VenueView struct {
	Name          string             `json:"name"`
	Unknown       int64              `json:"unknown"` // orders of unknown outcome
	OldestUnknown time.Time          `json:"oldest_unknown,omitzero"`
	Parked        int64              `json:"parked"`
	GuardTrips    uint64             `json:"guard_trips"` // resends that were blocked
	Reconnects    map[string]uint64  `json:"reconnects"`  // by reason
	Headroom      map[string]float64 `json:"headroom"`    // of each rate limit, 0 to 1
	BannedUntil   time.Time          `json:"banned_until,omitzero"`
}

// A ComponentView is one component and its health.
type ComponentView struct {
	Name      string        `json:"name"`
	Critical  bool          `json:"critical"`
	DependsOn []string      `json:"depends_on,omitempty"`
	State     string        `json:"state"`             // up, degraded, failing, unknown
	Cause     string        `json:"cause,omitempty"`   // the dependency or the error
	Stuck     bool          `json:"stuck,omitempty"`   // its check ignores its context
	Running   bool          `json:"running,omitempty"` // its check runs, and the answer is the one before
	Checked   time.Time     `json:"checked,omitzero"`
	Took      time.Duration `json:"took"`
}

// A FindingView is something that the analysis recognised.
type FindingView struct {
	Kind     string         `json:"kind"`
	Subject  string         `json:"subject"`
	Severity string         `json:"severity"` // page, ticket, info
	Summary  string         `json:"summary"`
	Action   string         `json:"action"`
	Evidence map[string]any `json:"evidence,omitempty"`
	Since    time.Time      `json:"since"`
}

// An AuditView is the state of the audit log.
type AuditView struct {
	Records     uint64    `json:"records"`
	WriteErrors uint64    `json:"write_errors"`
	Broken      bool      `json:"broken"`
	Head        string    `json:"head,omitempty"`
	Verified    time.Time `json:"verified,omitzero"`
}

// A ConfigView is the state of the configuration.
type ConfigView struct {
	Hash     string    `json:"hash"`
	Loaded   time.Time `json:"loaded"`
	Good     bool      `json:"good"` // the last reload succeeded
	Errors   []string  `json:"errors,omitempty"`
	Reloads  uint64    `json:"reloads"`  // that succeeded
	Failures uint64    `json:"failures"` // reloads that did not
}

// An InstanceView is one process of a fleet.
type InstanceView struct {
	Name      string    `json:"name"`
	Connected bool      `json:"connected"`
	Seen      time.Time `json:"seen"`
	Version   string    `json:"version"`
	Config    string    `json:"config,omitempty"` // hash
}

// A Note is one line of the live tail: an event of a call, or of the system, as text.
type Note struct {
	Seq      uint64        `json:"seq"`
	At       time.Time     `json:"at"`
	Instance string        `json:"instance,omitempty"`
	Kind     string        `json:"kind"` // retrying, refused, failed, recovered, unknown, circuit, stop, config, health, order, stream, finding
	Policy   string        `json:"policy,omitempty"`
	Target   string        `json:"target,omitempty"`
	Call     uint64        `json:"call,omitempty,string"`
	Attempt  int           `json:"attempt,omitempty"`
	Class    string        `json:"class,omitempty"`
	Outcome  string        `json:"outcome,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
	Elapsed  time.Duration `json:"elapsed,omitempty"`
	Trace    string        `json:"trace,omitempty"`
	Text     string        `json:"text,omitempty"` // redacted
}

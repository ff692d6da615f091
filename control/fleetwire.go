package control

import (
	"time"

	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/observe/audit"
)

// The paths of the protocol between a process ([Fleet]) and its control plane, below the URL of the latter. All of them
// need a bearer token.
const (
	OrdersPath = "/fleet/v1/orders" // GET: a stream of server-sent events "orders", each with [Orders], and a comment each second
	ReportPath = "/fleet/v1/report" // POST [Report], answered with nothing
	LeasePath  = "/fleet/v1/lease"  // POST a list of lease.Request, answered with a list of lease.Grant
	AuditPath  = "/fleet/v1/audit"  // POST [AuditBatch], answered with an audit.Head
	DrillPath  = "/fleet/v1/drill"  // POST [Drilled], answered with nothing
)

// Orders are what a control plane asks of its processes: the whole of it first, and then that or what changed. A process
// that finds that it missed something begins anew.
type Orders struct {
	Version  uint64               `json:"version"`            // rises with each change
	From     uint64               `json:"from,omitempty"`     // not 0: of the stops, these are the scopes that changed since that version, and nothing else did
	Stops    []byte               `json:"stops"`              // halt.Tree.Snapshot
	Epochs   map[string]uint64    `json:"epochs"`             // of the scopes in Stops
	Released map[string]Released  `json:"released,omitempty"` // how scopes that are not stopped any more were released
	Tunes    map[string]TuneOrder `json:"tunes,omitempty"`    // by operation
	Config   *ConfigOrder         `json:"config,omitempty"`   // nil: the control plane has no configuration
	Drills   []DrillOrder         `json:"drills,omitempty"`   // to be gone through now
}

// A DrillOrder is a stop that is to be rehearsed. A process goes through each once, and says at once that it did.
type DrillOrder struct {
	ID     string        `json:"id"`
	Scope  string        `json:"scope"`
	State  string        `json:"state"`
	Actor  string        `json:"actor"`
	Reason string        `json:"reason"`
	Ticket string        `json:"ticket,omitempty"`
	For    time.Duration `json:"for,omitempty"` // how long it is shown; not positive means DrillShown
}

// Drilled says that a process went through a drill. Whose it is stands in the header Relent-Instance.
type Drilled struct {
	ID    string        `json:"id"`
	Took  time.Duration `json:"took"` // there, until it would have been in force and saved
	Error string        `json:"error,omitempty"`
}

// Released says who let go of a scope.
type Released struct {
	Requester string `json:"requester"`
	Approver  string `json:"approver"`
	Reason    string `json:"reason"`
}

// A TuneOrder is what the policy of an operation is to have instead of what its program says.
type TuneOrder struct {
	Fields map[string]string `json:"fields"`
	Actor  string            `json:"actor"`
	Reason string            `json:"reason"`
}

// A Report is what a process tells its control plane.
type Report struct {
	View  View   `json:"view"`
	Notes []Note `json:"notes,omitempty"` // since the report before
}

// An AuditBatch are records for a chain of the control plane. Sent again, they are kept once.
type AuditBatch struct {
	Chain   string         `json:"chain"`
	Records []audit.Record `json:"records"`
}

// Leases are what processes and coordinators say to each other about budgets.
type (
	LeaseRequest = lease.Request
	LeaseGrant   = lease.Grant
)

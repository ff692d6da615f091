package control

import (
	"context"
	"time"
)

// A Stop asks to stop a scope.
type Stop struct {
	Scope   string        `json:"scope"` // "global", or path segments joined by "/"
	State   string        `json:"state"` // no-retries, risk-reducing, drain, stopped
	Reason  string        `json:"reason"`
	Ticket  string        `json:"ticket,omitempty"`
	Expires time.Duration `json:"expires,omitempty"` // none for stopped
	Cancel  bool          `json:"cancel,omitempty"`  // also cancel running attempts
	Drill   bool          `json:"drill,omitempty"`
	Key     string        `json:"key,omitempty"` // of idempotency: the same key engages once
	Actor   string        `json:"-"`             // who is signed in
	Claimed bool          `json:"-"`             // nobody signed in: it is who Actor says that it is
	Source  string        `json:"-"`             // cli, dashboard, api
}

// A Resume asks to release a scope.
type Resume struct {
	Scope    string `json:"scope"`
	Epoch    uint64 `json:"epoch"` // the one that was seen
	Reason   string `json:"reason"`
	Actor    string `json:"-"` // who asks
	Approver string `json:"-"` // who agrees: somebody else
	Claimed  bool   `json:"-"` // as in Stop, of both
	Source   string `json:"-"`
}

// A Tune asks to change an operation while it runs.
type Tune struct {
	Operation string            `json:"operation"`
	Version   uint64            `json:"version"` // the one that was seen
	Fields    map[string]string `json:"fields"`  // in their text form; an empty value reverts the field
	Reason    string            `json:"reason"`
	Actor     string            `json:"-"`
	Claimed   bool              `json:"-"` // as in Stop
	Source    string            `json:"-"`
}

// A Commander carries out what operators ask. Every command is audited, refused ones too. Errors
// say what was refused, why, and what to do.
type Commander interface {
	Stop(ctx context.Context, s Stop) (StopView, error)
	Resume(ctx context.Context, r Resume) (StopView, error)
	Tune(ctx context.Context, t Tune) (PolicyView, error)
}

// claimed stands in audit records behind the source of a command whose actor nobody checked.
const claimed = " claimed"

// Rule is what an audit record says of how a command came: its source, and whether its actor is only claimed to be who it is.
func Rule(source string, isClaimed bool) string {
	if isClaimed {
		return source + claimed
	}
	return source
}

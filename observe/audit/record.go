package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// A Record is one decision: about an attempt, or by a person. It holds no payload and no secret; what must not be
// in it goes in as its [Digest]. The zero value of a field means that it is not known or does not apply, and is not
// written. Texts are UTF-8 of bounded length: see [Record.Bounded].
type Record struct {
	// Place.
	ID       string        `json:"id,omitempty"`    // a new one for each record: appending it again adds nothing
	Chain    string        `json:"chain,omitempty"` // set by the store
	Sequence uint64        `json:"seq,omitempty"`   // set by the store; from 1
	Time     time.Time     `json:"time"`            // wall clock, to the microsecond, UTC
	Mono     time.Duration `json:"mono,omitempty"`  // monotonic clock of the process, from an arbitrary start
	Node     string        `json:"node,omitempty"`
	Build    string        `json:"build,omitempty"`
	Config   string        `json:"config,omitempty"` // hash of the configuration

	// Who.
	Actor     string `json:"actor,omitempty"`
	Strategy  string `json:"strategy,omitempty"`
	Tenant    string `json:"tenant,omitempty"`
	Parent    string `json:"parent,omitempty"`    // what the call is a part of, such as the parent order
	Operation string `json:"operation,omitempty"` // the policy's name
	Call      string `json:"call,omitempty"`      // the call: 16 hexadecimal digits
	Key       string `json:"key,omitempty"`       // Digest of the idempotency key

	// What.
	Attempt  int      `json:"attempt,omitempty"`
	Decision Decision `json:"decision,omitempty"`
	Rule     string   `json:"rule,omitempty"` // what decided
	Scope    string   `json:"scope,omitempty"`
	State    string   `json:"state,omitempty"` // that a command asked for
	Approver string   `json:"approver,omitempty"`
	Why      string   `json:"why,omitempty"`
	Ticket   string   `json:"ticket,omitempty"`

	// State.
	Outcome      Outcome       `json:"outcome,omitempty"`
	Class        string        `json:"class,omitempty"` // of the error
	Delay        time.Duration `json:"delay,omitempty"` // before the next attempt
	Hint         time.Duration `json:"hint,omitempty"`  // wait that the other side asked for
	BudgetBefore *float64      `json:"budget_before,omitempty"`
	BudgetAfter  *float64      `json:"budget_after,omitempty"`
	Breaker      string        `json:"breaker,omitempty"`
	Epoch        uint64        `json:"epoch,omitempty"` // of the emergency stop
	Left         time.Duration `json:"left,omitempty"`  // until the deadline
	Cost         int64         `json:"cost,omitempty"`
	Validation   string        `json:"validation,omitempty"`
	Payload      string        `json:"payload,omitempty"` // Digest of the payload
	Count        uint64        `json:"count,omitempty"`   // of a Drop: records that are missing
}

// A Decision is what a record tells of. Others than these may be used: a short word.
type Decision string

// The decisions.
const (
	Admit  Decision = "admit"  // a call succeeded at once
	Retry  Decision = "retry"  // another attempt follows: of an order, written before it starts
	Deny   Decision = "deny"   // an attempt, a further attempt or a command was refused
	End    Decision = "end"    // a retry, or a call with retries, ended
	Stop   Decision = "stop"   // a scope was stopped
	Resume Decision = "resume" // a stop was lifted
	Open   Decision = "open"   // a breaker opened
	Close  Decision = "close"  // a breaker closed
	Trip   Decision = "trip"   // a limit stopped a scope by itself
	Drill  Decision = "drill"  // a command was rehearsed
	Drop   Decision = "drop"   // records are missing here, Count of them
)

// An Outcome is how an attempt or a call ended.
type Outcome string

// The outcomes.
const (
	Succeeded  Outcome = "succeeded"
	Failed     Outcome = "failed"
	Canceled   Outcome = "canceled"
	Panicked   Outcome = "panicked"
	NotStarted Outcome = "not started"
	Unknown    Outcome = "unknown" // it may have had its effect
)

// The limits of a record.
const (
	MaxRecord = 4 << 10 // bytes in canonical JSON
	maxWord   = 32      // bytes of a decision, an outcome, a class, a state
	maxName   = 128     // bytes of a name or id
	maxText   = 512     // bytes of a rule, a reason, a result
	maxNumber = 1 << 53 // beyond it JSON numbers are not exact (RFC 8785, section 3.2.2.3)
)

// texts calls f with each text of the record, the longest it may be, and its name.
func (r *Record) texts(f func(s *string, most int, field string)) {
	f(&r.ID, maxName, "ID")
	f(&r.Node, maxName, "Node")
	f(&r.Build, maxName, "Build")
	f(&r.Config, maxName, "Config")
	f(&r.Actor, maxName, "Actor")
	f(&r.Strategy, maxName, "Strategy")
	f(&r.Tenant, maxName, "Tenant")
	f(&r.Parent, maxName, "Parent")
	f(&r.Operation, maxName, "Operation")
	f(&r.Call, maxName, "Call")
	f(&r.Key, maxName, "Key")
	f((*string)(&r.Decision), maxWord, "Decision")
	f(&r.Rule, maxText, "Rule")
	f(&r.Scope, maxName, "Scope")
	f(&r.State, maxWord, "State")
	f(&r.Approver, maxName, "Approver")
	f(&r.Why, maxText, "Why")
	f(&r.Ticket, maxName, "Ticket")
	f((*string)(&r.Outcome), maxWord, "Outcome")
	f(&r.Class, maxWord, "Class")
	f(&r.Breaker, maxWord, "Breaker")
	f(&r.Validation, maxText, "Validation")
	f(&r.Payload, maxName, "Payload")
}

// Check returns all mistakes in r, joined, each beginning with its field's name, or nil. A store takes a record only
// without any.
func (r *Record) Check() error {
	_, err := r.encode(nil)
	return err
}

func (r *Record) check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.ID == "" {
		mistake("ID: missing")
	}
	if r.Decision == "" {
		mistake("Decision: missing")
	}
	r.texts(func(s *string, most int, field string) {
		switch {
		case len(*s) > most:
			mistake("%s: %d bytes: %d are allowed", field, len(*s), most)
		case !utf8.ValidString(*s):
			mistake("%s: %.40q is not UTF-8", field, *s)
		}
	})
	for _, d := range []struct{ field, value string }{{"Key", r.Key}, {"Payload", r.Payload}} {
		if d.value != "" && !isDigest(d.value) {
			mistake("%s: is not a Digest", d.field)
		}
	}
	if year := r.Time.UTC().Year(); r.Time.IsZero() || year < 1 || year > 9999 {
		mistake("Time: missing, or beyond the year 9999")
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"Mono", int64(r.Mono)}, {"Delay", int64(r.Delay)}, {"Hint", int64(r.Hint)}, {"Left", int64(r.Left)},
		{"Cost", r.Cost}, {"Attempt", int64(r.Attempt)}, {"Sequence", whole(r.Sequence)}, {"Epoch", whole(r.Epoch)}, {"Count", whole(r.Count)},
	} {
		if n.value > maxNumber || n.value < -maxNumber {
			mistake("%s: %d is not exact in JSON: at most 2^53", n.field, n.value)
		}
	}
	for _, b := range []struct {
		field string
		value *float64
	}{{"BudgetBefore", r.BudgetBefore}, {"BudgetAfter", r.BudgetAfter}} {
		if b.value != nil && !finite(*b.value) {
			mistake("%s: %v is no number in JSON", b.field, *b.value)
		}
	}
	return errors.Join(errs...)
}

// encode appends the record as AppendJSON does, if it has no mistakes.
func (r *Record) encode(b []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return b, err
	}
	start := len(b)
	b = r.AppendJSON(b)
	if size := len(b) - start; size > MaxRecord {
		return b[:start], fmt.Errorf("%d bytes: %d are allowed", size, MaxRecord)
	}
	return b, nil
}

func whole(u uint64) int64 { return int64(min(u, math.MaxInt64)) }

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// isDigest says whether s is what Digest returns.
func isDigest(s string) bool {
	for _, b := range []byte(s) {
		if !('0' <= b && b <= '9' || 'a' <= b && b <= 'f') {
			return false
		}
	}
	return len(s) == 64
}

// ParseRecord reads a record from the body of a link.
func ParseRecord(body []byte) (r Record, err error) {
	if err := json.Unmarshal(body, &r); err != nil {
		return Record{}, fmt.Errorf("audit record: %w", err)
	}
	return r, nil
}

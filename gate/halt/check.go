package halt

import (
	"errors"
	"fmt"
	"time"
)

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil. A tree with
// mistakes still works, and lets through less than was meant.
func (t *Tree) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, d := range []struct {
		field string
		value time.Duration
		means string
	}{
		{"Ramp.Step", t.Ramp.Step, DefaultStep.String()},
		{"Lease", t.Lease, "that the control plane is lost for good"},
		{"Poll", t.Poll, defaultPoll.String()},
	} {
		if d.value < 0 {
			mistake("%s: %v is negative and means %s", d.field, d.value, d.means)
		}
	}
	if t.Ramp.Burst < 0 {
		mistake("Ramp.Burst: %d is negative and counts as 1", t.Ramp.Burst)
	}
	if t.MaxScopes < 0 {
		mistake("MaxScopes: %d is negative and counts as 1", t.MaxScopes)
	}
	for _, s := range []struct {
		field string
		value State
	}{
		{"Lost.Orders", t.Lost.Orders},
		{"Lost.Other", t.Lost.Other},
		{"Lost.Reads", t.Lost.Reads},
	} {
		if s.value > Stopped {
			mistake("%s: %d is no state and counts as stopped", s.field, s.value)
		}
	}
	people := func(field string, names []string) {
		for i, name := range names {
			if samePerson(name, "") {
				mistake("%s[%d]: a name is missing, and nobody has it", field, i)
			}
		}
	}
	people("Approvers", t.Approvers)
	people("Designated", t.Designated)
	return errors.Join(errs...)
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil. Limits with
// mistakes still work, and stop earlier than was meant.
func (l Limits) Check() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, n := range []struct {
		field string
		value int64
		least int64
		means string
	}{
		{"Attempts", int64(l.Attempts), None, fmt.Sprint(DefaultAttempts)},
		{"Messages", int64(l.Messages), 0, "1"},
		{"Heal", int64(l.Heal), 0, "never"},
		{"Executions", int64(l.Executions), 0, "none at all"},
		{"Spend", l.Spend, 0, "nothing at all"},
		{"Duplicates", int64(l.Duplicates), None, fmt.Sprint(DefaultDuplicates)},
	} {
		if n.value < n.least {
			mistake("%s: %d is negative and means %s", n.field, n.value, n.means)
		}
	}
	if l.Messages > mostMessages {
		mistake("Messages: %d counts as %d, the most", l.Messages, mostMessages)
	}
	if l.Heal > 0 && l.State >= Stopped {
		mistake("Heal: what is stopped does not heal by itself: choose a lower State")
	}
	if l.State > Stopped {
		mistake("State: %d is no state and counts as stopped", l.State)
	}
	return errors.Join(errs...)
}

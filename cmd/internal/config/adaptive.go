package config

import (
	"slices"
	"strings"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// An Adaptive says where learners keep what they know.
type Adaptive struct {
	StateFile string `yaml:"state_file" check:"env" jsonschema_description:"holds what was learned across restarts of relent proxy; default in memory only"`
}

// A Learning is the text of a control.Learning.
type Learning struct {
	Mode        string   `yaml:"mode" jsonschema:"enum=shadow,enum=active,enum=off" jsonschema_description:"shadow predicts and changes nothing, active chooses waits and gives up what does not pay, off sees nothing; default shadow"`
	Goal        string   `yaml:"goal" jsonschema:"enum=utility,enum=preserve-success" jsonschema_description:"give up retries that cost more than they bring, or only those that cannot succeed; default utility"`
	AttemptCost float64  `yaml:"attempt_cost" jsonschema:"minimum=0.0001,maximum=1" jsonschema_description:"of an attempt, in successes; default 0.02"`
	DelayCost   float64  `yaml:"delay_cost" jsonschema:"minimum=0.000001,maximum=1" jsonschema_description:"of a second until the result, in successes; default 0.5 over max_elapsed, or over a minute"`
	Promote     bool     `yaml:"promote" jsonschema_description:"from shadow to active by itself, once the forecasts are proven over a day and a rehearsal does not lose; needs a budget and a program that rehearses; default false"`
	MaxWait     Duration `yaml:"max_wait" jsonschema_description:"longest wait that is considered; default 30s"`
}

// gates are what the text adds to those of a policy.
func (l *Learning) gates() []retry.Gate {
	if l == nil {
		return nil
	}
	made := &control.Learning{Promote: l.Promote, Terms: adaptive.Terms{AttemptCost: l.AttemptCost, DelayCost: l.DelayCost, MaxWait: l.MaxWait.std()}}
	switch l.Mode {
	case "active":
		made.Mode = adaptive.Active
	case "off":
		made.Mode = adaptive.Off
	}
	if l.Goal == "preserve-success" {
		made.Terms.Goal = adaptive.PreserveSuccess
	}
	return []retry.Gate{made}
}

// learning warns of policies that are active without a budget: whatever makes operations of them refuses that, unless it
// gives them a budget of its own.
func (l *loader) learning(path string, p Policy, c *Content) {
	if p.Adaptive == nil || p.Adaptive.Mode != "active" {
		return
	}
	if slices.ContainsFunc(p.Gates, func(name string) bool { return bounds(name, c) }) {
		return
	}
	at := join(join(path, "adaptive"), "mode")
	l.note(l.valueOf(at), at, Unwise, "active needs a budget, and there is none among the gates: relent proxy refuses this, and so do processes without one; name a budget.NAME, or begin with shadow")
}

// bounds says that a gate is a budget, or a limit of the retries in a stretch of time.
func bounds(reference string, c *Content) bool {
	section, name, _ := strings.Cut(reference, ".")
	limit, there := c.Limits[name]
	if !there {
		limit = c.Limits[reference]
	}
	return section == "budget" || section == "limit" && limit.Retries != nil && limit.Per > 0
}

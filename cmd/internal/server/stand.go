package server

import (
	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// stand returns a policy in place of those that processes have, for fields to be judged by: what a server sends may take
// away what only code can give. A process knows whether it has a budget; where none was heard yet it decides for itself.
func stand(operation string, known control.PolicyView, heard bool) *retry.Policy {
	learning := &control.Learning{Mode: adaptive.Off, Budgeted: known.Budgeted || !heard}
	p := &retry.Policy{Name: operation, Idempotent: true, Nested: true, Gates: []retry.Gate{learning}}
	if known.Base["max_attempts"] == "unlimited" {
		p.MaxAttempts = retry.Unlimited // which is never given by text, and may stay
	}
	return p
}

package config

import (
	"reflect"
	"slices"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// ours are fields that a control plane does not send to other programs: whether a call may run twice is for its code to say.
var ours = []string{"idempotent", "nested"}

// Fields returns what the file says of its policies, in the text form of control.Tuned, for a control plane to send to its
// processes. What it does not give is left to them, and so is what it would not let an operator set either: unlimited
// attempts, more than control.MostTunedAttempts of them, and waits of 0s.
func (f *File) Fields() map[string]map[string]string {
	all := map[string]map[string]string{}
	for name, def := range f.Policies {
		given := map[string]string{}
		v := reflect.ValueOf(def)
		made := def.policy(name)
		made.Gates = def.Adaptive.gates()
		texts := control.Texts(made)
		for _, row := range tableOf(v.Type()).fields {
			text, known := texts[row.name]
			if known && !v.Field(row.index).IsZero() && !slices.Contains(ours, row.name) && sendable(row.name, text) {
				given[row.name] = text
			}
		}
		if len(given) > 0 {
			all[name] = given
		}
	}
	return all
}

func sendable(field, text string) bool {
	_, err := control.Tuned(&retry.Policy{Name: "any", Gates: []retry.Gate{&control.Learning{Budgeted: true}}}, map[string]string{field: text})
	return err == nil
}

package server

import (
	"testing"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// Whatever a process has can be tuned here; what only code can give is not given by text.
func TestStand(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy retry.Policy
		fields map[string]string
		want   bool
	}{
		{"as it is", retry.Policy{}, nil, true},
		{"tuned", retry.Policy{}, map[string]string{"max_attempts": "2"}, true},
		{"unlimited, another field", retry.Policy{MaxAttempts: retry.Unlimited}, map[string]string{"priority": "critical"}, true},
		{"unlimited, limited", retry.Policy{MaxAttempts: retry.Unlimited}, map[string]string{"max_attempts": "2"}, true},
		{"limited, unlimited", retry.Policy{}, map[string]string{"max_attempts": "unlimited"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			view := control.PolicyView{Base: control.Texts(&test.policy)}
			base, err := control.Tuned(stand("x", view, true), view.Base)
			if err == nil {
				_, err = control.Tuned(base, test.fields)
			}
			if (err == nil) != test.want {
				t.Errorf("%v; can it be tuned? want %v", err, test.want)
			}
		})
	}
}

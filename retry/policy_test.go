package retry_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestCheckNamesEveryMistake(t *testing.T) {
	p := &retry.Policy{MaxAttempts: -1, MaxElapsed: -1, AttemptTimeout: -1, Expected: -1, MaxHint: -1, Priority: 7, Cost: -1, Gates: []retry.Gate{nil}}
	text := p.Check().Error()
	for _, field := range []string{"MaxAttempts: -1", "MaxElapsed: -1ns", "AttemptTimeout: -1ns", "Expected: -1ns", "MaxHint: -1ns", "Priority: 7 counts as critical", "Cost: -1", "Gates[0]: nil"} {
		if !strings.Contains(text, field) {
			t.Errorf("Check says\n%s\nwithout %q", text, field)
		}
	}
	for _, test := range []struct {
		policy retry.Policy
		want   string
	}{
		{retry.Policy{}, ""},
		{retry.Policy{MaxAttempts: 5, MaxElapsed: time.Minute, AttemptTimeout: time.Second, Cost: 3, Priority: retry.Sheddable}, ""},
		{retry.Policy{MaxAttempts: retry.Unlimited}, "MaxAttempts: Unlimited counts as 3: it needs MaxElapsed or a gate to end the call"},
		{retry.Policy{MaxAttempts: retry.Unlimited, MaxElapsed: 1}, ""},
		{retry.Policy{MaxAttempts: math.MaxInt, Gates: []retry.Gate{open{}}}, ""},
		{retry.Policy{MaxElapsed: time.Second, AttemptTimeout: time.Minute}, "AttemptTimeout: 1m0s is longer than MaxElapsed, 1s"},
	} {
		got := ""
		if err := test.policy.Check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("Check of %+v = %q; want %q", test.policy, got, test.want)
		}
	}
}

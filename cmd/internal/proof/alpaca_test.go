package proof

import "testing"

// The same through Alpaca's SDK and interface, whose methods take no context and whose ids are for ever.
func TestChaosOnAlpaca(t *testing.T) {
	all := newTally()
	t.Cleanup(func() { t.Logf("by Alpaca's SDK: %v", all) })
	for _, faults := range []string{"calm", "lossy", "late", "ratelimit", "storm", "outage"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			all.add(trial{faults: faults, profile: "alpaca", seed: 1, traders: 4, each: 30, crashes: 2, halts: 1, alpaca: true}.must(t))
		})
	}
}

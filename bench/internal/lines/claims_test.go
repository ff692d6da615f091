package lines

import (
	"context"
	"testing"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

// TestDelays shows that all schedules have about the same length: ten delays that double from
// 100 ms to 30 s come to 81 s without jitter, to half of that with full jitter.
func TestDelays(t *testing.T) {
	const n = 2000
	for _, s := range peer.All() {
		if s.Delays == nil {
			continue
		}
		mean := s.Delays()(n) / n
		if mean < 35*time.Second || mean > 90*time.Second {
			t.Errorf("%s: a schedule takes %v; want 35 s to 90 s", s.Name, mean)
		}
	}
}

// TestGuarded shows that the breaker of the guarded line is at work: calls that all fail stop
// reaching the function.
func TestGuarded(t *testing.T) {
	const n = 100
	for _, s := range peer.All() {
		if s.Guarded == nil || s.Name == peer.Bare {
			continue
		}
		runs := 0
		_, err := s.Guarded()(t.Context(), n, func(context.Context) (peer.Quote, error) {
			runs++
			return peer.Quote{}, s.Fail
		})
		if err == nil || runs >= n {
			t.Errorf("%s: %d runs in %d failing calls, %v; want the breaker to open", s.Name, runs, n, err)
		}
	}
}

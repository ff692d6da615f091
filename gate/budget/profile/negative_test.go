package profile

import (
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// A negative wait is the default, and not the shortest there is.
func TestNegativeWaitsAreTheDefaults(t *testing.T) {
	odd, plain := &AWS2026{Base: -time.Second}, &AWS2026{}
	same(t, "aws-2026", odd.Delay(3, retry.Transient, 0, 0.5), plain.Delay(3, retry.Transient, 0, 0.5))
	grpc := &GRPC{InitialBackoff: -1, MaxBackoff: -1}
	same(t, "grpc", grpc.Delay(2, 0.5), (&GRPC{}).Delay(2, 0.5))
	if odd.Check() == nil || grpc.Check() == nil {
		t.Error("Check does not name negative waits")
	}
}

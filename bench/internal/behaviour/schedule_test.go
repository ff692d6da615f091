package behaviour

import (
	"math"
	"testing"
	"time"

	"github.com/avast/retry-go/v5"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	cenkalti "github.com/cenkalti/backoff/v6"
	"github.com/eapache/go-resiliency/retrier"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/bench/internal/peer"
	sethvargo "github.com/sethvargo/go-retry"
)

// attempt200 is the wait after the 200th failure, without jitter where that is possible, from the
// strategy itself where that is exported.
func attempt200(_ *testing.T, s peer.Subject) string {
	const n, base, most = 200, 100 * time.Millisecond, time.Hour
	var d time.Duration
	switch s.Name {
	case "relent":
		d = backoff.Exponential{Base: base, Max: most, Jitter: backoff.None}.Delay(n, most, 0.5)
	case "failsafe":
		p := retrypolicy.NewBuilder[int]().WithBackoff(base, most).WithMaxRetries(n).
			OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[int]) { d = e.Delay }).Build()
		failsafe.With[int](p).Get(func() (int, error) { return 0, busy(s) })
	case "cenkalti":
		b := &cenkalti.ExponentialBackOff{InitialInterval: base, Multiplier: 2, MaxInterval: most}
		for range n {
			d = b.NextBackOff()
		}
	case "avast":
		r := retry.New(retry.Delay(base), retry.MaxDelay(most))
		d = min(retry.BackOffDelay(n, nil, r), r.MaxDelay()) // as its computeDelay does
	case "sethvargo":
		b := sethvargo.WithCappedDuration(most, sethvargo.NewExponential(base))
		for range n {
			d, _ = b.Next()
		}
	case "eapache":
		d = retrier.LimitedExponentialBackoff(n, base, most)[n-1]
		if unlimited := retrier.ExponentialBackoff(n, base); d == most && overflowed(unlimited) {
			return d.String() + ", overflowed if no most is given"
		}
	case "aws":
		b := awsretry.NewStandard(func(o *awsretry.StandardOptions) { o.BaseDelay, o.MaxBackoff = base, most })
		var err error
		if d, err = b.RetryDelay(n, busy(s)); err != nil {
			return err.Error()
		}
		if d >= 0 && d <= most {
			return "between 0 and most" // it has no schedule without jitter
		}
	case "retryablehttp":
		d = retryablehttp.DefaultBackoff(base, most, n-1, nil)
	}
	if d == math.MaxInt64 {
		return "the longest duration"
	}
	return d.String()
}

// overflowed says whether waits that should grow do not.
func overflowed(waits []time.Duration) bool {
	for i, d := range waits {
		if d <= 0 || i > 0 && d < waits[i-1] {
			return true
		}
	}
	return false
}

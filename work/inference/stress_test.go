package inference_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

// Whatever callers, models and operators do at the same time: each answer is labelled rightly, within its bounds, and after
// Close nothing runs.
func TestStress(t *testing.T) {
	var running atomic.Int32
	model := func(value float64, good float64) func(context.Context, int) (float64, error) {
		return func(ctx context.Context, i int) (float64, error) {
			running.Add(1)
			defer running.Add(-1)
			select {
			case <-time.After(time.Duration(rand.IntN(100)) * time.Microsecond):
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
			if rand.Float64() > good {
				return 0, errLoading
			}
			return value + float64(i), nil
		}
	}
	l := two(nil)
	l.Models[0].Predict, l.Models[1].Predict = model(1000, 0.6), model(2000, 0.9)
	l.Cache.Entries, l.Rand, l.TTL, l.StaleFor, l.Flights = 20, nil, time.Millisecond, 20*time.Millisecond, 8
	l.Rules = inference.Rules{ProbeAfter: time.Millisecond, Span: 2 * time.Millisecond, Step: time.Millisecond}
	var changes atomic.Int32
	l.OnChange = func(inference.Change) { changes.Add(1); l.Status() }
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				i := rand.IntN(40)
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rand.IntN(5000))*time.Microsecond)
				a, err := l.Predict(ctx, i)
				cancel()
				if rand.IntN(50) == 0 {
					err = errors.Join(err, l.Hold("net", "drift"), l.Release("net", "fine"))
				}
				switch {
				case a.Model == "" && err == nil, a.Model == "net" && a.Value != float64(1000+i), a.Model == "mean" && a.Value != float64(2000+i):
					t.Errorf("%d: %+v, %v", i, a, err)
				case a.Age < 0, a.Age > 20*time.Millisecond, a.Source == inference.Cached && a.Age > time.Millisecond, a.Source == inference.Live && a.Age != 0:
					t.Errorf("%+v is out of its bounds", a)
				case a.Model == "mean" && !a.Degraded, a.Source == inference.Stale && !a.Degraded, a.Degraded && a.Why == nil:
					t.Errorf("%+v is not labelled", a)
				}
			}
		})
	}
	group.Wait()
	l.Close()
	if n := running.Load(); n != 0 || changes.Load() == 0 {
		t.Errorf("%d calls run after Close, %d changes", n, changes.Load())
	}
	if s := l.Cache.Stats(); s.Entries > 20 {
		t.Errorf("%+v; want at most 20 entries", s)
	}
	if _, err := l.Predict(t.Context(), 999); !errors.Is(err, inference.ErrClosed) || retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("%v; want %v", err, inference.ErrClosed)
	}
}

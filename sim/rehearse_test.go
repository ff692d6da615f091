package sim

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// schooled returns what a learner knows after a trial.
func schooled(t *testing.T, world, operation string) adaptive.Learned {
	t.Helper()
	w, err := FindWorld(world)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := FindRival("learn+B20")
	_, l, err := Trial{World: w, Rival: r, Seed: 7}.play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x, ok := l.Learned(operation, epoch)
	if !ok {
		t.Fatalf("nothing learned of %s", operation)
	}
	return x
}

// Where outages last, a rehearsal says so, twice the same.
func TestRehearse(t *testing.T) {
	p := &retry.Policy{MaxAttempts: 8, MaxElapsed: 10 * time.Second}
	x := schooled(t, "classes", "order")
	got, err := Rehearse(t.Context(), x, p)
	if err != nil || got.Mean-got.Half < 1 {
		t.Errorf("classes: %+v, %v; want a gain", got, err)
	}
	slow := x
	slow.Rate = .7
	few, err := Rehearse(t.Context(), slow, p)
	if again, _ := Rehearse(t.Context(), slow, p); err != nil || again != few {
		t.Errorf("%+v, %v, and again %+v", few, err, again)
	}
	if l := new(adaptive.Learner); l.Load(x.Snapshot, epoch, "order") != nil {
		t.Error("no snapshot")
	} else if fresh, _ := l.Learned("order", epoch); fresh.Rate != 0 {
		t.Errorf("rate %v", fresh.Rate)
	} else if _, err := Rehearse(t.Context(), fresh, nil); err != nil {
		t.Errorf("after a restart, of no policy: %v", err)
	}
	broken := x
	broken.Snapshot = x.Snapshot[1:]
	if _, err := Rehearse(t.Context(), broken, p); !errors.Is(err, adaptive.ErrTruncated) {
		t.Errorf("of a broken snapshot: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	if _, err := Rehearse(ctx, x, p); !errors.Is(err, errStopped) {
		t.Errorf("Rehearse = %v; want %v", err, errStopped)
	}
}

// The world of a rehearsal is the one that was learned in.
func TestStage(t *testing.T) {
	x := schooled(t, "quota-blind", "order")
	p := &retry.Policy{MaxAttempts: 8, MaxElapsed: 10 * time.Second, Backoff: backoff.Constant{Wait: time.Second}, Gates: []retry.Gate{nil}}
	w, horizon := stage(x, p)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	o := w.Operations[0]
	if o.Name != "order" || o.Rate < 1 || o.Deadline != 10 || o.MaxAttempts != 8 || o.DelayCost != .05 || horizon < time.Hour {
		t.Errorf("%+v for %v", o, horizon)
	}
	if n := len(w.Outages); n == 0 || w.Outages[n-1].Kind != Throttled {
		t.Errorf("outages %+v; want throttling", w.Outages)
	}
	m, err := Trial{World: w, Rival: Rival{slice: slices20, learns: true, of: p, learned: &x}, Horizon: 10 * time.Minute}.Play(t.Context())
	if err != nil || m.Success > .99 || m.Decisions["model"] == 0 {
		t.Errorf("%+v, %v; want throttling, and a model that leads", m, err)
	}
	if g := played(p); g.Gates != nil || g.Backoff != p.Backoff || !g.Idempotent {
		t.Errorf("played %+v", g)
	}
	fast := x
	fast.Rate, fast.Gap = 1e9, 24*time.Hour
	if w, horizon := stage(fast, p); horizon != MostHorizon || w.Operations[0].Rate*horizon.Seconds() > mostPlayed+1 {
		t.Errorf("%v calls per second for %v", w.Operations[0].Rate, horizon)
	}
}

func TestQuantiles(t *testing.T) {
	l := Length{Quantiles: []float64{0, 1, 10}}
	if !l.sound() || (Length{Quantiles: []float64{1}}).sound() || (Length{Quantiles: []float64{2, 1}}).sound() || (Length{Quantiles: []float64{0, math.NaN()}}).sound() {
		t.Error("sound")
	}
	random := stream(1, 1, 1)
	low, sum := 0, 0.
	for range 10_000 {
		d := l.draw(random)
		if d < 0 || d > 10 {
			t.Fatalf("drawn: %v", d)
		}
		if d < 1 {
			low++
		}
		sum += d
	}
	if low < 4800 || low > 5200 || math.Abs(sum/10_000-3) > .2 {
		t.Errorf("%d of 10,000 below 1, mean %v; want half of them, and 3", low, sum/10_000)
	}
	if twice := l.times(2); twice.Quantiles[2] != 20 || l.Quantiles[2] != 10 {
		t.Errorf("twice %v is %v", l, twice)
	}
}

package control_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe"
	"github.com/relent-go/relent/retry"
)

type quote struct{ bid, ask float64 }

//go:noinline
func fetch(ctx context.Context) (quote, error) {
	if err := ctx.Err(); err != nil {
		return quote{}, err
	}
	return quote{1, 2}, nil
}

var (
	sink  quote
	clock time.Time
)

// BenchmarkTelemetry compares a first-try success under the same policy without telemetry and with all of it: counters,
// histograms, a live tail that somebody watches, a log. DESIGN section 7: at most 60 ns beyond the readings of the clock,
// of which "always" has two and "sampled" one eighth.
func BenchmarkTelemetry(b *testing.B) {
	policies := []struct {
		name string
		make func() *retry.Policy
	}{
		{"plain", func() *retry.Policy { return &retry.Policy{Name: "venue.fetch_quote", Idempotent: true} }},
		{"gates", func() *retry.Policy {
			return &retry.Policy{Name: "venue.fetch_quote", Idempotent: true, Gates: []retry.Gate{
				(&halt.Tree{}).Gate("venue", "fetch_quote"), &breaker.Breaker{}, &budget.Budget{},
			}}
		}},
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	run := func(name string, s retry.Source) {
		b.Run(name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink, _ = retry.Do(ctx, s, fetch)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					retry.Do(ctx, s, fetch)
				}
			})
		})
	}
	b.Run("clock", func(b *testing.B) {
		for b.Loop() {
			clock = time.Now()
		}
	})
	for _, p := range policies {
		run(p.name+"/none", p.make())
		for _, timing := range []control.Timing{control.NoTiming, control.Sampled, control.Always} {
			r := &control.Registry{}
			defer r.Subscribe(control.Filter{}, 0).Close()
			base := p.make()
			base.Observer = &observe.Slog{Logger: slog.New(slog.DiscardHandler)}
			o, err := r.AddTimed("venue", base, timing)
			if err != nil {
				b.Fatal(err)
			}
			run(fmt.Sprint(p.name, "/", timing), o)
		}
	}
}

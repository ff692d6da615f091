package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

type quote struct{ bid, ask float64 }

// fetch is the call of the benchmarks: not inlined, as a real one would not be.
//
//go:noinline
func fetch(ctx context.Context) (quote, error) {
	if err := ctx.Err(); err != nil {
		return quote{}, err
	}
	return quote{1, 2}, nil
}

var sink quote

// BenchmarkFirstAttempt compares Do with the same closure called bare, after the same look at the
// context. DESIGN section 7: at most 1.7 times the bare call, and no allocation.
func BenchmarkFirstAttempt(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ctx.Err() == nil {
				v, err := fetch(ctx)
				if err != nil {
					b.Fatal(err)
				}
				sink = v
			}
		}
	})
	p := &retry.Policy{Name: "venue.fetch_quote", Idempotent: true}
	b.Run("Do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v, err := retry.Do(ctx, p, fetch)
			if err != nil {
				b.Fatal(err)
			}
			sink = v
		}
	})
	b.Run("Do/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := retry.Do(ctx, p, fetch); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("Run", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := retry.Run(ctx, p, nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Attempts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			for ctx := range retry.Attempts(ctx, p, &err) {
				sink, err = fetch(ctx)
			}
		}
	})
	// What a gate may cost begins where the clock has been read.
	b.Run("bare, clock", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if ctx.Err() == nil {
				clock = time.Now()
				sink, _ = fetch(ctx)
			}
		}
	})
	for _, gates := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("Do/gates %d", gates), func(b *testing.B) {
			gated := &retry.Policy{}
			for range gates {
				gated.Gates = append(gated.Gates, open{})
			}
			b.ReportAllocs()
			for b.Loop() {
				sink, _ = retry.Do(ctx, gated, fetch)
			}
		})
	}
}

var clock time.Time

//go:noinline
func nothing(context.Context) error { return nil }

type open struct{}

func (open) Admit(context.Context, *retry.Attempt) error { return nil }
func (open) Settle(*retry.Attempt, *retry.Outcome)       {}

var errBusy = retry.Mark(errors.New("busy"), retry.Transient)

// BenchmarkDecision is the time between a failed attempt and the next: classification, policy and
// delay, with a zero wait. Two retries per operation.
func BenchmarkDecision(b *testing.B) {
	for _, test := range []struct {
		name string
		err  error
	}{
		{"marked", errBusy},
		{"context deadline", context.DeadlineExceeded},
	} {
		b.Run("two retries/"+test.name, func(b *testing.B) {
			p := &retry.Policy{Idempotent: true, Backoff: backoff.Constant{Jitter: backoff.None}}
			if test.err != errBusy {
				p.Classify = func(err error) retry.Class { retry.DefaultClassify(err); return retry.Transient }
			}
			b.ReportAllocs()
			n := 0
			fn := func(context.Context) (int, error) {
				if n++; n%3 != 0 {
					return 0, test.err
				}
				return n, nil
			}
			for b.Loop() {
				if _, err := retry.Do(b.Context(), p, fn); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("stop/permanent", func(b *testing.B) {
		p := &retry.Policy{}
		err := retry.Mark(errors.New("bad request"), retry.Permanent)
		b.ReportAllocs()
		for b.Loop() {
			retry.Do(b.Context(), p, func(context.Context) (int, error) { return 0, err })
		}
	})
}

func BenchmarkGo(b *testing.B) {
	p := &retry.Policy{}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := make(chan quote, 1)
			go func() { v, _ := fetch(b.Context()); c <- v }()
			sink = <-c
		}
	})
	b.Run("Go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink, _ = retry.Go(b.Context(), p, fetch).Wait(b.Context())
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	var last retry.Class
	for _, test := range []struct {
		name string
		err  error
	}{
		{"marked", errBusy},
		{"deadline", context.DeadlineExceeded},
		{"unknown", errors.New("what")},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				last = retry.DefaultClassify(test.err)
			}
		})
	}
	_ = last
}

package lines

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/relent-go/relent/bench/internal/peer"
)

func processors() int { return runtime.GOMAXPROCS(0) }

// BenchmarkLines measures every line for every subject. It counts with b.N instead of b.Loop,
// because the loops are the subjects' own.
func BenchmarkLines(b *testing.B) {
	for _, l := range lines() {
		b.Run(l.name, func(b *testing.B) {
			for _, s := range peer.All() {
				ctx, cancel := context.WithCancel(b.Context())
				op, release := l.prepare(ctx, s, nil)
				if op != nil {
					b.Run(s.Name, func(b *testing.B) {
						b.ReportAllocs()
						if err := op(b.N); err != nil {
							b.Fatal(err)
						}
					})
				}
				if release != nil {
					release()
				}
				cancel()
			}
		})
	}
}

// TestLines shows that each operation makes as many attempts as its line says, alone and repeated.
func TestLines(t *testing.T) {
	const n = 7
	for _, l := range lines() {
		for _, s := range peer.All() {
			t.Run(l.name+"/"+s.Name, func(t *testing.T) {
				var counter atomic.Int64
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				op, release := l.prepare(ctx, s, &counter)
				if op == nil {
					t.Skip("the subject has no such feature")
				}
				if release != nil {
					defer release()
				}
				if err := op(n); err != nil {
					t.Fatal(err)
				}
				if got, want := counter.Load(), int64(n*l.attempts); got != want {
					t.Errorf("%d attempts in %d operations; want %d", got, n, want)
				}
			})
		}
	}
}

// TestBareAndRelentHaveEveryLine keeps the table from losing a row to a missing constructor.
func TestBareAndRelentHaveEveryLine(t *testing.T) {
	missing := map[string]bool{
		"bare/gates 1": true, "bare/gates 4": true, "bare/gates 16": true,
	}
	for _, l := range lines() {
		for _, s := range peer.All()[:2] {
			op, release := l.prepare(t.Context(), s, nil)
			if release != nil {
				release()
			}
			if name := s.Name + "/" + l.name; (op == nil) != missing[name] {
				t.Errorf("%s: measured = %v; want %v", name, op != nil, !missing[name])
			}
		}
	}
}

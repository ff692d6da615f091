package audit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
	"github.com/relent-go/relent/retry"
)

// 256 callers append one record each to files, which sync: alone, or grouped by a Log.
func BenchmarkAppend(b *testing.B) {
	record := audittest.Records("", 1)[0]
	record.ID = ""
	run := func(b *testing.B, append func(n int64) error) {
		b.ReportAllocs()
		var left atomic.Int64
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		for range 256 {
			wg.Go(func() {
				for n := left.Add(-1); n >= 0; n = left.Add(-1) {
					if err := append(n); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	b.Run("ungrouped", func(b *testing.B) {
		f := kept(b)
		run(b, func(n int64) error {
			r := record
			r.ID = time.Unix(n, 0).String()
			_, err := f.Append(context.Background(), "n", []audit.Record{r})
			return err
		})
	})
	b.Run("grouped", func(b *testing.B) {
		l := &audit.Log{Store: kept(b)}
		go l.Run(context.Background())
		defer l.Close()
		for l.Record(context.Background(), record) != nil {
			time.Sleep(time.Millisecond)
		}
		b.ResetTimer()
		run(b, func(int64) error { return l.Record(context.Background(), record) })
	})
}

// What the log costs calls that succeed at once.
func BenchmarkCall(b *testing.B) {
	l := &audit.Log{Store: &flaky{}}
	bare := func(context.Context) (int, error) { return 1, nil }
	for name, p := range map[string]*retry.Policy{
		"read/without": reads,
		"read/no-op":   {Name: "r", Idempotent: true, Gates: []retry.Gate{noGate{}}},
		"read/gate":    {Name: "r", Idempotent: true, Gates: []retry.Gate{l}},
		"read/both":    {Name: "r", Idempotent: true, Gates: []retry.Gate{l}, Observer: l},
		"order/gate":   {Name: "o", Gates: []retry.Gate{l}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				retry.Do(b.Context(), p, bare)
			}
		})
	}
}

// noGate is what the engine spends on any gate.
type noGate struct{}

func (noGate) Admit(context.Context, *retry.Attempt) error { return nil }
func (noGate) Settle(*retry.Attempt, *retry.Outcome)       {}

func BenchmarkRecord(b *testing.B) {
	r := audittest.Records("a", 1)[0]
	r.Actor, r.Strategy, r.Parent, r.Node, r.Build, r.Rule, r.Payload = "algo-7", "maker", "p-17", "gateway-1", "v1.2.0", "retry of an order", audit.Digest("x")
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = r.AppendJSON(buf[:0])
		}
	})
	b.Run("extend 1000", func(b *testing.B) {
		b.ReportAllocs()
		records := make([]audit.Record, 1000)
		for i := range records {
			records[i] = r
		}
		for b.Loop() {
			audit.Extend(audit.Head{Chain: "n"}, records)
		}
	})
	b.Run("canonical", func(b *testing.B) {
		b.ReportAllocs()
		text := r.AppendJSON(nil)
		for b.Loop() {
			audit.Canonical(text)
		}
	})
}

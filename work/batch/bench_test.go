package batch_test

import (
	"context"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/batch"
)

// A batch of a thousand items that succeed at once.
func BenchmarkItems(b *testing.B) {
	items := count(1000)
	p := &retry.Policy{}
	b.Run("do", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			batch.Do(b.Context(), p, items, func(context.Context, int) (string, error) { return "", nil }, nil)
		}
	})
	b.Run("bulk", func(b *testing.B) {
		b.ReportAllocs()
		answers := make([]batch.Answer[string], batch.DefaultSize)
		for b.Loop() {
			batch.Bulk(b.Context(), p, items, func(_ context.Context, i []batch.Item[int]) ([]batch.Answer[string], error) {
				return answers[:len(i)], nil
			}, nil)
		}
	})
}

package idempotent

import "context"

type contextKey struct{}

type carried struct {
	key   string
	fence uint64
}

func with(ctx context.Context, key string, fence uint64) context.Context {
	return context.WithValue(ctx, contextKey{}, carried{key, fence})
}

// Key returns the key under which a guarded function runs, so that it can be handed on to whatever has
// the effect: the same key on all attempts, in all processes. It is "" outside of one.
func Key(ctx context.Context) string {
	c, _ := ctx.Value(contextKey{}).(carried)
	return c.key
}

// Fence returns the fencing token of the claim under which a guarded function runs, for a resource
// that refuses smaller ones than it has seen; see [Watermark]. It is 0 outside of one.
func Fence(ctx context.Context) uint64 {
	c, _ := ctx.Value(contextKey{}).(carried)
	return c.fence
}

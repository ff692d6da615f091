package retrygrpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/retry"
)

// A unary call. All that it needs is in one place, since allocations are most of what an interceptor costs.
type unary struct {
	call
	outer      context.Context // the caller's
	req, reply any
	invoker    grpc.UnaryInvoker
	opts       []grpc.CallOption
	room       [2]grpc.CallOption
	trailer    metadata.MD // nil until a stream was made for the attempt
}

func (c *Client) unary(owned bool) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, name string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		x := &unary{outer: ctx, req: req, reply: reply, invoker: invoker}
		x.prepare(c, name, cc, owned)
		x.opts = append(append(x.room[:0], opts...), grpc.TrailerCallOption{TrailerAddr: &x.trailer})
		if _, err := retry.Do(ctx, &x.policy, x.attempt); err != nil {
			return failure(ctx, err)
		}
		return nil
	}
}

// attempt makes one.
func (x *unary) attempt(ctx context.Context) (struct{}, error) {
	x.attempts++
	above := retry.PreviousAttempts(x.outer)
	err := x.invoke(x.outgoing(ctx, above))
	if err != nil && x.refresh(ctx, status.Code(err)) {
		err = x.invoke(x.outgoing(ctx, above))
	}
	if err == nil {
		return struct{}{}, nil
	}
	return struct{}{}, x.judge(err, facts{sent: x.trailer != nil, trailer: x.trailer, committed: x.committed()})
}

func (x *unary) invoke(ctx context.Context) error {
	x.trailer = nil
	return x.invoker(ctx, x.name, x.req, x.reply, x.cc, x.opts...)
}

// committed says that the caller has seen response headers.
func (x *unary) committed() bool {
	for _, o := range x.opts {
		if h, ok := o.(grpc.HeaderCallOption); ok && h.HeaderAddr != nil && len(*h.HeaderAddr) > 0 {
			return true
		}
	}
	return false
}

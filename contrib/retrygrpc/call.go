package retrygrpc

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// PreviousAttempts is the metadata that says how many attempts came before, from the second one on. It is gRPC's own.
const PreviousAttempts = "grpc-previous-rpc-attempts"

// A call is the state of one RPC. It is also its own backoff, because a server's pushback restarts the series.
type call struct {
	c      *Client
	name   string // of the method
	cc     *grpc.ClientConn
	owned  bool // the channel retries nothing by itself
	known  *method
	policy retry.Policy

	source *retry.Policy // what policy was made from

	attempts  int32
	base      int32 // failures before the series was restarted
	pushed    bool  // the server named the wait
	unknown   bool  // an attempt may have acted
	refreshed bool
	fresh     metadata.MD
}

// prepare gives a call its policy.
func (x *call) prepare(c *Client, name string, cc *grpc.ClientConn, owned bool) {
	x.c, x.name, x.cc, x.owned = c, name, cc, owned
	s, ok := c.Methods[name]
	if !ok {
		s = c.Policy
	}
	p := (*retry.Policy)(nil)
	if s != nil {
		p = s.Current()
	}
	x.source = p.Current()
	x.policy = *x.source
	x.known = c.of(name)
	x.policy.Idempotent = x.policy.Idempotent || x.known.idempotent
	x.policy.Backoff, x.policy.RetryIf = x, allowed
}

// Delay implements [backoff.Strategy].
func (x *call) Delay(n int, last time.Duration, u float64) time.Duration {
	if x.pushed {
		x.pushed, x.base = false, int32(n)
		return 0 // beyond what the server said
	}
	n -= int(x.base)
	if s := x.source.Backoff; s != nil {
		return s.Delay(n, last, u)
	}
	return backoff.Exponential{}.Delay(n, last, u)
}

// outgoing returns the context of an attempt with the metadata that it sends.
func (x *call) outgoing(ctx context.Context, above int) context.Context {
	if len(x.fresh) > 0 {
		md, _ := metadata.FromOutgoingContext(ctx)
		md = md.Copy()
		for key, values := range x.fresh {
			md.Set(key, values...)
		}
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	if n := above + int(x.attempts) - 1; n > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, PreviousAttempts, strconv.Itoa(n))
	}
	return ctx
}

// refresh says that there are fresh credentials, with which an attempt that failed may be made once more.
func (x *call) refresh(ctx context.Context, code codes.Code) bool {
	if code != codes.Unauthenticated || x.c.Refresh == nil || x.refreshed {
		return false
	}
	x.refreshed = true
	md, err := x.c.Refresh(ctx, x.name)
	if err != nil {
		return false
	}
	x.fresh = md
	return true
}

// serviceConfig says that the channel retries the method by itself.
func (x *call) serviceConfig() bool {
	if x.owned || x.cc == nil || x.cc.GetMethodConfig(x.name).RetryPolicy == nil {
		return false
	}
	if x.c.OnServiceConfig != nil {
		x.known.once.Do(func() { x.c.OnServiceConfig(x.name) })
	}
	return true
}

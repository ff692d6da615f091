package retrygrpc

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/retry"
)

// ErrOverloaded marks the error of a handler that says: overloaded, do not retry. Wrap it, or return it.
var ErrOverloaded = retry.Mark(errors.New("overloaded, do not retry"), retry.Permanent)

// maxAttempts is the most that is believed of a count.
const maxAttempts = 1 << 20

// A Server makes interceptors for the other side: they carry on how often callers have tried before, and tell callers when to come again
// and when not to. The zero value is ready. It is safe for concurrent use as long as Overloaded is.
type Server struct {
	// Overloaded is asked before a handler runs. An error refuses the call, as one that wraps ErrOverloaded does. Nil refuses none.
	// It should be quick.
	Overloaded func(ctx context.Context, method string) error
}

// Options are the options of a server with both interceptors.
func (s *Server) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(s.Unary()), grpc.ChainStreamInterceptor(s.Stream())}
}

// Unary is the interceptor of unary calls.
func (s *Server) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := s.refuse(ctx, info.FullMethod); err != nil {
			return nil, answer(err, func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) })
		}
		reply, err := handler(incoming(ctx), req)
		if err != nil {
			return reply, answer(err, func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) })
		}
		return reply, nil
	}
}

// Stream is the interceptor of streams.
func (s *Server) Stream() grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		err := s.refuse(stream.Context(), info.FullMethod)
		if err == nil {
			if ctx := incoming(stream.Context()); ctx != stream.Context() {
				err = handler(srv, &serverStream{stream, ctx})
			} else {
				err = handler(srv, stream)
			}
		}
		if err != nil {
			return answer(err, stream.SetTrailer)
		}
		return nil
	}
}

// refuse asks whether a call must not run.
func (s *Server) refuse(ctx context.Context, method string) error {
	if s.Overloaded == nil {
		return nil
	}
	if err := s.Overloaded(ctx, method); err != nil {
		return errors.Join(ErrOverloaded, err)
	}
	return nil
}

// A serverStream has a context of its own.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements [grpc.ServerStream].
func (s *serverStream) Context() context.Context { return s.ctx }

// incoming returns ctx with the number of attempts that callers have made before: the highest that they name. What is malformed is
// ignored, and what is huge is cut. A caller can only ask for fewer retries in this way.
func incoming(ctx context.Context) context.Context {
	most := 0
	for _, v := range metadata.ValueFromIncomingContext(ctx, PreviousAttempts) {
		n, err := strconv.ParseUint(v, 10, 64)
		if errors.Is(err, strconv.ErrRange) || err == nil && n > maxAttempts {
			n, err = maxAttempts, nil
		}
		if err == nil {
			most = max(most, int(n))
		}
	}
	if most == 0 {
		return ctx
	}
	return retry.WithPreviousAttempts(ctx, most)
}

// answer gives an error its status, and the trailer that says when to come again.
func answer(err error, trailer func(metadata.MD)) error {
	st, has := status.FromError(err)
	code, refused := overload(err)
	switch {
	case errors.Is(err, ErrOverloaded):
		if refused {
			st = status.New(code, err.Error())
		} else if !has || st.Code() != codes.Unavailable {
			st = status.New(codes.ResourceExhausted, err.Error())
		}
		trailer(metadata.Pairs(Pushback, "-1"))
		return st.Err()
	case refused:
		trailer(metadata.Pairs(Pushback, "-1"))
		if !has {
			st = status.New(code, err.Error())
		}
		return st.Err()
	}
	if hint := retry.Hint(err); hint > 0 && retry.DefaultClassify(err) == retry.Throttled {
		ms := min(int64((hint-1)/time.Millisecond)+1, math.MaxInt32)
		trailer(metadata.Pairs(Pushback, strconv.FormatInt(ms, 10)))
		if !has {
			st = status.New(codes.ResourceExhausted, err.Error())
		}
		return st.Err()
	}
	return err
}

package retrygrpc

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/relent-go/relent/retry"
)

// DefaultBuffer is how many bytes of messages a stream keeps by default, to send them again: what gRPC keeps for its own retries.
const DefaultBuffer = 256 << 10

// A Client makes interceptors that retry calls. The zero value retries with the zero policy. It is safe for concurrent use as long as its
// fields do not change and the functions in them are; it must not be copied after first use.
type Client struct {
	Policy retry.Source // of methods that Methods does not name; nil means the zero policy

	// Methods are the policies of single methods, by full name: "/package.Service/Method".
	Methods map[string]retry.Source

	// Idempotent says whether a call may be made again after an attempt that may have acted. It is not asked if the policy says
	// Idempotent. Nil means what the method's idempotency_level says, where its .proto file is linked in.
	Idempotent func(method string) bool

	// Refresh is called on UNAUTHENTICATED, once in a call, to get fresh credentials. The call is then made once more within the
	// same attempt, and that and later attempts carry the metadata returned, in place of what has the same keys. Nil metadata is for
	// credentials that gRPC fetches itself. An error leaves UNAUTHENTICATED as it is. A nil Refresh means that it is final.
	Refresh func(ctx context.Context, method string) (metadata.MD, error)

	// Buffer is how many bytes of sent messages a stream keeps until its first message comes back. A stream that sends more than
	// that before is not retried. 0 means DefaultBuffer, negative means none.
	Buffer int

	// OnServiceConfig is told, once of each method, that the channel retries it because its service config says so, and that therefore the
	// interceptor does not. Nil means that nobody is told. See DialOptions.
	OnServiceConfig func(method string)

	methods sync.Map // what is known of methods: from string to *method
}

// DialOptions are the options to dial with: both interceptors, and grpc.WithDisableRetry, so that no service config retries what the
// interceptors retry. They come before interceptors of options that follow.
func (c *Client) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDisableRetry(),
		grpc.WithChainUnaryInterceptor(c.unary(true)),
		grpc.WithChainStreamInterceptor(c.stream(true)),
	}
}

// Unary is the interceptor of unary calls, for a channel that was dialled without DialOptions. Methods that the channel's service config
// retries it leaves alone.
func (c *Client) Unary() grpc.UnaryClientInterceptor { return c.unary(false) }

// Stream is the interceptor of streams, for a channel that was dialled without DialOptions. Methods that the channel's service config retries
// it leaves alone.
func (c *Client) Stream() grpc.StreamClientInterceptor { return c.stream(false) }

// A method is what is known of one.
type method struct {
	idempotent bool
	once       sync.Once // OnServiceConfig was told
}

// of returns what is known of the method of a name.
func (c *Client) of(name string) *method {
	if m, ok := c.methods.Load(name); ok {
		return m.(*method)
	}
	m := &method{}
	if c.Idempotent != nil {
		m.idempotent = c.Idempotent(name)
	} else {
		m.idempotent = declared(name)
	}
	kept, _ := c.methods.LoadOrStore(name, m)
	return kept.(*method)
}

// declared says what the .proto file of a method says of it.
func declared(name string) bool {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(descriptor(name))
	if err != nil {
		return false
	}
	options, ok := d.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
}

// descriptor turns "/package.Service/Method" into "package.Service.Method". What is no such name finds nothing.
func descriptor(name string) protoreflect.FullName {
	b := []byte(name)
	if len(b) > 0 && b[0] == '/' {
		b = b[1:]
	}
	for i := range b {
		if b[i] == '/' {
			b[i] = '.'
		}
	}
	return protoreflect.FullName(b)
}

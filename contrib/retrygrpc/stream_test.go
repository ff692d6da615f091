package retrygrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/relent-go/relent/contrib/retrygrpc"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

func payload(text string) *testpb.Payload { return &testpb.Payload{Body: []byte(text)} }

// receive collects the messages of a server's stream.
func receive(s testpb.TestService_StreamingOutputCallClient, err error) (string, error) {
	var all strings.Builder
	for err == nil {
		var m *testpb.StreamingOutputCallResponse
		if m, err = s.Recv(); err == nil {
			all.Write(m.GetPayload().GetBody())
		}
	}
	if err == io.EOF {
		err = nil
	}
	return all.String(), err
}

func TestStreamRetriesUntilFirstMessage(t *testing.T) {
	busy := status.Error(codes.Unavailable, "busy")
	for _, test := range []struct {
		name     string
		messages func(n int) (string, error) // of request n
		header   bool
		policy   func(*retry.Policy)
		requests int
		got      string
		code     codes.Code
	}{
		{"at once", func(int) (string, error) { return "ab", nil }, false, nil, 1, "ab", codes.OK},
		{"no messages", func(int) (string, error) { return "", nil }, false, nil, 1, "", codes.OK},
		{"before the first", func(n int) (string, error) { return "ab"[:n], errAfter(n, 2, busy) }, false, func(p *retry.Policy) { p.MaxAttempts = 2 }, 2, "a", codes.Unavailable},
		{"third time lucky", func(n int) (string, error) {
			if n < 2 {
				return "", busy
			}
			return "abc", nil
		}, false, nil, 3, "abc", codes.OK},
		{"never", func(int) (string, error) { return "", busy }, false, nil, 3, "", codes.Unavailable},
		{"after the first", func(int) (string, error) { return "a", busy }, false, nil, 1, "a", codes.Unavailable},
		{"H23, after headers", func(int) (string, error) { return "", busy }, true, nil, 1, "", codes.Unavailable},
		{"final", func(int) (string, error) { return "", status.Error(codes.NotFound, "no") }, false, nil, 1, "", codes.NotFound},
		{"within the time", func(n int) (string, error) { return "ab"[n:], nil }, false, func(p *retry.Policy) { p.AttemptTimeout, p.MaxElapsed = time.Hour, time.Hour }, 1, "ab", codes.OK},
	} {
		for _, deadline := range []bool{false, true} {
			t.Run(fmt.Sprint(test.name, deadline), func(t *testing.T) {
				s := &server{output: func(n int, in *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
					if got := string(in.GetPayload().GetBody()); got != "request" {
						return status.Errorf(codes.InvalidArgument, "request %d was %q", n, got)
					}
					if test.header {
						_ = out.SendHeader(metadata.Pairs("k", "v"))
					}
					messages, err := test.messages(n)
					for _, m := range messages {
						if err := out.Send(&testpb.StreamingOutputCallResponse{Payload: payload(string(m))}); err != nil {
							return err
						}
					}
					return err
				}}
				s.start(t)
				p := hasty(true)
				if test.policy != nil {
					test.policy(p)
				}
				ctx := t.Context()
				if deadline {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Hour)
					defer cancel()
				}
				c := dial(t, s.addr, client(p).DialOptions()...)
				got, err := receive(c.StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{Payload: payload("request")}))
				if got != test.got || status.Code(err) != test.code || s.requests() != test.requests {
					t.Errorf("%q, %v after %d requests; want %q, %v after %d", got, err, s.requests(), test.got, test.code, test.requests)
				}
			})
		}
	}
}

// errAfter is err from request n of m on.
func errAfter(n, m int, err error) error {
	if n < m {
		return err
	}
	return nil
}

func TestStreamTellsAttempts(t *testing.T) {
	s := &server{output: func(int, *testpb.StreamingOutputCallRequest, testpb.TestService_StreamingOutputCallServer) error {
		return status.Error(codes.Unavailable, "busy")
	}}
	s.start(t)
	_, _ = receive(dial(t, s.addr, client(hasty(false)).DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{}))
	if got := fmt.Sprint(s.previous); got != "[[] [1] [2]]" {
		t.Errorf("the server heard %s of attempts before; want [[] [1] [2]]", got)
	}
}

// A call that is repeated must receive what was sent, though the caller has changed its message since.
func TestStreamSendsAgain(t *testing.T) {
	s := &server{duplex: func(n int, d testpb.TestService_FullDuplexCallServer) error {
		var got strings.Builder
		for {
			m, err := d.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			got.Write(m.GetPayload().GetBody())
		}
		if n < 2 {
			return status.Error(codes.Unavailable, "busy")
		}
		return d.Send(&testpb.StreamingOutputCallResponse{Payload: payload(got.String())})
	}}
	s.start(t)
	for _, test := range []struct {
		name   string
		buffer int
		got    string
		code   codes.Code
	}{
		{"kept", 0, "abc", codes.OK},
		{"too much", 3, "", codes.Unavailable},
		{"nothing kept", -1, "", codes.Unavailable},
	} {
		s.mu.Lock()
		s.n = 0
		s.mu.Unlock()
		r := client(hasty(false))
		r.Buffer = test.buffer
		d, err := dial(t, s.addr, r.DialOptions()...).FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := &testpb.StreamingOutputCallRequest{Payload: payload("a")}
		for range 3 {
			if err := d.Send(m); err != nil {
				t.Fatal(err)
			}
			m.Payload.Body[0]++
		}
		if err := d.CloseSend(); err != nil {
			t.Fatal(err)
		}
		reply, err := d.Recv()
		if got := string(reply.GetPayload().GetBody()); got != test.got || status.Code(err) != test.code {
			t.Errorf("%s: %q, %v; want %q, %v", test.name, got, err, test.got, test.code)
		}
	}
}

// One goroutine sends while another receives, through failures.
func TestStreamBothWays(t *testing.T) {
	const messages = 200
	s := &server{duplex: func(n int, d testpb.TestService_FullDuplexCallServer) error {
		for i := 0; ; i++ {
			m, err := d.Recv()
			switch {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			case n < 2 && i == 20*(n+1):
				return status.Error(codes.Unavailable, "busy")
			}
			if n == 2 {
				if err := d.Send(&testpb.StreamingOutputCallResponse{Payload: m.GetPayload()}); err != nil {
					return err
				}
			}
		}
	}}
	s.start(t)
	d, err := dial(t, s.addr, client(hasty(false)).DialOptions()...).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range messages {
			if err := d.Send(&testpb.StreamingOutputCallRequest{Payload: payload(fmt.Sprint(i))}); err != nil {
				t.Errorf("message %d: %v", i, err)
				return
			}
		}
		_ = d.CloseSend()
	})
	for i := range messages {
		m, err := d.Recv()
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if got := string(m.GetPayload().GetBody()); got != fmt.Sprint(i) {
			t.Fatalf("reply %d is %q: each message must come once, in order", i, got)
		}
	}
	if _, err := d.Recv(); err != io.EOF {
		t.Errorf("after the last reply: %v; want the end", err)
	}
	wg.Wait()
}

func TestClientStream(t *testing.T) {
	s := &server{input: func(n int, in testpb.TestService_StreamingInputCallServer) error {
		if n == 0 {
			return status.Error(codes.Unavailable, "busy") // unread
		}
		sum := int32(0)
		for {
			m, err := in.Recv()
			if err == io.EOF {
				return in.SendAndClose(&testpb.StreamingInputCallResponse{AggregatedPayloadSize: sum})
			}
			if err != nil {
				return err
			}
			sum += int32(len(m.GetPayload().GetBody()))
		}
	}}
	s.start(t)
	p := hasty(false)
	p.AttemptTimeout = time.Hour
	in, err := dial(t, s.addr, client(p).DialOptions()...).StreamingInputCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := in.Send(&testpb.StreamingInputCallRequest{Payload: payload("12345")}); err != nil {
			t.Fatal(err)
		}
	}
	if reply, err := in.CloseAndRecv(); err != nil || reply.GetAggregatedPayloadSize() != 250 || s.requests() != 2 {
		t.Errorf("%v, %v after %d requests; want 250 after 2", reply, err, s.requests())
	}
}

func TestStreamTimeouts(t *testing.T) {
	s := &server{output: func(n int, _ *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
		if n == 0 {
			<-out.Context().Done() // never
			return nil
		}
		if err := out.Send(&testpb.StreamingOutputCallResponse{Payload: payload("a")}); err != nil {
			return err
		}
		<-out.Context().Done()
		return nil
	}}
	s.start(t)
	p := hasty(true)
	p.AttemptTimeout, p.MaxAttempts = 300*time.Millisecond, 20 // a slow machine may need several
	ctx, cancel := context.WithCancel(t.Context())
	out, err := dial(t, s.addr, client(p).DialOptions()...).StreamingOutputCall(ctx, &testpb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := out.Recv(); err != nil || string(m.GetPayload().GetBody()) != "a" || s.requests() < 2 {
		t.Fatalf("%v, %v after %d requests; want a message of a later one", m, err, s.requests())
	}
	time.AfterFunc(p.AttemptTimeout+200*time.Millisecond, cancel)
	began := time.Now()
	if _, err := out.Recv(); status.Code(err) != codes.Canceled || time.Since(began) < p.AttemptTimeout+100*time.Millisecond {
		t.Errorf("after %v: %v; want the stream to last until the caller ends it", time.Since(began), err)
	}
	p = hasty(false)
	p.AttemptTimeout = 50 * time.Millisecond
	s.mu.Lock()
	s.n = 0
	s.mu.Unlock()
	_, err = receive(dial(t, s.addr, client(p).DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{}))
	if status.Code(err) != codes.DeadlineExceeded || retry.DefaultClassify(err) != retry.Ambiguous {
		t.Errorf("an attempt that timed out: %v, %v; want DEADLINE_EXCEEDED, ambiguous", err, retry.DefaultClassify(err))
	}
}

func TestStreamIsAdmittedFirst(t *testing.T) {
	s := (&server{}).start(t)
	p := hasty(true)
	p.Gates = []retry.Gate{gate{halt.ErrHalted}}
	_, err := dial(t, s.addr, client(p).DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
	if !errors.Is(err, halt.ErrHalted) || status.Code(err) != codes.Unavailable {
		t.Errorf("%v; want a stream that is not begun", err)
	}
}

func TestStreamUnsent(t *testing.T) {
	l := listen(t)
	_ = l.Close()
	p := hasty(false)
	p.AttemptTimeout = 20 * time.Millisecond
	refresh := client(p)
	refresh.Refresh = func(context.Context, string) (metadata.MD, error) { return nil, nil }
	for _, wait := range []bool{false, true} {
		_, err := receive(dial(t, l.Addr().String(), refresh.DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{}, grpc.WaitForReady(wait)))
		if e, ok := errors.AsType[*retry.Error](err); !ok || e.Attempts != 3 || e.Unknown {
			t.Errorf("%v; want 3 attempts, since nothing was sent", err)
		}
	}
}

func TestStreamRefresh(t *testing.T) {
	s := &server{output: func(_ int, _ *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
		if len(metadata.ValueFromIncomingContext(out.Context(), "token")) == 0 {
			return status.Error(codes.Unauthenticated, "who")
		}
		return out.Send(&testpb.StreamingOutputCallResponse{Payload: payload("a")})
	}}
	s.start(t)
	r := client(hasty(false))
	r.Refresh = func(context.Context, string) (metadata.MD, error) { return metadata.Pairs("token", "fresh"), nil }
	got, err := receive(dial(t, s.addr, r.DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{}))
	if got != "a" || err != nil || s.requests() != 2 {
		t.Errorf("%q, %v after %d requests; want a after 2", got, err, s.requests())
	}
}

// A caller whose context ends has ended the call, though it never received.
func TestStreamAbandoned(t *testing.T) {
	s := &server{duplex: func(_ int, d testpb.TestService_FullDuplexCallServer) error {
		<-d.Context().Done()
		return nil
	}}
	s.start(t)
	p := hasty(true)
	told := make(chan retry.Event, 1)
	p.Observer = observer(func(e retry.Event) { told <- e })
	ctx, cancel := context.WithCancel(t.Context())
	d, err := dial(t, s.addr, client(p).DialOptions()...).FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d.Context().Err() != nil || len(d.Trailer()) > 0 {
		t.Error("the stream is not as it began")
	}
	cancel()
	select {
	case e := <-told:
		if e.Kind != retry.Finished || e.State != retry.Canceled {
			t.Errorf("the call ended as %v, %v; want finished, cancelled", e.Kind, e.State)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the call did not end with its caller's context")
	}
	if _, err := d.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("Recv = %v; want CANCELLED", err)
	}
}

type observer func(retry.Event)

func (o observer) Observe(_ context.Context, e retry.Event) { o(e) }

// Headers that the caller has seen commit the stream to what it has begun.
func TestHeaderCommits(t *testing.T) {
	release := make(chan struct{})
	s := &server{output: func(n int, _ *testpb.StreamingOutputCallRequest, out testpb.TestService_StreamingOutputCallServer) error {
		_ = out.SendHeader(metadata.Pairs("k", "v"))
		<-release
		return status.Error(codes.Unavailable, "busy")
	}}
	s.start(t)
	out, err := dial(t, s.addr, client(hasty(true)).DialOptions()...).StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if md, err := out.Header(); err != nil || len(md.Get("k")) != 1 {
		t.Fatalf("Header = %v, %v; want k", md, err)
	}
	close(release)
	if _, err := out.Recv(); status.Code(err) != codes.Unavailable || s.requests() != 1 {
		t.Errorf("%v after %d requests; want UNAVAILABLE after 1", err, s.requests())
	}
}

// raw messages are no protobuf, and cannot be kept.
func TestStreamBadMessage(t *testing.T) {
	s := &server{duplex: func(_ int, d testpb.TestService_FullDuplexCallServer) error {
		<-d.Context().Done()
		return nil
	}}
	s.start(t)
	d, err := dial(t, s.addr, client(hasty(true)).DialOptions()...).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SendMsg("no message"); status.Code(err) != codes.Internal {
		t.Errorf("SendMsg = %v; want INTERNAL", err)
	}
	if _, err := d.Recv(); err == nil || err == io.EOF || s.requests() > 1 {
		t.Errorf("Recv = %v after %d requests; want an error, and no second", err, s.requests())
	}
}

// What is sent to a stream that broke off after it was committed is lost, and says so.
func TestStreamSendAfterEnd(t *testing.T) {
	s := &server{duplex: func(_ int, d testpb.TestService_FullDuplexCallServer) error {
		return status.Error(codes.Unavailable, "busy")
	}}
	s.start(t)
	r := client(hasty(true))
	r.Buffer = -1
	d, err := dial(t, s.addr, r.DialOptions()...).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &testpb.StreamingOutputCallRequest{Payload: payload("a")}
	for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); {
		err = d.Send(m)
	}
	if err != io.EOF {
		t.Errorf("Send = %v; want io.EOF, as gRPC has it", err)
	}
	if _, err := d.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("Recv = %v; want UNAVAILABLE", err)
	}
	if err := d.Send(m); err == nil {
		t.Error("Send after the end says nothing")
	}
}

func TestStreamServiceConfig(t *testing.T) {
	s := &server{output: func(int, *testpb.StreamingOutputCallRequest, testpb.TestService_StreamingOutputCallServer) error {
		return status.Error(codes.Unavailable, "busy")
	}}
	s.start(t)
	c := dial(t, s.addr, grpc.WithDefaultServiceConfig(retrying), grpc.WithStreamInterceptor((&retrygrpc.Client{Policy: hasty(true)}).Stream()))
	if _, err := receive(c.StreamingOutputCall(t.Context(), &testpb.StreamingOutputCallRequest{})); s.requests() != 4 || err == nil {
		t.Errorf("%d requests, %v; want the service config's 4", s.requests(), err)
	}
}

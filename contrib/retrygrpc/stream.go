package retrygrpc

import (
	"context"
	"io"
	"iter"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/relent-go/relent/retry"
)

// A stream that is begun again until its first message was received. The call of the engine lasts until then; what comes later is the
// stream's own.
type stream struct {
	call
	outer    context.Context // the caller's
	desc     *grpc.StreamDesc
	streamer grpc.Streamer
	opts     []grpc.CallOption
	above    int

	mu      sync.Mutex // guards what follows, and is held during waits between attempts
	next    func() (context.Context, bool)
	stop    func()
	forget  func() bool     // the end of outer
	attempt context.Context // of the engine
	detach  func()          // takes the stream from the time limits of its attempt
	cancel  func()          // ends the stream's context, unless that is the attempt's
	now     grpc.ClientStream
	err     error // of the attempt, as the engine reads it
	live    bool  // the engine's call lasts
	full    bool  // what was sent cannot be sent again
	sent    []any
	size    int // of sent, in bytes
	closed  bool
}

func (c *Client) stream(owned bool) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, name string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		s := &stream{outer: ctx, desc: desc, streamer: streamer, opts: opts, above: retry.PreviousAttempts(ctx)}
		s.prepare(c, name, cc, owned)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.next, s.stop = iter.Pull(retry.Attempts(ctx, &s.policy, &s.err))
		s.live = true
		if err := s.advance(); err != nil {
			return nil, err
		}
		s.forget = context.AfterFunc(ctx, s.abandon)
		return s, nil
	}
}

// advance makes attempts until a stream stands, or the call ends. mu is held.
func (s *stream) advance() error {
	for {
		ctx, more := s.next()
		if !more {
			s.end()
			return failure(s.outer, s.err)
		}
		s.attempt = ctx
		s.attempts++
		if s.err = s.begin(); s.err == nil {
			return nil
		}
	}
}

// begin makes the stream of an attempt, and sends again what was sent. mu is held.
func (s *stream) begin() error {
	now, err := s.streamer(s.outgoing(s.lasting(), s.above), s.desc, s.cc, s.name, s.opts...)
	if err != nil {
		err = s.timedOut(err)
		s.cancel()
		if s.refresh(s.attempt, status.Code(err)) {
			return s.begin()
		}
		return s.judge(err, facts{})
	}
	for _, m := range s.sent {
		if now.SendMsg(m) != nil {
			break // RecvMsg will say why
		}
	}
	if s.closed {
		_ = now.CloseSend() // RecvMsg will say why
	}
	s.now = now
	return nil
}

// lasting returns a context for the stream that ends with the attempt until it is detached, and with the caller's in any case: the engine ends the
// attempt's own when the first message has come. mu is held.
func (s *stream) lasting() context.Context {
	s.detach, s.cancel = func() {}, func() {}
	if s.policy.AttemptTimeout <= 0 && s.policy.MaxElapsed <= 0 {
		return s.attempt
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(s.attempt))
	stop := func() {}
	if deadline, ok := s.outer.Deadline(); ok {
		ctx, stop = context.WithDeadline(ctx, deadline)
	}
	attempt, outer := s.attempt, s.outer
	within := context.AfterFunc(attempt, func() { cancel(context.Cause(attempt)) })
	below := context.AfterFunc(outer, func() { cancel(context.Cause(outer)) })
	s.detach = func() { within() }
	s.cancel = func() {
		within()
		below()
		stop()
		cancel(context.Canceled)
	}
	return ctx
}

// timedOut puts right what gRPC takes for the caller's cancellation, and was the end of the attempt's time. mu is held.
func (s *stream) timedOut(err error) error {
	if s.attempt.Err() != nil && s.outer.Err() == nil {
		return status.Error(codes.DeadlineExceeded, context.Cause(s.attempt).Error())
	}
	return err
}

// end lets go of the engine's call, which has ended. mu is held.
func (s *stream) end() {
	s.live, s.sent = false, nil
	s.stop()
	if s.forget != nil {
		s.forget()
	}
}

// abandon ends the call when the caller's context does while nobody receives.
func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live {
		s.err = context.Cause(s.outer)
		s.end()
	}
}

// RecvMsg implements [grpc.ClientStream]. Until the first message it retries.
func (s *stream) RecvMsg(m any) error {
	for {
		s.mu.Lock()
		now := s.now
		s.mu.Unlock()
		err := now.RecvMsg(m)
		again, err := s.received(now, err)
		if !again {
			return err
		}
	}
}

// received takes in what came of a receipt. again says that there is a new stream to receive from.
func (s *stream) received(now grpc.ClientStream, err error) (again bool, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live && (err == nil || err == io.EOF) {
		s.detach()
		s.err = nil
		s.next() // which ends the call well
		s.end()
	}
	if !s.live {
		if err != nil || !s.desc.ServerStreams {
			s.cancel() // gRPC has ended the stream
		}
		return false, err
	}
	err = s.timedOut(err)
	header, _ := now.Header() // which is there, or never will be
	f := facts{sent: true, trailer: now.Trailer(), committed: len(header) > 0 || s.full}
	s.cancel()
	if !f.committed && s.refresh(s.attempt, status.Code(err)) {
		if s.err = s.begin(); s.err == nil {
			return true, nil
		}
	} else {
		s.err = s.judge(err, f)
	}
	if err := s.advance(); err != nil {
		return false, err
	}
	return true, nil
}

// SendMsg implements [grpc.ClientStream].
func (s *stream) SendMsg(m any) error {
	s.mu.Lock()
	s.keep(m)
	now := s.now
	s.mu.Unlock()
	err := now.SendMsg(m)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != io.EOF:
		s.full = true // gRPC has ended the stream, because of the message
	case now != s.now || s.live && !s.full:
		return nil // it was sent again, or will be
	}
	return err
}

// keep remembers a message that might have to be sent again. mu is held.
func (s *stream) keep(m any) {
	if !s.live || s.full {
		return
	}
	most := s.c.Buffer
	if most == 0 {
		most = DefaultBuffer
	}
	message, ok := m.(proto.Message)
	if ok {
		s.size += proto.Size(message)
	}
	if !ok || s.size > most {
		s.full, s.sent = true, nil
		return
	}
	s.sent = append(s.sent, proto.Clone(message)) // the caller may change it when SendMsg has returned
}

// CloseSend implements [grpc.ClientStream].
func (s *stream) CloseSend() error {
	s.mu.Lock()
	s.closed = true
	now := s.now
	s.mu.Unlock()
	return now.CloseSend()
}

// Header implements [grpc.ClientStream]. A caller that has seen headers keeps its stream: it is not begun again.
func (s *stream) Header() (md metadata.MD, err error) {
	now := s.current()
	if md, err = now.Header(); err == nil && len(md) > 0 {
		s.mu.Lock()
		s.full = true
		s.mu.Unlock()
	}
	return md, err
}

// Trailer implements [grpc.ClientStream].
func (s *stream) Trailer() metadata.MD { return s.current().Trailer() }

// Context implements [grpc.ClientStream].
func (s *stream) Context() context.Context { return s.current().Context() }

func (s *stream) current() grpc.ClientStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

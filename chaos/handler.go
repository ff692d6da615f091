package chaos

import (
	"bytes"
	"io"
	"net/http"
)

// A Handler is an http.Handler with faults, the server's side of a [Transport]. It must be given the handler behind it, and an
// Injector to have any. It is safe for concurrent use.
//
// [Fail] and [ApplyThenFail] answer 503, without a hint whether anything was done. [Cut] and [ApplyThenCut] abort the connection;
// of the latter's answer the client sees the status and what had been flushed. A request that hangs is aborted when its client gives up. To
// a request that comes twice ([Duplicate]) the second answer counts; its body is read into memory.
type Handler struct {
	Next     http.Handler
	Injector *Injector
	Op       func(*http.Request) string // names the operation; nil means the method and path, as in "POST /order"
}

// ServeHTTP answers, or does not.
func (s *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := r.Method + " " + r.URL.Path
	if s.Op != nil {
		op = s.Op(r)
	}
	h := s.Injector.next(op)
	if h.fault == Hang {
		io.Copy(io.Discard, r.Body) // net/http sees that a client is gone only when the body was read
	}
	if err := h.before(r.Context()); err != nil {
		if h.fault != Fail {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "chaos: failed", http.StatusServiceUnavailable)
		return
	}
	switch h.fault {
	case Duplicate:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client is gone
		}
		again := r.Clone(r.Context())
		r.Body, again.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
		s.Next.ServeHTTP(nowhere{}, r)
		s.Next.ServeHTTP(w, again)
	case ApplyThenFail:
		s.Next.ServeHTTP(nowhere{}, r)
		http.Error(w, "chaos: failed", http.StatusServiceUnavailable)
	case ApplyThenHang:
		s.Next.ServeHTTP(nowhere{}, r)
		h.after(r.Context())
		panic(http.ErrAbortHandler)
	case ApplyThenCut:
		s.Next.ServeHTTP(w, r)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		s.Next.ServeHTTP(w, r)
	}
}

// nowhere is where answers go that nobody gets.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

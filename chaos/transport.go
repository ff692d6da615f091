package chaos

import (
	"bytes"
	"io"
	"net/http"
)

// A Transport is an [http.RoundTripper] with faults. It must be given an Injector to have any, and is safe for
// concurrent use.
//
// Of a response that is lost ([ApplyThenFail], [ApplyThenHang]) the body is read to its end first, so that the
// server is done. [ApplyThenCut] returns the response, and its body breaks off: after half of the
// Content-Length, or at once if that is not known.
type Transport struct {
	Base     http.RoundTripper          // nil means http.DefaultTransport
	Injector *Injector                  // decides
	Op       func(*http.Request) string // names the operation; nil means the method and path, as in "POST /order"
}

var _ http.RoundTripper = (*Transport)(nil)

// RoundTrip makes a request, or what is left of it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	op := req.Method + " " + req.URL.Path
	if t.Op != nil {
		op = t.Op(req)
	}
	h := t.Injector.next(op)
	ctx := req.Context()
	if err := h.before(ctx); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	if h.fault == Duplicate {
		var err error
		if req, err = twice(base, req); err != nil {
			return nil, err
		}
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	if h.fault == ApplyThenCut {
		resp.Body = &broken{ReadCloser: resp.Body, left: max(0, resp.ContentLength/2), err: h.err()}
		return resp, nil
	}
	if h.fault == ApplyThenFail || h.fault == ApplyThenHang {
		discard(resp)
		return nil, h.after(ctx)
	}
	return resp, nil
}

// twice sends the request once, and returns it ready to be sent again.
func twice(base http.RoundTripper, req *http.Request) (*http.Request, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	again := func() *http.Request {
		r := req.Clone(req.Context())
		if req.Body != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		return r
	}
	if resp, err := base.RoundTrip(again()); err == nil {
		discard(resp)
	}
	return again(), nil
}

func discard(resp *http.Response) {
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

// broken is a body that breaks off.
type broken struct {
	io.ReadCloser
	left int64
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

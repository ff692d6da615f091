package proof

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/relent-go/relent/cmd/internal/venue"
)

var errCrashed = errors.New("the process is dead")

// A wire is the network of one process. When the process dies its requests lose their connection; what has left goes on.
// It also speaks for the venue's profile what an SDK of that venue would: the deadline of an order, and refusals in the body
// of a 200.
type wire struct {
	base    http.RoundTripper
	life    context.Context // of the process
	dead    *atomic.Bool
	profile venue.Profile
	alpaca  bool
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.dead.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(w.life, func() { cancel(errCrashed) })
	defer stop()
	r = r.Clone(ctx)
	if w.alpaca {
		r.URL.Path = "/alpaca" + r.URL.Path // where the venue has that interface
	}
	if w.profile.Fence == venue.FenceDeadline && r.Method == http.MethodPost {
		if err := w.limit(r); err != nil {
			return nil, err
		}
	}
	resp, err := w.base.RoundTrip(r)
	if err == nil && w.profile.ErrorStyle == venue.CodeInBody && resp.StatusCode == http.StatusOK {
		return status(resp)
	}
	return resp, err
}

// limit names the moment after which the venue must not take the order.
func (w *wire) limit(r *http.Request) error {
	params := r.URL.Query()
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		for name, values := range form {
			params[name] = values
		}
	}
	signed, _ := strconv.ParseInt(params.Get("timestamp"), 10, 64)
	window, _ := strconv.ParseInt(params.Get("recvWindow"), 10, 64)
	r.Header.Set(w.profile.Deadline, strconv.FormatInt(signed+window, 10))
	return nil
}

// status gives a refusal that came with 200 the status that the SDK knows it by.
func status(resp *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if bytes.HasPrefix(body, []byte(`{"code":-`)) {
		resp.StatusCode, resp.Status = http.StatusBadRequest, "400 Bad Request"
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	return resp, nil
}

// broken ends a body as it ended before.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

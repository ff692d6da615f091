package idempotent

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
)

// A recorder keeps a response until it is known what becomes of it. One that is too long, or that the handler
// flushes, goes out as it comes.
type recorder struct {
	w      http.ResponseWriter
	header http.Header // the handler's
	sent   http.Header // as it was when the status was said
	status int         // 0 until then
	body   bytes.Buffer
	max    int  // bytes of body that are kept
	live   bool // goes out as it comes
	long   bool // body lacks something
}

var _ http.Flusher = (*recorder)(nil)

// Header returns what will be sent. Once it was, changes go to the trailers.
func (r *recorder) Header() http.Header {
	if r.live {
		return r.w.Header()
	}
	return r.header
}

// WriteHeader takes the status. Informational ones are dropped.
func (r *recorder) WriteHeader(status int) {
	if status < 100 || status > 999 { // as net/http does, but before the claim is settled
		panic(fmt.Sprintf("invalid status %d", status))
	}
	if r.status == 0 && status >= 200 {
		r.status = status
		r.sent = r.header.Clone() // later changes are too late
	}
}

// Write keeps b, or sends it on.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if !r.long && len(b) <= r.max-r.body.Len() {
		r.body.Write(b)
	} else {
		r.long = true
		if err := r.release(); err != nil {
			return 0, err
		}
	}
	if r.live {
		return r.w.Write(b)
	}
	return len(b), nil
}

// Flush sends what was kept; the rest goes out as it comes.
func (r *recorder) Flush() {
	r.WriteHeader(http.StatusOK)
	r.release()
	http.NewResponseController(r.w).Flush()
}

// release sends what was kept so far.
func (r *recorder) release() error {
	if r.live {
		return nil
	}
	r.live = true
	send(r.w, r.status, r.sent)
	if r.body.Len() == 0 {
		return nil
	}
	_, err := r.w.Write(r.body.Bytes())
	return err
}

func send(w http.ResponseWriter, status int, header http.Header) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
}

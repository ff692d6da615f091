package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/observe/audit"
)

// mostBody bounds what a process may send, unpacked.
const mostBody = 16 << 20

// heartbeat is how often a process hears that the server is there.
const heartbeat = time.Second

// processes answers what control.Fleet asks.
type processes struct {
	plane     *plane
	instances *instances
	lenders   *lenders
	store     audit.Store
	auth      dashboard.Auth // nil: whoever reaches the loopback address
	done      <-chan struct{}
}

func (p *processes) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+control.OrdersPath, p.guard(p.orders))
	mux.HandleFunc("POST "+control.ReportPath, p.guard(p.report))
	mux.HandleFunc("POST "+control.LeasePath, p.guard(p.lease))
	mux.HandleFunc("POST "+control.AuditPath, p.guard(p.audit))
	mux.HandleFunc("POST "+control.DrillPath, p.guard(p.drill))
}

// guard lets through who has a token: any role will do, since a process can change nothing but what is said of itself.
func (p *processes) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
			http.Error(w, "this is for processes, not for browsers", http.StatusForbidden)
			return
		}
		if p.auth != nil {
			if _, ok := p.auth.Authenticate(dashboard.HashToken(bearer(r))); !ok {
				w.Header().Set("WWW-Authenticate", "Bearer")
				http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
				return
			}
		}
		next(w, r)
	}
}

// orders sends the present orders, and then each change.
func (p *processes) orders(w http.ResponseWriter, r *http.Request) {
	news, end := p.plane.subscribe()
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text []byte) bool {
		control.SetWriteDeadline(time.Now().Add(5 * time.Second)) // a process that does not read is gone
		if _, err := w.Write(text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text, last := p.plane.present(0)
	if !send(text) {
		return
	}
	for {
		select {
		case <-news:
			if text, last = p.plane.present(last); !send(text) {
				return
			}
		case <-beat.C:
			if !send([]byte(": hb\n\n")) {
				return
			}
		case <-r.Context().Done():
			return
		case <-p.done:
			return
		}
	}
}

func (p *processes) report(w http.ResponseWriter, r *http.Request) {
	var what control.Report
	if !read(w, r, &what) {
		return
	}
	if err := p.instances.take(what); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *processes) lease(w http.ResponseWriter, r *http.Request) {
	var asked []control.LeaseRequest
	if read(w, r, &asked) {
		answer(w, http.StatusOK, p.lenders.grant(asked))
	}
}

func (p *processes) audit(w http.ResponseWriter, r *http.Request) {
	var batch control.AuditBatch
	if !read(w, r, &batch) {
		return
	}
	head, err := p.store.Append(r.Context(), batch.Chain, batch.Records)
	switch {
	case errors.Is(err, audit.ErrInvalid):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		answer(w, http.StatusOK, head)
	}
}

func (p *processes) drill(w http.ResponseWriter, r *http.Request) {
	var done control.Drilled
	if !read(w, r, &done) {
		return
	}
	if err := p.plane.reached(done, r.Header.Get("Relent-Instance")); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// read reads JSON, packed or not, and answers itself if it cannot.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	var body io.Reader = http.MaxBytesReader(w, r.Body, mostBody)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, "the body is not what gzip makes: "+err.Error(), http.StatusBadRequest)
			return false
		}
		body = io.LimitReader(zip, mostBody)
	}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		http.Error(w, "the body cannot be read: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func answer(w http.ResponseWriter, code int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(what) // to somebody who may be gone
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	if h := r.Header.Get("Authorization"); len(h) > len(scheme) && h[:len(scheme)] == scheme {
		return h[len(scheme):]
	}
	return ""
}

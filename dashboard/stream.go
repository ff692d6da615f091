package dashboard

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	heartbeat     = 15 * time.Second
	writeDeadline = 5 * time.Second
)

// stream serves server-sent events until the browser goes, its session ends, or the handler closes.
// It runs in the goroutine of its request, and a write that takes too long ends it.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, who Identity) {
	q := r.URL.Query()
	var names []string
	if t := q.Get("topics"); t != "" {
		names = strings.Split(t, ",")
	}
	c := newClient(names, parseFilter(q.Get("filter")))
	epoch, last := lastID(r)
	if why := h.hub.join(c, epoch, last); why != "" {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, why+": try again in 5 seconds, or use GET /api/v1/topics/overview")
		return
	}
	defer h.hub.leave(c)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := sender{w, http.NewResponseController(w)}
	view, _, _ := h.sampler.now()
	if !out.send(c.hello(h.hub, h.interval.Milliseconds(), heartbeat.Milliseconds(), view.Instance), nil) || !out.send(c.whole(h.hub.epoch)) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		f, dropped, bye := c.next()
		switch {
		case f != nil:
			if !out.send(c.message(h.hub.epoch, f, dropped)) {
				return
			}
			continue
		case bye != "":
			out.send(fmt.Appendf(nil, "event: bye\ndata: {\"reason\":%q,\"retry_ms\":2000}\n\n", bye), nil)
			return
		}
		select {
		case <-c.wake:
		case <-beat.C:
			if now, ok := h.identify(r, false); !ok || now != who {
				c.end("session expired")
			} else if !out.send([]byte(": hb\n\n"), nil) {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// lastID reads the id of the last frame that a browser had. EventSource sends a header when it
// reconnects by itself, and the page a parameter when it opens a new one.
func lastID(r *http.Request) (epoch string, seq uint64) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("last")
	}
	epoch, n, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(n, 10, 64)
	if err != nil {
		return "", 0
	}
	return epoch, seq
}

type sender struct {
	w http.ResponseWriter
	c *http.ResponseController
}

// send writes two parts and flushes, and reports whether it could in time.
func (s sender) send(head, rest []byte) bool {
	if len(head) == 0 {
		return true
	}
	_ = s.c.SetWriteDeadline(time.Now().Add(writeDeadline)) // a writer without deadlines has none to miss
	for _, b := range [...][]byte{head, rest} {
		if _, err := s.w.Write(b); err != nil {
			return false
		}
	}
	return s.c.Flush() == nil
}

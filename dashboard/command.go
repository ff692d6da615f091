package dashboard

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
)

// commander returns who carries commands out, or says that nobody does.
func (h *Handler) commander(w http.ResponseWriter) control.Commander {
	if h.config.Commander == nil {
		fail(w, http.StatusNotImplemented, "nothing here carries commands out: the program gave no Commander; use the command line")
	}
	return h.config.Commander
}

// claimed reports whether nobody checked that somebody is who the request says.
func (h *Handler) claimed(r *http.Request) bool {
	_, claims := Claimed(r)
	return claims && h.config.Auth == nil
}

// answer writes what a command led to. What the commander refused conflicts with the state.
func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	reply(w, value)
}

// engage stops a scope.
func (h *Handler) engage(w http.ResponseWriter, r *http.Request, who Identity) {
	c := h.commander(w)
	var s control.Stop
	if c == nil || !decode(w, r, &s) {
		return
	}
	s.Actor, s.Claimed, s.Source = who.Name, h.claimed(r), SourceOf(r)
	s.Key = cmp.Or(s.Key, r.Header.Get("Idempotency-Key"))
	if strings.TrimSpace(s.Reason) == "" {
		fail(w, http.StatusBadRequest, "reason: is empty; say why, for whoever reads the audit log")
		return
	}
	if s.State == "stopped" && s.Expires != 0 {
		fail(w, http.StatusBadRequest, "expires: a stop of everything never ends by itself; leave it out")
		return
	}
	v, err := c.Stop(r.Context(), s)
	answer(w, v, err)
}

// release begins to let a scope run again. A second person agrees with a token of their own; where
// nobody signs in, with their name.
func (h *Handler) release(w http.ResponseWriter, r *http.Request, who Identity) {
	c := h.commander(w)
	var in struct {
		control.Resume
		Approver string `json:"approver"` // a token, or a name where nobody signs in
	}
	if c == nil || !decode(w, r, &in) {
		return
	}
	in.Resume.Actor, in.Resume.Source, in.Resume.Approver = who.Name, SourceOf(r), in.Approver
	in.Resume.Claimed = h.config.Auth == nil // the approver's name, if not the other one
	if h.config.Auth != nil && in.Approver != "" {
		if !h.sessions.try("approver of "+who.Name, time.Now()) {
			fail(w, http.StatusTooManyRequests, "approver: too many tries within a minute: wait a minute")
			return
		}
		second, ok := h.config.Auth.Authenticate(HashToken(in.Approver))
		if !ok || second.Role < Operator {
			fail(w, http.StatusForbidden, "approver: nobody who may release has this token")
			return
		}
		in.Resume.Approver = second.Name
	}
	if strings.TrimSpace(in.Reason) == "" {
		fail(w, http.StatusBadRequest, "reason: is empty; say why it is safe to go on")
		return
	}
	v, err := c.Resume(r.Context(), in.Resume)
	answer(w, v, err)
}

// tune changes an operation.
func (h *Handler) tune(w http.ResponseWriter, r *http.Request, who Identity) {
	c := h.commander(w)
	var t control.Tune
	if c == nil || !decode(w, r, &t) {
		return
	}
	t.Actor, t.Claimed, t.Source = who.Name, h.claimed(r), SourceOf(r)
	v, err := c.Tune(r.Context(), t)
	answer(w, v, err)
}

package server

import (
	"errors"
	"net/http"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

// releases answers for the releases that wait for a second person.
type releases struct {
	plane    *plane
	readOnly bool
}

func (s *releases) routes(mux *http.ServeMux, d *door) {
	mux.HandleFunc("GET /api/v1/requests", d.admit(dashboard.Viewer, s.list))
	mux.HandleFunc("POST /api/v1/requests", d.admit(dashboard.Operator, s.ask))
	mux.HandleFunc("POST /api/v1/requests/{id}/approve", d.admit(dashboard.Operator, s.approve))
}

func (s *releases) list(w http.ResponseWriter, _ *http.Request, _ caller) {
	answer(w, http.StatusOK, map[string]any{"requests": s.plane.requests()})
}

func (s *releases) ask(w http.ResponseWriter, r *http.Request, who caller) {
	var what control.Resume
	if s.closed(w) || !understood(w, r, &what) {
		return
	}
	what.Actor, what.Claimed, what.Source = who.name, who.claimed, who.source
	q, err := s.plane.ask(r.Context(), what)
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusCreated, q)
}

func (s *releases) approve(w http.ResponseWriter, r *http.Request, who caller) {
	if s.closed(w) {
		return
	}
	view, err := s.plane.approve(r.Context(), r.PathValue("id"), who)
	switch {
	case errors.Is(err, ErrRequest):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusConflict, err.Error())
	default:
		answer(w, http.StatusOK, view)
	}
}

// closed refuses what would change something on a server that is read-only.
func (s *releases) closed(w http.ResponseWriter) bool {
	if s.readOnly {
		refuse(w, http.StatusForbidden, "this server is read-only: use another one")
	}
	return s.readOnly
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]string{"error": why})
}

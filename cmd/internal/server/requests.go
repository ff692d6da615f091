package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

// releases answers for the releases that wait for a second person.
type releases struct {
	plane *plane
	auth  dashboard.Auth // nil: whoever reaches the loopback address, under the name that he gives
	guard *http.CrossOriginProtection
}

func (s *releases) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/requests", s.admit(dashboard.Viewer, s.list))
	mux.HandleFunc("POST /api/v1/requests", s.admit(dashboard.Operator, s.ask))
	mux.HandleFunc("POST /api/v1/requests/{id}/approve", s.admit(dashboard.Operator, s.approve))
}

// admit lets through who has a token with the role. A request from a page is not enough: these are for programs.
func (s *releases) admit(role dashboard.Role, next func(w http.ResponseWriter, r *http.Request, who string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.guard.Check(r); err != nil {
			refuse(w, http.StatusForbidden, err.Error())
			return
		}
		var body struct{ Actor string }
		who := dashboard.Identity{Name: "local", Role: dashboard.Admin}
		if s.auth != nil {
			var ok bool
			if who, ok = s.auth.Authenticate(dashboard.HashToken(bearer(r))); !ok {
				w.Header().Set("WWW-Authenticate", "Bearer")
				refuse(w, http.StatusUnauthorized, "a bearer token is needed")
				return
			}
			if who.Role < role {
				refuse(w, http.StatusForbidden, "this takes the role "+role.String()+", and "+who.Name+" is "+who.Role.String())
				return
			}
		} else if name := r.Header.Get("Relent-Actor"); name != "" {
			body.Actor = name[:min(len(name), 128)]
		}
		next(w, r, cmp.Or(body.Actor, who.Name))
	}
}

func (s *releases) list(w http.ResponseWriter, _ *http.Request, _ string) {
	answer(w, http.StatusOK, map[string]any{"requests": s.plane.requests()})
}

func (s *releases) ask(w http.ResponseWriter, r *http.Request, who string) {
	var what control.Resume
	d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&what); err != nil {
		refuse(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
		return
	}
	what.Actor, what.Source = who, "cli"
	q, err := s.plane.ask(r.Context(), what)
	if err != nil {
		refuse(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusCreated, q)
}

func (s *releases) approve(w http.ResponseWriter, r *http.Request, who string) {
	view, err := s.plane.approve(r.Context(), r.PathValue("id"), who, "cli")
	switch {
	case errors.Is(err, ErrRequest):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusConflict, err.Error())
	default:
		answer(w, http.StatusOK, view)
	}
}

func refuse(w http.ResponseWriter, code int, why string) {
	answer(w, code, map[string]string{"error": why})
}

// deadline bounds how long a request may take to arrive.
const deadline = 10 * time.Second

package dashboard

import (
	"net/http"
	"strconv"
	"time"
)

// me says who is signed in and what can be done here.
func (h *Handler) me(w http.ResponseWriter, r *http.Request, who Identity) {
	_, tells := h.config.Source.(Teller)
	reply(w, map[string]any{
		"name": who.Name, "role": who.Role, "auth": h.config.Auth != nil,
		"read_only": h.config.ReadOnly, "commander": h.config.Commander != nil,
		"audit": h.config.Audit != nil, "events": tells,
	})
}

// signIn turns a token into the cookie of a session.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request, _ Identity) {
	if h.config.Auth == nil {
		fail(w, http.StatusNotFound, "nobody has to sign in here: whoever reaches this address may do everything")
		return
	}
	now := time.Now()
	if !h.sessions.try(address(r), now) {
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "more than "+strconv.Itoa(signIns)+" tries to sign in within a minute: wait a minute")
		return
	}
	var in struct{ Token string }
	if !decode(w, r, &in) {
		return
	}
	hash := HashToken(in.Token)
	who, ok := h.config.Auth.Authenticate(hash)
	if !ok {
		fail(w, http.StatusUnauthorized, "nobody has this token: check for a missing or extra character")
		return
	}
	h.cookie(w, r, h.sessions.open(who.Name, hash, now), int(sessionLife.Seconds()))
	reply(w, who)
}

func (h *Handler) cookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil || !loopback(r.Host),
	})
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, _ Identity) {
	if c, err := r.Cookie(cookieName); err == nil {
		h.sessions.close(c.Value)
	}
	h.cookie(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

// signOutAll ends all sessions of one name.
func (h *Handler) signOutAll(w http.ResponseWriter, r *http.Request, _ Identity) {
	reply(w, map[string]int{"ended": h.sessions.closeAll(r.PathValue("name"))})
}

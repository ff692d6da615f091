package server

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/relent-go/relent/dashboard"
)

// A door lets requests through that are for programs, not for pages.
type door struct {
	auth  dashboard.Auth // nil: whoever reaches the loopback address, under the name that he gives
	guard *http.CrossOriginProtection
}

// A caller is who sent a request.
type caller struct {
	name    string
	claimed bool   // nobody checked that it is
	source  string // cli, api, dashboard
}

// admit lets through who has a token with the role. The session of a page is not enough.
func (d *door) admit(role dashboard.Role, next func(w http.ResponseWriter, r *http.Request, who caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := d.guard.Check(r); err != nil {
			refuse(w, http.StatusForbidden, err.Error())
			return
		}
		who := caller{source: dashboard.SourceOf(r)}
		if d.auth == nil {
			who.name, who.claimed = dashboard.Claimed(r)
			next(w, r, who)
			return
		}
		known, ok := d.auth.Authenticate(dashboard.HashToken(bearer(r)))
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "a bearer token is needed")
		case known.Role < role:
			refuse(w, http.StatusForbidden, "this takes the role "+role.String()+", and "+known.Name+" is "+known.Role.String())
		default:
			who.name = known.Name
			next(w, r, who)
		}
	}
}

// understood reads a small body of JSON, and answers itself if it cannot.
func understood(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
		return false
	}
	return true
}

// deadline bounds how long a request may take to arrive.
const deadline = 10 * time.Second

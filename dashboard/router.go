package dashboard

import (
	"crypto/sha256"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A route says who may do what.
type route struct {
	method, path string
	role         Role // that it takes
	mutates      bool // refused when ReadOnly
	serve        func(h *Handler, w http.ResponseWriter, r *http.Request, who Identity)
}

var routes = []route{
	{"GET", "/{$}", Anyone, false, (*Handler).page},
	{"GET", "/favicon.ico", Anyone, false, (*Handler).icon},
	{"GET", "/assets/{hash}/{name...}", Anyone, false, (*Handler).asset},
	{"GET", "/api/v1/schema", Anyone, false, (*Handler).schemas},
	{"GET", "/api/v1/schema/{name}", Anyone, false, (*Handler).schema},
	{"GET", "/api/v1/me", Anyone, false, (*Handler).me},
	{"POST", "/api/v1/session", Anyone, false, (*Handler).signIn},
	{"DELETE", "/api/v1/session", Viewer, false, (*Handler).signOut},
	{"DELETE", "/api/v1/sessions/{name}", Admin, true, (*Handler).signOutAll},

	{"GET", "/api/v1/stream", Viewer, false, (*Handler).stream},
	{"GET", "/api/v1/view", Viewer, false, (*Handler).wholeView},
	{"GET", "/api/v1/topics/{topic}", Viewer, false, (*Handler).topic},
	{"GET", "/api/v1/history", Viewer, false, (*Handler).history},
	{"GET", "/api/v1/events", Viewer, false, (*Handler).events},
	{"GET", "/api/v1/scopes", Viewer, false, (*Handler).scopes},
	{"GET", "/api/v1/radius", Viewer, false, (*Handler).radius},
	{"GET", "/api/v1/audit", Viewer, false, (*Handler).audit},
	{"GET", "/api/v1/audit/export", Viewer, false, (*Handler).export},
	{"POST", "/api/v1/audit/verify", Operator, false, (*Handler).verify},

	{"POST", "/api/v1/stop", Operator, true, (*Handler).engage},
	{"POST", "/api/v1/resume", Operator, true, (*Handler).release},
	{"POST", "/api/v1/tune", Operator, true, (*Handler).tune},

	{"GET", "/", Anyone, false, (*Handler).lost},
}

func (h *Handler) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { h.admit(rt, w, r) })
	}
	return mux
}

const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// ServeHTTP checks where a request was sent and where it comes from before anything else.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policyHeader)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cache-Control", "no-store")
	if !loopback(r.Host) && !h.hosts[r.Host] {
		fail(w, http.StatusMisdirectedRequest, "this server does not answer for "+r.Host+": add it to Hosts, or use a name that is in it")
		return
	}
	if o := r.Header.Get("Origin"); o != "" {
		if u, err := url.Parse(o); err != nil || u.Host != r.Host {
			fail(w, http.StatusForbidden, "the request comes from a page of another origin")
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// admit lets a request through to its route, or says why not.
func (h *Handler) admit(rt route, w http.ResponseWriter, r *http.Request) {
	if rt.method != "GET" {
		if err := h.guard.Check(r); err != nil {
			fail(w, http.StatusForbidden, err.Error())
			return
		}
		if h.config.Auth != nil && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" && bearer(r) == "" {
			fail(w, http.StatusForbidden, "a request that is not from a page of this server needs a bearer token")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline)) // where the server has deadlines
	}
	who, _ := h.identify(r, true)
	if who.Role < rt.role {
		if who.Role == Anyone {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "sign in, or send a bearer token")
			return
		}
		fail(w, http.StatusForbidden, "this takes the role "+rt.role.String()+", and "+who.Name+" is "+who.Role.String())
		return
	}
	if rt.mutates && h.config.ReadOnly {
		fail(w, http.StatusForbidden, "this dashboard is read-only: use another one, or the command line")
		return
	}
	rt.serve(h, w, r, who)
}

// identify returns who sends a request. Without Auth that is anybody on this machine.
func (h *Handler) identify(r *http.Request, used bool) (Identity, bool) {
	if h.config.Auth == nil {
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && !loopback(a.String()) {
			return Identity{}, false
		}
		name, _ := Claimed(r)
		return Identity{name, Admin}, true
	}
	var hash [sha256.Size]byte
	if b := bearer(r); b != "" {
		hash = HashToken(b)
	} else if c, err := r.Cookie(cookieName); err != nil {
		return Identity{}, false
	} else if token, ok := h.sessions.find(c.Value, time.Now(), used); ok {
		hash = token
	} else {
		return Identity{}, false
	}
	return h.config.Auth.Authenticate(hash)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// reply writes a value as JSON.
func reply(w http.ResponseWriter, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(b, '\n'))
}

func fail(w http.ResponseWriter, status int, why string) {
	b, _ := json.Marshal(map[string]string{"error": why}) // text
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

// decode reads a body of JSON, and complains about fields that nobody knows.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		fail(w, http.StatusBadRequest, "the body is not what this takes: "+err.Error())
		return false
	}
	return true
}

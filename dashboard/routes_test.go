package dashboard

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Every route, and everybody who may come.
func TestRoutes(t *testing.T) {
	f := &fake{view: some(), err: errRefused} // commands that get through answer 409
	open := newHandler(t, Config{Source: f, Commander: f, Audit: f, Auth: everyone})
	closed := newHandler(t, Config{Source: f, Commander: f, Audit: f, Auth: everyone, ReadOnly: true})
	paths := map[string]string{
		"/{$}": "/", "/assets/{hash}/{name...}": "/assets/" + open.assets.hash + "/app.js", "/api/v1/schema/{name}": "/api/v1/schema/delta",
		"/api/v1/sessions/{name}": "/api/v1/sessions/vera", "/api/v1/topics/{topic}": "/api/v1/topics/policies", "/": "/nowhere",
	}
	// What those get who are let through, where it is not 200.
	let := map[string]int{
		"/": 404, "POST /api/v1/session": 400, "DELETE /api/v1/session": 204, "/api/v1/audit": 409, "/api/v1/audit/export": 409,
		"/api/v1/audit/verify": 409, "/api/v1/stop": 400, "/api/v1/resume": 400, "/api/v1/tune": 400,
	}
	for _, rt := range routes {
		path := rt.path
		if p, ok := paths[path]; ok {
			path = p
		}
		fine := http.StatusOK
		for _, key := range []string{rt.path, rt.method + " " + rt.path} {
			if s, ok := let[key]; ok {
				fine = s
			}
		}
		status := func(role Role, readOnly bool) int {
			switch {
			case role < rt.role && role == Anyone:
				return http.StatusUnauthorized
			case role < rt.role, readOnly && rt.mutates:
				return http.StatusForbidden
			}
			return fine
		}
		other := "POST"
		if rt.method != "GET" {
			other = "PUT"
		}
		unsafe := func(normal int) int {
			if rt.method == "GET" {
				return normal
			}
			return http.StatusForbidden
		}
		for _, test := range []struct {
			name   string
			h      *Handler
			method string
			change []func(*http.Request)
			want   int
		}{
			{"nobody", open, rt.method, nil, status(Anyone, false)},
			{"a wrong token", open, rt.method, []func(*http.Request){as("relent_x")}, status(Anyone, false)},
			{"a viewer", open, rt.method, []func(*http.Request){as(viewer)}, status(Viewer, false)},
			{"an operator", open, rt.method, []func(*http.Request){as(operator)}, status(Operator, false)},
			{"an admin", open, rt.method, []func(*http.Request){as(admin)}, status(Admin, false)},
			{"read-only", closed, rt.method, []func(*http.Request){as(admin)}, status(Admin, true)},
			{"wrong host", open, rt.method, []func(*http.Request){as(admin), func(r *http.Request) { r.Host = "evil.example" }}, http.StatusMisdirectedRequest},
			{"wrong origin", open, rt.method, []func(*http.Request){as(admin), header("Origin", "http://evil.example")}, http.StatusForbidden},
			{"odd origin", open, rt.method, []func(*http.Request){as(admin), header("Origin", "http://%zz")}, http.StatusForbidden},
			{"cross site", open, rt.method, []func(*http.Request){as(admin), header("Sec-Fetch-Site", "cross-site")}, unsafe(status(Admin, false))},
			{"no page and no token", open, rt.method, []func(*http.Request){header("Sec-Fetch-Site", "")}, unsafe(status(Anyone, false))},
			{"no page but a token", open, rt.method, []func(*http.Request){as(admin), header("Sec-Fetch-Site", "")}, status(Admin, false)},
			{"wrong method", open, other, []func(*http.Request){as(admin)}, http.StatusMethodNotAllowed},
		} {
			if rt.path == "/api/v1/stream" && test.want == http.StatusOK {
				continue // it stays open: see TestStream
			}
			if rt.path == "/" && test.name == "wrong method" {
				continue // a path of its own only for GET
			}
			if rt.path == "/api/v1/session" && test.name == "wrong method" && other == "POST" {
				continue
			}
			test.h.sessions = newSessions() // so that nobody tried too often
			if w := ask(test.h, test.method, path, "", test.change...); w.Code != test.want {
				t.Errorf("%s %s by %s = %d; want %d: %s", test.method, path, test.name, w.Code, test.want, text(w))
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	h := newHandler(t, Config{Source: &fake{}})
	for path, cache := range map[string]string{
		"/": "no-store", "/nowhere": "no-store", "/api/v1/view": "no-store", "/assets/" + h.assets.hash + "/app.js": "public, max-age=31536000, immutable",
		"/assets/old/app.js": "no-store", "/assets/" + h.assets.hash + "/nothing.js": "no-store", "/favicon.ico": "no-store",
	} {
		w := ask(h, "GET", path, "")
		for name, want := range map[string]string{
			"Content-Security-Policy": policyHeader, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": cache,
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("GET %s: %s is %q; want %q", path, name, got, want)
			}
		}
	}
	if w := ask(h, "GET", "/", ""); !strings.Contains(text(w), "assets/"+h.assets.hash+"/app.js") {
		t.Error("the page does not load its script under the hash")
	}
	w := ask(h, "GET", "/favicon.ico", "", header("Accept-Encoding", "gzip"))
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("a browser that takes gzip gets %v", w.Header())
	}
	if w := ask(h, "GET", "/api/v1/nothing", ""); w.Code != 404 || !strings.Contains(text(w), "/api/v1/nothing") {
		t.Errorf("an unknown path of the API gets %d", w.Code)
	}
}

// Without Auth the dashboard is for this machine only, whatever the server listens on.
func TestLoopbackOnly(t *testing.T) {
	h := newHandler(t, Config{Source: &fake{}, Commander: &fake{}})
	on := func(ip string) func(*http.Request) {
		return func(r *http.Request) {
			*r = *r.WithContext(contextWith(r, &net.TCPAddr{IP: net.ParseIP(ip), Port: 80}))
		}
	}
	if w := ask(h, "GET", "/api/v1/view", "", on("127.0.0.1")); w.Code != 200 {
		t.Errorf("on loopback: %d; want 200", w.Code)
	}
	if w := ask(h, "GET", "/api/v1/view", "", on("192.0.2.7")); w.Code != 401 {
		t.Errorf("on another address: %d; want 401", w.Code)
	}
	if w := ask(h, "POST", "/api/v1/stop", `{"scope":"global","state":"drain","reason":"x"}`, header("Sec-Fetch-Site", "")); w.Code != 200 {
		t.Errorf("a program on this machine stops: %d; want 200", w.Code)
	}
}

func TestConfigCheck(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want string
	}{
		{Config{Source: &fake{}}, ""},
		{Config{Source: &fake{}, Hosts: []string{"localhost:80", "127.0.0.1", "[::1]:99", "a.localhost"}}, ""},
		{Config{Source: &fake{}, Auth: everyone, Hosts: []string{"ops.example:8443"}}, ""},
		{Config{}, "Source: is nil, so there is nothing to show"},
		{Config{Source: &fake{}, Interval: -1, Hosts: []string{"", "*.example", "ops.example"}}, "Interval: -1ns is negative\n" +
			`Hosts: "" is not a host name with an optional port` + "\n" + `Hosts: "*.example" is not a host name with an optional port` + "\n" +
			"Hosts: ops.example is not a loopback name and Auth is nil: anybody could stop trading; set Auth"},
	} {
		h, err := New(test.c)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			h.Close()
		}
		if got != test.want {
			t.Errorf("New(%+v) = %q; want %q", test.c, got, test.want)
		}
	}
	h := newHandler(t, Config{Source: &fake{}, Auth: everyone, Hosts: []string{"ops.example:8443"}})
	for host, want := range map[string]int{"ops.example:8443": 200, "ops.example": 421, "localhost:1": 200, "localhost.evil.example": 421} {
		if w := ask(h, "GET", "/", "", func(r *http.Request) { r.Host = host }); w.Code != want {
			t.Errorf("Host %s: %d; want %d", host, w.Code, want)
		}
	}
}

func TestServerHasLimits(t *testing.T) {
	s := Server("127.0.0.1:1", http.NotFoundHandler())
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes == 0 || s.Addr != "127.0.0.1:1" {
		t.Errorf("Server = %+v; want limits", s)
	}
}

func TestLargeBodiesAreRefused(t *testing.T) {
	f := &fake{}
	h := newHandler(t, Config{Source: f, Commander: f})
	w := ask(h, "POST", "/api/v1/stop", `{"reason":"`+strings.Repeat("x", maxBody)+`"}`)
	if w.Code != http.StatusBadRequest || f.stop.Reason != "" {
		t.Errorf("a body above %d bytes: %d; want 400", maxBody, w.Code)
	}
}

// broken is a ResponseWriter whose browser went away.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { return 0, net.ErrClosed }

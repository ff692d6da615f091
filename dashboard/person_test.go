package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func contextWith(r *http.Request, local any) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, local)
}

func cookieOf(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

func signIn(t *testing.T, h *Handler, token string, change ...func(*http.Request)) *http.Cookie {
	t.Helper()
	w := ask(h, "POST", "/api/v1/session", `{"token":"`+token+`"}`, change...)
	if w.Code != 200 {
		t.Fatalf("sign in: %d %s", w.Code, text(w))
	}
	return w.Result().Cookies()[0]
}

func TestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Source: &fake{}, Auth: everyone, Hosts: []string{"ops.example"}})
		defer h.Close()
		c := signIn(t, h, operator)
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.MaxAge != 12*3600 {
			t.Errorf("cookie = %+v; want HttpOnly, Strict, not Secure on loopback, 12 h", c)
		}
		if c := signIn(t, h, operator, func(r *http.Request) { r.Host = "ops.example" }); !c.Secure {
			t.Error("the cookie of another host is not Secure")
		}
		see := func(c *http.Cookie) int { return ask(h, "GET", "/api/v1/view", "", cookieOf(c)).Code }
		if got := see(c); got != 200 {
			t.Errorf("with the cookie: %d", got)
		}
		if got := see(&http.Cookie{Name: cookieName, Value: "guess"}); got != 401 {
			t.Errorf("with a guessed cookie: %d", got)
		}
		if w := ask(h, "POST", "/api/v1/stop", "", cookieOf(c), header("Sec-Fetch-Site", "")); w.Code != 403 {
			t.Errorf("a cookie alone may command: %d", w.Code)
		}
		for range 11 { // used each 59 minutes
			time.Sleep(59 * time.Minute)
			if got := see(c); got != 200 {
				t.Fatalf("a session in use ended: %d", got)
			}
		}
		time.Sleep(59 * time.Minute)
		time.Sleep(12 * time.Minute)
		if got := see(c); got != 401 {
			t.Errorf("after 12 hours: %d; want 401", got)
		}
		c = signIn(t, h, operator)
		time.Sleep(sessionIdle)
		if got := see(c); got != 401 {
			t.Errorf("after an idle hour: %d; want 401", got)
		}
		c = signIn(t, h, operator)
		if w := ask(h, "DELETE", "/api/v1/session", "", cookieOf(c)); w.Code != 204 || see(c) != 401 {
			t.Errorf("after signing out: %d, %d", w.Code, see(c))
		}
		c = signIn(t, h, operator)
		if w := ask(h, "DELETE", "/api/v1/sessions/otto", "", as(admin)); !strings.Contains(text(w), "1") && see(c) != 401 {
			t.Errorf("an admin ends sessions: %d, %d", w.Code, see(c))
		}
		if w := ask(h, "DELETE", "/api/v1/session", "", as(operator)); w.Code != 204 {
			t.Errorf("signing out without a cookie: %d", w.Code)
		}
	})
}

// A token that is taken away ends its sessions.
func TestRevoked(t *testing.T) {
	list := TokenList{operatorToken}
	h := newHandler(t, Config{Source: &fake{}, Auth: Tokens(&list)})
	c := signIn(t, h, operator)
	list = nil
	if w := ask(h, "GET", "/api/v1/view", "", cookieOf(c)); w.Code != 401 {
		t.Errorf("with the cookie of a revoked token: %d; want 401", w.Code)
	}
}

func TestSignInIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Source: &fake{}, Auth: everyone})
		defer h.Close()
		from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
		for i := range signIns {
			if w := ask(h, "POST", "/api/v1/session", `{"token":"wrong"}`, from("10.0.0.1:5")); w.Code != 401 {
				t.Fatalf("try %d: %d; want 401", i, w.Code)
			}
		}
		if w := ask(h, "POST", "/api/v1/session", `{"token":"`+admin+`"}`, from("10.0.0.1:6")); w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("one try too many: %d; want 429", w.Code)
		}
		if w := ask(h, "POST", "/api/v1/session", `{"token":"`+admin+`"}`, from("pipe")); w.Code != 200 {
			t.Errorf("another address: %d; want 200", w.Code)
		}
		time.Sleep(time.Minute)
		if w := ask(h, "POST", "/api/v1/session", `{"token":"`+admin+`"}`, from("10.0.0.1:7")); w.Code != 200 {
			t.Errorf("a minute later: %d; want 200", w.Code)
		}
		if w := ask(h, "POST", "/api/v1/session", `{`, from("10.0.0.2:7")); w.Code != 400 {
			t.Errorf("half a body: %d; want 400", w.Code)
		}
	})
}

// However many addresses and sessions there are, memory stays bounded.
func TestSessionsAreBounded(t *testing.T) {
	s, now := newSessions(), time.Unix(0, 0)
	for i := range maxSessions {
		if !s.try(fmt.Sprint(i), now) {
			t.Fatalf("address %d may not try", i)
		}
	}
	if s.try("one more", now) {
		t.Error("one address too many may try")
	}
	if !s.try("one more", now.Add(time.Minute)) || len(s.tries) != 1 {
		t.Errorf("a minute later %d addresses are kept; want 1", len(s.tries))
	}
	first := s.open("a", HashToken("x"), now)
	for i := range maxSessions {
		s.open("a", HashToken("x"), now.Add(time.Duration(i+1)*time.Second))
	}
	if _, ok := s.find(first, now.Add(time.Second), true); ok || len(s.by) != maxSessions {
		t.Errorf("%d sessions, the oldest among them: %v", len(s.by), ok)
	}
	s.open("a", HashToken("x"), now.Add(24*time.Hour))
	if len(s.by) != 1 {
		t.Errorf("%d sessions a day later; want 1", len(s.by))
	}
}

func TestMe(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want string
	}{
		{Config{Source: &fake{}}, `{"audit":false,"auth":false,"commander":false,"events":false,"name":"local","read_only":false,"role":"admin"}`},
		{Config{Source: &telling{}, Commander: &fake{}, Audit: &fake{}, Auth: everyone, ReadOnly: true}, `{"audit":true,"auth":true,"commander":true,"events":true,"name":"","read_only":true,"role":"anyone"}`},
	} {
		if got := strings.TrimSpace(text(ask(newHandler(t, test.c), "GET", "/api/v1/me", ""))); got != test.want {
			t.Errorf("me = %s; want %s", got, test.want)
		}
	}
	if w := ask(newHandler(t, Config{Source: &fake{}}), "POST", "/api/v1/session", "{}"); w.Code != 404 {
		t.Errorf("signing in where nobody does: %d; want 404", w.Code)
	}
}

func TestToken(t *testing.T) {
	back, err := ParseToken(operatorToken.String())
	if err != nil || back != operatorToken {
		t.Errorf("ParseToken(%s) = %v, %v", operatorToken, back, err)
	}
	hash := strings.Repeat("0", 64)
	for in, want := range map[string]string{
		"":                       `token "": want name:role:hash`,
		"a:viewer":               `token "a": want name:role:hash`,
		":viewer:" + hash:        `token "": want name:role:hash`,
		"a:boss:" + hash:         `token "a": role "boss": want viewer, operator or admin`,
		"a:anyone:" + hash:       `token "a": role "anyone": want viewer, operator or admin`,
		"a:admin:00":             `token "a": the hash is not 64 hexadecimal digits`,
		"a:admin:" + hash + "00": `token "a": the hash is not 64 hexadecimal digits`,
		"a:admin:zz" + hash[2:]:  `token "a": the hash is not 64 hexadecimal digits`,
	} {
		if _, err := ParseToken(in); err == nil || err.Error() != want {
			t.Errorf("ParseToken(%q) = %v; want %s", in, err, want)
		}
	}
	if got := Role(99).String() + Role(-1).String(); got != "adminanyone" {
		t.Errorf("odd roles are %s", got)
	}
}

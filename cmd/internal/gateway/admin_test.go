package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
)

func stopAll(t testing.TB, p *proxied, state string) {
	t.Helper()
	if _, err := p.Registry.Stop(t.Context(), control.Stop{Scope: "global", State: state, Actor: "ann", Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
}

func TestAdmin(t *testing.T) {
	up, _ := echo(t)
	p := start(t, fast+section(up, ", policy: api.call"), Options{})
	ask(t, "POST", p.url, "x")
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ready", "/healthz?verbose": "ok", "/metrics": `relent_proxy_requests_total{result="forwarded",route="/"} 1`, "/": "<html",
	} {
		if got := ask(t, "GET", p.admin+path, ""); got.StatusCode != 200 || !strings.Contains(strings.ToLower(got.body), want) {
			t.Errorf("%s: %d %.200s; want %s", path, got.StatusCode, got.body, want)
		}
	}
	if got := ask(t, "GET", p.admin+"/metrics", ""); !strings.Contains(got.body, `relent_calls_total{outcome="success_first_try",policy="api.call"} 1`) ||
		!strings.Contains(got.body, "relent_proxy_buffer_limit_bytes 6.7108864e+07") || !strings.Contains(got.body, "relent_proxy_buffered_bytes 0") {
		t.Errorf("%s", got.body)
	}
	if got := ask(t, "GET", p.admin+"/metrics", "", "Host", "evil.example"); got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("%d; a browser may be led here under another name", got.StatusCode)
	}
	if got := ask(t, "GET", p.admin+"/chaos", ""); strings.Contains(got.body, "rules") {
		t.Errorf("%s: there is no chaos to steer", got.body)
	}
	// The emergency stop, from where the dashboard has it.
	stopAll(t, p, "stopped")
	if got := ask(t, "POST", p.url, "x"); !got.is(stopped) || got.member(t, "outcome") != notSent {
		t.Errorf("%d %s; want it stopped", got.StatusCode, got.body)
	}
	if got := ask(t, "GET", p.admin+"/readyz", ""); got.StatusCode != 200 {
		t.Errorf("%d %s: a stop does not make it unready", got.StatusCode, got.body)
	}
}

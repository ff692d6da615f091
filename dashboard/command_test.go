package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

func TestEngage(t *testing.T) {
	f := &fake{}
	h := newHandler(t, Config{Source: f, Commander: f, Auth: everyone})
	for _, test := range []struct {
		body string
		code int
		want control.Stop
	}{
		{`{"scope":"global","state":"no-retries","reason":"x","ticket":"T","expires":60000000000,"drill":true,"key":"k"}`, 200,
			control.Stop{Scope: "global", State: "no-retries", Reason: "x", Ticket: "T", Expires: time.Minute, Drill: true, Key: "k", Actor: "otto", Source: "dashboard"}},
		{`{"scope":"global","state":"stopped","reason":"x","cancel":true}`, 200, control.Stop{Scope: "global", State: "stopped", Reason: "x", Cancel: true, Key: "from the header", Actor: "otto", Source: "dashboard"}},
		{`{"scope":"global","state":"stopped","reason":"x","expires":1}`, 400, control.Stop{}},
		{`{"scope":"global","state":"drain","reason":" "}`, 400, control.Stop{}},
		{`{"scope":"global","actor":"somebody else"}`, 400, control.Stop{}},
	} {
		f.stop = control.Stop{}
		w := ask(h, "POST", "/api/v1/stop", test.body, as(operator), header("Idempotency-Key", "from the header"))
		if w.Code != test.code || f.stop != test.want {
			t.Errorf("stop %s = %d, %+v; want %d, %+v", test.body, w.Code, f.stop, test.code, test.want)
		}
	}
	f.err = errRefused
	if w := ask(h, "POST", "/api/v1/stop", `{"reason":"x"}`, as(operator)); w.Code != 409 || !strings.Contains(text(w), "refused by the fake") {
		t.Errorf("a refused stop = %d", w.Code)
	}
}

func TestRelease(t *testing.T) {
	f := &fake{}
	h := newHandler(t, Config{Source: f, Commander: f, Auth: everyone})
	body := func(approver string) string {
		return `{"scope":"s","epoch":4,"reason":"fixed","approver":"` + approver + `"}`
	}
	for _, test := range []struct {
		name, body string
		code       int
		approver   string
	}{
		{"a second person", body(second), 200, "olga"},
		{"nobody", body(""), 200, ""}, // for the commander to refuse and audit
		{"a wrong token", body("guess"), 403, ""},
		{"a viewer", body(viewer), 403, ""},
		{"no reason", `{"scope":"s","epoch":4}`, 400, ""},
		{"half a body", `{`, 400, ""},
	} {
		f.resume = control.Resume{}
		w := ask(h, "POST", "/api/v1/resume", test.body, as(operator))
		want := control.Resume{}
		if test.code == 200 {
			want = control.Resume{Scope: "s", Epoch: 4, Reason: "fixed", Actor: "otto", Approver: test.approver, Source: "dashboard"}
		}
		if w.Code != test.code || f.resume != want {
			t.Errorf("release with %s = %d, %+v; want %d, %+v", test.name, w.Code, f.resume, test.code, want)
		}
	}
	for range signIns {
		ask(h, "POST", "/api/v1/resume", body("guess"), as(operator))
	}
	if w := ask(h, "POST", "/api/v1/resume", body(second), as(operator)); w.Code != 429 {
		t.Errorf("after many wrong tokens = %d; want 429", w.Code)
	}
	h = newHandler(t, Config{Source: f, Commander: f})
	if w := ask(h, "POST", "/api/v1/resume", body("olga")); w.Code != 200 || f.resume.Approver != "olga" || f.resume.Actor != "local" {
		t.Errorf("where nobody signs in = %d, %+v", w.Code, f.resume)
	}
}

func TestTune(t *testing.T) {
	f := &fake{}
	h := newHandler(t, Config{Source: f, Commander: f})
	w := ask(h, "POST", "/api/v1/tune", `{"operation":"a","version":3,"fields":{"max_attempts":"2"},"reason":"slow"}`)
	if w.Code != 200 || f.tune.Operation != "a" || f.tune.Version != 3 || f.tune.Fields["max_attempts"] != "2" || f.tune.Actor != "local" || f.tune.Source != "dashboard" {
		t.Errorf("tune = %d, %+v", w.Code, f.tune)
	}
	if w := ask(h, "POST", "/api/v1/tune", `[]`); w.Code != 400 {
		t.Errorf("tune with a list = %d; want 400", w.Code)
	}
}

func TestNobodyCommands(t *testing.T) {
	h := newHandler(t, Config{Source: &fake{}})
	for _, path := range []string{"stop", "resume", "tune"} {
		if w := ask(h, "POST", "/api/v1/"+path, `{}`); w.Code != 501 {
			t.Errorf("%s = %d; want 501", path, w.Code)
		}
	}
	for _, path := range []string{"audit", "audit/export"} {
		if w := ask(h, "GET", "/api/v1/"+path, ""); w.Code != 501 {
			t.Errorf("%s = %d; want 501", path, w.Code)
		}
	}
	if w := ask(h, "POST", "/api/v1/audit/verify", ""); w.Code != 501 {
		t.Errorf("verify = %d; want 501", w.Code)
	}
}

func TestAudit(t *testing.T) {
	f := &fake{records: []audit.Record{{Sequence: 2, Actor: "ada"}, {Sequence: 1}}}
	h := newHandler(t, Config{Source: f, Audit: f})
	if got := text(ask(h, "GET", "/api/v1/audit?limit=9&q=a", "")); !strings.Contains(got, `"actor":"ada"`) {
		t.Errorf("audit = %s", got)
	}
	w := ask(h, "GET", "/api/v1/audit/export", "")
	if n := strings.Count(text(w), "\n"); n != 2 || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("export = %d lines, %v", n, w.Header())
	}
	if got := text(ask(h, "POST", "/api/v1/audit/verify", "")); got != "{\"whole\":true}\n" {
		t.Errorf("verify = %s", got)
	}
	h.export(broken{w}, ask2("/api/v1/audit/export"), Identity{}) // ends when the browser has gone
}

// Where nobody signs in, who gives a name acts under it, and that it is a claim is known. How a command came is told truly.
func TestClaimed(t *testing.T) {
	f := &fake{}
	h := newHandler(t, Config{Source: f, Commander: f})
	plain := func(r *http.Request) { r.Header.Del("Origin"); r.Header.Del("Sec-Fetch-Site") }
	for _, test := range []struct {
		name        string
		change      []func(*http.Request)
		actor, from string
		claimed     bool
	}{
		{"a page", nil, "local", "dashboard", false},
		{"the command line", []func(*http.Request){plain, header("Relent-Actor", "ann"), header("Relent-Source", "cli")}, "ann", "cli", true},
		{"a program", []func(*http.Request){plain}, "local", "api", false},
		{"a program with a name", []func(*http.Request){plain, header("Relent-Actor", "bot")}, "bot", "api", true},
		{"somebody who says that he is nobody", []func(*http.Request){plain, header("Relent-Actor", "local")}, "local", "api", false},
		{"a page that says it is the command line", []func(*http.Request){header("Relent-Source", "cli")}, "local", "dashboard", false},
		{"an odd name", []func(*http.Request){header("Relent-Actor", " a\tb\u202e  c "+strings.Repeat("ä", 200))}, "a b c " + strings.Repeat("ä", 61), "dashboard", true},
	} {
		ask(h, "POST", "/api/v1/stop", `{"scope":"s","state":"drain","reason":"x"}`, test.change...)
		if s := f.stop; s.Actor != test.actor || s.Source != test.from || s.Claimed != test.claimed {
			t.Errorf("stop by %s: %+v; want %s from %s, claimed %v", test.name, s, test.actor, test.from, test.claimed)
		}
		ask(h, "POST", "/api/v1/tune", `{"operation":"a"}`, test.change...)
		if s := f.tune; s.Actor != test.actor || s.Source != test.from || s.Claimed != test.claimed {
			t.Errorf("tune by %s: %+v; want %s from %s, claimed %v", test.name, s, test.actor, test.from, test.claimed)
		}
		ask(h, "POST", "/api/v1/resume", `{"scope":"s","reason":"x","approver":"olga"}`, test.change...)
		if s := f.resume; s.Actor != test.actor || s.Source != test.from || !s.Claimed {
			t.Errorf("release by %s: %+v; want %s from %s, claimed", test.name, s, test.actor, test.from)
		}
	}

	// Who signs in is who the token says.
	h = newHandler(t, Config{Source: f, Commander: f, Auth: everyone})
	ask(h, "POST", "/api/v1/stop", `{"scope":"s","state":"drain","reason":"x"}`, as(operator), header("Relent-Actor", "ann"))
	if f.stop.Actor != "otto" || f.stop.Claimed {
		t.Errorf("with a token: %+v", f.stop)
	}
}

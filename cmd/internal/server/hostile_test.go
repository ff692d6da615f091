package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
)

// A command that is sent again, by somebody who recorded it or by a client that heard no answer, does nothing more, also after a
// release and after the server started again.
func TestReplayedCommands(t *testing.T) {
	store := file(t)
	s, end := serve(t, Config{Store: store})
	p := join(t, s, "p1", "")
	stop := control.Stop{Scope: "desk", State: "stopped", Reason: "prices", Key: "k1"}
	release := map[string]any{"scope": "desk", "epoch": 1, "reason": "mended", "approver": "cid"}
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", stop, nil); code != http.StatusOK {
		t.Fatalf("stop: %d", code)
	}
	until(t, "the process is stopped", func() bool { return p.state("desk") == halt.Stopped })
	if code := ask(t, s, "POST", "/api/v1/resume", "as bob", release, nil); code != http.StatusOK {
		t.Fatalf("release: %d", code)
	}
	for i := range 2 {
		var view control.StopView
		if code := ask(t, s, "POST", "/api/v1/stop", "as ann", stop, &view); code != http.StatusOK || view.Epoch != 1 {
			t.Errorf("%d: the stop again: %d, %+v; want what it did the first time", i, code, view)
		}
		if code := ask(t, s, "POST", "/api/v1/resume", "as bob", release, nil); code != http.StatusConflict {
			t.Errorf("%d: the release again: %d", i, code)
		}
		if s.plane.stopped("desk") != halt.Running {
			t.Errorf("%d: a stop that was released is in force again", i)
		}
		if i == 0 {
			end()
			s, _ = serve(t, Config{Store: store, Listen: s.Addr.String()})
		}
	}
	var records []audit.Record
	ask(t, s, "GET", "/api/v1/audit?q=repeated", "", nil, &records)
	if len(records) != 2 || records[0].Decision != audit.Stop || records[0].Epoch != 1 {
		t.Errorf("recorded %+v; want both repetitions", records)
	}
	// Another stop does not get out of date because an old release is sent again.
	stop.Key = "k2"
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", stop, nil); code != http.StatusOK {
		t.Fatalf("stop: %d", code)
	}
	if code := ask(t, s, "POST", "/api/v1/resume", "as bob", release, nil); code != http.StatusConflict || s.plane.stopped("desk") != halt.Stopped {
		t.Errorf("an old release of a new stop: %d, %v", code, s.plane.stopped("desk"))
	}
}

// A page of somebody else changes nothing, whatever it claims to be.
func TestForgedOrigins(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t)})
	p := join(t, s, "p1", "")
	until(t, "the process is connected", func() bool { return p.fleet.State().Reports > 0 })
	bodies := map[string]string{
		"/api/v1/stop": `{"scope":"desk","state":"stopped","reason":"r"}`, "/api/v1/resume": `{"scope":"desk","epoch":1,"reason":"r","approver":"cid"}`,
		"/api/v1/tune": `{"operation":"fetch","fields":{},"reason":"r"}`, "/api/v1/requests": `{"scope":"desk","epoch":1,"reason":"r"}`,
		"/api/v1/requests/x/approve": `{}`, "/api/v1/config/reload": `{}`, "/api/v1/audit/verify": `{}`, "/api/v1/session": `{"token":"x"}`,
		control.ReportPath: `{"view":{"instance":"evil"}}`, control.AuditPath: `{"chain":"evil","records":[]}`, control.LeasePath: `[]`, control.DrillPath: `{}`,
	}
	for name, headers := range map[string]map[string]string{
		"another site":             {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		"an old browser":           {"Origin": "https://evil.example"},
		"a page from a file":       {"Origin": "null"},
		"another port":             {"Origin": "http://127.0.0.1:1"},
		"a name like this":         {"Origin": s.URL()[:len(s.URL())-1] + ".evil.example"},
		"a frame":                  {"Sec-Fetch-Site": "cross-site"},
		"a site of the same owner": {"Sec-Fetch-Site": "same-site"},
	} {
		for path, body := range bodies {
			req, _ := http.NewRequestWithContext(t.Context(), "POST", strings.TrimSuffix(s.URL(), "/")+path, strings.NewReader(body))
			req.Header.Set("Content-Type", "text/plain") // which a form can send
			for k, v := range headers {
				req.Header.Set(k, v)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: %s; want 403", name, path, resp.Status)
			}
		}
	}
	var v control.View
	until(t, "the process is shown", func() bool {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Instances) > 0
	})
	if len(v.Stops) != 0 || len(v.Instances) != 1 {
		t.Errorf("stops %+v, instances %+v; want nothing changed", v.Stops, v.Instances)
	}
}

// A stuck writer takes nothing until its deadline.
type stuck struct {
	http.ResponseWriter
	deadline time.Time
}

func (w *stuck) SetWriteDeadline(at time.Time) error { w.deadline = at; return nil }
func (w *stuck) Flush()                              {}
func (w *stuck) Write([]byte) (int, error) {
	time.Sleep(time.Until(w.deadline))
	return 0, context.DeadlineExceeded
}

// Processes that do not read what they are told, or are gone, are let go of, and hold nobody up.
func TestStuckProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plane{waiting: map[chan struct{}]bool{}, orders: []byte("data: {}\n\n")}
		for name, test := range map[string]struct {
			w    http.ResponseWriter
			gone bool
			want time.Duration
		}{
			"one that does not read": {&stuck{ResponseWriter: httptest.NewRecorder()}, false, 5 * time.Second},
			"one that is gone":       {httptest.NewRecorder(), true, time.Minute},
			"a server that ends":     {httptest.NewRecorder(), false, time.Hour},
		} {
			done := make(chan struct{})
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			if test.gone {
				time.AfterFunc(time.Minute, func() { cancel(errors.New("gone")) })
			}
			stop := time.AfterFunc(time.Hour, func() { close(done) })
			(&processes{plane: p, done: done}).orders(test.w, httptest.NewRequest("GET", control.OrdersPath, nil).WithContext(ctx))
			if took := time.Since(began); took != test.want || len(p.waiting) != 0 {
				t.Errorf("%s: %d streams after %v; want none after %v", name, len(p.waiting), took, test.want)
			}
			stop.Stop()
			cancel(nil)
		}
	})
}

package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
)

// A fakeFile is a configuration whose reloads end as the test says.
type fakeFile struct {
	server *Server
	asked  []string
	end    Reloading
}

func (f *fakeFile) Begin(s *Server)         { f.server = s }
func (f *fakeFile) Run(ctx context.Context) { <-ctx.Done() }
func (f *fakeFile) Reload(source, actor, hash string) Reloading {
	f.asked = append(f.asked, source+" "+actor+" "+hash)
	return f.end
}

func TestConfigure(t *testing.T) {
	f := &fakeFile{}
	s, _ := serve(t, Config{Store: file(t), File: f, Budgets: map[string]Budget{"orders": {Capacity: 100, Floor: 10}, "gone": {Capacity: 5}}})
	status := func() *control.ConfigView { return s.registry.View().Config }
	if err := s.Configure(t.Context(), Settings{Hash: "h1", Policies: map[string]map[string]string{"fetch": {"cost": "2"}}, Budgets: map[string]Budget{"orders": {Capacity: 40, Floor: 10}, "new": {Capacity: 7}}}); err != nil || status().Hash != "h1" {
		t.Errorf("Configure = %v, %+v", err, status())
	}
	names := ""
	for _, b := range s.lend.views() {
		names += b.Name + " "
		if b.Name == "orders" && b.Max != 40 || b.Level != 0 {
			t.Errorf("budget %+v", b)
		}
	}
	if names != "new orders " {
		t.Errorf("lent: %s; want new and orders", names)
	}
	if err := s.Configure(t.Context(), Settings{Hash: "h1"}); err != nil || status().Reloads != 2 {
		t.Errorf("the same again, as another server read it: %v, %+v", err, status())
	}
	err := s.Configure(t.Context(), Settings{Hash: "h2", Policies: map[string]map[string]string{"fetch": {"cost": "-1"}}})
	if err == nil || !strings.HasPrefix(err.Error(), "policies.fetch: cost") || status().Hash != "h1" {
		t.Errorf("Configure of a mistake = %v, %+v", err, status())
	}
	s.Refuse(t.Context(), Settings{Hash: "h2", Actor: "ann", Source: "api"}, errors.New("no"))
	if c := status(); c.Good || c.Failures != 1 || c.Errors[0] != "no" {
		t.Errorf("after a refusal: %+v", c)
	}
	if s.Recover("h1"); !status().Good {
		t.Errorf("after it was put back: %+v", status())
	}

	f.end = Reloading{Result: "ok", Hash: "h3", Changes: []string{"x"}}
	var r Reloading
	if code := ask(t, s, "POST", "/api/v1/config/reload", "as ann", map[string]string{"hash": "h3"}, &r); code != http.StatusOK || r.V != 1 || r.Hash != "h3" || r.Error != "" {
		t.Errorf("reload: %d, %+v", code, r)
	}
	f.end = Reloading{Result: "error", Errors: []string{"one", "two"}}
	if code := ask(t, s, "POST", "/api/v1/config/reload", "", map[string]string{}, &r); code != http.StatusConflict || r.Error != "one; two" {
		t.Errorf("reload: %d, %+v", code, r)
	}
	if code := ask(t, s, "POST", "/api/v1/config/reload", "", map[string]int{"odd": 1}, nil); code != http.StatusBadRequest {
		t.Errorf("an odd body: %d", code)
	}
	if len(f.asked) != 2 || f.asked[0] != "api claimed ann h3" || f.asked[1] != "api local " {
		t.Errorf("asked %q", f.asked)
	}
}

func TestReloadWithoutAFile(t *testing.T) {
	for want, c := range map[int]Config{http.StatusNotFound: {}, http.StatusForbidden: {ReadOnly: true, File: &fakeFile{}}} {
		c.Store = file(t)
		s, _ := serve(t, c)
		if code := ask(t, s, "POST", "/api/v1/config/reload", "", map[string]string{}, nil); code != want {
			t.Errorf("reload: %d; want %d", code, want)
		}
	}
}

// A configuration that cannot be recorded is not in force, and one for the fleet survives a restart.
func TestConfigureNeedsItsRecord(t *testing.T) {
	p, b, db := newPlane(t)
	b.err = errors.New("disk full")
	c := Settings{Hash: "h", Policies: map[string]map[string]string{"fetch": {"cost": "2"}}}
	if err := p.configure(t.Context(), c); !errors.Is(err, control.ErrNotAudited) || p.state.Config != nil {
		t.Errorf("configure = %v, %+v", err, p.state.Config)
	}
	b.err = nil
	if err := p.configure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	fresh := &plane{docs: db.Documents(), log: quiet}
	if err := fresh.open(t.Context()); err != nil || fresh.state.Config == nil || fresh.state.Config.Policies["fetch"]["cost"] != "2" {
		t.Errorf("after a restart: %v, %+v", err, fresh.state.Config)
	}
}

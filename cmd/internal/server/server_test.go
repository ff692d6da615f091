package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/budget/lease"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

var quiet = slog.New(slog.DiscardHandler)

// serve runs a server until the test ends, or until end is called.
func serve(t testing.TB, c Config) (s *Server, end func()) {
	t.Helper()
	c.Listen = cmpOr(c.Listen, "127.0.0.1:0")
	c.Log = quiet
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan *Server, 1), make(chan error, 1)
	go func() { ended <- Run(ctx, c, func(s *Server) { ready <- s }) }()
	select {
	case s = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	t.Cleanup(end)
	return s, end
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func file(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "relent.db") }

// A process is one of the fleet.
type process struct {
	registry *control.Registry
	tree     *halt.Tree
	fleet    *control.Fleet
	end      func()
}

func join(t testing.TB, s *Server, name, token string) *process {
	t.Helper()
	p := &process{registry: &control.Registry{Instance: name, Logger: quiet}, tree: &halt.Tree{}}
	if err := p.registry.AddStops(p.tree); err != nil {
		t.Fatal(err)
	}
	p.fleet = &control.Fleet{URL: s.URL(), Token: token, Registry: p.registry, Stops: p.tree, Dir: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.fleet.Run(ctx) }()
	var once sync.Once
	p.end = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("fleet: %v", err)
			}
		})
	}
	t.Cleanup(p.end)
	return p
}

// until waits for something that must come about, on a machine that has other work, too.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after a minute it is still not so that %s", what)
		}
	}
}

// ask sends JSON and reads the answer into answer, and returns the status.
func ask(t testing.TB, s *Server, method, path, who string, what, answer any) int {
	t.Helper()
	body, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest(method, strings.TrimSuffix(s.URL(), "/")+path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if name, ok := strings.CutPrefix(who, "as "); ok {
		req.Header.Set("Relent-Actor", name)
	} else if who != "" {
		req.Header.Set("Authorization", "Bearer "+who)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 400 {
		t.Logf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatalf("%s %s: %s: %s", method, path, resp.Status, text)
		}
	}
	return resp.StatusCode
}

func (p *process) state(scope string) halt.State {
	s, _ := p.tree.Look(halt.Scope(scope))
	return s.State
}

func TestStopAndResume(t *testing.T) {
	store := file(t)
	s, end := serve(t, Config{Store: store})
	one, two := join(t, s, "p1", ""), join(t, s, "p2", "")
	var stopped control.StopView
	if code := ask(t, s, "POST", "/api/v1/stop", "", control.Stop{Scope: "desk", State: "stopped", Reason: "prices", Key: "k1"}, &stopped); code != 200 || stopped.Epoch != 1 {
		t.Fatalf("stop: %d, %+v", code, stopped)
	}
	for _, p := range []*process{one, two} {
		until(t, "every process is stopped", func() bool { return p.state("desk") == halt.Stopped })
	}
	var again control.StopView
	if code := ask(t, s, "POST", "/api/v1/stop", "", control.Stop{Scope: "desk", State: "stopped", Reason: "prices", Key: "k1"}, &again); code != 200 || again.Epoch != 1 {
		t.Errorf("the same stop again: %d, %+v; want the same", code, again)
	}
	if code := ask(t, s, "POST", "/api/v1/stop", "", control.Stop{Scope: "other", State: "stopped", Reason: "prices", Key: "k1"}, nil); code != http.StatusConflict {
		t.Errorf("another stop under the same key: %d", code)
	}

	// Server and process start again: the stop is still there.
	end()
	two.end()
	s2, _ := serve(t, Config{Store: store, Listen: s.Addr.String()})
	three := join(t, s2, "p3", "")
	until(t, "a new process is stopped", func() bool { return three.state("desk") == halt.Stopped })
	until(t, "the first process is back", func() bool { return one.fleet.State().Connected })

	var q Request
	if code := ask(t, s2, "POST", "/api/v1/requests", "as ann", map[string]any{"scope": "desk", "epoch": 7, "reason": "mended"}, nil); code != http.StatusConflict {
		t.Errorf("request with a stale epoch: %d", code)
	}
	if code := ask(t, s2, "POST", "/api/v1/requests", "as ann", map[string]any{"scope": "desk", "epoch": 1, "reason": "mended"}, &q); code != http.StatusCreated || q.Requester != "ann" {
		t.Fatalf("request: %d, %+v", code, q)
	}
	var list struct{ Requests []Request }
	if ask(t, s2, "GET", "/api/v1/requests", "", nil, &list); len(list.Requests) != 1 || list.Requests[0].ID != q.ID {
		t.Errorf("requests: %+v", list)
	}
	if code := ask(t, s2, "POST", "/api/v1/requests/"+q.ID+"/approve", "as ann", nil, nil); code != http.StatusConflict {
		t.Errorf("approved by the same person: %d", code)
	}
	if code := ask(t, s2, "POST", "/api/v1/requests/nothing/approve", "as bob", nil, nil); code != http.StatusNotFound {
		t.Errorf("approval of nothing: %d", code)
	}
	if code := ask(t, s2, "POST", "/api/v1/requests/"+q.ID+"/approve", "as bob", nil, nil); code != http.StatusOK {
		t.Errorf("approved by another: %d", code)
	}
	for _, p := range []*process{one, three} {
		until(t, "every process is released", func() bool { look, _ := p.tree.Look("desk"); return len(look.Stops) == 0 })
	}
	if ask(t, s2, "GET", "/api/v1/requests", "", nil, &list); len(list.Requests) != 0 {
		t.Errorf("requests afterwards: %+v", list)
	}
}

// Two servers with one database work as one.
func TestTwoServers(t *testing.T) {
	for kind, open := range map[string]func() string{
		"sqlite":   func() string { return file(t) },
		"postgres": func() string { return postgrestest.Start(t).URL(t) },
	} {
		t.Run(kind, func(t *testing.T) {
			store := open()
			budgets := map[string]Budget{"orders": {Capacity: 100, Floor: 10}}
			a, _ := serve(t, Config{Store: store, Name: "a", Budgets: budgets})
			b, _ := serve(t, Config{Store: store, Name: "b", Budgets: budgets})
			p, q := join(t, a, "p", ""), join(t, b, "q", "")
			began := time.Now()
			if code := ask(t, a, "POST", "/api/v1/stop", "", control.Stop{State: "drain", Reason: "test"}, nil); code != 200 {
				t.Fatalf("stop: %d", code)
			}
			until(t, "both processes are stopped", func() bool { return p.state("global") == halt.DrainOnly && q.state("global") == halt.DrainOnly })
			t.Logf("the other server's process was stopped after %v", time.Since(began))
			for _, s := range []*Server{a, b} {
				until(t, "each server shows both processes", func() bool {
					var v control.View
					ask(t, s, "GET", "/api/v1/view", "", nil, &v)
					names := ""
					for _, i := range v.Instances {
						names += i.Name
					}
					return strings.Contains(names, "p") && strings.Contains(names, "q") && len(v.Budgets) == 1 && v.Budgets[0].Max == 50
				})
			}
			// A command on one, the release on the other.
			if code := ask(t, b, "POST", "/api/v1/resume", "", map[string]any{"scope": "global", "epoch": 1, "reason": "done", "approver": "bob"}, nil); code != 200 {
				t.Errorf("resume at the other server: %d", code)
			}
			until(t, "both are released", func() bool {
				one, _ := p.tree.Look(halt.Global)
				two, _ := q.tree.Look(halt.Global)
				return len(one.Stops) == 0 && len(two.Stops) == 0
			})
		})
	}
}

func TestFleetOfAServer(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t), Budgets: map[string]Budget{"orders": {Capacity: 100, Floor: 1000}}})
	p := join(t, s, "p1", "")
	op, err := p.registry.AddOperation("", &retry.Policy{Name: "fetch", MaxAttempts: 4})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		retry.Run(t.Context(), op, func(context.Context) error { return nil })
	}
	var v control.View
	row := func() (r control.PolicyView) {
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		for _, r := range v.Policies {
			if r.Name == "fetch" {
				return r
			}
		}
		return r
	}
	until(t, "the calls are seen", func() bool { return row().Outcomes["success_first_try"] == 10 })

	// An override reaches the process, with a version of its own.
	tune := func(version uint64, fields map[string]string) int {
		return ask(t, s, "POST", "/api/v1/tune", "", control.Tune{Operation: "fetch", Version: version, Fields: fields, Reason: "storm"}, nil)
	}
	if code := tune(0, map[string]string{"max_attempts": "2"}); code != 200 {
		t.Errorf("tune: %d", code)
	}
	until(t, "the process is tuned", func() bool { return op.Current().MaxAttempts == 2 })
	for what, code := range map[string]int{
		"stale":      tune(0, map[string]string{"max_attempts": "3"}),
		"odd":        tune(1, map[string]string{"max_attempts": "many"}),
		"not a name": tune(1, map[string]string{"attempts": "3"}),
		"nobody's":   ask(t, s, "POST", "/api/v1/tune", "", control.Tune{Operation: "nothing", Reason: "r"}, nil),
	} {
		if code != http.StatusConflict {
			t.Errorf("%s: %d; want %d", what, code, http.StatusConflict)
		}
	}
	if code := tune(1, map[string]string{"max_attempts": ""}); code != 200 {
		t.Errorf("revert: %d", code)
	}
	until(t, "the process is as before", func() bool { return op.Current().MaxAttempts == 4 })

	// Events and audit records arrive.
	log := &audit.Log{Store: p.fleet.Audit(), Chain: "p1", Node: "p1"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { log.Run(ctx); close(ended) }()
	until(t, "the process's audit log runs", func() bool {
		return !errors.Is(log.Record(t.Context(), audit.Record{ID: "0", Decision: audit.Drill}), audit.ErrNotRunning)
	})
	if err := log.Record(t.Context(), audit.Record{Decision: audit.Trip, Actor: "ann", Why: "hello from p1"}); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
	var records []audit.Record
	ask(t, s, "GET", "/api/v1/audit?q=hello", "", nil, &records)
	if len(records) != 1 || records[0].Chain != "p1" {
		t.Errorf("records %+v", records)
	}
	if code := ask(t, s, "POST", "/api/v1/audit/verify", "", map[string]any{}, nil); code != 200 {
		t.Errorf("verify: %d", code)
	}

	// Budget is lent.
	l := &lease.Lease{Budget: "orders", Process: "p9"}
	until(t, "something is lent", func() bool {
		var grants []control.LeaseGrant
		ask(t, s, "POST", control.LeasePath, "", []control.LeaseRequest{l.Request(time.Now()), {Budget: "none"}}, &grants)
		for _, g := range grants {
			l.Accept(g, time.Now())
		}
		return len(grants) == 1 && grants[0].Tokens > 0
	})

	// Prometheus and health.
	resp, err := http.Get(s.URL() + "metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for _, want := range []string{`relent_calls_total{outcome="success_first_try",policy="fetch"} 10`, "relent_emergency_stop_engaged", "relent_audit_records_total"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	for path, want := range map[string]int{"livez": 200, "readyz": 200, "healthz?verbose": 200} {
		if code := ask(t, s, "GET", "/"+path, "", nil, nil); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestOddRequests(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t)})
	send := func(method, path, body string, header ...string) int {
		req, _ := http.NewRequest(method, strings.TrimSuffix(s.URL(), "/")+path, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		want                     int
	}{
		{"a report of nobody", "POST", control.ReportPath, `{}`, nil, 400},
		{"a report that is none", "POST", control.ReportPath, `<html>`, nil, 400},
		{"not gzip", "POST", control.ReportPath, `{}`, []string{"Content-Encoding", "gzip"}, 400},
		{"a browser", "POST", control.ReportPath, `{}`, []string{"Origin", "http://evil"}, 403},
		{"a batch for no chain", "POST", control.AuditPath, `{"chain":"","records":[{"id":"1"}]}`, nil, 400},
		{"a batch that is none", "POST", control.AuditPath, `{`, nil, 400},
		{"leases that are none", "POST", control.LeasePath, `{`, nil, 400},
		{"a request that is none", "POST", "/api/v1/requests", `{"scope":1}`, nil, 400},
		{"a request from a page of another", "POST", "/api/v1/requests", `{}`, []string{"Origin", "http://evil"}, 403},
		{"a name that was rebound", "GET", "/metrics", ``, []string{"Host", "evil.example"}, 421},
		{"a wrong method", "DELETE", "/metrics", ``, nil, 405},
	} {
		if code := send(test.method, test.path, test.body, test.header...); code != test.want {
			t.Errorf("%s: %d; want %d", test.name, code, test.want)
		}
	}
	if code := ask(t, s, "POST", "/api/v1/requests", "as ann", map[string]any{"scope": "desk", "epoch": 1}, nil); code != http.StatusConflict {
		t.Errorf("a request to release what is not stopped: %d", code)
	}
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	secrets := map[string]string{}
	text := "# people\n\n"
	for name, role := range map[string]dashboard.Role{"vera": dashboard.Viewer, "olga": dashboard.Operator, "otto": dashboard.Operator} {
		secret, token := dashboard.NewToken(name, role)
		secrets[name] = secret
		text += token.String() + "\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := serve(t, Config{Store: file(t), TokenFile: path})
	p := join(t, s, "p1", secrets["vera"])
	until(t, "the process is connected", func() bool { return p.fleet.State().Connected })
	stop := control.Stop{Scope: "desk", Reason: "r", State: "stopped"}
	for who, want := range map[string]int{"": 401, "nobody": 401, secrets["vera"]: 403, secrets["olga"]: 200} {
		code := ask(t, s, "POST", "/api/v1/stop", who, stop, nil)
		if who == "" && code == 403 {
			code = 401 // the dashboard wants a token before it asks whose it is
		}
		if code != want {
			t.Errorf("stop by %.9q: %d; want %d", who, code, want)
		}
	}
	for who, want := range map[string]int{"": 401, secrets["vera"]: 403} {
		if code := ask(t, s, "POST", "/api/v1/requests", who, map[string]any{"scope": "desk"}, nil); code != want {
			t.Errorf("request by %.9q: %d; want %d", who, code, want)
		}
	}
	if code := ask(t, s, "GET", control.OrdersPath, "", nil, nil); code != 401 {
		t.Errorf("orders without a token: %d", code)
	}
	var q Request
	ask(t, s, "POST", "/api/v1/requests", secrets["otto"], map[string]any{"scope": "desk", "epoch": 1, "reason": "mended"}, &q)
	if code := ask(t, s, "POST", "/api/v1/requests/"+q.ID+"/approve", secrets["olga"], nil, nil); code != 409 {
		t.Errorf("approved by who stopped: %d", code)
	}
	if code := ask(t, s, "GET", "/healthz?verbose", "", nil, nil); code != 403 {
		t.Errorf("details without a token: %d", code)
	}

	// A token that is taken away is no longer good.
	if err := os.WriteFile(path, []byte("odd"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "nobody is let in", func() bool { return ask(t, s, "GET", "/api/v1/requests", secrets["otto"], nil, nil) == 401 })
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "odd")
	os.WriteFile(odd, []byte("ann:viewer:00\nann:king:00\n"), 0o600)
	empty := filepath.Join(dir, "empty")
	os.WriteFile(empty, []byte("# nobody\n"), 0o600)
	for _, test := range []struct {
		c    Config
		want string // of the error; empty: none
	}{
		{Config{}, ""},
		{Config{Listen: "localhost:0"}, ""},
		{Config{Listen: "[::1]:0"}, ""},
		{Config{Listen: "0.0.0.0:8470"}, "needs a token file"},
		{Config{Listen: "8470"}, "is not host:port"},
		{Config{TokenFile: odd}, "odd:2"},
		{Config{TokenFile: empty}, "has no tokens"},
		{Config{TokenFile: filepath.Join(dir, "none")}, "no such file"},
		{Config{Budgets: map[string]Budget{"x": {}}}, "Budgets: x"},
	} {
		err := test.c.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v; want %q", test.c, err, test.want)
		}
		if err != nil {
			if err := Run(t.Context(), test.c, nil); err == nil {
				t.Errorf("%+v: Run serves", test.c)
			}
		}
	}
	if err := Run(t.Context(), Config{Store: "odd"}, nil); err == nil {
		t.Error("serves without a database")
	}
	s, _ := serve(t, Config{Store: file(t)})
	if err := Run(t.Context(), Config{Store: file(t), Listen: s.Addr.String()}, nil); err == nil {
		t.Error("serves where somebody else does")
	}
}

// The time from a stop at the server to the last process that refuses.
func BenchmarkFleetStop(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n, " processes"), func(b *testing.B) {
			s, _ := serve(b, Config{Store: file(b)})
			var all []*process
			for i := range n {
				all = append(all, join(b, s, fmt.Sprint("p", i), ""))
			}
			for _, p := range all {
				until(b, "all are connected", func() bool { return p.fleet.State().Connected })
			}
			var took, told []time.Duration
			b.ResetTimer()
			for i := range b.N {
				scope := fmt.Sprint("desk", i)
				began := time.Now()
				answered := make(chan time.Duration, 1)
				go func() {
					ask(b, s, "POST", "/api/v1/stop", "", control.Stop{Scope: scope, State: "stopped", Reason: "bench"}, nil)
					answered <- time.Since(began)
				}()
				for _, p := range all {
					for p.state(scope) != halt.Stopped {
						time.Sleep(time.Millisecond)
					}
				}
				took = append(took, time.Since(began))
				told = append(told, <-answered)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			slices.Sort(told) // the answer, which waits until the stop is stored and recorded
			b.ReportMetric(float64(told[len(told)*99/100].Microseconds())/1000, "answer-ms-p99")
			for _, p := range all {
				p.end()
			}
		})
	}
}

// Where nobody signs in, people go by the names they give: who stopped or asked cannot approve.
func TestTwoPersonsWithoutTokens(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t)})
	var stopped control.StopView
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: "desk", State: "stopped", Reason: "prices"}, &stopped); code != 200 || stopped.Actor != "ann" || stopped.Source != "api" {
		t.Fatalf("stop: %d, %+v", code, stopped)
	}
	var q Request
	if code := ask(t, s, "POST", "/api/v1/requests", "as bob", map[string]any{"scope": "desk", "epoch": 1, "reason": "mended"}, &q); code != http.StatusCreated || q.Requester != "bob" {
		t.Fatalf("request: %d, %+v", code, q)
	}
	for _, test := range []struct {
		who  string
		want int
	}{{"as ann", 409}, {"as bob", 409}, {"as Bob", 409}, {"as cid", 200}} {
		if code := ask(t, s, "POST", "/api/v1/requests/"+q.ID+"/approve", test.who, nil, nil); code != test.want {
			t.Errorf("approved %s: %d; want %d", test.who, code, test.want)
		}
	}
	var records []audit.Record
	ask(t, s, "GET", "/api/v1/audit?q=desk", "", nil, &records)
	if len(records) != 6 {
		t.Errorf("%d records; want 6", len(records))
	}
	for _, r := range records {
		if r.Rule != "api claimed" {
			t.Errorf("%s by %s came by %q; want api claimed", r.Decision, r.Actor, r.Rule)
		}
	}
}

package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

// While the database is away, a stop reaches who is connected, a release is refused, what is known is shown, calls go on, and nothing
// waits for it for long. When it is back, the stop is stored, and commands are carried out as ever.
func TestStoreGoesAway(t *testing.T) {
	db := postgrestest.Start(t)
	store := db.URL(t)
	s, _ := serve(t, Config{Store: store, Name: "a"})
	p := join(t, s, "p1", "")
	op, err := p.registry.AddOperation("", &retry.Policy{Name: "fetch"})
	if err != nil {
		t.Fatal(err)
	}
	call := func() error { return retry.Run(t.Context(), op, func(context.Context) error { return nil }) }
	until(t, "the process is shown", func() bool {
		call()
		var v control.View
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Policies) == 1
	})
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: "before", State: "drain", Reason: "prices"}, nil); code != http.StatusOK {
		t.Fatalf("stop: %d", code)
	}

	db.Stop(postgrestest.Immediate)
	until(t, "the server is not ready", func() bool { return ask(t, s, "GET", "/readyz", "", nil, nil) == http.StatusServiceUnavailable })
	command := func(path, who string, what any) (string, time.Duration) {
		var answer struct{ Error string }
		began := time.Now()
		if code := ask(t, s, "POST", path, who, what, &answer); code != http.StatusConflict {
			t.Errorf("%s: %d; want %d", path, code, http.StatusConflict)
		}
		return answer.Error, time.Since(began)
	}
	stopped := make(chan time.Duration, 1)
	go func() {
		began := time.Now()
		for p.state("desk") != halt.Stopped && time.Since(began) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		stopped <- time.Since(began)
	}()
	why, took := command("/api/v1/stop", "as ann", control.Stop{Scope: "desk", State: "stopped", Reason: "prices", Key: "k1"})
	if !strings.Contains(why, "in force for the processes of this server only") || took > time.Minute {
		t.Errorf("stop: %s, after %v", why, took)
	}
	reached := <-stopped
	t.Logf("without a database, a stop reached the process after %v, and was answered after %v", reached, took)
	if reached > 30*time.Second {
		t.Errorf("the process was stopped after %v", reached)
	}
	why, took = command("/api/v1/resume", "as bob", map[string]any{"scope": "before", "epoch": 1, "reason": "mended", "approver": "cid"})
	if !strings.Contains(why, "resume before: ") || took > time.Minute {
		t.Errorf("release: %s, after %v", why, took)
	}
	why, took = command("/api/v1/tune", "as bob", control.Tune{Operation: "fetch", Fields: map[string]string{"max_attempts": "2"}, Reason: "storm"})
	if !strings.Contains(why, "tune fetch: ") || took > time.Minute || op.Current().MaxAttempts == 2 {
		t.Errorf("tune: %s, after %v", why, took)
	}
	if p.state("before") != halt.DrainOnly {
		t.Error("a release that could not be stored is in force")
	}
	if err := call(); err != nil {
		t.Errorf("a call while the database is away: %v", err)
	}
	until(t, "both stops are shown", func() bool {
		var v control.View
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return len(v.Policies) == 1 && len(v.Stops) == 2
	})

	if err := db.Restart(); err != nil {
		t.Fatal(err)
	}
	until(t, "the stop is stored", func() bool {
		_, body, err := s.plane.docs.Get(t.Context(), document)
		state, bad := parse(body)
		tree, worse := s.plane.tree(&state)
		if err != nil || bad != nil || worse != nil {
			return false
		}
		desk, _ := tree.Look("desk")
		return desk.State == halt.Stopped
	})
	until(t, "commands are carried out", func() bool {
		return ask(t, s, "POST", "/api/v1/resume", "as bob", map[string]any{"scope": "before", "epoch": 1, "reason": "mended", "approver": "cid"}, nil) == http.StatusOK
	})
	until(t, "the release reaches the process", func() bool { return p.state("before") == halt.Running })
	other, _ := serve(t, Config{Store: store, Name: "b"})
	q := join(t, other, "q", "")
	until(t, "another server's process is stopped", func() bool { return q.state("desk") == halt.Stopped })
}

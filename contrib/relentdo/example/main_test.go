package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samber/do/v2"

	"github.com/relent-go/relent/contrib/relentdo"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// A shared buffer is written by the program and read by the test.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}
func (s *shared) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.text.String() }

// The program shows its calls, reports to its control plane, keeps its audit log, and ends.
func TestRun(t *testing.T) {
	var reports atomic.Int32
	plane := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reports.Add(1) }))
	defer plane.Close()
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out shared
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", "127.0.0.1:0", "-server", plane.URL, "-dir", dir}, &out) }()
	address := regexp.MustCompile(`http://[^/\s]+`)
	until(t, func() bool { return address.MatchString(out.String()) })
	url := address.FindString(out.String())
	until(t, func() bool {
		var v control.View
		if err := json.Unmarshal([]byte(get(t, url+"/api/v1/view")), &v); err != nil {
			t.Fatal(err)
		}
		return len(v.Policies) == 1 && v.Policies[0].Outcomes["success_after_retry"] > 0 && len(v.Circuits) == 1 && len(v.Budgets) == 1 && reports.Load() > 0
	})
	if got := get(t, url+"/readyz"); !strings.HasPrefix(got, "ready") {
		t.Errorf("/readyz says %s", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !regexp.MustCompile(`\d+ calls succeeded at once, [1-9]\d* after a retry`).MatchString(out.String()) {
		t.Errorf("%s", out.String())
	}
	if _, err := http.Get(url); err == nil {
		t.Error("the dashboard is served after the end")
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "audit", "*")); len(found) == 0 {
		t.Error("no audit log was kept")
	}
}

// It ends by itself, and says why it does not begin.
func TestRunEnds(t *testing.T) {
	if err := run(t.Context(), []string{"-listen", "127.0.0.1:0", "-for", "1ms"}, io.Discard); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-listen", "8484"}, io.Discard); err == nil || !strings.Contains(err.Error(), "Listen: ") {
		t.Errorf("%v; want the field's name", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-dir", file}, io.Discard); err == nil {
		t.Error("a file is no folder")
	}
	if err := run(t.Context(), []string{"-odd"}, io.Discard); err == nil {
		t.Error("a flag that is none was taken")
	}
	t.Setenv("TMPDIR", file)
	if err := run(t.Context(), nil, io.Discard); err == nil {
		t.Error("a file is no folder for temporary ones")
	}
}

// A desk without a process, whose gates nobody has, or that is there already, is none.
func TestNewDeskRefuses(t *testing.T) {
	if _, err := do.Invoke[*desk](do.New(do.Lazy(newDesk))); err == nil {
		t.Error("a desk without a process")
	}
	if _, err := do.Invoke[*desk](do.New(relentdo.Package, do.Lazy(newDesk))); err == nil {
		t.Error("a desk without its gates")
	}
	injector := do.New(relentdo.Package, do.Lazy(newDesk))
	c := newConfig(settings{}, nil)
	c.Stops = nil
	do.ProvideValue(injector, c)
	if _, err := do.MustInvoke[*control.Registry](injector).AddOperation("", &retry.Policy{Name: "venue.fetch_price"}); err != nil {
		t.Fatal(err)
	}
	if _, err := do.Invoke[*desk](injector); err == nil {
		t.Error("two desks with one operation")
	}
	injector.Shutdown()
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it takes too long")
		}
	}
}

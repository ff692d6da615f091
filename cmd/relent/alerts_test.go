package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// From calls that fail in a process to a receiver of webhooks: what a file says of alerts is in force, and changes with it.
func TestAlerts(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		text := r.URL.Path + " " + string(body)
		if err := analytics.Verify([]byte("correct horse battery"), r.Header.Get(analytics.SignatureHeader), time.Now(), body); err != nil {
			text = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, text)
	}))
	defer receiver.Close()
	posted := func(words ...string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, b := range bodies {
			all := true
			for _, w := range words {
				all = all && strings.Contains(b, w)
			}
			if all {
				return true
			}
		}
		return false
	}
	key := t.TempDir() + "/key"
	if err := os.WriteFile(key, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(path, severity string) string {
		return withAttempts("3") + "alerts: { ops: { webhook: \"" + receiver.URL + path + "\", secret_file: " + key + ", severity: " + severity + " } }\n"
	}
	f := newFollowed(t, with("/first", "page"), server.Config{})

	// A process that has been healthy for eleven minutes, and then fails.
	a := &analytics.Analyzer{}
	if err := f.fleet.AddAnalyzer(a); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for s := range 660 {
		at := now.Add(time.Duration(s-661) * time.Second)
		a.Add(&analytics.Record{At: at, Policy: "venue.fetch", Attempt: 1, Ended: true, Last: true, OK: true, Count: 20})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.Run(ctx); close(ended) }()
	defer func() { cancel(); <-ended }()
	for range 100 {
		retry.Run(t.Context(), f.fetch, func(context.Context) error { return retry.Mark(errors.New("no"), retry.Permanent) })
	}
	f.until("the receiver was told", func() bool {
		return posted("/first ", `"kind":"error_shift"`, `"name":"venue.fetch"`, `"severity":"page"`)
	})
	f.until("the fleet's view has the finding", func() bool {
		_, text := f.get("/api/v1/view")
		return strings.Contains(text, "venue.fetch fails")
	})

	// A mistake changes nothing, and another receiver is in force without a restart.
	f.write(strings.Replace(with("/second", "page"), "webhook", "webhok", 1))
	if _, r := f.post("/api/v1/config/reload", "{}"); r.Result != "error" || !strings.Contains(r.Error, `unknown field "webhok"; did you mean "webhook"?`) {
		t.Errorf("a mistaken file: %+v", r)
	}
	f.write(strings.Replace(with("/second", "page"), key, key+".no", 1))
	if _, r := f.post("/api/v1/config/reload", "{}"); r.Result != "error" || !strings.Contains(r.Error, "Alerts: ops: Secret: open ") {
		t.Errorf("a key that is not there: %+v", r)
	}
	f.write(with("/second", "info"))
	if _, r := f.post("/api/v1/config/reload", "{}"); r.Result == "error" || strings.Contains(strings.Join(r.Changes, ""), "second") {
		t.Errorf("a good file: %+v; want it in force, and the URL not shown", r)
	}
	for range 10 { // openings of a circuit, of which one too many is a finding
		a.Add(&analytics.Record{Event: analytics.Circuit, At: time.Now(), Policy: "venue.fetch", State: analytics.Open})
	}
	f.until("the new receiver was told", func() bool { return posted("/second ", `"kind":"flapping"`) })
}

// The file that docs/analytics.md shows is a good one.
func TestAlertsOfTheDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/analytics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	name := t.TempDir() + "/relent.yaml"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil || !found {
		t.Fatalf("found %v, %v", found, err)
	}
	file, err := config.Read(name, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if list := told(file); len(list) != 3 || list[1].Least != analytics.Page || len(list[2].Kinds) != 3 || !list[0].Log {
		t.Errorf("it has %+v; want desk, pager and record", list)
	}
}

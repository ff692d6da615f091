package operate

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/dashboard"
)

// serve runs relent serve until the test ends.
func serve(t *testing.T, tokens ...dashboard.Token) string {
	t.Helper()
	var lines strings.Builder
	for _, tok := range tokens {
		lines.WriteString(tok.String() + "\n")
	}
	c := server.Config{Listen: "127.0.0.1:0", Store: "sqlite:" + filepath.Join(t.TempDir(), "relent.db"), TokenFile: write(t, "tokens", lines.String()), Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- server.Run(ctx, c, func(s *server.Server) { ready <- s.URL() }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	select {
	case url := <-ready:
		return url
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return ""
	}
}

// The whole way with relent serve: one stops, another asks, a third approves.
func TestResumeTakesTwoPersons(t *testing.T) {
	ann, a := token(t, "ann", dashboard.Operator)
	bob, b := token(t, "bob", dashboard.Operator)
	eve, e := token(t, "eve", dashboard.Operator)
	t.Setenv("RELENT_SERVER", serve(t, a, b, e))
	as := func(who string, args ...string) (int, string, string) {
		return relent(t, append(args, "--token-file", who)...)
	}
	if code, _, stderr := as(ann, "stop", "desk/x", "--state", "drain", "--reason", "slow"); code != 0 {
		t.Fatal(stderr)
	}
	if _, out, _ := as(bob, "resume", "list"); out != "no release waits for a second person\n" {
		t.Errorf("an empty list: %s", out)
	}
	code, _, stderr := as(bob, "resume", "desk/x", "--epoch", "7", "--reason", "well again")
	if code != 1 {
		t.Errorf("another epoch: code %d", code)
	}
	has(t, stderr, "resume: http://", "epoch is 1, not 7", "try: relent status")

	code, out, stderr := as(bob, "resume", "desk/x", "--epoch", "1", "--reason", "well again", "-o", "json")
	if code != 0 {
		t.Fatal(stderr)
	}
	id, _ := fields(t, out)["id"].(string)
	_, out, _ = as(bob, "resume", "desk/x", "--epoch", "1", "--reason", "well again")
	has(t, out, "desk/x is still stopped", "relent resume approve ", "neither bob nor who stopped it")
	_, out, _ = as(eve, "resume", "list")
	has(t, out, "asked by", id, "desk/x", "bob", "well again")
	_, out, _ = as(eve, "resume", "list", "-o", "ndjson")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) == 0 || !json.Valid([]byte(lines[0])) || !strings.HasPrefix(lines[0], `{"v":1,"id":`) {
		t.Errorf("ndjson: %s", out)
	}
	_, out, _ = as(eve, "resume", "list", "-o", "json")
	if list := fields(t, out)["requests"].([]any); len(list) == 0 {
		t.Errorf("json: %s", out)
	}

	for who, file := range map[string]string{"who asked": bob, "who stopped": ann} {
		if code, _, stderr := as(file, "resume", "approve", id); code != 1 || !strings.Contains(stderr, "refused") {
			t.Errorf("%s approves: code %d, %s", who, code, stderr)
		}
	}
	code, out, stderr = as(eve, "resume", "approve", id)
	if code != 0 {
		t.Fatal(stderr)
	}
	has(t, out, "released  desk/x")
	has(t, stderr, "relent status --watch")
	code, _, stderr = as(eve, "resume", "approve", id)
	if code != 1 {
		t.Errorf("approved twice: code %d", code)
	}
	has(t, stderr, "no such request")
}

func TestResumeMistakes(t *testing.T) {
	for args, want := range map[string]string{
		"resume":                                    "SCOPE is missing",
		"resume a":                                  "--epoch: say which stop you saw",
		"resume a --epoch 1 --reason  ":             "needs an argument",
		"resume a//b --epoch 1":                     "--reason: say why",
		"resume a --epoch -1 --reason x":            "--epoch",
		"resume approve":                            "ID is missing\ntry: relent resume approve --help",
		"resume list x":                             "one word too many",
		"resume list --server nonsense":             "is not the URL",
		"resume approve x --server no":              "is not the URL",
		"resume a --epoch 1 --reason x --server no": "is not the URL",
	} {
		code, _, stderr := relent(t, strings.Fields(args)...)
		if code != 2 {
			t.Errorf("%s: code %d; want 2", args, code)
		}
		has(t, stderr, want)
	}
}

// A process that mounts the dashboard takes no releases by command line, and says where it does.
func TestResumeElsewhere(t *testing.T) {
	b := mount(t, nil)
	code, _, stderr := relent(t, "resume", "a", "--epoch", "1", "--reason", "x", "--server", b.URL)
	if code != 1 {
		t.Errorf("code %d", code)
	}
	has(t, stderr, "it is not relent serve", "try: the dialog of its dashboard")
	for _, args := range []string{"resume a --epoch 1 --reason x", "resume list", "resume approve x"} {
		code, _, stderr := relent(t, append(strings.Fields(args), "--server", "http://127.0.0.1:1")...)
		if code != 1 {
			t.Errorf("%s: code %d", args, code)
		}
		has(t, stderr, "a release takes a server, which records it", "try: the same with --server URL")
	}
}

// What the server says of a release that ramps, and that requests carry who asks and what the contract says.
func TestResumeContract(t *testing.T) {
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		json.NewDecoder(r.Body).Decode(&in)
		data, _ := json.Marshal(in)
		bodies = append(bodies, r.Method+" "+r.URL.Path+" "+string(data)+" "+r.Header.Get("Relent-Actor"))
		if strings.HasSuffix(r.URL.Path, "approve") {
			w.Write([]byte(`{"scope":"a","state":"running","epoch":4,"ramp":0.1}`))
			return
		}
		json.NewEncoder(w).Encode(request{ID: "q", Scope: "a", Epoch: 3, Requester: "ann", Expires: time.Now().Add(time.Hour)})
	}))
	defer s.Close()
	if code, _, stderr := relent(t, "resume", "global/a", "--epoch", "3", "--reason", "x", "--server", s.URL); code != 0 {
		t.Error(stderr)
	}
	_, out, _ := relent(t, "resume", "approve", "q", "--server", s.URL)
	has(t, out, "released  a  ramping, 10 % pass  epoch 4")
	_, out, _ = relent(t, "resume", "approve", "q", "--server", s.URL, "-o", "json")
	if m := fields(t, out); m["ramp"] != 0.1 {
		t.Error(out)
	}
	want := `POST /api/v1/requests {"epoch":3,"reason":"x","scope":"a"} ` + actor()
	if bodies[0] != want || bodies[1] != "POST /api/v1/requests/q/approve {} "+actor() {
		t.Errorf("requests %q", bodies)
	}
}

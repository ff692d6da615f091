package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/rerun"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/halt"
)

var update = flag.Bool("update", false, "write the golden files")

// What the environment of the tests says is nothing to them.
func TestMain(m *testing.M) {
	flag.Parse()
	for _, name := range []string{"RELENT_SERVER", "RELENT_TOKEN_FILE", "RELENT_STORE", "RELENT_CONFIG", "NO_COLOR", "CLICOLOR_FORCE"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v, got\n%s\nwant\n%s", name, err, got, want)
	}
}

// program is a relent that has only these commands. A configuration is that of the flag.
func program() Program {
	return Program{Version: "v1.2.3", Config: func(cmd *cobra.Command) (*config.File, string, string, error) {
		name := cmd.Flags().Lookup("config").Value.String()
		if name == "" {
			return nil, "relent.yaml", byDefault, nil
		}
		file, err := config.Read(name, os.LookupEnv)
		if err != nil {
			return nil, name, "--config", &rerun.Exit{Code: 3, Err: fmt.Errorf("%s is not valid: %w", name, err)}
		}
		return file, name, "--config", nil
	}}
}

// relent runs a command line.
func relent(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = runTo(t.Context(), program(), &out, &err, args...)
	return code, out.String(), err.String()
}

func runTo(ctx context.Context, p Program, out, err io.Writer, args ...string) int {
	return runWith(ctx, New(p), out, err, args...)
}

func runWith(ctx context.Context, commands []*cobra.Command, out, err io.Writer, args ...string) int {
	root := &cobra.Command{Use: "relent", SilenceErrors: true, SilenceUsage: true}
	flags := root.PersistentFlags()
	Flags(flags)
	flags.BoolP("quiet", "q", false, "")
	flags.StringP("config", "c", "", "")
	flags.StringP("output", "o", "table", "")
	flags.String("color", "auto", "")
	root.AddCommand(commands...)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(err)
	e := root.ExecuteContext(ctx)
	if e == nil {
		return 0
	}
	exit, ok := errors.AsType[*rerun.Exit](e)
	if !ok {
		fmt.Fprintln(err, "relent:", e)
		return -1
	}
	if exit.Err != nil {
		fmt.Fprintln(err, "relent:", exit.Err)
	}
	return exit.Code
}

// write makes a file in a folder of the test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A board is a process that mounts the dashboard, over a registry with an emergency stop.
type board struct {
	*httptest.Server
	registry *control.Registry
	tree     *halt.Tree

	mu   sync.Mutex
	keys []string // of idempotency that stops had
}

func (b *board) sent() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.keys
}

// Stop implements control.Commander.
func (b *board) Stop(ctx context.Context, s control.Stop) (control.StopView, error) {
	b.mu.Lock()
	b.keys = append(b.keys, s.Key)
	b.mu.Unlock()
	return b.registry.Stop(ctx, s)
}

func (b *board) Resume(ctx context.Context, r control.Resume) (control.StopView, error) {
	return b.registry.Resume(ctx, r)
}

func (b *board) Tune(ctx context.Context, c control.Tune) (control.PolicyView, error) {
	return b.registry.Tune(ctx, c)
}

func mount(t *testing.T, auth dashboard.Auth) *board {
	t.Helper()
	b := &board{registry: &control.Registry{Instance: "desk-1", Logger: slog.New(slog.DiscardHandler)}, tree: &halt.Tree{}}
	if err := b.registry.AddStops(b.tree); err != nil {
		t.Fatal(err)
	}
	h, err := dashboard.New(dashboard.Config{Source: b.registry, Commander: b, Auth: auth, Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(h)
	t.Cleanup(func() {
		b.Close()
		h.Close()
	})
	return b
}

// answers is a server that always says the same.
func answers(t *testing.T, status int, body string, headers ...string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// token makes a file that holds a token.
func token(t *testing.T, name string, role dashboard.Role) (string, dashboard.Token) {
	secret, tok := dashboard.NewToken(name, role)
	return write(t, name+".token", secret+"\n"), tok
}

// fields are those of one JSON document.
func fields(t *testing.T, text string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if m["v"] != 1.0 || strings.Count(text, "\n") != 1 {
		t.Errorf("not one document of version 1: %s", text)
	}
	return m
}

// has reports all of the texts that are missing.
func has(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

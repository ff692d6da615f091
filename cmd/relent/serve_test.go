package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/server"
	"github.com/relent-go/relent/dashboard"
)

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	var all []string
	for _, who := range []string{"ann operator", "process-1 viewer"} {
		var out, complaints bytes.Buffer
		args := append([]string{"token", "--file", path}, strings.Fields(who)...)
		if code := run(args, &out, &complaints); code != 0 || complaints.Len() != 0 {
			t.Fatalf("%v: %d, %s", args, code, complaints.String())
		}
		all = append(all, strings.TrimSpace(out.String()))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		token, err := dashboard.ParseToken(line)
		if err != nil || token.Hash != dashboard.HashToken(all[i]) {
			t.Errorf("line %s: %v", line, err)
		}
		if strings.Contains(line, all[i]) {
			t.Error("the file holds a secret")
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file can be read by others: %v", info.Mode())
	}
	var out, complaints bytes.Buffer
	if code := run([]string{"token", "bob", "admin"}, &out, &complaints); code != 0 || !strings.Contains(complaints.String(), "bob:admin:") {
		t.Errorf("without a file: %d, %s", code, complaints.String())
	}
	for _, odd := range [][]string{{"token", "ann", "king"}, {"token", "a:b", "viewer"}, {"token", "ann"}, {"token", "--odd"}} {
		if code := run(odd, &out, &complaints); code != 2 {
			t.Errorf("%v: %d; want 2", odd, code)
		}
	}
	if code := run([]string{"token", "ann", "viewer", "--file", filepath.Join(path, "under a file")}, &out, &complaints); code != 1 {
		t.Errorf("a file that cannot be written: %d; want 1", code)
	}
}

func TestPolicyRules(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 0, "alert: RelentRetryStorm"},
		{[]string{"--slo", "99.9"}, 0, "(14.4 * 0.001)"},
		{[]string{"--tests"}, 0, "alert_rule_test:"},
		{[]string{"--slo", "50"}, 2, ""},
		{[]string{"--odd"}, 2, ""},
	} {
		var out, complaints bytes.Buffer
		if code := run(append([]string{"policy", "rules"}, test.args...), &out, &complaints); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("%v: %d, %s", test.args, code, complaints.String())
		}
	}
}

func TestServe(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, complaints bytes.Buffer
	for _, test := range []struct {
		args []string
		code int
	}{
		{[]string{"--odd"}, 2},
		{[]string{"--listen", "0.0.0.0:0"}, 2},
		{[]string{"--config", "none.yaml"}, exitInvalid},
		{[]string{"--listen", "127.0.0.1:0", "--store", "odd:"}, 1},
	} {
		if code := run(append([]string{"serve"}, test.args...), &out, &complaints); code != test.code {
			t.Errorf("%v: %d; want %d: %s", test.args, code, test.code, complaints.String())
		}
	}
	go func() {
		for time.Sleep(200 * time.Millisecond); ; time.Sleep(100 * time.Millisecond) {
			if _, err := os.Stat("relent.db"); err == nil {
				time.Sleep(500 * time.Millisecond)
				syscall.Kill(os.Getpid(), syscall.SIGTERM)
				return
			}
		}
	}()
	out.Reset()
	if code := run([]string{"serve", "--listen", "127.0.0.1:0", "--drain", "0s"}, &out, &complaints); code != 0 || !strings.HasPrefix(out.String(), "relent serves http://127.0.0.1:") {
		t.Errorf("serve: %d, %s%s", code, out.String(), complaints.String())
	}
}

// What flags do not say comes from the configuration.
func TestServeDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	text := `version: 1
budgets: { orders: { ratio: 0.1, max: 50 }, plain: {}, foreign: { profile: grpc }, none: { max: 0 } }
halt: { approvers: [ann, bob] }
server: { listen: 127.0.0.1:9999, store: "sqlite:other.db", hosts: ["ops.example:8443"], drain: 1s, read_only: true }
`
	if err := os.WriteFile(defaultConfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	defaults := func(args ...string) server.Config {
		t.Helper()
		var c server.Config
		root := newRoot()
		serve, _, err := root.Find([]string{"serve"})
		if err != nil {
			t.Fatal(err)
		}
		serve.RunE = func(cmd *cobra.Command, _ []string) error {
			c.Listen, _ = cmd.Flags().GetString("listen")
			c.Drain, _ = cmd.Flags().GetDuration("drain")
			return serveDefaults(cmd, &c)
		}
		root.SetArgs(append([]string{"serve"}, args...))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := defaults()
	if c.Listen != "127.0.0.1:9999" || c.Store != "sqlite:other.db" || len(c.Hosts) != 1 || c.Drain != time.Second || !c.ReadOnly || len(c.Approvers) != 2 {
		t.Errorf("%+v", c)
	}
	if len(c.Budgets) != 2 || c.Budgets["orders"] != (server.Budget{Capacity: 50}) || c.Budgets["plain"] != (server.Budget{Capacity: 10}) {
		t.Errorf("budgets %+v", c.Budgets)
	}
	if c := defaults("--listen", "127.0.0.1:1", "--drain", "3s"); c.Listen != "127.0.0.1:1" || c.Drain != 3*time.Second {
		t.Errorf("flags do not come first: %+v", c)
	}
	if err := os.Remove(defaultConfig); err != nil {
		t.Fatal(err)
	}
	if c := defaults(); c.Drain != 5*time.Second || c.Store != "" {
		t.Errorf("without a configuration: %+v", c)
	}
}

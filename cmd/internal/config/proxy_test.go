package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestCredentialValue(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	lookup := func(name string) (string, bool) { return "from " + name, name != "MISSING" }
	for _, c := range []struct {
		name string
		of   Credential
		want string
		err  string
	}{
		{"file", Credential{Header: "A", File: write("good", "Bearer hunter2\n")}, "Bearer hunter2", ""},
		{"environment", Credential{Header: "A", Env: "KEY"}, "from KEY", ""},
		{"no such variable", Credential{Header: "A", Env: "MISSING"}, "", "MISSING of the header A is not set"},
		{"no such file", Credential{Header: "A", File: filepath.Join(dir, "none")}, "", "no such file"},
		{"empty file", Credential{Header: "A", File: write("empty", " \n")}, "", "is empty"},
		{"two lines", Credential{Header: "A", File: write("two", "hunter2\r\nX: y")}, "", "characters that no header may have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.of.Value(lookup)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("Value() = %q, %v; want %q, %q", got, err, c.want, c.err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v: shows the secret", err)
			}
		})
	}
}

// Each field of a route is told apart; listeners need a restart, and routes do not.
func TestDiffOfTheProxy(t *testing.T) {
	parse := func(text string) *Content {
		file, err := Parse("a.yaml", []byte("version: 1\npolicies: { a.b: { gates: [halt] } }\nproxy:\n"+text), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return &file.Content
	}
	a := parse("  listen: 127.0.0.1:1\n  max_hops: 2\n  routes:\n    - { match: /, upstream: http://127.0.0.1:1, policy: a.b }\n")
	b := parse("  listen: 127.0.0.1:2\n  drain: 0s\n  client_idle: 1s\n  routes:\n    - { match: /, upstream: http://127.0.0.1:2, policy: a.b, credentials: [{ header: A, env: KEY }] }\n    - { match: /b, upstream: http://127.0.0.1:1, policy: a.b }\n")
	want := []Change{
		{Path: "proxy.listen", From: "127.0.0.1:1", To: "127.0.0.1:2", Restart: true},
		{Path: "proxy.max_hops", From: "2"}, {Path: "proxy.client_idle", To: "1s"}, {Path: "proxy.drain", To: "0s"},
		{Path: "proxy.routes[0].upstream", From: "http://127.0.0.1:1", To: "http://127.0.0.1:2"},
		{Path: "proxy.routes[0].credentials[0].header", To: "A"}, {Path: "proxy.routes[0].credentials[0].env", To: "KEY"},
		{Path: "proxy.routes[1].match", To: "/b"}, {Path: "proxy.routes[1].upstream", To: "http://127.0.0.1:1"}, {Path: "proxy.routes[1].policy", To: "a.b"},
	}
	if got := Diff(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// A certificate without its key is none, and the other way round.
func TestCertificateNeedsKey(t *testing.T) {
	for _, one := range []string{"cert_file", "key_file"} {
		_, err := Parse("a.yaml", []byte("version: 1\npolicies: { a.b: { gates: [halt] } }\nproxy:\n  "+one+": x.pem\n  routes: [{ match: /, upstream: http://127.0.0.1:1, policy: a.b }]\n"), os.LookupEnv)
		other := map[string]string{"cert_file": "key_file", "key_file": "cert_file"}[one]
		if err == nil || !strings.Contains(err.Error(), "proxy."+one+": it needs "+other+", too") {
			t.Errorf("%s alone: %v", one, err)
		}
	}
}

func TestSetStop(t *testing.T) {
	file, err := Parse("a.yaml", []byte("version: 1\npolicies: { a.b: { gates: [halt] }, a.c: {} }\n"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	set, err := file.Build(nil)
	if err != nil || set.Stop("a.b") == nil || set.Stop("a.c") != nil {
		t.Errorf("Stop: %v, %v, %v", set.Stop("a.b"), set.Stop("a.c"), err)
	}
}

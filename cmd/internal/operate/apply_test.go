package operate

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/cmd/internal/config"
)

func TestApply(t *testing.T) {
	file := write(t, "relent.yaml", "version: 1\n")
	parsed, err := config.Read(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var asked struct{ Hash string }
	code, body := 200, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != reloadPath || r.Header.Get("Relent-Source") != "cli" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		asked.Hash = ""
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		w.WriteHeader(code)
		w.Write([]byte(body))
	}))
	defer server.Close()
	apply := func(args ...string) (code int, out, complaints string) {
		var stdout, stderr bytes.Buffer
		code = runWith(t.Context(), []*cobra.Command{NewApply(program())}, &stdout, &stderr, append([]string{"apply", "--server", server.URL}, args...)...)
		return code, stdout.String(), stderr.String()
	}
	for _, test := range []struct {
		name   string
		code   int
		body   string
		args   []string
		exit   int
		want   string // on stdout or stderr
		hashed bool
	}{
		{"applied", 200, `{"v":1,"result":"ok","hash":"0123456789abcdef","changes":["policies.a.cost: 1 -> 2"]}`, []string{"-c", file}, 0, "applied  0123456789ab\n  policies.a.cost: 1 -> 2\n", true},
		{"in force", 200, `{"v":1,"result":"unchanged","hash":"0123456789abcdef"}`, nil, 0, "in force already  0123456789ab\n", false},
		{"as JSON", 200, `{"v":1,"result":"ok","hash":"01","changes":["x"]}`, []string{"-o", "json"}, 0, `{"v":1,"result":"ok","hash":"01","changes":["x"]}` + "\n", false},
		{"refused", 409, `{"v":1,"result":"error","error":"server.listen: needs restart"}`, nil, 3, "server.listen: needs restart", false},
		{"not allowed", 403, `{"error":"it takes the role operator"}`, nil, 1, "--token-file", false},
		{"a word too many", 200, "", []string{"x"}, 2, "one word too many", false},
		{"a file with a mistake", 200, "", []string{"-c", write(t, "bad.yaml", "odd: 1\n")}, 3, "is not valid", false},
		{"an odd server", 200, "", []string{"--server", "odd"}, 2, "is not the URL", false},
	} {
		code, body = test.code, test.body
		asked.Hash = ""
		exit, out, complaints := apply(test.args...)
		if exit != test.exit || !strings.Contains(out+complaints, test.want) || test.hashed != (asked.Hash == parsed.Hash) {
			t.Errorf("%s: exit %d, %q, %q, hash %q; want %d and %q", test.name, exit, out, complaints, asked.Hash, test.exit, test.want)
		}
	}
}

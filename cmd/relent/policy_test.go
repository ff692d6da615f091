package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// written returns the name of a new file.
func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "relent.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const goodConfig = `version: 1
policies:
  binance.place_order:
    max_attempts: 2
    backoff: constant(1ms, none)
    gates: [halt, budget.orders]
  job.nightly: {max_attempts: 5, backoff: "constant(1ms, none)", gates: [halt, budget.orders]}
budgets: {orders: {max: 1}}
`

const badConfig = `version: 1
policies:
  binance.place_order:
    max_attemps: 2
    attempt_timeout: 2 s
`

func TestPolicyCommands(t *testing.T) {
	t.Setenv("RELENT_CONFIG", "")
	good, bad := written(t, goodConfig), written(t, badConfig)
	changed := written(t, strings.Replace(goodConfig, "max_attempts: 2", "max_attempts: 3", 1)+"server: {listen: 127.0.0.1:1}\n")
	blocked := written(t, goodConfig+"halt: {scopes: {a: {kind: orders}}}\n")
	for _, test := range []struct {
		args   string
		code   int
		stdout string // contained in it
		stderr string // contained in it
	}{
		{"policy check GOOD", 0, "relent.yaml: ok, 2 policies", ""},
		{"policy check -c GOOD", 0, "ok, 2 policies", ""},
		{"policy check BLOCKED", 0, "ok, 2 policies", ""},
		{"policy check GOOD BAD", 3, `:4:5: unknown field "max_attemps"; did you mean "max_attempts"?`, "relent: policy check: 1 of 2 files not valid"},
		{"policy check BAD", 3, "    5 |     attempt_timeout: 2 s\n      |                      ^^^\n2 mistakes\n", "1 of 1 files not valid"},
		{"policy check BAD --color always", 3, "\x1b[31m", ""},
		{"policy check BAD --color never", 3, "mistakes", ""},
		{"policy check BAD -o json", 3, `{"v":1,"ok":false,"files":[{"file":"BAD","ok":false,"mistakes":[{"line":4,"column":5,"kind":"unknown_field","path":"policies.binance.place_order.max_attemps",`, ""},
		{"policy check GOOD -o json", 0, `{"v":1,"ok":true,"files":[{"file":"GOOD","ok":true,"mistakes":[]}]}`, ""},
		{"policy check nowhere.yaml", 3, "nowhere.yaml: open nowhere.yaml", "1 of 1 files"},
		{"policy check --nonsense", 2, "", "policy check: unknown flag: --nonsense\ntry: relent policy check --help"},
		{"policy check --color blue -o xml", 2, "", "--output: \"xml\" is none of table, json and ndjson\n--color: \"blue\" is none of auto, always and never\ntry: relent policy check --help"},
		{"policy explain binance.place_order -c GOOD", 0, "GATE           ASKED    DOES", ""},
		{"policy explain binance.place_order -c GOOD", 0, "rest.limits[request_weight]", ""},
		{"policy explain binance.place_order -c GOOD --attempts 4 --idempotent --backoff linear(1s) --max-elapsed 9s --attempt-timeout 3s", 0, "up to 4 attempts, waiting linear(1s, step 0s, max 30s, full)", ""},
		{"policy explain job.nightly -c GOOD -o json", 0, `{"v":1,"policy":"job.nightly",`, ""},
		{"policy explain job.nigtly -c GOOD", 2, "", `unknown policy "job.nigtly"; did you mean job.nightly?`},
		{"policy explain job.nightly -c BAD", 3, "", "2 mistakes\nrelent: policy explain: BAD is not valid\ntry: relent policy check BAD"},
		{"policy explain job.nightly -c nowhere.yaml", 3, "", "no such file or directory\ntry: relent policy explain --config FILE"},
		{"policy explain job.nightly -c .", 3, "", "is a directory"},
		{"policy diff GOOD GOOD", 0, "say the same", ""},
		{"policy diff GOOD CHANGED", 0, "policies.binance.place_order.max_attempts  2            3", ""},
		{"policy diff GOOD CHANGED -o json", 0, `"needs_restart":true`, ""},
		{"policy diff GOOD BAD", 3, "", "2 mistakes"},
		{"policy diff GOOD", 2, "", "accepts 2 arg(s)"},
		{"policy diff --nonsense", 2, "", "policy diff: unknown flag"},
		{"policy schema", 0, `"$schema": "https://json-schema.org/draft/2020-12/schema"`, ""},
		{"simulate jitter --clients 2 --runs 1 -o json", 0, `{"rows":`, ""},
		{"run --policy job.nightly -c GOOD -- true", 0, "", ""},
		{"run --policy job.nightly -c BAD -- true", 3, "", "relent: run: BAD is not valid"},
		{"run --policy nothing -c GOOD -- true", 2, "", "unknown policy \"nothing\""},
	} {
		replace := strings.NewReplacer("GOOD", good, "BAD", bad, "CHANGED", changed, "BLOCKED", blocked)
		args := replace.Replace(test.args)
		code, stdout, stderr := relent(strings.Fields(args)...)
		if code != test.code || !strings.Contains(stdout, replace.Replace(test.stdout)) || !strings.Contains(stderr, replace.Replace(test.stderr)) {
			t.Errorf("relent %s: code %d, stdout\n%s\nstderr\n%s\nwant %d, %q, %q", args, code, stdout, stderr, test.code, test.stdout, test.stderr)
		}
		if strings.Contains(test.args, "json") && code == 0 && !json.Valid([]byte(stdout)) {
			t.Errorf("relent %s: no JSON:\n%s", args, stdout)
		}
	}
}

// The file is the one of the flag, else of the environment, else relent.yaml; colour is the flag's, else the environment's.
func TestConfigFileAndColor(t *testing.T) {
	good, bad := written(t, goodConfig), written(t, badConfig)
	t.Chdir(filepath.Dir(bad))
	t.Setenv("RELENT_CONFIG", "")
	if code, stdout, _ := relent("policy", "check"); code != 3 || !strings.HasPrefix(stdout, "relent.yaml:4:5: unknown field") {
		t.Errorf("code %d, %s; want the mistakes of ./relent.yaml", code, stdout)
	}
	t.Setenv("RELENT_CONFIG", good)
	if code, stdout, _ := relent("policy", "check"); code != 0 {
		t.Errorf("code %d, %s; want the file of the environment to be good", code, stdout)
	}
	if code, _, _ := relent("policy", "check", "-c", bad); code != 3 {
		t.Errorf("code %d; want the file of the flag", code)
	}
	for _, test := range []struct {
		noColor, force string
		color          bool
	}{{"", "", false}, {"", "1", true}, {"", "0", false}, {"1", "1", false}} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("CLICOLOR_FORCE", test.force)
		if _, stdout, _ := relent("policy", "check", bad); strings.Contains(stdout, "\x1b[") != test.color {
			t.Errorf("NO_COLOR=%q CLICOLOR_FORCE=%q: coloured %v", test.noColor, test.force, !test.color)
		}
	}
}

// The built program ends with the codes that scripts look at.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := build(t)
	good, bad := written(t, goodConfig), written(t, badConfig)
	dir := t.TempDir()
	stopped := filepath.Join(dir, "stopped.yaml")
	if err := os.WriteFile(stopped, []byte(goodConfig+"halt: {trigger_file: "+filepath.Join(dir, "STOP")+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "STOP"), []byte("job stopped prices look wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]int{
		"policy check " + good:                                           0,
		"policy check " + bad:                                            3,
		"policy schema":                                                  0,
		"policy diff " + good + " " + bad:                                3,
		"policy check --nonsense":                                        2,
		"run --policy job.nightly -c " + good + " -- true":               0,
		"run --policy job.nightly -c " + good + " -- false":              5,
		"run --policy job.nightly --attempts 2 -c " + good + " -- false": 1,
		"run --policy job.nightly -c " + stopped + " -- true":            4,
		"run --policy binance.place_order -c " + stopped + " -- true":    0,
		"run --policy job.nightly -c " + bad + " -- true":                3,
	} {
		cmd := exec.Command(program, strings.Fields(args)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			t.Fatal(exit, err)
		}
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("relent %s: code %d, want %d; stderr\n%s", args, code, want, stderr.String())
		}
	}
}

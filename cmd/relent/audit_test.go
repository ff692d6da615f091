package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb"
)

// logged writes an audit log, and a checkpoint of its end elsewhere. It returns where they are, and the public key.
func logged(t *testing.T, store audit.Store) (points, key string) {
	t.Helper()
	records := []audit.Record{
		{ID: "1", Time: time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC), Decision: audit.Retry, Operation: "venue.place_order", Call: "00000000000000ff", Attempt: 2},
		{ID: "2", Time: time.Date(2026, 3, 14, 15, 0, 1, 0, time.UTC), Decision: audit.End, Operation: "venue.place_order", Call: "00000000000000ff", Attempt: 2, Outcome: audit.Unknown},
		{ID: "3", Time: time.Date(2026, 3, 14, 15, 0, 2, 0, time.UTC), Decision: audit.Stop, Actor: "ops1", Parent: "p-1"},
	}
	head, err := store.Append(t.Context(), "gateway-1", records)
	if err != nil {
		t.Fatal(err)
	}
	public, private, _ := ed25519.GenerateKey(nil)
	points = t.TempDir()
	elsewhere, err := audit.OpenFile(points, audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if err := elsewhere.Anchor(t.Context(), audit.Sign(private, head, time.Now())); err != nil {
		t.Fatal(err)
	}
	return points, hex.EncodeToString(public)
}

// file returns a store of files that ends with the test.
func file(t *testing.T) (*audit.File, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := audit.OpenFile(dir, audit.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, dir
}

func TestAudit(t *testing.T) {
	files, dir := file(t)
	filePoints, fileKey := logged(t, files)
	url := "sqlite:" + filepath.Join(t.TempDir(), "db")
	db, err := sqldb.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	dbPoints, dbKey := logged(t, db.Audit())
	empty := t.TempDir()
	for _, test := range []struct {
		args   string
		code   int
		stdout string // contained in it
		stderr string // contained in it
	}{
		{"audit", 0, "verify", ""},
		{"audit query", 2, "", "relent: audit query: --store: say where the audit log is\ntry: relent audit query --help"},
		{"audit query --store STORE --since yesterday --until 1x", 2, "", `--until: "1x" is no time`},
		{"audit query --nonsense", 2, "", "unknown flag: --nonsense\ntry: relent audit query --help"},
		{"audit query --store " + empty, 1, "", "there are no audit files in this directory"},
		{"audit tail --store STORE --every 0s", 2, "", "--every: 0s is not above 0"},
		{"audit tail", 2, "", "--store"},
		{"audit query --store STORE", 0, "2026-03-14T15:00:02.000Z", ""},
		{"audit query --store STORE --limit 2", 0, "unknown", "there are more than 2 records: see --limit"},
		{"audit query --store STORE --outcome unknown --call 00000000000000ff --operation venue.place_order --json", 0, `{"v":1,"attempt":2,"call":"00000000000000ff",`, ""},
		{"audit query --store STORE --parent p-1 --actor ops1 --decision stop --since 2026-03-14 --until 2026-03-15 --chain gateway-1 --json", 0, `"id":"3"`, ""},
		{"audit export --store STORE --decision stop", 0, `{"v":1,"hash":"`, ""},
		{"audit verify --store STORE", 0, "gateway-1  3        1     3   0            -            sound", "see --checkpoints"},
		{"audit verify --store STORE --checkpoints POINTS --key KEY", 0, "gateway-1  3        1     3   1            3            sound", ""},
		{"audit verify --store STORE --checkpoints POINTS --key KEY --json", 0, `"sound":true`, ""},
		{"audit verify --store STORE -q", 0, "sound", ""},
		{"audit verify --store STORE --chain other", 1, "", `there is no chain "other"`},
		{"audit verify --store STORE --checkpoints nowhere --key nothing", 2, "", `--key: "nothing" is neither`},
		{"audit verify --store STORE --checkpoints POINTS --key " + strings.Repeat("00", 32), 6, "BAD", "1 of 1 chains are bad"},
	} {
		for kind, with := range map[string][3]string{"files": {dir, filePoints, fileKey}, "sqlite": {url, dbPoints, dbKey}} {
			args := strings.NewReplacer("STORE", with[0], "POINTS", with[1], "KEY", with[2]).Replace(test.args)
			code, stdout, stderr := relent(strings.Fields(args)...)
			if code != test.code || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) || test.stderr == "" && stderr != "" {
				t.Errorf("%s: relent %s: code %d, stdout\n%s\nstderr\n%s\nwant %d, %q, %q", kind, args, code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
		}
	}
}

// The first bad sequence is named, and the exit code says so to scripts.
func TestAuditVerifyTampered(t *testing.T) {
	files, dir := file(t)
	logged(t, files)
	name := filepath.Join(dir, "chains", "gateway-1", "00000000000000000001.jsonl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(name, []byte(strings.Replace(string(text), "ops1", "ops2", 1)), 0o600)
	for args, want := range map[string]string{"audit verify --store ": "BAD: first bad sequence 3", "audit verify --json --store ": `"first_bad":3`} {
		code, stdout, stderr := relent(strings.Fields(args + dir)...)
		if code != 6 || !strings.Contains(stdout, want) || !strings.Contains(stderr, "1 of 1 chains are bad: the audit chain was tampered with") {
			t.Errorf("%s: code %d, stdout\n%s\nstderr\n%s\nwant 6, %q", args, code, stdout, stderr, want)
		}
	}
}

// tail follows a log that is being written, and ^C ends it with 0.
func TestAuditTail(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the program")
	}
	files, dir := file(t)
	logged(t, files)
	cmd := exec.Command(build(t), "audit", "tail", "--store", dir, "-n", "1", "--json", "--every", "5ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer kill.Stop()
	lines := bufio.NewScanner(out)
	for _, id := range []string{"3", "4", "5"} {
		if id != "3" {
			r := audit.Record{ID: id, Time: time.Now(), Decision: audit.Drill}
			if _, err := files.Append(context.Background(), "gateway-1", []audit.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
		if !lines.Scan() || !strings.Contains(lines.Text(), `"id":"`+id+`"`) {
			t.Fatalf("tail printed %s; want record %s", lines.Text(), id)
		}
	}
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		t.Errorf("^C ended tail with %v; want exit code 0", err)
	}
}

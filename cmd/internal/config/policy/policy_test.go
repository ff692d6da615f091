package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/config/policy"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// compare compares with a file, or writes it.
func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// document is a value as it is printed with -o json, spread over lines.
func document(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), '\n')
}

func read(t *testing.T, name string) *config.File {
	t.Helper()
	f, err := config.Read(filepath.Join("testdata", name), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Name = name
	return f
}

func TestExplain(t *testing.T) {
	set, err := read(t, "relent.yaml").Preview()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"binance.place_order", "binance.cancel_order", "model.predict", "job.nightly"} {
		p, err := set.Policy(name)
		if err != nil {
			t.Fatal(err)
		}
		e := policy.Explain(set, p)
		var b bytes.Buffer
		if err := e.WriteText(&b, 80); err != nil {
			t.Fatal(err)
		}
		compare(t, name+".txt", b.Bytes())
		compare(t, name+".json", document(t, e))
	}
}

func TestCheck(t *testing.T) {
	r := policy.Check([]string{"testdata/relent.yaml", "testdata/bad.yaml", "testdata/nowhere.yaml", "testdata/scopes.yaml"}, nil)
	if r.OK || r.Bad() != 3 {
		t.Errorf("ok %v, %d bad; want three", r.OK, r.Bad())
	}
	var b bytes.Buffer
	if err := r.WriteText(&b, config.Style{}); err != nil {
		t.Fatal(err)
	}
	compare(t, "check.txt", b.Bytes())
	compare(t, "check.json", document(t, r))
	if err := r.WriteText(broken{}, config.Style{}); err != errBroken {
		t.Errorf("a writer that fails: %v", err)
	}
	good := policy.Check([]string{"testdata/new.yaml"}, nil)
	if err := good.WriteText(broken{}, config.Style{}); err != errBroken || !good.OK {
		t.Errorf("a writer that fails: %v", err)
	}
}

func TestDiff(t *testing.T) {
	d := policy.Diff(read(t, "relent.yaml"), read(t, "new.yaml"))
	var b bytes.Buffer
	if err := d.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	compare(t, "diff.txt", b.Bytes())
	compare(t, "diff.json", document(t, d))
	if !d.Restart || d.V != 1 {
		t.Errorf("%+v", d)
	}
	if err := d.WriteText(broken{}); err != errBroken {
		t.Errorf("a writer that fails: %v", err)
	}
	same := policy.Diff(read(t, "new.yaml"), read(t, "new.yaml"))
	b.Reset()
	if err := same.WriteText(&b); err != nil || b.String() != "new.yaml and new.yaml say the same\n" || strings.Contains(string(document(t, same)), "null") {
		t.Errorf("%q, %v, %s", b.String(), err, document(t, same))
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

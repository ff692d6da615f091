package relent

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/relent-go/relent"

// floors is the house: imports go down only, never sideways. The longest prefix of a folder's path
// counts. A folder without a floor fails the test.
var floors = map[string]int{
	"backoff": 0, "retry": 0, "internal": 0, // the engine, and what every floor stands on

	"gate": 1, "guard": 1, "observe": 1, "transport": 1, // parts
	"adaptive": 1, "chaos": 1, "retrytest": 1,

	"work": 2, "exchange": 2, "control": 2, // trades

	"store": 3, "sim": 3, "dashboard": 3, "contrib": 3, // assembly

	"examples": 4, "docs": 4, "bench": 4, "cmd/internal": 4, // house

	"contrib/process":  4,                        // a program's parts put together
	"contrib/relentfx": 5, "contrib/relentdo": 5, // and handed to an injector

	"cmd/internal/operate": 5, // commands made of the parts above
	"cmd/internal/gateway": 5, "cmd/internal/demo": 5,

	"cmd/relentvet/rules": 5, "cmd/relentvet": 6,

	"cmd/relent": 6, // the door
}

// sideways lists the imports between folders of one floor that the design has.
var sideways = map[[2]string]bool{
	{"retry", "backoff"}:                                    true,
	{"contrib/prom/grafana", "contrib/prom/rules"}:          true, // thresholds are drawn from the same constants
	{"contrib/prom/grafana/generate", "contrib/prom/rules"}: true,
}

// nested are the modules beside the root module: only they may require other people's code.
var nested = []string{"bench", "cmd", "contrib", "store/sqldb"}

// An imported is one import of one folder.
type imported struct {
	from, to string // folders below the root, or an import path of somebody else
	ours     bool
	test     bool // in a _test.go file
}

func TestFloors(t *testing.T) {
	imports, err := read(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(imports) == 0 {
		t.Fatal("no imports found: the test looks in the wrong place")
	}
	for _, i := range imports {
		if complaint := judge(i); complaint != "" {
			t.Error(complaint)
		}
	}
}

// judge returns what is wrong with an import, or nothing.
func judge(i imported) string {
	if i.from == "." {
		return "" // this test and the package comment
	}
	from, ok := floor(i.from)
	if !ok {
		return fmt.Sprintf("%s has no floor: give it one in floors_test.go, or a better place", i.from)
	}
	if !i.ours {
		if strings.Contains(strings.Split(i.to, "/")[0], ".") && !within(nested, i.from) {
			return fmt.Sprintf("%s imports %s: the root module imports the standard library only", i.from, i.to)
		}
		return ""
	}
	to, ok := floor(i.to)
	switch {
	case !ok:
		return fmt.Sprintf("%s imports %s, which has no floor", i.from, i.to)
	case to > from:
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d)", i.from, from, i.to, to)
	case to < from, i.test, i.from == i.to, strings.HasPrefix(i.from, i.to+"/"), sideways[[2]string{i.from, i.to}]:
		return ""
	}
	return fmt.Sprintf("%s imports %s, both on floor %d: parts do not import parts", i.from, i.to, from)
}

func floor(folder string) (int, bool) {
	for ; folder != "."; folder = path.Dir(folder) {
		if n, ok := floors[folder]; ok {
			return n, true
		}
	}
	return 0, false
}

func within(folders []string, folder string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return folder == f || strings.HasPrefix(folder, f+"/") })
}

// read returns the imports of all Go files below root.
func read(root string) (imports []imported, err error) {
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(name))
		for _, spec := range file.Imports {
			to := strings.Trim(spec.Path.Value, `"`)
			rest, ours := strings.CutPrefix(to, module+"/")
			if ours {
				to = rest
			}
			imports = append(imports, imported{folder, to, ours, strings.HasSuffix(name, "_test.go")})
		}
		return nil
	})
	return imports, err
}

// The sentences that the test is there for.
func TestFloorsComplain(t *testing.T) {
	for _, test := range []struct {
		i    imported
		want string
	}{
		{imported{"gate/budget", "control", true, false}, "gate/budget (floor 1) imports control (floor 2)"},
		{imported{"gate/budget", "control", true, true}, "gate/budget (floor 1) imports control (floor 2)"},
		{imported{"gate/budget", "gate/breaker", true, false}, "gate/budget imports gate/breaker, both on floor 1: parts do not import parts"},
		{imported{"attic", "retry", true, false}, "attic has no floor: give it one in floors_test.go, or a better place"},
		{imported{"retry", "attic", true, false}, "retry imports attic, which has no floor"},
		{imported{"retry", "golang.org/x/time/rate", false, true}, "retry imports golang.org/x/time/rate: the root module imports the standard library only"},
		{imported{"backoff", "retry", true, false}, "backoff imports retry, both on floor 0: parts do not import parts"},
		{imported{"gate/budget", "retry", true, false}, ""},
		{imported{"retry", "backoff", true, false}, ""},
		{imported{"exchange/order", "exchange", true, false}, ""},
		{imported{"cmd/relent", "cmd/internal/venue", true, false}, ""},
		{imported{"cmd/relent", "github.com/spf13/cobra", false, false}, ""},
		{imported{"retry", "context", false, false}, ""},
	} {
		if got := judge(test.i); got != test.want {
			t.Errorf("judge(%+v) = %q; want %q", test.i, got, test.want)
		}
	}
}

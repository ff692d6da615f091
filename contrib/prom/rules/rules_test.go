package rules

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../../.."

// The committed files are what `relent policy rules` writes.
func TestCommittedFiles(t *testing.T) {
	for name, want := range map[string][]byte{
		"relent.rules.yaml":      File(Objective{}),
		"relent.rules_test.yaml": Tests(Objective{}, "relent.rules.yaml"),
	} {
		got, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("deploy/prometheus/%s is not what this package writes: make it again with relent policy rules", name)
		}
	}
}

// Each alert has a test in which it fires and one in which it is quiet though the same metrics are there, and a runbook.
func TestEachAlertIsTested(t *testing.T) {
	var file struct {
		Tests []Test `yaml:"tests"`
	}
	if err := yaml.Unmarshal(Tests(Objective{}, "r"), &file); err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string][]string{}, map[string][]string{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			if len(a.Expected) > 0 {
				fires[a.Name] = append(fires[a.Name], metricsOf(test)...)
			} else {
				quiet[a.Name] = append(quiet[a.Name], metricsOf(test)...)
			}
		}
	}
	if len(Names()) != 21 {
		t.Errorf("%d alerts; the list has 21", len(Names()))
	}
	for _, name := range Names() {
		for _, m := range fires[name] {
			if !slices.Contains(quiet[name], m) {
				t.Errorf("%s: no quiet test has the metric %s", name, m)
			}
		}
		if len(fires[name]) == 0 {
			t.Errorf("%s: no test in which it fires", name)
		}
		page, err := os.ReadFile(filepath.Join(root, Runbook(name)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, heading := range []string{"# " + name + "\n", "\n## Meaning\n", "\n## Check\n", "\n## Act\n", "\n## Undo\n"} {
			if !strings.Contains(string(page), heading) {
				t.Errorf("%s: its runbook has no %q", name, strings.TrimSpace(heading))
			}
		}
	}
	pages, _ := filepath.Glob(filepath.Join(root, "docs/runbooks/relent-*.md"))
	if len(pages) != len(Names()) {
		t.Errorf("%d runbooks for %d alerts", len(pages), len(Names()))
	}
}

func metricsOf(test Test) (names []string) {
	for _, in := range test.Input {
		name, _, _ := strings.Cut(in.Series, "{")
		names = append(names, name)
	}
	return names
}

func TestObjectives(t *testing.T) {
	for slo, ok := range map[float64]bool{0: true, 99.99: true, 99: true, 93.1: false, 50: false, 100: false, -1: false, 1e9: false} {
		if err := (Objective{SLO: slo}).Check(); (err == nil) != ok {
			t.Errorf("SLO %v: %v", slo, err)
		}
	}
	if text := string(File(Objective{SLO: 99.9, Window: "7d"})); !strings.Contains(text, "(14.4 * 0.001)") || !strings.HasPrefix(text, "# Made by: relent policy rules --slo 99.9 --window 7d\n") {
		t.Errorf("rules for 99.9:\n%s", text)
	}
	if got := kebab("RelentSLOx"); got != "relent-s-l-ox" {
		t.Errorf("kebab = %s", got)
	}
	if (scene{alert: "none"}).severity() != "" {
		t.Error("an alert that there is not has a severity")
	}
}

// promtool runs the program on files in a new folder, and returns what it said.
func promtool(t *testing.T, files map[string][]byte, args ...string) error {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not installed: apt-get install prometheus")
		}
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func TestRules(t *testing.T) {
	for _, o := range []Objective{{}, {SLO: 99}} {
		t.Run(number(100-100*o.budget()), func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{"r.yaml": File(o), "t.yaml": Tests(o, "r.yaml")}
			if err := promtool(t, files, "check", "rules", "r.yaml"); err != nil {
				t.Error(err)
			}
			if err := promtool(t, files, "test", "rules", "t.yaml"); err != nil {
				t.Error(err)
			}
		})
	}
}

var (
	operand   = regexp.MustCompile(`\n +and [^\n]*`)
	threshold = regexp.MustCompile(`(>=|<=|>|<|==) (\([^()]*\)|[0-9.]+)`)
	opposite  = map[string]string{">=": "<", "<=": ">", ">": "<=", "<": ">=", "==": "!="}
)

// mutants are wrong forms of an expression: one condition less, another threshold, a comparison turned round.
func mutants(expr string) map[string]string {
	all := map[string]string{}
	for i, at := range operand.FindAllStringIndex(expr, -1) {
		cut := expr[:at[0]] + expr[at[1]:]
		if strings.Count(cut, "(") == strings.Count(cut, ")") {
			all[fmt.Sprint("without condition ", i+1)] = cut
		} else { // the operand closes a parenthesis that was opened before it
			all[fmt.Sprint("without condition ", i+1)] = expr[:at[0]] + ")" + strings.SplitN(expr[at[0]:at[1]], ")", 2)[1] + expr[at[1]:]
		}
	}
	for i, at := range threshold.FindAllStringSubmatchIndex(expr, -1) {
		compare, value := expr[at[2]:at[3]], expr[at[4]:at[5]]
		with := func(compare, value string) string { return expr[:at[0]] + compare + " " + value + expr[at[1]:] }
		if value != "0" {
			all[fmt.Sprint("threshold ", i+1, " times 5")] = with(compare, "(5 * "+value+")")
			all[fmt.Sprint("threshold ", i+1, " by 5")] = with(compare, "(0.2 * "+value+")")
		}
		all[fmt.Sprint("comparison ", i+1, " turned round")] = with(opposite[compare], value)
	}
	return all
}

// survivors are mutants that the tests do not tell from the rule, and why that is right.
var survivors = map[string]string{}

// Each mutant of each alert must make a test of that alert fail.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred runs of promtool")
	}
	for i, a := range alerts {
		t.Run(a.name, func(t *testing.T) {
			for what, expr := range mutants(a.expr(Objective{})) {
				groups := Groups(Objective{})
				groups[0].Rules = slices.DeleteFunc(groups[0].Rules, func(r Rule) bool { return !strings.Contains(expr, r.Record) })
				groups[1].Rules = []Rule{alerting(Objective{})[i]}
				groups[1].Rules[0].Expr = expr
				rules, _ := yaml.Marshal(map[string]any{"groups": groups})
				var tests []Test
				for _, test := range Cases(Objective{}) {
					if test.Alerts[0].Name == a.name {
						tests = append(tests, test)
					}
				}
				file, _ := yaml.Marshal(map[string]any{"rule_files": []string{"r.yaml"}, "evaluation_interval": "1m", "tests": tests})
				err := promtool(t, map[string][]byte{"r.yaml": rules, "t.yaml": file}, "test", "rules", "t.yaml")
				if why := survivors[a.name+", "+what]; (err == nil) != (why != "") {
					t.Errorf("%s: tests say %v; expected to survive: %q\n%s", what, err, why, expr)
				}
			}
		})
	}
}

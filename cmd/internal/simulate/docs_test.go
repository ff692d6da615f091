package simulate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/relent-go/relent/sim"
)

var update = flag.Bool("update", false, "write the tables of docs/adaptive.md anew")

const (
	scores   = "../../../bench/adaptive.json"
	document = "../../../docs/adaptive.md"
)

// sheet looks rows up.
type sheet struct {
	AdaptiveReport
	worlds []string
}

func (s *sheet) of(rows []Duel, world, rival string) *Duel {
	for i := range rows {
		if rows[i].Scenario == world && rows[i].Rival == rival {
			return &rows[i]
		}
	}
	return nil
}

// table writes one line for each scenario.
func (s *sheet) table(head string, cells func(world string) []string) string {
	n := strings.Count(head, "|") - 1
	lines := []string{head, strings.Repeat("|---", n) + "|"}
	for _, w := range s.worlds {
		if c := cells(w); c != nil {
			lines = append(lines, "| `"+w+"` | "+strings.Join(c, " | ")+" |")
		}
	}
	return strings.Join(lines, "\n")
}

// gains is a table of rivals by scenario.
func (s *sheet) gains(rows []Duel, rivals ...string) string {
	return s.table("| | `"+strings.Join(rivals, "` | `")+"` |", func(w string) (cells []string) {
		for _, r := range rivals {
			d := s.of(rows, w, r)
			if d == nil {
				return nil
			}
			cells = append(cells, interval(d.Gain))
		}
		return cells
	})
}

func interval(i sim.Interval) string { return number(i.Mean) + " ± " + fmt.Sprintf("%.2f", i.Half) }

// number writes a minus, not a hyphen.
func number(x float64) string { return strings.Replace(fmt.Sprintf("%.2f", x), "-", "−", 1) }

// tables are those of the document, by the name of their place.
func (s *sheet) tables() map[string]string {
	var sabotages []string
	for _, name := range sim.Rivals() {
		if strings.HasPrefix(name, "sabotage-") {
			sabotages = append(sabotages, name)
		}
	}
	var variants []string
	for _, v := range s.Variants {
		for _, row := range v.Rows {
			if row.Rival == "learn+B20" {
				variants = append(variants, fmt.Sprintf("| `%s` | `%s` | %s | %.1f | %.1f |", v.Name, row.Scenario, interval(row.Gain), s.of(v.Rows, row.Scenario, sim.Reference).Wasted, row.Wasted))
			}
		}
	}
	return map[string]string{
		"command":   "    " + s.Command,
		"bounded":   s.gains(s.Rows, "learn+B20", "preserve+B20", "exp+gate", "none", "aws26", "sre10", "bucket", "oracle+B20"),
		"unbounded": s.gains(s.Rows, "learn", "preserve", "exp", "linear", "fib", "oracle"),
		"parts":     s.gains(s.Rows, "learn+B20", "no-waits", "no-parking", "no-gate", "no-stops", "no-guard", "no-fallback"),
		"sabotage":  s.gains(s.Rows, sabotages...),
		"variants":  "| | scenario | gain | wasted per 100, `exp+B20` | `learn+B20` |\n|---|---|---|---|---|\n" + strings.Join(variants, "\n"),
		"waste": s.table("| | success % `exp+B20` → `learn+B20` | wasted per 100 | | success % `exp` → `preserve` | wasted per 100 | |", func(w string) (cells []string) {
			for _, p := range [][2]string{{sim.Reference, "learn+B20"}, {"exp", "preserve"}} {
				a, b := s.of(s.Rows, w, p[0]), s.of(s.Rows, w, p[1])
				cells = append(cells, fmt.Sprintf("%.2f → %.2f", 100*a.Success, 100*b.Success), fmt.Sprintf("%.1f → %.1f", a.Wasted, b.Wasted),
					strings.Replace(fmt.Sprintf("%.0f %%", 100*(b.Wasted/a.Wasted-1)), "-", "−", 1))
			}
			return cells
		}),
		"levels": s.table("| | best with a budget | `learn+B20` beside it | | best without | `learn` beside it | |", func(w string) (cells []string) {
			for _, l := range s.Levels {
				if l.Scenario == w {
					cells = append(cells, "`"+l.Best+"`", interval(l.Gain), l.verdict())
				}
			}
			return cells
		}),
	}
}

// The tables of the document are those of the scores. After new scores: go test ./internal/simulate -run Document -update
func TestDocumentShowsTheScores(t *testing.T) {
	text, err := os.ReadFile(scores)
	if err != nil {
		t.Fatal(err)
	}
	var s sheet
	if err := json.Unmarshal(text, &s.AdaptiveReport); err != nil {
		t.Fatal(err)
	}
	for _, row := range s.Rows {
		if row.Rival == sim.Reference {
			s.worlds = append(s.worlds, row.Scenario)
		}
	}
	doc, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	now := string(doc)
	for name, table := range s.tables() {
		from, after, ok := strings.Cut(now, "<!-- "+name+" -->\n")
		old, rest, ok2 := strings.Cut(after, "<!-- end -->\n")
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the table %q", document, name)
		}
		if strings.TrimSpace(old) != strings.TrimSpace(table) && !*update {
			t.Errorf("the table %q is not that of %s: write it with -update", name, scores)
		}
		now = from + "<!-- " + name + " -->\n\n" + table + "\n\n<!-- end -->\n" + rest
	}
	if *update {
		if err := os.WriteFile(document, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

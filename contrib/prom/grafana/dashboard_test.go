package grafana

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/relent-go/relent/contrib/prom/rules"
)

const committed = "../../../deploy/grafana/relent.json"

// The committed dashboard is what this package makes.
func TestCommittedDashboard(t *testing.T) {
	want, err := Dashboard(rules.Objective{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("deploy/grafana/relent.json is not what this package makes: make it again with go generate ./prom/grafana")
	}
}

func TestDashboardObjective(t *testing.T) {
	if _, err := Dashboard(rules.Objective{SLO: 50}); err == nil {
		t.Error("an objective of 50 % is accepted")
	}
	text, err := Dashboard(rules.Objective{SLO: 99})
	if err != nil || !strings.Contains(string(text), "/ 0.01\"") {
		t.Errorf("no panel divides by the error budget of 99 %%: %v", err)
	}
}

// A shown panel is one of the dashboard's JSON.
type shown struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []struct {
					Value *float64 `json:"value"`
				} `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

// parsed reads the committed dashboard.
func parsed(t *testing.T) (panels []shown, variables []string) {
	t.Helper()
	text, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels     []shown `json:"panels"`
		Templating struct {
			List []struct {
				Name string `json:"name"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	return d.Panels, variables
}

// Each panel says what it shows and in which unit, and no two lie on top of one another.
func TestPanels(t *testing.T) {
	panels, variables := parsed(t)
	if got := strings.Join(variables, " "); got != "datasource policy venue" {
		t.Errorf("variables %s; want datasource policy venue", got)
	}
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	var headings []string
	for _, p := range panels {
		if ids[p.ID] || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q: its number or its title is not its own", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] >= 24 {
					t.Fatalf("%s lies on %q, or beyond the edge, at %v", p.Title, taken[at], at)
				}
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			headings = append(headings, p.Title)
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
			t.Errorf("%s has no description, unit or query: %+v", p.Title, p)
		}
		for _, q := range p.Targets {
			if q.LegendFormat == "" {
				t.Errorf("%s: a series has no name", p.Title)
			}
		}
	}
	if got, want := strings.Join(headings, ", "), "Overview, Outcomes, Retries not made, Circuits, Budgets, Emergency stop, Orders, Streams, Audit, Relent itself"; got != want {
		t.Errorf("rows %s; want %s", got, want)
	}
}

// The lines in the panels are the thresholds of the alerts.
func TestThresholdLines(t *testing.T) {
	panels, _ := parsed(t)
	want := map[string]float64{
		"Success after retries": 1 - rules.FastBurn*0.0001, "Success at the first try": 1 - rules.FirstTryFailures,
		"Attempts for each call": rules.Amplification, "Rescued by retries": rules.RecoveryRate,
		"Burn of the error budget, fast": rules.FastBurn, "Burn of the error budget, slow": rules.SlowBurn,
		"Openings in 10 minutes": rules.Openings, "Left of the retry budget": rules.BudgetLeft, "Held for": rules.StopHeldSeconds,
		"Oldest unknown outcome": rules.UnknownAgeSeconds, "Reconnects of each venue": rules.ReconnectsAMinute,
	}
	for _, p := range panels {
		line, ok := want[p.Title]
		if !ok {
			continue
		}
		delete(want, p.Title)
		if steps := p.FieldConfig.Defaults.Thresholds.Steps; len(steps) != 2 || steps[1].Value == nil || *steps[1].Value != line {
			t.Errorf("%s: lines %+v; want one at %v", p.Title, steps, line)
		}
	}
	if len(want) > 0 {
		t.Errorf("no panels for %v", want)
	}
}

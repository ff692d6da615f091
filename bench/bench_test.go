package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// output is what package testing prints, with noise around it.
const output = `goos: linux
cpu: some
BenchmarkLines/first_try,_value/bare-2         	 1000	         2.000 ns/op	       0 B/op	       0 allocs/op
BenchmarkLines/first_try,_value/relent-2       	 1000	         3.000 ns/op	       0 B/op	       0 allocs/op
BenchmarkLines/first_try,_value/eapache-2      	 1000	         9.000 ns/op	      16 B/op	       1 allocs/op
BenchmarkOther/thing-2                         	 1000	         1.000 ns/op
BenchmarkLines/HTTP_memory,_GET/bare           	 1000	      1000 ns/op	     984 B/op	      11 allocs/op
PASS
`

func TestParse(t *testing.T) {
	samples, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	want := []sample{
		{"first try, value", "bare", 2, 0, 0},
		{"first try, value", "relent", 3, 0, 0},
		{"first try, value", "eapache", 9, 16, 1},
		{"HTTP memory, GET", "bare", 1000, 984, 11},
	}
	if len(samples) != len(want) {
		t.Fatalf("parse(...) = %v; want %v", samples, want)
	}
	for i := range want {
		if samples[i] != want[i] {
			t.Errorf("sample %d = %v; want %v", i, samples[i], want[i])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"BenchmarkLines/a/b-2 1000 two ns/op",
		"BenchmarkLines/a/b-2 1000 16 B/op 1 allocs/op",
	} {
		if samples, err := parse(strings.NewReader(text)); err == nil {
			t.Errorf("parse(%q) = %v; want an error", text, samples)
		}
	}
}

func TestAggregate(t *testing.T) {
	lines := aggregate([]sample{
		{"b", bare, 10, 0, 0}, {"b", relent, 10, 8, 1}, {"a", relent, 7, 0, 0},
		{"b", bare, 30, 0, 0}, {"b", relent, 40, 8, 1},
		{"b", bare, 20, 0, 0}, {"b", relent, 1000, 8, 1}, // an outlier
	})
	if len(lines) != 2 || lines[0].Name != "b" || lines[1].Name != "a" {
		t.Fatalf("aggregate(...) = %v; want b, then a", lines)
	}
	want := Cost{Nanoseconds: 40, Low: 25, High: 520, Ratio: 2, Bytes: 8, Allocs: 1, Runs: 3}
	if got := lines[0].Costs[relent]; got != want {
		t.Errorf("relent's cost = %+v; want %+v", got, want)
	}
	if got := lines[1].Costs[relent].Ratio; got != 0 {
		t.Errorf("ratio without a floor = %v; want 0", got)
	}
}

func TestWinners(t *testing.T) {
	at := func(low, median, high float64) Cost { return Cost{Nanoseconds: median, Low: low, High: high} }
	for _, test := range []struct {
		name  string
		costs map[string]Cost
		want  string
	}{
		{"a peer that is faster wins", map[string]Cost{bare: at(1, 1, 1), relent: at(9, 10, 11), "eapache": at(4, 5, 6)}, "eapache"},
		{"overlapping quartiles share", map[string]Cost{bare: at(1, 1, 1), relent: at(4, 6, 8), "eapache": at(4, 5, 6)}, "eapache relent"},
		{"the floor does not compete", map[string]Cost{bare: at(1, 1, 1), relent: at(9, 10, 11)}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			won := Line{Costs: test.costs}.winners()
			got := ""
			for _, s := range []string{bare, "eapache", relent} {
				if won[s] {
					got += " " + s
				}
			}
			if got = strings.TrimSpace(got); got != test.want {
				t.Errorf("winners() = %q; want %q", got, test.want)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	subjects := []Subject{{Name: bare, Waits: true}, {Name: relent, Waits: true}, {Name: "eapache", Waits: true}, {Name: "retryablehttp"}}
	count := func(scenes []scene, subject string, calls int) (n int) {
		for _, s := range scenes {
			if s.subject == subject && s.calls == calls {
				n++
			}
		}
		return n
	}
	usual, million := plan(subjects, false, false), plan(subjects, false, true)
	for _, test := range []struct {
		subject string
		scenes  []scene
		calls   int
		want    int // burst and paced
	}{
		{relent, usual, 1_000_000, 2},
		{relentGo, usual, 1_000_000, 2},
		{afterFunc, usual, 1_000, 2},
		{"eapache", usual, 100_000, 2},
		{"eapache", usual, 1_000_000, 0},
		{"eapache", million, 1_000_000, 2},
		{"retryablehttp", million, 10_000, 0},
		{relent, plan(subjects, true, false), 100_000, 0},
	} {
		if got := count(test.scenes, test.subject, test.calls); got != test.want {
			t.Errorf("%s, %d calls: %d scenes; want %d", test.subject, test.calls, got, test.want)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, args := range []string{"-rounds 0", "-only nothing", "more"} {
		if err := new(config).parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("parse(%q) = nil; want an error", args)
		}
	}
	var c config
	if err := c.parse([]string{"-short", "-benchtime", "1s"}, io.Discard); err != nil || c.rounds != 2 || c.benchTime != "1s" || c.full() {
		t.Errorf("parse(-short -benchtime 1s) = %v, %+v; want two rounds of 1s that replace nothing", err, c)
	}
}

func TestText(t *testing.T) {
	tb := &table{title: "Work", head: []string{"line", "bare", "relent"}, notes: []string{"note"}}
	tb.add("first try", cell{text: "2 ns"}, cell{"3 ns", true})
	var b strings.Builder
	tb.text(&b)
	want := "\nWork\n\nline        bare   relent\nfirst try   2 ns     3 ns*\nnote\n"
	if b.String() != want {
		t.Errorf("text() = %q; want %q", b.String(), want)
	}
	b.Reset()
	tb.markdown(&b)
	want = "\n## Work\n\n| line | bare | relent |\n|---|--:|--:|\n| first try | 2 ns | **3 ns** |\n\nnote\n"
	if b.String() != want {
		t.Errorf("markdown() = %q; want %q", b.String(), want)
	}
}

// TestReport prints results of every part, so that no table is out of step with its head.
func TestReport(t *testing.T) {
	samples, err := parse(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	r := &Results{
		Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Command: "go run .", Rounds: 1,
		Subjects:  []Subject{{Name: bare}, {Name: relent, Module: "x"}, {Name: "eapache", Module: "y", Version: "v1", Licence: "MIT"}},
		Lines:     aggregate(samples),
		Waiting:   []Waiting{{Subject: relent, Start: "burst", Calls: 10, BytesPerCall: 300, LateP99: 2}, {Subject: relent, Start: "paced", Calls: 10, LateP99: 1}},
		Behaviour: []Question{{"sleeps?", map[string]string{relent: "no", "eapache": "yes"}}},
	}
	for _, wide := range []bool{false, true} {
		tables := r.tables(wide)
		if len(tables) != 5 {
			t.Errorf("%d tables; want 5", len(tables))
		}
		for _, tb := range tables {
			for _, row := range tb.rows {
				if len(row) != len(tb.head) {
					t.Errorf("%s: %d cells below %d heads", tb.title, len(row), len(tb.head))
				}
			}
		}
	}
	dir := t.TempDir()
	if err := r.write(filepath.Join(dir, "results.json")); err != nil {
		t.Error(err)
	}
	if err := r.writeMarkdown(filepath.Join(dir, "RESULTS.md")); err != nil {
		t.Error(err)
	}
}

func TestAnswers(t *testing.T) {
	q := Question{"sleeps?", map[string]string{"a": "no", "b": "yes", "c": "no"}}
	got := q.answers([]string{"a", "b", "c"})
	if len(got) != 2 || got[0].text != "no" || strings.Join(got[0].subjects, " ") != "a c" || got[1].text != "yes" {
		t.Errorf("answers() = %v; want no of a and c, yes of b", got)
	}
}

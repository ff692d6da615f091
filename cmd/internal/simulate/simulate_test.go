package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/relent-go/relent/sim"
)

var errEnough = errors.New("enough")

func storm(t *testing.T, s Storm) StormReport {
	t.Helper()
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStorm(t *testing.T) {
	told := 0
	s := Storm{Policies: []string{"none", "retry3", "relent"}, Clients: 1, Utilisation: 0.8, Seeds: 2, Progress: func(done, of int) {
		if told++; done != told || of != 6 {
			t.Errorf("told of %d of %d; want %d of 6", done, of, told)
		}
	}}
	r := storm(t, s)
	if told != 6 || len(r.Rows) != 6 {
		t.Fatalf("%d rows, told of %d; want 6", len(r.Rows), told)
	}
	for i, row := range r.Rows {
		named, _ := sim.Find(s.Policies[i/2])
		want, _ := sim.Run(t.Context(), named.Scenario(80, 1, uint64(i%2+1)))
		if row.Policy != named.Name || row.Seed != uint64(i%2+1) || row.Clients != 1 || row.Utilisation != 0.8 ||
			math.Abs(row.Amplification-want.Amplification) > 0.001 || want.Recovered() != (row.RecoveryS != nil) || want.Recovered() && *row.RecoveryS != want.Recovery {
			t.Errorf("row %d: %+v; want %+v, %v", i, row, want.Recovery, want.Amplification)
		}
	}
	if !reflect.DeepEqual(storm(t, quiet(s)).Rows, r.Rows) {
		t.Error("not the same rows again")
	}
}

// quiet is s without a listener.
func quiet(s Storm) Storm { s.Progress = nil; return s }

// The fields that scripts rely on, and no others.
func TestJSON(t *testing.T) {
	storm := storm(t, Storm{Policies: []string{"none", "retry3"}, Clients: 2, Utilisation: 0.7, Seeds: 1})
	jitter, err := Jitter{Clients: 3, Runs: 2}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		report any
		fields string
	}{
		"storm":  {storm, "amplification clients policy recovery_s seed utilisation"},
		"jitter": {jitter, "calls clients jitter ms"},
	} {
		text, err := json.Marshal(test.report)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string][]map[string]any
		if err := json.Unmarshal(text, &got); err != nil || len(got) != 1 || len(got["rows"]) == 0 {
			t.Fatalf("%s: %s, %v", name, text, err)
		}
		for _, row := range got["rows"] {
			if len(row) != len(strings.Fields(test.fields)) {
				t.Errorf("%s: fields of %v; want %s", name, row, test.fields)
			}
			for _, field := range strings.Fields(test.fields) {
				if _, ok := row[field]; !ok {
					t.Errorf("%s: no %s in %v", name, field, row)
				}
			}
		}
	}
	if text, _ := json.Marshal(storm.Rows[1]); !strings.Contains(string(text), `"recovery_s":null`) {
		t.Errorf("%s; want null for never", text)
	}
}

func TestCheck(t *testing.T) {
	good := Storm{Policies: []string{"none"}, Clients: 1, Utilisation: 0.8, Seeds: 1}
	for _, test := range []struct {
		want  string
		check error
	}{
		{"--policy: no policy is named", Storm{}.Check()},
		{"--clients: 0 is not from 1", Storm{}.Check()},
		{"--utilisation: 0 is not over 0 and below 1", Storm{}.Check()},
		{"--seeds: 0 is not from 1", Storm{}.Check()},
		{`--policy: unknown policy "nope": want one of none, retry3, relent`, Storm{Policies: []string{"none", "nope"}}.Check()},
		{`--policy: "relent" is named twice`, Storm{Policies: []string{"relent", "none", "relent"}}.Check()},
		{"--utilisation: NaN", Storm{Utilisation: math.NaN()}.Check()},
		{"--utilisation: 1 ", Storm{Utilisation: 1}.Check()},
		{"--clients: 10001", Storm{Clients: 10_001}.Check()},
		{"--clients: -1", Jitter{Clients: -1}.Check()},
		{"--runs: 0", Jitter{}.Check()},
	} {
		if test.check == nil || !strings.Contains(test.check.Error(), test.want) {
			t.Errorf("Check = %v; want %q", test.check, test.want)
		}
	}
	if err := good.Check(); err != nil {
		t.Errorf("a good storm: %v", err)
	}
	if _, err := (Storm{}).Run(t.Context()); err == nil {
		t.Error("a storm with mistakes ran")
	}
	if _, err := (Jitter{}).Run(t.Context()); err == nil {
		t.Error("a contest with mistakes ran")
	}
}

func TestEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := Storm{Policies: []string{"none"}, Clients: 1, Utilisation: 0.8, Seeds: 1000, Progress: func(int, int) { cancel(errEnough) }}
	if r, err := s.Run(ctx); err != errEnough || r.Rows != nil {
		t.Errorf("storm: %v", err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	j := Jitter{Clients: 10, Runs: 10_000, Progress: func(int, int) { cancel(errEnough) }}
	if r, err := j.Run(ctx); err != errEnough || r.Rows != nil {
		t.Errorf("jitter: %v", err)
	}
}

func TestText(t *testing.T) {
	half := 12.0
	r := StormReport{
		storm: Storm{Policies: []string{"a", "b", "c", "d"}, Clients: 1, Utilisation: 0.855, Seeds: 2},
		about: []sim.Named{{About: "aa"}, {About: "bb"}, {About: "cc"}, {About: "dd"}},
		Rows: []StormRow{
			{RecoveryS: &half, Amplification: 1}, {RecoveryS: &half, Amplification: 1.001}, {RecoveryS: new(3.0), Amplification: 1}, {RecoveryS: &half, Amplification: 2},
			{Amplification: 4}, {Amplification: 4}, {RecoveryS: &half}, {Amplification: 1},
		},
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `A server at 85.5 % utilisation by 1 client stalls for 10 s. 2 runs of each policy:

POLICY  RECOVERY       ATTEMPTS/ARRIVAL  WHAT IT IS
a       12 s           1.00              aa
b       3 to 12 s      1.00 to 2.00      bb
c       never          4.00              cc
d       12 s to never  0.00 to 1.00      dd

`
	if got := b.String(); !strings.HasPrefix(got, want) {
		t.Errorf("text\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	j := JitterReport{jitter: Jitter{Clients: 2, Runs: 1}, Rows: []JitterRow{{"none", 2, 3.4, 40.6}, {"full", 2, 3000, 5}}}
	if err := j.WriteText(&b); err != nil || !strings.Contains(b.String(), "    none      3  41 ms\n    full   3000   5 ms\n") {
		t.Errorf("%v, text\n%s", err, b.String())
	}
}

// texts returns what a picture says, and fails if it is no well-formed SVG.
func texts(t *testing.T, svg []byte) string {
	t.Helper()
	var b strings.Builder
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		if text, ok := token.(xml.CharData); ok {
			b.WriteString(string(text) + "|")
		}
	}
}

func TestPictures(t *testing.T) {
	var b bytes.Buffer
	r := storm(t, Storm{Policies: []string{"none", "retry3", "aws-2025"}, Clients: 100, Utilisation: 0.8, Seeds: 1})
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	got := texts(t, b.Bytes())
	for _, want := range []string{"A server at 80 % utilisation by 100 clients stalls for 10 s", "Load: attempts sent per second", "Goodput:", "Queue:",
		"|none|", "|retry3|", "|aws-2025|", "200 s|", "1000 s|", "100000|", "grey band"} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture does not say %q: %s", want, got)
		}
	}
	b.Reset()
	j, err := Jitter{Clients: 20, Runs: 3}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	got = texts(t, b.Bytes())
	for _, want := range []string{"20 clients write one row", "Calls:", "Time:", "|decorrelated|", " s|", "means of 3 runs"} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture does not say %q: %s", want, got)
		}
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errEnough }

func TestFullDisk(t *testing.T) {
	s := storm(t, Storm{Policies: []string{"none"}, Clients: 1, Utilisation: 0.5, Seeds: 1})
	j, _ := Jitter{Clients: 1, Runs: 1}.Run(t.Context())
	for name, err := range map[string]error{"storm text": s.WriteText(full{}), "storm picture": s.WriteSVG(full{}), "jitter text": j.WriteText(full{}), "jitter picture": j.WriteSVG(full{})} {
		if err != errEnough {
			t.Errorf("%s: %v; want %v", name, err, errEnough)
		}
	}
}

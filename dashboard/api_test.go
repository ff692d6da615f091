package dashboard

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/relent-go/relent/control"
)

func ask2(path string) *http.Request { return httptest.NewRequest("GET", "http://localhost"+path, nil) }

func TestAPI(t *testing.T) {
	f := &telling{fake: fake{view: some()}}
	h := newHandler(t, Config{Source: f})
	h.hub.tell([]control.Note{{Seq: 1, Kind: "retrying", Policy: "a"}, {Seq: 2, Kind: "failed", Policy: "b"}}, 0)
	for _, test := range []struct {
		path string
		code int
		want string // a part
	}{
		{"view", 200, `"instance":"a"`},
		{"topics/circuits", 200, `{"loose|host":{"policy":"loose"`},
		{"topics/odd", 404, `no topic \"odd\": there are overview`},
		{"history", 200, `"step":1,"outcomes":["success_first_try"`},
		{"history?policy=loose&range=1m", 200, `"policy":"loose","step":5`},
		{"history?policy=none", 404, `no history of the policy \"none\"`},
		{"history?range=x", 400, "range: "},
		{"events", 200, `"seq":1`},
		{"events?filter=policy:b&limit=1", 200, `[{"seq":2`},
		{"events?filter=policy:c", 200, "[]\n"},
		{"scopes", 200, `["global","desk","desk/venue","desk/venue/venue.place_order","loose","old"]` + "\n"},
		{"radius?scope=global", 200, `{"scope":"global","policies":["venue.place_order","loose"],"in_flight":6,"waiting":1,"unknown":7,"everyone":true,"below":[{"scope":"desk/venue"`},
		{"radius?scope=desk/venue", 200, `"policies":["venue.place_order"],"in_flight":2,"waiting":1,"unknown":2,"everyone":false,"below":[]`},
		{"radius?scope=desk", 200, `"below":[{"scope":"desk/venue"`},
		{"schema", 200, `["bye","delta"`},
		{"schema/delta", 200, `"$id"`},
		{"schema/none", 404, `no schema \"none\"`},
	} {
		w := ask(h, "GET", "/api/v1/"+test.path, "")
		if got := text(w); w.Code != test.code || !strings.Contains(got, test.want) {
			t.Errorf("GET %s = %d %.300s; want %d with %s", test.path, w.Code, got, test.code, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	b, err := json.Marshal([]Number{1.0 / 3, Number(math.NaN()), Number(math.Inf(1)), 0})
	if got := string(b); err != nil || got != "[0.333333,null,null,0]" {
		t.Errorf("Marshal = %s, %v", got, err)
	}
	w := httptest.NewRecorder()
	reply(w, math.NaN())
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a value without JSON = %d; want 500", w.Code)
	}
}

// What is written by hand is what the tags say.
func TestRowJSON(t *testing.T) {
	type tagged Row
	for _, r := range []Row{
		{Name: "a", Outcomes: map[string]uint64{}, Suppressed: map[string]uint64{}},
		{
			Name: "<b>\"ü\\\n", Component: "c", Policy: "p", Version: 3, Base: map[string]string{"b": "1", "a": "&"}, Override: map[string]string{"a": "x"},
			Calls: 1, Retries: 2.5, Success: Number(math.NaN()), FirstTry: 1e-9, Amplification: 1e9, CallP50: -1, CallP99: 3, AttemptP50: 4, AttemptP99: 5,
			InFlight: -6, Waiting: 7, Outcomes: map[string]uint64{"success_first_try": 1, "exhausted": 2}, Suppressed: map[string]uint64{"limit": math.MaxUint64},
		},
	} {
		got, err := json.Marshal(r)
		want, _ := json.Marshal(tagged(r))
		if err != nil || string(got) != string(want) {
			t.Errorf("row = %s, %v; want %s", got, err, want)
		}
	}
}

// A row has the fields that are in force now, not those of before.
func TestRowFieldsChange(t *testing.T) {
	s := newSampler()
	row := func(base, override map[string]string) string {
		v := control.View{Policies: []control.PolicyView{{Name: "a", Base: base, Override: override}}}
		return string(s.take(v, began, Stats{})["policies"]["a"])
	}
	for i, test := range []struct {
		base, override map[string]string
		want           string
	}{
		{map[string]string{"max": "3"}, nil, `"version":0,"base":{"max":"3"},"calls":`},
		{map[string]string{"max": "3"}, nil, `"version":0,"base":{"max":"3"},"calls":`},
		{map[string]string{"max": "3"}, map[string]string{"max": "1"}, `"base":{"max":"3"},"override":{"max":"1"},"calls":`},
		{map[string]string{"max": "4"}, map[string]string{"max": "1"}, `"base":{"max":"4"},"override":{"max":"1"},"calls":`},
		{nil, nil, `"version":0,"calls":`},
	} {
		if got := row(test.base, test.override); !strings.Contains(got, test.want) {
			t.Errorf("%d: %s; want %s in it", i, got, test.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, test := range []struct {
		counts []uint64
		q      float64
		want   Number
	}{
		{[]uint64{10, 0, 0, 0}, 0.5, 0.5}, {[]uint64{10, 10, 0, 0}, 0.5, 1}, {[]uint64{10, 10, 0, 0}, 0.75, 1.5},
		{[]uint64{0, 0, 4, 0}, 0, 2}, {[]uint64{0, 0, 0, 5}, 0.5, 4}, {[]uint64{1, 0, 0, 1}, 0.99, 4},
		{[]uint64{0, 0, 0, 0}, 0.5, -1}, {[]uint64{1}, 0.5, -1}, {nil, 0.5, -1},
	} {
		got := quantile(bounds, test.counts, test.q)
		if math.IsNaN(float64(got)) {
			got = -1
		}
		if got != test.want {
			t.Errorf("quantile(%v, %v) = %v; want %v", test.counts, test.q, got, test.want)
		}
	}
	if got := quantile(nil, []uint64{1}, 0.5); !math.IsNaN(float64(got)) {
		t.Errorf("without bounds: %v", got)
	}
}

func TestFilter(t *testing.T) {
	n := control.Note{Policy: "binance.place_order", Target: "api", Kind: "failed", Class: "ambiguous", Outcome: "exhausted", Reason: "limit", Trace: "ab", Instance: "tokyo", Text: "Timeout (504)"}
	for text, want := range map[string]bool{
		"": true, "policy:binance.*": true, "policy:okx.*": false, "-policy:okx.*": true, "CLASS:Ambiguous timeout": true, "timeout -504": false,
		"policy:binance": false, "kind:f?iled": true, "outcome:exhausted reason:limit target:api trace:ab instance:tokyo": true, "odd:x": false,
		"504": true, "-": false, "policy:[": false, "class:": false, strings.Repeat("a ", 99): true,
	} {
		if got := parseFilter(text).match(&n); got != want {
			t.Errorf("filter %q matches: %v; want %v", text, got, want)
		}
	}
	if !parseFilter("target:desk/*").match(&control.Note{Target: "desk/a/b"}) {
		t.Error("* does not match a scope")
	}
	if got := len(parseFilter(strings.Repeat("a ", 99))); got != maxTerms {
		t.Errorf("%d terms; want %d", got, maxTerms)
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("policy:a* -kind:[x-", "a")
	f.Fuzz(func(t *testing.T, filter, text string) {
		n := control.Note{Policy: text, Text: text}
		yes := parseFilter(filter)
		if got := yes.match(&n); got != yes.match(&n) || len(yes) > maxTerms {
			t.Errorf("filter %q matches %q: %v", filter, text, got)
		}
	})
}

// The lists are those of package control.
func TestLists(t *testing.T) {
	for _, test := range []struct{ got, want []string }{
		{outcomes[:], control.Outcomes()}, {reasons[:], control.Reasons()},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("%v; control has %v", test.got, test.want)
		}
	}
}

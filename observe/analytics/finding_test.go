package analytics

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// What a view says of a finding can be read back, as it is and after it was JSON.
func TestEvidenceOf(t *testing.T) {
	for _, test := range []struct {
		name string
		e    Evidence
	}{
		{"zero", Evidence{}},
		{"all", Evidence{Statistic: "phase_votes", Value: 21, Threshold: 1.5, P: 1e-9, Effect: 3.25, N: 30, Window: 15 * time.Second, Baseline: 0.01,
			Period: time.Minute, Phase: 5 * time.Second, Samples: []uint64{0, 1, 1 << 40}, Fingerprints: []string{"transient http 503", "ambiguous eof"}}},
	} {
		m := test.e.Map()
		if got := EvidenceOf(m); !reflect.DeepEqual(got, test.e) {
			t.Errorf("%s: EvidenceOf(Map) = %+v; want %+v", test.name, got, test.e)
		}
		text, err := json.Marshal(m)
		var back map[string]any
		if err = errorOr(err, json.Unmarshal(text, &back)); err != nil {
			t.Fatal(err)
		}
		if got := EvidenceOf(back); !reflect.DeepEqual(got, test.e) {
			t.Errorf("%s: after JSON = %+v; want %+v", test.name, got, test.e)
		}
	}
	odd := map[string]any{"value": "x", "window": "x", "n": -1.0, "samples": []any{"x", 1e30}, "errors": []any{1.0}, "more": 1}
	if got := EvidenceOf(odd); !reflect.DeepEqual(got, Evidence{Samples: []uint64{0, 0}, Fingerprints: []string{""}}) {
		t.Errorf("of odd values: %+v", got)
	}
	if got := EvidenceOf(map[string]any{"samples": make([]any, 1000), "errors": make([]any, 1000)}); len(got.Samples) != 60 || len(got.Fingerprints) != 3 {
		t.Errorf("%d samples, %d errors; want 60 and 3", len(got.Samples), len(got.Fingerprints))
	}
}

func errorOr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func TestNamesOfSubjectsAndSeverities(t *testing.T) {
	for kind, subject := range map[Kind]Subject{
		ErrorShift: {OfPolicy, "acme.get_book", ""}, CorrelatedFailure: {OfDependency, "acme", ""}, BadShard: {OfShard, "acme.get_book", "s/3"}, HiddenDependency: {OfPair, "acme.get_book", "zeta.get_book"},
	} {
		if got := kind.Subject(subject.String()); got != subject {
			t.Errorf("%s: Subject(%q) = %+v; want %+v", kind, subject.String(), got, subject)
		}
	}
	for _, s := range []Severity{Info, Ticket, Page} {
		if got := ParseSeverity(s.String()); got != s {
			t.Errorf("ParseSeverity(%q) = %v", s.String(), got)
		}
	}
	if ParseSeverity("panic") != Page {
		t.Error("an unknown severity is not the worst")
	}
}

package profile

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/budget"
)

func TestNew(t *testing.T) {
	for _, name := range Names() {
		p, err := New(name)
		if err != nil || p.Check() != nil {
			t.Errorf("New(%q) = %v, Check %v", name, err, p.Check())
		}
	}
	same(t, "profiles", len(Names()), 11)
	_, err := New("finagled")
	if unknown, ok := errors.AsType[*UnknownError](err); !ok || unknown.Name != "finagled" {
		t.Errorf("New(finagled) = %v; want an UnknownError", err)
	}
	for _, name := range Names() {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%v; want all names, also %s", err, name)
		}
	}
}

func TestNewWithSettings(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings []string
		want     Profile
	}{
		{"finagle", []string{"ttl=30s", " min = 0", "PERCENT=0.1"}, &Finagle{TTL: 30 * time.Second, Min: None, Percent: 0.1}},
		{"tower", []string{"exact=true", "percent=0"}, &Tower{Exact: true, Percent: None}},
		{"linkerd", []string{"maxbody=0"}, &Linkerd{MaxBody: None}},
		{"aws-adaptive", []string{"maxwait=0s", "capacity=10", "base=25ms"},
			&AWSAdaptive{Quota: AWS2026{Capacity: 10, Base: 25 * time.Millisecond}}},
		{"sre", []string{"window=2m", "k=1.5"}, &SRE{Window: 2 * time.Minute, K: 1.5}},
		{"failsafe", []string{"throttle=true"}, &Failsafe{Throttle: true}},
	} {
		got, err := New(test.name, test.settings...)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("New(%s, %q) = %+v, %v; want %+v", test.name, test.settings, got, err, test.want)
		}
	}
}

// The vectors of mistakes, and what else people write.
func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		vector, name string
		setting      string
		want         []string // how the errors begin
	}{
		{"B6", "finagle", "ttl=61s", []string{"TTL: 1m1s is not within 1s to 1m0s"}},
		{"B6", "finagle", "ttl=0s", []string{"TTL: 0 is not within 1s to 1m0s"}},
		{"B6", "finagle", "min=-1", []string{"Min: -1 is not within 0 to"}},
		{"B6", "finagle", "percent=-1", []string{"Percent: -1 is not within 0 to 1000"}},
		{"G20", "grpc", "maxtokens=0", []string{"MaxTokens: 0 is not within 1 to 1000"}},
		{"G20", "grpc", "maxtokens=1001", []string{"MaxTokens: 1001 is not within 1 to 1000"}},
		{"G20", "grpc", "ratio=0", []string{"Ratio: 0 is not within 0.001 to 1000"}},
		{"G20", "grpc", "maxattempts=1", []string{"MaxAttempts: 1 is not within 2 to"}},
		{"all at once", "finagle", "ttl=61s min=-1 percent=NaN", []string{"TTL: 1m1s", "Min: -1", "Percent: NaN"}},
		{"words", "finagle", "ttl=ten min=many percent=some", []string{
			`TTL: "ten" is not a duration`, `Min: "many" is not a whole number`, `Percent: "some" is not a number`}},
		{"switch", "tower", "exact=maybe", []string{`Exact: "maybe" is neither true nor false`}},
		{"no value", "tower", "exact", []string{`Exact: "" is neither`}},
		{"no such field", "grpc", "tokens=1", []string{"tokens: no such field: want one of MaxTokens, Ratio, MaxAttempts"}},
		{"never", "sre", "most=0 k=0.5", []string{"Most: 0 is", "K: 0.5 is not within 1 to 1000"}},
	} {
		t.Run(test.vector+" "+test.setting, func(t *testing.T) {
			p, err := New(test.name, strings.Fields(test.setting)...)
			if err == nil || p != nil {
				t.Fatalf("New = %v, %v; want an error", p, err)
			}
			lines := strings.Split(err.Error(), "\n")
			same(t, "mistakes", len(lines), len(test.want))
			for i, want := range test.want[:min(len(lines), len(test.want))] {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("%q; want it to begin with %q", lines[i], want)
				}
			}
		})
	}
}

// B6 and G20 as fields: zero is the default there, and the rest is what it was.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		p    Profile
		want []string
	}{
		{&Finagle{TTL: 61 * time.Second, Min: -1, Percent: -1}, []string{"TTL", "Min", "Percent"}},
		{&Finagle{TTL: time.Second, Min: None, Percent: None}, nil},
		{&Tower{Percent: math.NaN()}, []string{"Percent"}},
		{&Linkerd{MaxBody: -1}, []string{"MaxBody"}},
		{&Envoy{Percent: 101, Min: -3}, []string{"Percent", "Min"}},
		{&GRPC{MaxTokens: 1001, Ratio: -1, MaxAttempts: 1, Multiplier: math.Inf(1)}, []string{"MaxTokens", "Ratio", "MaxAttempts", "Multiplier"}},
		{&GRPC{MaxAttempts: 9}, nil},
		{&AWS2025{Capacity: -1, MaxAttempts: -1}, []string{"Capacity", "MaxAttempts"}},
		{&AWS2026{Base: time.Minute}, []string{"Base"}},
		{&AWSAdaptive{MaxWait: 2 * time.Hour, Quota: AWS2026{Capacity: -1}}, []string{"Capacity", "MaxWait"}},
		{&SRE{Ratio: 2, Most: 1.5}, []string{"Ratio", "Most"}},
		{&Failsafe{MaxRate: 2}, []string{"MaxRate"}},
	} {
		var got []string
		if err := test.p.Check(); err != nil {
			for line := range strings.Lines(err.Error()) {
				name, _, _ := strings.Cut(line, ":")
				got = append(got, name)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%T: Check names %q; want %q", test.p, got, test.want)
		}
	}
}

// RB14: what a profile is funded by decides whether an outage can keep itself going.
func TestFunding(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings []string
		offered  float64
		stable   bool
	}{
		{"finagle", []string{"percent=0.25", "min=0"}, 80, false},
		{"finagle", []string{"percent=0.1", "min=0"}, 80, true},
		{"finagle", []string{"percent=0.2", "min=10"}, 70, true},
		{"tower", nil, 80, false},
		{"linkerd", nil, 80, false},
		{"envoy", nil, 85, false},
		{"failsafe", nil, 85, false},
		{"sre", nil, 95, false},
		{"grpc", nil, 99, true},
		{"aws-2025", nil, 99, true},
		{"aws-2026", nil, 99, true},
		{"aws-adaptive", nil, 99, true},
	} {
		p, err := New(test.name, test.settings...)
		if err != nil {
			t.Fatal(err)
		}
		warning := budget.Load{Offered: test.offered, Capacity: 100, Clients: 1}.Check(p.Funding())
		if (warning == nil) != test.stable {
			t.Errorf("%s %q at %v: %v; want stable %v", test.name, test.settings, test.offered, warning, test.stable)
		}
	}
}

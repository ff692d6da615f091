package breaker_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
)

func TestRulesCheck(t *testing.T) {
	nan := math.NaN()
	for _, good := range []breaker.Rules{
		{},
		{Window: time.Minute, MinSamples: 5, FailureRate: 1, SlowAfter: time.Second, SlowRate: 1, Classic: true, Healthy: 0.001, Failing: 0.2,
			OpenFor: time.Second, MaxOpenFor: time.Second, Probes: 1, Quorum: 3, MinBad: 1, BadShare: 0.5},
		{Calls: 100, MinSamples: 100},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, test := range []struct {
		r      breaker.Rules
		fields string
	}{
		{breaker.Rules{Window: time.Millisecond, OpenFor: -1, MaxOpenFor: 2 * time.Hour, SlowAfter: -1}, "Window SlowAfter OpenFor MaxOpenFor"},
		{breaker.Rules{OpenFor: 2 * time.Minute, MaxOpenFor: time.Minute}, "MaxOpenFor"},
		{breaker.Rules{Calls: -1, MinSamples: -1, Probes: 2000, Quorum: 1000, MinBad: -1}, "Calls MinSamples Probes Quorum MinBad"},
		{breaker.Rules{Calls: 10, MinSamples: 20, Classic: true}, "MinSamples"},
		{breaker.Rules{Calls: 10, MinSamples: 30}, "Calls MinSamples"},
		{breaker.Rules{FailureRate: 50, SlowRate: -1, Healthy: nan, Failing: nan, BadShare: 2}, "FailureRate SlowRate Healthy Failing BadShare Failing"},
		{breaker.Rules{Healthy: 0.2, Failing: 0.1}, "Failing"},
		{breaker.Rules{Failing: 0.001}, "Failing"},
	} {
		err := test.r.Check()
		if err == nil {
			t.Errorf("%+v: no mistake found", test.r)
			continue
		}
		var fields []string
		for line := range strings.Lines(err.Error()) {
			field, _, _ := strings.Cut(line, ":")
			fields = append(fields, field)
		}
		if got := strings.Join(fields, " "); got != test.fields {
			t.Errorf("%+v: mistakes in %s; want %s\n%v", test.r, got, test.fields, err)
		}
	}
}

// Whatever the rules, a breaker opens in an outage that follows good times, and closes after it.
func TestOddRules(t *testing.T) {
	nan := math.NaN()
	for _, r := range []breaker.Rules{
		{},
		{Window: -1, Calls: -1, MinSamples: -1, FailureRate: -1, SlowAfter: -1, SlowRate: -1, Healthy: -1, Failing: -1, OpenFor: -1, MaxOpenFor: -1,
			Probes: -1, Quorum: -1, MinBad: -1, BadShare: -1},
		{Window: math.MaxInt64, MinSamples: 1, OpenFor: math.MaxInt64, MaxOpenFor: math.MaxInt64, Probes: math.MaxInt, Quorum: math.MaxInt},
		{FailureRate: nan, SlowRate: nan, Healthy: nan, Failing: nan, BadShare: nan},
		{FailureRate: 50, Healthy: 99, Failing: 99},
		{FailureRate: 50, Classic: true},
		{Healthy: 1e-300, Failing: 0.999999},
		{Healthy: 0.9999, Failing: 0.99991},
		{Healthy: 0.3},
		{Calls: 1, MinSamples: math.MaxInt},
		{Calls: 40},
		{Calls: math.MaxInt, MinSamples: 10},
	} {
		b := &breaker.Breaker{Rules: r, Rand: even}
		d := drive(t, b).times(30, time.Millisecond, good)
		for i := 0; b.State() != breaker.Open; i++ {
			if d.wait(time.Millisecond).do(bad); i > 1000 {
				t.Errorf("%+v: not open, but %+v", r, b.Snapshot())
				break
			}
		}
		if open := b.Snapshot().Until.Sub(d.at); open < time.Millisecond || open > time.Hour {
			t.Errorf("%+v: open for %v", r, open)
		}
		d.wait(time.Hour)
		for i := 0; b.State() != breaker.Closed; i++ {
			if d.wait(time.Millisecond).do(good); i > 100 {
				t.Errorf("%+v: not closed, but %+v", r, b.Snapshot())
				break
			}
		}
	}
}

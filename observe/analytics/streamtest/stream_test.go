package streamtest_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/analytics/streamtest"
)

func TestNumbers(t *testing.T) {
	s := streamtest.New(analytics.NewEngine(analytics.Config{}), 1)
	if s.Binomial(5, 0) != 0 || s.Binomial(5, 1) != 5 || s.Binomial(0, 0.5) != 0 {
		t.Error("the sure cases are not")
	}
	const rounds = 20_000
	for _, test := range []struct {
		name string
		want float64
		draw func() int
	}{
		{"Binomial(20, 0.3)", 6, func() int { return s.Binomial(20, 0.3) }},
		{"Poisson(3)", 3, func() int { return s.Poisson(3) }},
		{"Poisson(80)", 80, func() int { return s.Poisson(80) }},
	} {
		sum := 0.0
		for range rounds {
			sum += float64(test.draw())
		}
		if mean := sum / rounds; math.Abs(mean-test.want) > 0.03*test.want {
			t.Errorf("the mean of %s is %v; want %v", test.name, mean, test.want)
		}
	}
	s.Call("a", streamtest.Traffic{Rate: 7, Uniform: true})
	if got := s.Engine.Stats().Records; got != 1 {
		t.Errorf("%d records of seven calls alike; want 1", got)
	}
}

// The same seed makes the same findings.
func TestSeed(t *testing.T) {
	c := streamtest.Scenarios()[0]
	if a, b := c.Run(7), c.Run(7); !reflect.DeepEqual(a, b) || len(a) == 0 {
		t.Errorf("%+v and %+v", a, b)
	}
}

// Every scenario makes records from its first minute on, those of days too, whose findings are measured on request.
func TestScenariosBegin(t *testing.T) {
	for _, c := range streamtest.Scenarios() {
		s := streamtest.New(analytics.NewEngine(c.Config), 1)
		for second := c.Second(); s.Second < 60; s.Next() {
			second(s)
		}
		if s.Engine.Stats().Records == 0 {
			t.Errorf("%s: no record in a minute", c.Name)
		}
	}
}

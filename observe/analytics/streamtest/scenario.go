package streamtest

import (
	"fmt"
	"time"

	"github.com/relent-go/relent/observe/analytics"
)

// A Scenario makes streams, with a pattern or without.
type Scenario struct {
	Name    string
	Kind    analytics.Kind // what is in it; empty means nothing
	Subject string
	Onset   time.Duration    // when it begins
	Limit   time.Duration    // until when it must be found, after Onset
	Length  time.Duration    // of the stream
	Also    []analytics.Kind // what is in it, too, and need not be found
	Config  analytics.Config
	Second  func() func(s *Source) // returns the state of one stream
}

// Run feeds one stream and returns all findings that no other explains.
func (c Scenario) Run(seed uint64) []analytics.Finding {
	e := analytics.NewEngine(c.Config)
	s := New(e, seed)
	second := c.Second()
	for s.Second < int64(c.Length/time.Second) {
		second(s)
		s.Next()
	}
	var list []analytics.Finding
	for _, f := range e.All() {
		if !f.Folded {
			list = append(list, f)
		}
	}
	return list
}

const op = "acme.place_order"

// step returns a scenario's traffic that is calm until the onset and something else from there on, for as long.
func step(onset, length time.Duration, calm, then Traffic) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			t := calm
			if at := time.Duration(s.Second) * time.Second; at >= onset && at < onset+length {
				t = then
			}
			s.Call(op, t)
		}
	}
}

func steady(t Traffic) func() func(*Source) { return step(0, 0, t, t) }

func six(bad int, onset time.Duration, calm, then float64) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			for i := range 6 {
				t := Traffic{Rate: 20, Fail: calm, Code: "http 503"}
				if at := time.Duration(s.Second) * time.Second; i < bad && at >= onset && at < onset+10*time.Minute {
					t.Fail = then
				}
				s.Call(fmt.Sprint("acme.op", i), t)
			}
		}
	}
}

func shards(onset time.Duration, calm, then float64, unequal bool) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			for i := range 10 {
				t := Traffic{Rate: 2, Fail: calm, Code: "http 503", Shard: fmt.Sprint("s", i)}
				if unequal {
					t.Rate = float64(i+1) * 20 / 55
				}
				if at := time.Duration(s.Second) * time.Second; i == 3 && at >= onset && at < onset+10*time.Minute {
					t.Fail = then
				}
				s.Call(op, t)
			}
		}
	}
}

func every(period, width int64, calm, then float64, rate func(phase int64) float64) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			t := Traffic{Rate: 20, Fail: calm, Code: "http 503"}
			phase := s.Second % period
			if phase < width {
				t.Fail = then
			}
			if rate != nil {
				t.Rate = rate(phase)
			}
			s.Call(op, t)
		}
	}
}

func bursty(mix bool) func() func(*Source) {
	return func() func(*Source) {
		var b Bursts
		return func(s *Source) {
			t := Traffic{Rate: 20, Fail: b.Fail(s.Rand), Code: "http 503"}
			if mix {
				t.Fail, t.Class = 5*t.Fail, Mix(0.9, 0.1)
			}
			s.Call(op, t)
		}
	}
}

// Scenarios returns the streams of the specification that these detectors are measured on.
func Scenarios() []Scenario {
	const half, two = 30 * time.Minute, 2 * time.Hour
	calm := Traffic{Rate: 20, Fail: 0.01, Code: "http 503"}
	shift := func(p float64, limit time.Duration) Scenario {
		then := calm
		then.Fail = p
		return Scenario{Name: fmt.Sprintf("1 %% to %.0f %%", 100*p), Kind: analytics.ErrorShift, Subject: op, Onset: half, Limit: limit, Length: two,
			Second: step(half, 10*time.Minute, calm, then)}
	}
	storm := Traffic{Rate: 20, Fail: 0.6, Tries: 3, Again: -1, Code: "http 503"}
	calmRetried := Traffic{Rate: 20, Fail: 0.01, Tries: 3, Again: -1, Code: "http 503"}
	return append(rare(), []Scenario{
		shift(0.05, 90*time.Second), shift(0.1, 25*time.Second), shift(0.3, 8*time.Second),
		{Name: "1 % in bursts", Length: two, Second: bursty(false)},

		{Name: "failures 60 %, 3 attempts", Kind: analytics.RetryStorm, Subject: op, Onset: half, Limit: 10 * time.Second, Length: two,
			Also: []analytics.Kind{analytics.ErrorShift}, Second: step(half, 10*time.Minute, calmRetried, storm)},
		{Name: "5 % failures, 3 attempts", Length: two, Second: steady(Traffic{Rate: 20, Fail: 0.05, Tries: 3, Again: -1, Code: "http 503"})},

		{Name: "4 of 6 at 30 %", Kind: analytics.CorrelatedFailure, Subject: "acme", Onset: half, Limit: 40 * time.Second, Length: two, Second: six(4, half, 0.01, 0.3)},
		{Name: "6 at 5 %, apart", Length: two, Second: six(0, 0, 0.05, 0.05)},

		{Name: "20 % in 5 s of each minute", Kind: analytics.Periodic, Subject: op, Limit: 35 * time.Minute, Length: two,
			Also: []analytics.Kind{analytics.ErrorShift}, Second: every(60, 5, 0.01, 0.21, nil)},
		{Name: "20 % in 2 min of each hour", Kind: analytics.Periodic, Subject: op, Limit: 35 * time.Hour, Length: 48 * time.Hour,
			Also: []analytics.Kind{analytics.ErrorShift}, Second: every(3600, 120, 0.01, 0.21, nil)},
		{Name: "one outage of 10 min", Length: two, Also: []analytics.Kind{analytics.ErrorShift},
			Second: step(half, 10*time.Minute, calm, Traffic{Rate: 20, Fail: 1, Code: "http 503"})},
		{Name: "periodic traffic", Length: two, Second: every(60, 0, 0.02, 0, func(phase int64) float64 {
			if phase < 10 {
				return 60
			}
			return 12
		})},

		{Name: "20 s good, 20 s bad", Kind: analytics.Flapping, Subject: op, Onset: half, Limit: 4 * time.Minute, Length: two, Also: []analytics.Kind{analytics.ErrorShift, analytics.Periodic},
			Second: func() func(*Source) {
				return func(s *Source) {
					t := calm
					if at := s.Second - 1800; at >= 0 && at < 900 && at/20%2 == 1 {
						t.Fail = 0.6
					}
					s.Call(op, t)
				}
			}},
		{Name: "one outage of 5 min", Length: two, Also: []analytics.Kind{analytics.ErrorShift}, Second: step(half, 5*time.Minute, calm, Traffic{Rate: 20, Fail: 1, Code: "http 503"})},
		{Name: "steady 20 %", Length: two, Second: steady(Traffic{Rate: 20, Fail: 0.2, Code: "http 503"})},

		{Name: "90/10/0 to 50/10/40", Kind: analytics.ClassShift, Subject: op, Onset: 80 * time.Minute, Limit: 12 * time.Minute, Length: 3 * time.Hour,
			Also:   []analytics.Kind{analytics.NewError},
			Second: step(80*time.Minute, time.Hour, Traffic{Rate: 20, Fail: 0.1, Class: Mix(0.9, 0.1), Code: "http 503"}, Traffic{Rate: 20, Fail: 0.1, Class: Mix(0.5, 0.1), Code: "http 503"})},
		{Name: "the same mix in bursts", Length: 3 * time.Hour, Second: bursty(true)},

		{Name: "1 of 10 at 30 %", Kind: analytics.BadShard, Subject: op + "/s3", Onset: half, Limit: 90 * time.Second, Length: two, Second: shards(half, 0.01, 0.3, false)},
		{Name: "all shards at 5 %", Length: two, Second: shards(0, 0.05, 0.05, false)},
		{Name: "unequal shards", Length: two, Second: shards(0, 0.05, 0.05, true)},

		{Name: "one code never recovers", Kind: analytics.PaperingOver, Subject: op, Limit: 20 * time.Minute, Length: two, Also: []analytics.Kind{analytics.Ineffective},
			Second: steady(Traffic{Rate: 20, Fail: 0.15, Tries: 3, Code: "-1121"})},
		{Name: "10 % of retries recover", Length: two, Second: steady(Traffic{Rate: 20, Fail: 0.15, Tries: 2, Again: 0.12, Code: "-1121"})},
		{Name: "8 % first, 0.1 % final", Kind: analytics.PaperingOver, Subject: op, Limit: 35 * time.Minute, Length: two,
			Second: steady(Traffic{Rate: 20, Fail: 0.08, Tries: 2, Again: 0.9875, Code: "http 503"})},
		{Name: "3 % first", Length: two, Second: steady(Traffic{Rate: 20, Fail: 0.03, Tries: 2, Again: 0.97, Code: "http 503"})},

		{Name: "recovery 3 %", Kind: analytics.Ineffective, Subject: op, Limit: time.Hour, Length: two, Also: []analytics.Kind{analytics.PaperingOver},
			Second: steady(Traffic{Rate: 20, Fail: 0.1, Tries: 2, Again: 0.03, Code: "http 503"})},
		{Name: "recovery 20 %", Length: two, Second: steady(Traffic{Rate: 20, Fail: 0.1, Tries: 2, Again: 0.2, Code: "http 503"})},
	}...)
}

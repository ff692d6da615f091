package streamtest_test

import (
	"flag"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/analytics/streamtest"
)

var days = flag.Int("days", 0, "days of healthy traffic of each sort, 0 for six hours; docs/analytics.md has what 12 give")

// TestCalm counts false alarms on healthy traffic: 1, 20 and 500 calls a second, Poisson, in bursts, with a daily
// cycle, and with successes in batches as package control tells of them.
func TestCalm(t *testing.T) {
	alarms, hours := map[analytics.Severity]int{}, 0
	streams, length := *days, int64(24)
	if streams == 0 {
		streams, length = 1, 6
	}
	for _, rate := range []float64{1, 20, 500} {
		for _, sort := range []string{"poisson", "bursty", "daily", "batched", "batched bursty"} {
			for day := range streams {
				e := analytics.NewEngine(analytics.Config{})
				s := streamtest.New(e, uint64(day))
				var b streamtest.Bursts
				for s.Second < length*3600 {
					traffic := streamtest.Traffic{Rate: rate, Fail: 0.01, Tries: 3, Again: 0.9, Code: "http 503"}
					traffic.Took = time.Duration(float64(50*time.Millisecond) * math.Exp(0.3*s.Rand.NormFloat64()))
					traffic.Batched = strings.HasPrefix(sort, "batched")
					switch sort {
					case "bursty", "batched bursty":
						traffic.Fail = b.Fail(s.Rand)
					case "daily":
						traffic.Rate *= 1 + 0.5*float64(s.Second)/(24*3600)
					}
					s.Call("acme.get_book", traffic)
					s.Next()
				}
				hours += int(length)
				for _, f := range e.All() {
					alarms[f.Severity]++
					t.Logf("%v calls/s, %s: %s", rate, sort, f.Text)
				}
			}
		}
	}
	total := alarms[analytics.Info] + alarms[analytics.Ticket] + alarms[analytics.Page]
	t.Logf("%d hours: %d page, %d ticket, %d info: %.4f an hour", hours, alarms[analytics.Page], alarms[analytics.Ticket], alarms[analytics.Info], float64(total)/float64(hours))
	if float64(total) > 0.1*float64(hours) {
		t.Errorf("%d false alarms in %d hours; want at most 0.1 an hour", total, hours)
	}
}

// TestDetection measures how long an outage goes unnoticed, with each call at a moment of its own.
func TestDetection(t *testing.T) {
	for _, rate := range []int{20, 50, 100, 500} {
		for _, sort := range []string{"steady", "bursty"} {
			for _, fail := range []float64{1, 0.3} {
				var delays []time.Duration
				missed := 0
				for seed := range 20 {
					if d, ok := detect(uint64(seed), rate, sort == "bursty", fail); ok {
						delays = append(delays, d)
					} else {
						missed++
					}
				}
				if missed > 0 {
					t.Errorf("%d calls/s, %s, %.0f %%: missed %d of 20", rate, sort, 100*fail, missed)
					continue
				}
				slices.Sort(delays)
				p50 := delays[len(delays)/2]
				t.Logf("| %4d | %s | %3.0f %% | %8v | %8v |", rate, sort, 100*fail, p50.Round(10*time.Millisecond), delays[len(delays)-1].Round(10*time.Millisecond))
				want := time.Second
				if fail < 1 {
					want = 3 * time.Second
				}
				if p50 >= want {
					t.Errorf("%d calls/s, %s, %.0f %%: p50 %v; want less than %v", rate, sort, 100*fail, p50, want)
				}
			}
		}
	}
}

func detect(seed uint64, rate int, bursty bool, fail float64) (time.Duration, bool) {
	e := analytics.NewEngine(analytics.Config{})
	s := streamtest.New(e, seed)
	var b streamtest.Bursts
	for s.Second < 1800 {
		traffic := streamtest.Traffic{Rate: float64(rate), Fail: 0.01, Code: "http 503"}
		if bursty {
			traffic.Fail = b.Fail(s.Rand)
		}
		s.Call("acme.get_book", traffic)
		s.Next()
	}
	onset := s.Now().Add(time.Duration(s.Rand.Float64() * float64(time.Second)))
	gap := time.Second / time.Duration(rate)
	for at := onset; at.Before(onset.Add(time.Minute)); at = at.Add(gap) {
		r := analytics.Record{Policy: "acme.get_book", At: at, Attempt: 1, Ended: true, Last: true, OK: s.Rand.Float64() >= fail, Code: "http 503"}
		e.Feed(&r)
		for _, f := range e.Findings() {
			if f.Kind == analytics.ErrorShift {
				return f.Detected.Sub(onset), true
			}
		}
	}
	return 0, false
}

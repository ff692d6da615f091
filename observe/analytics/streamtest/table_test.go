package streamtest_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/analytics/streamtest"
)

var streams = flag.Int("streams", 1, "streams of each scenario, those of days left out below 10; the table in docs/analytics.md is of 200")

// TestTable measures each kind: recall on the streams that have it, precision over all streams of all scenarios.
func TestTable(t *testing.T) {
	type score struct {
		found, streams, right, wrong int
		delays                       []time.Duration
	}
	kinds := map[analytics.Kind]*score{}
	for _, k := range analytics.Kinds() {
		kinds[k] = &score{}
	}
	for _, c := range streamtest.Scenarios() {
		n := *streams
		if c.Length > 12*time.Hour {
			n /= 10
		}
		found, others := 0, map[analytics.Kind]int{}
		var delays []time.Duration
		for seed := range n {
			hit := false
			for _, f := range c.Run(uint64(seed)) {
				switch delay := f.Detected.Sub(streamtest.Start.Add(c.Onset)); {
				case f.Kind == c.Kind && f.Subject.String() == c.Subject && delay >= 0:
					kinds[f.Kind].right++
					if !hit && delay <= c.Limit {
						hit = true
						delays = append(delays, delay)
					}
				case slices.Contains(c.Also, f.Kind):
				default:
					kinds[f.Kind].wrong++
					others[f.Kind]++
				}
			}
			if hit {
				found++
			}
		}
		if n == 0 {
			continue
		}
		slices.Sort(delays)
		p50 := time.Duration(0)
		if len(delays) > 0 {
			p50 = delays[len(delays)/2]
		}
		t.Logf("| %-18s | %-27s | %3d | %5.3f | %8v | %v", c.Kind, c.Name, n, float64(found)/float64(n), p50.Round(time.Millisecond), others)
		if c.Kind != "" {
			kinds[c.Kind].found += found
			kinds[c.Kind].streams += n
		}
	}
	for _, k := range analytics.Kinds() {
		s := kinds[k]
		recall, precision := float64(s.found)/float64(s.streams), float64(s.right)/float64(max(s.right+s.wrong, 1))
		t.Log(fmt.Sprintf("| %-18s | %5.3f | %5.3f |", k, recall, precision))
		if recall < 0.9 || precision < 0.9 {
			t.Errorf("%s: recall %.3f, precision %.3f; want at least 0.9 each", k, recall, precision)
		}
	}
}

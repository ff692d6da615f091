package analytics_test

import (
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/analytics/streamtest"
	"github.com/relent-go/relent/retry"
)

// TestPatterns runs one stream of each scenario of the specification: what is in it is found in time, and nothing else.
// How often that holds is measured in package streamtest, as are the scenarios of days.
func TestPatterns(t *testing.T) {
	for _, c := range streamtest.Scenarios() {
		if c.Length > 12*time.Hour {
			continue
		}
		found := false
		for _, f := range c.Run(1) {
			switch {
			case f.Kind == c.Kind && f.Subject.String() == c.Subject:
				delay := f.Detected.Sub(streamtest.Start.Add(c.Onset))
				found = found || delay >= 0 && delay <= c.Limit
				if f.Text == "" || f.Action.Kind == "" || f.Evidence.Statistic == "" || f.Started.After(f.Detected) {
					t.Errorf("%s: %+v lacks something", c.Name, f)
				}
			case !slices.Contains(c.Also, f.Kind):
				t.Errorf("%s: %s", c.Name, f.Text)
			}
		}
		if found != (c.Kind != "") {
			t.Errorf("%s: %s found %v", c.Name, c.Kind, found)
		}
	}
}

// TestAmbiguousOrdersPage says that orders of unknown outcome are worth waking somebody up.
func TestAmbiguousOrdersPage(t *testing.T) {
	e := analytics.NewEngine(analytics.Config{})
	s := streamtest.New(e, 1)
	for ; s.Second < 5400; s.Next() {
		for i := range 20 {
			r := analytics.Record{Policy: "acme.place_order", At: s.Now(), Attempt: 1, Ended: true, Last: true, OK: i > 1, Orders: true, Class: retry.Transient, Code: "eof"}
			if s.Second > 4200 && i == 0 {
				r.Class = retry.Ambiguous
			}
			e.Feed(&r)
		}
	}
	list := e.Findings()
	if len(list) != 1 || list[0].Kind != analytics.ClassShift || list[0].Severity != analytics.Page {
		t.Errorf("%+v; want a page", list)
	}
}

package analytics

import (
	"fmt"
	"time"

	"github.com/relent-go/relent/retry"
)

// classShift compares, at the end of a minute, the classes of the last five with the hour before, in two windows in a row.
func (e *Engine) classShift(s *subject, at int64) {
	minute := e.second / 60
	var now, before counts
	for i := range int64(5) {
		now.add(&s.min[mod(minute-i, mins)])
	}
	for i := int64(5); i < 65; i++ {
		before.add(&s.min[mod(minute-i, mins)])
	}
	a, b := floats(now.class), floats(before.class)
	chi, df, distance := chiSquare(a, b)
	odd := now.fails >= 50 && before.fails >= 50 && chi > critical(df) && distance >= 0.2
	slot := mod(minute, 5)
	was := s.odd[slot] // five minutes ago
	s.odd[slot] = odd
	if !odd || !was {
		return
	}
	rose := func(c retry.Class) float64 { return a[c]/float64(now.fails) - b[c]/float64(before.fails) }
	severity := Info
	switch {
	case s.orders && rose(retry.Ambiguous) >= 0.2:
		severity = Page
	case rose(retry.Permanent) > 0 || rose(retry.Throttled) > 0:
		severity = Ticket
	}
	e.raise(alarm{kind: ClassShift, subject: policy(s), severity: severity, started: at - int64(10*time.Minute), at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "chi_square", Value: chi, Threshold: critical(df), P: 1e-6, Effect: distance, N: uint64(now.fails), Window: 5 * time.Minute, Fingerprints: s.prints.top()}
		},
		action: Action{Kind: LookAtErrors},
		text: func() string {
			return fmt.Sprintf("The failures of %s changed their nature: %s of them are of another class than in the hour before.", s.name, percent(distance))
		}})
}

func floats(c [4]uint32) []float64 {
	return []float64{float64(c[0]), float64(c[1]), float64(c[2]), float64(c[3])}
}

// hidden looks for retries that hide a failure: many first tries fail, and hardly a call does.
func (e *Engine) hidden(s *subject, at int64) {
	minute := e.second / 60
	var sum counts
	bad := 0
	for i := range int64(30) {
		c := &s.min[mod(minute-i, mins)]
		sum.add(c)
		if c.calls >= 20 && c.rate() >= 0.05 {
			bad++
		}
	}
	final := ratio(float64(sum.failed), float64(sum.calls))
	if bad < 27 || final >= 0.01 {
		return
	}
	e.raise(alarm{kind: PaperingOver, subject: policy(s), severity: Ticket, started: at - int64(30*time.Minute), at: at,
		evidence: func() Evidence {
			return Evidence{Statistic: "bad_minutes", Value: float64(bad), Threshold: 27, Effect: sum.load(), N: uint64(sum.calls), Window: 30 * time.Minute,
				Baseline: sum.rate(), Fingerprints: s.prints.top()}
		},
		action: Action{Kind: FixDependency, Name: s.name},
		text: func() string {
			return fmt.Sprintf("Retries hide that %s of the first tries of %s fail, at %.3g times the load.", percent(sum.rate()), s.name, sum.load())
		}})
}

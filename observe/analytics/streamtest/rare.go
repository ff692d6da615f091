package streamtest

import (
	"math"
	"slices"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/retry"
)

// rare returns the scenarios of patterns that need more than rates: pairs, durations, codes and moments.
func rare() []Scenario {
	const half, two = 30 * time.Minute, 2 * time.Hour
	outages := []analytics.Kind{analytics.ErrorShift, analytics.Flapping, analytics.Periodic}
	shifted := []analytics.Kind{analytics.ErrorShift, analytics.PaperingOver}
	return []Scenario{
		{Name: "2 undeclared, 8 bad bins", Kind: analytics.HiddenDependency, Subject: "acme.get_book+zeta.get_book", Onset: half, Limit: 10 * time.Minute, Length: two,
			Also: outages, Second: pair(true)},
		{Name: "8 bad bins each", Length: two, Also: outages, Second: pair(false)},

		{Name: "3 times slower in 30 min", Kind: analytics.Brownout, Subject: op, Onset: 4 * time.Hour, Limit: 25 * time.Minute, Length: 5 * time.Hour,
			Second: latency(func(second int64) float64 { return math.Log(3) * min(max(0, float64(second-4*3600)/1800), 1) })},
		{Name: "latency of a day, 30 %", Length: 72 * time.Hour,
			Second: latency(func(second int64) float64 { return math.Log(1 + 0.3*math.Sin(2*math.Pi*float64(second)/86400)) })},

		{Name: "half of another code", Kind: analytics.NewError, Subject: op, Onset: 90 * time.Minute, Limit: 5 * time.Minute, Length: 2 * time.Hour,
			Second: codes(func(s *Source) string {
				if s.Second >= 5400 && s.Rand.Float64() < 0.5 {
					return "eof"
				}
				return "http 503"
			})},
		{Name: "a code that comes back", Length: 3 * time.Hour, Second: codes(func(s *Source) string {
			if s.Second%1200 < 60 {
				return "eof"
			}
			return "http 503"
		})},
		{Name: "a code for each failure", Length: 2 * time.Hour, Second: codes(func(s *Source) string { return time.Duration(s.Rand.Int64N(1 << 40)).String() })},

		{Name: "500 released in 200 ms", Kind: analytics.Herd, Subject: op, Onset: half, Limit: 6 * time.Second, Length: time.Hour, Second: released(200 * time.Millisecond)},
		{Name: "500 released in 30 s", Length: time.Hour, Second: released(30 * time.Second)},

		{Name: "1 s delay, aligned starts", Kind: analytics.Synchronised, Subject: op, Onset: half, Limit: time.Minute, Length: time.Hour, Also: shifted, Second: retried(half, false, true)},
		{Name: "full jitter, aligned starts", Length: time.Hour, Also: shifted, Second: retried(half, true, true)},
		{Name: "1 s delay, any starts", Length: time.Hour, Also: shifted, Second: retried(half, false, false)},
	}
}

// pair fails in 8 of the 60 bins of ten seconds after half an hour: two operations together, or each by itself.
func pair(together bool) func() func(*Source) {
	return func() func(*Source) {
		var bad [2][]int
		return func(s *Source) {
			if bad[0] == nil {
				bad[0], bad[1] = s.Rand.Perm(60)[:8], s.Rand.Perm(60)[:8]
				if together {
					bad[1] = bad[0]
				}
			}
			for i, name := range []string{"acme.get_book", "zeta.get_book"} {
				t := Traffic{Rate: 20, Fail: 0.01, Code: "http 503"}
				if since := s.Second - 1800; since >= 0 && slices.Contains(bad[i], int(since/10)) {
					t.Fail = 0.3
				}
				s.Call(name, t)
			}
		}
	}
}

// latency has durations of 50 ms with noise that is correlated in time (0.6 from one half minute to the next) about a course.
func latency(course func(second int64) float64) func() func(*Source) {
	return func() func(*Source) {
		noise := 0.0
		return func(s *Source) {
			if s.Second%30 == 0 {
				noise = 0.6*noise + 0.8*0.1*s.Rand.NormFloat64()
			}
			took := 0.05 * math.Exp(course(s.Second)+noise+0.1*s.Rand.NormFloat64())
			s.Call(op, Traffic{Rate: 20, Fail: 0.01, Code: "http 503", Took: time.Duration(took * float64(time.Second))})
		}
	}
}

// codes fails one call of ten, with a code each.
func codes(code func(*Source) string) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			s.Call(op, Traffic{Rate: 18})
			for range s.Poisson(2) {
				s.Call(op, Traffic{Rate: 1, Uniform: true, Fail: 1, Code: code(s)})
			}
		}
	}
}

// released opens a circuit for half a minute, in which 500 calls wait.
func released(over time.Duration) func() func(*Source) {
	return func() func(*Source) {
		return func(s *Source) {
			since := s.Second - 1770
			switch since {
			case 0:
				s.Engine.Feed(&analytics.Record{Event: analytics.Circuit, At: s.Now(), Policy: op, State: analytics.Open})
			case 30:
				s.Engine.Feed(&analytics.Record{Event: analytics.Circuit, At: s.Now(), Policy: op, State: analytics.Closed})
			}
			if since >= 0 && since < 30 {
				return
			}
			s.Call(op, Traffic{Rate: 20, Fail: 0.01, Code: "http 503", Batched: true})
			if since >= 30 && time.Duration(since-30)*time.Second < over {
				n, part := 500, min(over, time.Second)
				r := analytics.Record{Policy: op, At: s.Now().Add(part), Attempt: 1, Ended: true, Last: true, OK: true, Over: part, Count: uint32(time.Duration(n) * part / over)}
				s.Engine.Feed(&r)
			}
		}
	}
}

// retried fails one of five first tries from the onset on. They are retried after a second, or with full jitter.
func retried(onset time.Duration, jitter, aligned bool) func() func(*Source) {
	return func() func(*Source) {
		call := uint64(0)
		var later []analytics.Record // in the order of time, nearly
		return func(s *Source) {
			s.Call(op, Traffic{Rate: 18, Fail: 0.01, Code: "http 503"})
			if s.Now().Before(Start.Add(onset)) {
				return
			}
			end := s.Now().Add(time.Second)
			slices.SortStableFunc(later, func(a, b analytics.Record) int { return a.At.Compare(b.At) })
			for len(later) > 0 && later[0].At.Before(end) {
				s.Engine.Feed(&later[0])
				later = later[1:]
			}
			for range s.Poisson(2) {
				call++
				spread := time.Second
				if aligned {
					spread = 50 * time.Millisecond
				}
				start, wait, took := time.Duration(s.Rand.Float64()*float64(spread)), time.Second, 20*time.Millisecond
				if jitter {
					wait = time.Duration(s.Rand.Float64() * float64(time.Second))
				}
				first := analytics.Record{Policy: op, At: s.Now().Add(start + took), Call: call, Attempt: 1, Ended: true, Class: retry.Transient, Code: "http 503",
					Wait: wait, Took: took, Elapsed: took}
				s.Engine.Feed(&first)
				again := first
				again.At, again.Attempt, again.Last, again.OK, again.Wait, again.Elapsed = first.At.Add(wait+took), 2, true, true, 0, wait+2*took
				later = append(later, again)
			}
		}
	}
}

package breaker_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/gate/breaker"
	"github.com/relent-go/relent/retry"
)

// A stream makes calls at 100/s (Poisson) of which a share fails.
type stream struct {
	b       *breaker.Breaker
	random  *rand.Rand
	at      time.Duration
	attempt retry.Attempt
	outcome retry.Outcome
}

func newStream(r breaker.Rules, seed uint64) *stream {
	s := &stream{b: &breaker.Breaker{Rules: r, Rand: even}, random: rand.New(rand.NewPCG(seed, 1))}
	s.attempt = retry.Attempt{Policy: read, Number: 1, Note: new(uint64)}
	return s
}

func (s *stream) call(failing float64) {
	s.at += time.Duration(s.random.ExpFloat64() * float64(10*time.Millisecond))
	a, o := &s.attempt, &s.outcome
	a.At = start.Add(s.at)
	*a.Note = 0
	o.Start, o.State, o.Class = a.At, retry.Succeeded, 0
	if s.random.Float64() < failing {
		o.State, o.Class = retry.Failed, retry.Transient
	}
	if s.b.Admit(nil, a) == nil {
		s.b.Settle(a, o)
	}
}

// until makes calls until the breaker is in a state at least as strict, and returns how many seconds that took, or +Inf
// after the horizon.
func (s *stream) until(state breaker.State, failing float64, horizon time.Duration) float64 {
	begin := s.at
	for s.at-begin < horizon {
		if s.call(failing); s.b.State() >= state {
			return (s.at - begin).Seconds()
		}
	}
	return math.Inf(1)
}

// detectors are the columns of the table in section 4 of the specification: what rules, and what counts as an alarm. The
// last two are one breaker.
var detectors = []struct {
	rules  breaker.Rules
	states []breaker.State
	names  []string
}{
	{breaker.Rules{Classic: true}, []breaker.State{breaker.Open}, []string{"window 50 %"}},
	{breaker.Rules{Classic: true, FailureRate: 0.1}, []breaker.State{breaker.Open}, []string{"window 10 %"}},
	{breaker.Rules{}, []breaker.State{breaker.Suspect, breaker.Throttling}, []string{"CUSUM 7", "CUSUM 10"}},
}

func TestDetectionDelay(t *testing.T) {
	if racing {
		t.Skip("one goroutine only: run without the race detector")
	}
	const runs = 150
	inf := math.Inf(1)
	for i, row := range []struct {
		failing float64
		median  []float64
	}{
		{0.05, []float64{inf, inf, 1.22, 2.17}},
		{0.10, []float64{inf, 9.95, 0.37, 0.62}},
		{0.20, []float64{inf, 4.72, 0.17, 0.24}},
		{0.50, []float64{9.98, 1.86, 0.07, 0.09}},
		{1.00, []float64{4.95, 0.91, 0.03, 0.05}},
	} {
		column := 0
		for _, detector := range detectors {
			delays := make([][]float64, len(detector.states))
			want := row.median[column : column+len(delays)]
			column += len(delays)
			horizon := time.Minute
			if want[0] == inf {
				horizon = 15 * time.Second
			}
			for seed := range uint64(runs) {
				s := newStream(detector.rules, seed+1000*uint64(i))
				for s.at < 11*time.Second || s.b.State() != breaker.Closed { // a full window, and no false alarm under way
					if s.call(0.01); s.at > time.Minute {
						t.Fatalf("%s, seed %d: no good times", detector.names, seed)
					}
				}
				before := 0.0
				for j, state := range detector.states {
					before += s.until(state, row.failing, horizon)
					delays[j] = append(delays[j], before)
				}
			}
			for j, got := range delays {
				check(t, row.failing, detector.names[j], got, want[j])
			}
		}
	}
}

func check(t *testing.T, failing float64, name string, delays []float64, want float64) {
	slices.Sort(delays)
	got, late := delays[len(delays)/2], delays[len(delays)*95/100]
	if math.IsInf(want, 1) {
		if found := slices.Index(delays, want); found > len(delays)*5/100 || found < 0 {
			t.Errorf("%v %% by %s: %d of %d found; want hardly any", 100*failing, name, found, len(delays))
		}
		return
	}
	t.Logf("%3.0f %% by %-12s median %5.2f s, 95th percentile %5.2f s; specification %5.2f s", 100*failing, name, got, late, want)
	if !(math.Abs(got-want) <= max(0.25*want, 0.05)) {
		t.Errorf("%v %% by %s: median %.2f s; want %.2f", 100*failing, name, got, want)
	}
}

func TestFalseAlarms(t *testing.T) {
	if racing {
		t.Skip("one goroutine only: run without the race detector")
	}
	const runs, calls = 300, 12_000
	ranges := [][2]int{{0, 0}, {3, 8}, {65, 102}, {3, 6}}
	column := 0
	for _, detector := range detectors {
		alarms := make([]int, len(detector.states))
		for seed := range uint64(runs) {
			s := newStream(detector.rules, seed+1)
			worst := breaker.Closed
			for range calls {
				s.call(0.01)
				worst = max(worst, s.b.State())
			}
			for j, state := range detector.states {
				if worst >= state {
					alarms[j]++
				}
			}
		}
		for j, n := range alarms {
			r := ranges[column]
			column++
			t.Logf("%s: %d of %d runs", detector.names[j], n, runs)
			if n < r[0] || n > r[1] {
				t.Errorf("%s: %d false alarms in %d runs; want %d to %d", detector.names[j], n, runs, r[0], r[1])
			}
		}
	}
}

package gatetest

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

// readsNoClock makes the same attempts three times: while the clock stands, long before their time, and
// long after it while the clock runs. A gate that looks at the clock decides otherwise.
func readsNoClock(t *testing.T, s Suite, complain complaint) {
	want := s.script(complain, 0, 0)
	for _, other := range []struct {
		when         string
		shift, sleep time.Duration
	}{
		{"a clock that runs", 0, 7 * time.Minute},
		{"attempts of a later year", 10000 * time.Hour, 0},
		{"attempts of an earlier year and a clock that runs", -10000 * time.Hour, 7 * time.Minute},
	} {
		got := s.script(complain, other.shift, other.sleep)
		if i := differs(got, want); i >= 0 {
			complain("with %s the gate decides otherwise about attempt %d of %d: let it begin %v; want %v",
				other.when, i+1, len(want), got[i], want[i])
		}
	}
}

// differs returns the first place where a and b, which are of one length, differ, or -1.
func differs(a, b []bool) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// script takes a new gate through good times and bad, by the times in the attempts alone, and returns which
// of them it let begin.
func (s Suite) script(complain complaint, shift, sleep time.Duration) (began []bool) {
	d := s.driver(complain)
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Now().Add(shift)
	var running []retry.Attempt
	for step := range 600 {
		time.Sleep(sleep)
		at = at.Add(time.Duration(random.ExpFloat64() * float64(300*time.Millisecond)))
		if random.IntN(40) == 0 {
			at = at.Add(time.Duration(random.IntN(90)) * time.Second)
		}
		a := d.attempt(at, 1+random.IntN(2))
		err := d.begin(a)
		began = append(began, err == nil)
		if err == nil {
			running = append(running, a)
		}
		for len(running) > random.IntN(4) {
			i := random.IntN(len(running))
			d.settle(running[i], s.outcome(random, step/100%2 == 1, at))
			running = slices.Delete(running, i, i+1)
		}
	}
	return began
}

// outcome draws how an attempt ended.
func (s Suite) outcome(random *rand.Rand, bad bool, at time.Time) retry.Outcome {
	o := retry.Outcome{State: retry.Succeeded, Start: at.Add(-time.Millisecond)}
	failing := 20
	if bad {
		failing = 90
	}
	switch n := random.IntN(100); {
	case n < failing:
		o.State, o.Err, o.Class, o.End = retry.Failed, errFailed, retry.Class(random.IntN(4)), at
	case n >= 98:
		o.State = retry.Canceled
	case s.Elapsed:
		o.End = at
	}
	return o
}

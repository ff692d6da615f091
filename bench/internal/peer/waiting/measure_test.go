package main

import (
	"testing"
	"time"
)

// TestMeasure has every subject wait with a few calls: measure itself insists that each is begun
// twice, once before the wait and once after it.
func TestMeasure(t *testing.T) {
	const n, wait = 50, 300 * time.Millisecond
	names := []string{"AfterFunc", "relent Go"}
	for _, s := range subjects() {
		if s.Waits {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		for _, pace := range []time.Duration{0, 50 * time.Millisecond} {
			begin, fail, err := starter(name, wait)
			if err != nil {
				t.Fatal(err)
			}
			r, err := measure(begin, fail, n, wait, pace)
			if err != nil {
				t.Errorf("%s, paced over %v: %v", name, pace, err)
				continue
			}
			if r.LateP50 > r.LateP99 || r.LateP99 > r.LateMax || r.LateMax < 0 {
				t.Errorf("%s: late by %v, %v, %v ms; want them in order", name, r.LateP50, r.LateP99, r.LateMax)
			}
		}
	}
}

func TestStarterRefuses(t *testing.T) {
	for _, name := range []string{"nobody", "retryablehttp"} {
		if _, _, err := starter(name, time.Second); err == nil {
			t.Errorf("starter(%q) = nil; want an error", name)
		}
	}
}
